"""A section of the report: which rule decides best, what its probability is worth, and from which one on to answer."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from slmmux._errors import ArgumentError
from slmmux.learned._calibration import reliability
from slmmux.plots import plot_reliability, plot_risk_coverage
from slmmux.report._page import Html, bare, captioned, each, element, heads, number, points, table
from slmmux.selection import Foretold, HeldOut, Selection, Subset, Threshold

__all__ = ["TARGETS", "confidence", "gain_of", "thresholds"]

TARGETS = (0.8, 0.9, 0.95)  # accuracies that somebody may need before acting on an answer
_FEW = 30  # answers below which an interval says too little
_SINGLE = "single"
_RULES = {
    "self-consistency": "the model that agrees most with itself answers (SLM-MUX above)",
    "pooled": "one vote of all samples of all models (Agent Forest above)",
    "learned": "that vote, with a weight for each model learned from questions",
    "learned-by-question": "the same, with weights that also depend on what is asked",
}


def thresholds(selection: Selection, size: int) -> dict[float, Threshold | None]:
    """Return the threshold for each target accuracy; `None` if no probability keeps it."""
    found: dict[float, Threshold | None] = {}
    for target in TARGETS:
        try:
            found[target] = selection.threshold(target_accuracy=target, size=size)
        except ArgumentError:  # no probability keeps it: the selection has a fitted rule, so nothing else can be wrong
            found[target] = None
    return found


def confidence(selection: Selection, subset: Subset) -> list[Html]:
    """Return the section on the best subset of a size; nothing where its rules were not held against each other.

    Args:
        selection: Where it comes from.
        subset: The one the page is about.
    """
    if subset.contest is None:
        return []
    parts = [element("h2", "A confidence to act on"), *_contest(subset, subset.contest)]
    if subset.foretold is None:
        return [
            *parts,
            element(
                "p",
                "None of these rules says how probable it is that its answer is right. A fitted one does: ask for "
                'rule="learned", with enough questions to learn from.',
            ),
        ]
    found = thresholds(selection, len(subset.models))
    return [
        *parts,
        *_calibration(subset, subset.foretold),
        *_thresholds(subset.foretold, found),
        _pictures(subset.foretold, [*dict.fromkeys(reached for reached in found.values() if reached)]),
    ]


def _contest(subset: Subset, contest: Mapping[str, HeldOut]) -> list[Html]:
    rows = [
        element(
            "tr",
            element(
                "th",
                "best single model" if name == _SINGLE else name,
                *([element("div", "served", class_="soft")] if name == subset.rule else []),
                scope="row",
            ),
            number(bare(seen.accuracy)),
            number("-" if name == _SINGLE else gain_of(seen)),
            element("td", "what a mux has to beat" if name == _SINGLE else _in_words(seen)),
            **({"class_": "spoke"} if name == subset.rule else {}),
        )
        for name, seen in contest.items()
    ]
    served = contest[subset.rule]
    return [
        element(
            "p",
            f"{' + '.join(subset.models)} can decide by other rules than the one above. These are compared on "
            "questions that had no part in them, nor in the choice of as many models (held-out). Served is the rule that "
            f"was asked for: {subset.rule}.",
        ),
        table(
            f"Each rule, simplest first (held-out, {served.folds} parts, {served.repeats} times over)",
            [
                element(
                    "tr",
                    element("th", "rule", class_="names"),
                    *heads("accuracy (%)", "gain over the best single, 95 % interval"),
                    element("th", "in words", class_="names"),
                )
            ],
            rows,
        ),
        element(
            "p",
            "; ".join(f"{name}: {means}" for name, means in _RULES.items() if name in contest) + ".",
            class_="soft",
        ),
    ]


def gain_of(estimate: HeldOut) -> str:
    """Return a gain in points, with its interval if there is one."""
    if (interval := estimate.interval) is None:
        return points(estimate.gain)
    return f"{points(estimate.gain)} ({points(interval[0])} to {points(interval[1])})"


def _in_words(seen: HeldOut) -> str:
    low, high = seen.interval or (-1.0, 1.0)
    if low > 0:
        return "better than the best single model"
    if high < 0:
        return "loses to the best single model"
    if seen.gain > 0:
        return "better here, maybe by chance"
    return "loses here, maybe by chance" if seen.gain < 0 else "neither better nor worse"


def _calibration(subset: Subset, foretold: Foretold) -> list[Html]:
    rows = []
    for name, said, right in (
        ("raw confidence", foretold.confidence, foretold.right_by_confidence),
        (f"{foretold.rule} probability", foretold.probability, foretold.right),
    ):
        found = reliability(said, right)
        rows.append(
            element(
                "tr",
                element("th", name, scope="row"),
                number(bare(fmean(said))),
                number(bare(fmean(right))),
                number(f"{found.error:.3f}"),
                number(f"{found.brier:.3f}"),
            )
        )
    other = (
        f' Best at deciding is {subset.rule}, which says no probability: to act on one, ask the mux for rule="'
        f'{foretold.rule}".'
        if subset.rule not in subset.fitted
        else ""
    )
    return [
        element(
            "p",
            "Raw confidence is the share of a model's samples that gave its vote: how sure the model is, not how often "
            f"it is right. The probability that the rule {foretold.rule} gives is meant to say how often.{other}",
        ),
        table(
            "How far what was said is from what came true (held-out)",
            [
                element(
                    "tr",
                    element("th", "", class_="names"),
                    *heads("said, on average (%)", "right (%)", "calibration error (ECE)", "squared error (Brier)"),
                )
            ],
            rows,
        ),
        element(
            "p",
            "Both errors are 0 at best. ECE: how far probability and share right are apart, on average over ten bins. "
            "Brier: the mean square of probability - outcome, which also grows where right and wrong look alike.",
            class_="soft",
        ),
    ]


def _thresholds(foretold: Foretold, found: Mapping[float, Threshold | None]) -> list[Html]:
    questions = len(foretold.probability)
    return [
        table(
            "To answer only from a probability p on (held-out)",
            [
                element(
                    "tr",
                    *heads(
                        "accuracy asked for", "p", "accuracy, 95 % interval (%)", "still answered (%)",
                        f"of {questions:,} questions",
                    ),
                )
            ],
            [_threshold(target, reached, questions) for target, reached in found.items()],
        ),
        element(
            "p",
            "Below abstain_below=p the mux gives no answer; below escalate_below=p it asks another model. p is "
            "chosen such that new questions keep the accuracy asked for with a confidence of 90 %.",
            class_="soft",
        ),
    ]  # fmt: skip


def _threshold(target: float, found: Threshold | None, questions: int) -> Html:
    answers = 0 if found is None else round(found.answered * questions)
    cells = (
        ("not reached", "-", "-", "-")
        if found is None
        else (
            f"{found.p:.3f}",
            f"{bare(found.accuracy)} ({bare(found.low)} to {bare(found.high)})",
            bare(found.answered),
            each([f"{answers:,}", *([element("div", "too few to rely on", class_="soft")] if answers < _FEW else [])]),
        )
    )
    return element("tr", element("th", f"{100 * target:.0f} %", scope="row", class_="number"), *map(number, cells))


def _pictures(foretold: Foretold, marked: Sequence[Threshold]) -> Html:
    return element(
        "div",
        captioned(
            plot_reliability(foretold),
            "reliability",
            "How often answers are right that are said to be right with a probability: on the dashed line, as often as "
            "said; below it, less often. Larger marks rest on more questions, counted below. Held-out.",
        ),
        captioned(
            plot_risk_coverage(foretold, marked),
            "risk-coverage",
            "How often the answers given are wrong when only the surest questions are answered: the lower, the better "
            "right and wrong are told apart. Squares: where a threshold on raw confidence can stop. With bars: the "
            "thresholds of the table, with the interval of their accuracy. Held-out.",
        ),
        class_="figures",
    )
