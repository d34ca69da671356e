"""The report's section on decision rules: their accuracy, the calibration of their probability, and thresholds."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from slmmux._errors import ArgumentError
from slmmux.learned._calibration import reliability
from slmmux.plots import plot_reliability, plot_risk_coverage
from slmmux.report._page import Html, bare, captioned, each, element, heads, number, points, table, times
from slmmux.selection import ConfidenceResult, Foretold, HeldOut, Selection, Subset, Threshold

__all__ = ["TARGETS", "confidence", "confidences", "gain_of", "thresholds"]

TARGETS = (0.8, 0.9, 0.95)  # Accuracies that a reader may need before acting on an answer.
_FEW = 30  # With fewer answers an interval says too little.
_SINGLE = "single"
_RULES = {
    "self-consistency": "the model that agrees most with itself answers (SLM-MUX above)",
    "pooled": "one vote of all samples of all models (Agent Forest above)",
    "learned": "one vote, in which each model has a weight learned from questions",
    "learned-by-question": "the same, with weights that also depend on the question",
}


def thresholds(selection: Selection, size: int) -> dict[float, Threshold | None]:
    """Return the threshold for each target accuracy; `None` if no probability keeps it."""
    by_target: dict[float, Threshold | None] = {}
    for target in TARGETS:
        try:
            by_target[target] = selection.threshold(target_accuracy=target, size=size)
        except ArgumentError:  # A selection with held-out probabilities raises this only if no threshold keeps it.
            by_target[target] = None
    return by_target


def confidence(selection: Selection, subset: Subset) -> list[Html]:
    """Return the section on one subset; it is empty unless the subset's rules were compared.

    Args:
        selection: The selection of the subset.
        subset: The subset that the page is about.
    """
    if subset.contest is None:
        return []
    parts = [element("h2", "Decision rules and calibration"), *_contest(subset, subset.contest)]
    if subset.foretold is None:
        return [
            *parts,
            element(
                "p",
                "These rules give no probability that an answer is right. A learned rule does: pass "
                'rule="learned", with enough questions to learn from.',
            ),
        ]
    by_target = thresholds(selection, len(subset.models))
    return [
        *parts,
        *_calibration(subset, subset.foretold),
        *_thresholds(subset.foretold, by_target),
        # Several targets can have one p, which is marked once.
        _pictures(subset.foretold, [*{each.p: each for each in by_target.values() if each}.values()]),
    ]


_SOURCES = {
    "consistency": "the share of a model's samples that give its answer",
    "logprob": "the mean probability of the reply's tokens",
    "verbalised": "what the model says when it is asked",
    "judge": "the rating of a model",
    "reward": "a function of the reply's text",
}


def confidences(models: Sequence[str], results: Sequence[ConfidenceResult]) -> list[Html]:
    """Return the section that compares recorded confidences.

    Args:
        models: The members of the mux.
        results: What each confidence is worth, self-consistency first.
    """
    rows = [
        element(
            "tr",
            element("th", each.confidence, scope="row"),
            number(bare(each.accuracy)),
            number(
                "-"
                if each is results[0]
                else Html(
                    f'{points(each.gain)} <span class="interval">({points(each.low)} to {points(each.high)})</span>'
                )
            ),
            number(bare(each.stated)),
            number(f"{each.error:.3f}"),
            number(f"{each.brier:.3f}"),
            number("-" if each.separation is None else f"{each.separation:.2f}"),
            number("-" if each.scored is None else bare(each.scored)),
            number("-" if each.tokens is None else f"{each.tokens:,.0f}"),
        )
        for each in results
    ]
    return [
        element("h2", "Other confidences"),
        element(
            "p",
            f"The same samples of {' + '.join(models)}, each counted by how sure somebody is of it. "
            "Nothing is fitted. A sample without a score counts as the mean of its question.",
        ),
        table(
            "Recorded confidences (in-sample choice of models)",
            [
                element(
                    "tr",
                    element("th", "confidence", class_="names"),
                    *heads(
                        "accuracy (%)", "gain over consistency, 95 % interval", "mean confidence (%)",
                        "calibration error (ECE)", "squared error (Brier)", "right above wrong (AUROC)",
                        "samples with a score (%)", "tokens per question",
                    ),
                )
            ],
            rows,
        ),
        element(
            "p",
            "; ".join(f"{each.confidence}: {_SOURCES.get(each.confidence, 'a score')}" for each in results) + ".",
            class_="soft",
        ),
    ]  # fmt: skip


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
            number(bare(result.accuracy)),
            number("-" if name == _SINGLE else gain_of(result)),
            element("td", "the baseline for a mux" if name == _SINGLE else _in_words(result)),
            **({"class_": "winner"} if name == subset.rule else {}),
        )
        for name, result in contest.items()
    ]
    served = contest[subset.rule]
    return [
        element(
            "p",
            f"{' + '.join(subset.models)} can decide by other rules than the one above. They are compared on questions "
            "that were used neither to fit a rule nor to choose the models (held-out). The rule asked for is served, "
            f"whichever did best here: {subset.rule}.",
        ),
        table(
            f"Accuracy of each rule, simplest first (held-out, {served.folds} parts, {times(served.repeats)})",
            [
                element(
                    "tr",
                    element("th", "rule", class_="names"),
                    *heads("accuracy (%)", "gain over the best single model, 95 % interval"),
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


def gain_of(estimate: HeldOut) -> Html:
    """Return a gain in points, with its interval if there is one."""
    gain = points(estimate.gain)
    if (interval := estimate.interval) is None:
        return Html(gain)
    return Html(f'{gain} <span class="interval">({points(interval[0])} to {points(interval[1])})</span>')


def _in_words(result: HeldOut) -> str:
    low, high = result.interval or (-1.0, 1.0)
    if low > 0:
        return "better than the best single model"
    if high < 0:
        return "loses to the best single model"
    if result.gain > 0:
        return "better here, maybe by chance"
    return "loses here, maybe by chance" if result.gain < 0 else "neither better nor worse"


def _calibration(subset: Subset, foretold: Foretold) -> list[Html]:
    rows = []
    for name, probability, right in (
        ("raw confidence", foretold.confidence, foretold.right_by_confidence),
        (f"{foretold.rule} probability", foretold.probability, foretold.right),
    ):
        diagram = reliability(probability, right)
        rows.append(
            element(
                "tr",
                element("th", name, scope="row"),
                number(bare(fmean(probability))),
                number(bare(fmean(right))),
                number(f"{diagram.error:.3f}"),
                number(f"{diagram.brier:.3f}"),
            )
        )
    hint = (
        f" The rule that is served is {subset.rule}, which gives no probability; to get one, make the mux with "
        f'rule="{foretold.rule}".'
        if subset.rule not in subset.fitted
        else ""
    )
    return [
        element(
            "p",
            "Raw confidence is the share of a model's samples that gave its vote. It says how certain the model is, "
            f"not how often it is right; the probability of the rule {foretold.rule} is meant to say that.{hint}",
        ),
        table(
            "Calibration (held-out)",
            [
                element(
                    "tr",
                    element("th", "probability", class_="names"),
                    *heads("mean (%)", "share right (%)", "calibration error (ECE)", "squared error (Brier)"),
                )
            ],
            rows,
        ),
        element(
            "p",
            "Both errors are 0 at best. ECE: the distance between probability and share right, averaged over ten bins. "
            "Brier: the mean square of probability - outcome, which also grows if right and wrong answers look alike.",
            class_="soft",
        ),
    ]


def _thresholds(foretold: Foretold, by_target: Mapping[float, Threshold | None]) -> list[Html]:
    questions = len(foretold.probability)
    return [
        table(
            "Answer only if p is at least ... (held-out)",
            [
                element(
                    "tr",
                    *heads(
                        "target accuracy", "p", "accuracy, 95 % interval (%)", "answered (%)",
                        f"answers to {questions:,} questions",
                    ),
                )
            ],
            [_threshold(target, threshold, questions) for target, threshold in by_target.items()],
        ),
        element(
            "p",
            "With abstain_below=p the mux gives no answer below p; with escalate_below=p it asks another model then. p "
            "is chosen such that new questions keep the accuracy asked for with a confidence of 90 %.",
            class_="soft",
        ),
    ]  # fmt: skip


def _threshold(target: float, threshold: Threshold | None, questions: int) -> Html:
    answers = 0 if threshold is None else round(threshold.answered * questions)
    cells = (
        ("not reached", "-", "-", "-")
        if threshold is None
        else (
            f"{threshold.p:.3f}",
            f"{bare(threshold.accuracy)} ({bare(threshold.low)} to {bare(threshold.high)})",
            bare(threshold.answered),
            each([f"{answers:,}", *([element("div", "too few to rely on", class_="soft")] if answers < _FEW else [])]),
        )
    )
    return element("tr", element("th", f"{100 * target:.0f} %", scope="row", class_="number"), *map(number, cells))


def _pictures(foretold: Foretold, thresholds: Sequence[Threshold]) -> Html:
    return element(
        "div",
        captioned(
            plot_reliability(foretold),
            "reliability",
            "The share of answers that are right, against their stated probability: on the dashed line they are right "
            "as often as stated, below it less often. Larger marks stand for more questions, which are counted in the "
            "lower part. Held-out.",
        ),
        captioned(
            plot_risk_coverage(foretold, thresholds),
            "risk-coverage",
            "The share of answers that are wrong if only the most certain questions are answered: the lower the curve, "
            "the better the probability separates right from wrong. Squares mark the possible thresholds on raw "
            "confidence, bars the thresholds of the table with the interval of their accuracy. Held-out.",
        ),
        class_="figures",
    )
