"""A recording as one page: what was recorded, which models to mux or not, and what that rests on.

The page needs nothing but itself, the same recording makes the same page, and every figure on it says whether it is
in-sample (counted on the questions the models were chosen on) or held out.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np

from slmmux._decision.types import Decision, Vote
from slmmux.baselines import baselines
from slmmux.plots import complement_of, draw_complement, need_matplotlib, plot_attribution, plot_objective, plot_scaling
from slmmux.recording import Recording, Row
from slmmux.recording._arrays import Arrays, Missing, Same, arrays_of
from slmmux.recording._replay import group_of, replay
from slmmux.report._confidence import confidence, gain_of
from slmmux.report._counts import by_dataset, changed, dataset_of, recorded
from slmmux.report._page import Html, bare, captioned, each, element, heads, number, page, table
from slmmux.scaling import scaling
from slmmux.selection import HeldOut, Selection, Subset, select_complementary
from slmmux.selection._contest import Rule

__all__ = ["Choosing", "report"]

_CHANGED = 10  # questions shown of those that the mux changed
_ANSWER, _QUESTION = 160, 1200  # characters shown of an answer, and of a question or a gold answer


class Choosing(TypedDict, total=False):
    """How the models are chosen: `select_complementary()` says what each is."""

    penalty: float
    correct: str
    folds: int
    repeats: int
    seed: int
    time_limit: float
    rule: Rule
    embedding: Any
    n_resamples: int
    worth: float


def report(
    recording: Recording,
    path: str | PathLike[str] | None = None,
    *,
    sizes: Iterable[int] | None = None,
    samples: int | Mapping[str, int] | None = None,
    models: Sequence[str] | None = None,
    same: Same | None = None,
    missing: Missing = "error",
    **choosing: Unpack[Choosing],
) -> str:
    """Return one self-contained page of HTML about a recorded pool: whether to mux, which models, and why.

    Args:
        recording: A pool's samples, with gold answers.
        path: Where to write it as well; a file that is there is replaced.
        sizes: Models a subset; `None`: 1 to 3, no more than there are models.
        samples: k, or k by label: the first k recorded; `None`: as many as were recorded.
        models: Which models of the recording; `None`: all.
        same: Whether two answers are equal, the gold one included; without it as they were recorded.
        missing: What a question that was not recorded in full of every model is: an "error", or one to "drop".
        choosing: How the models are chosen, and with `rule` which rules are held against each other; see `Choosing`.

    Returns:
        The page, as text. It has no date in it: the same recording makes the same page.

    Raises:
        ArgumentError: matplotlib is not installed; or as for `select_complementary`.
        RecordingError: No samples, samples missing, or questions without a gold answer.
        OSError: The file cannot be written.

    Example:
        >>> from slmmux.recording import Row
        >>> recording = Recording.of(
        ...     Row(question_id=f"q{q}", model=model, sample_index=0, answer=answer, gold="4")
        ...     for model, answers in {"qwen": "4445", "phi": "4554"}.items()
        ...     for q, answer in enumerate(answers)
        ... )
        >>> report(recording)[:15]
        '<!DOCTYPE html>'
    """
    need_matplotlib()
    choose = (
        partial(select_complementary, recording) if sizes is None else partial(select_complementary, recording, sizes)
    )
    selection = choose(samples=samples, models=models, same=same, missing=missing, **choosing)
    arrays = arrays_of(recording, models, samples, same=same, missing=missing)
    text = str(_Report(recording, selection, arrays, same).page())
    if path is not None:
        Path(path).write_text(text, encoding="utf-8", newline="\n")
    return text


class _Report:
    """The parts of the page."""

    def __init__(self, recording: Recording, selection: Selection, arrays: Arrays, same: Same | None) -> None:
        self._whole = recording
        self._selection = selection
        self._arrays = arrays
        self._same = same
        # Only what was chosen on: every part counts the same questions and the same samples.
        self._used = _only(recording, arrays, arrays.questions)
        self._single = selection.single.models[0]
        muxes = [subset for size, subset in selection.by_size.items() if size > 1]
        best = selection.best
        self._mux = best if len(best.models) > 1 or not muxes else max(muxes, key=lambda subset: subset.objective)
        self._k = dict(zip(arrays.models, arrays.of.tolist(), strict=True))
        # Best first, as everywhere.
        self._order = [arrays.models[m] for m in np.argsort(-arrays.votes.right.sum(axis=1), kind="stable")]

    def page(self) -> Html:
        verdict = self._selection.verdict
        return page(
            f"slmmux report: {verdict}",
            element(
                "main",
                element("h1", "Should these models answer together?"),
                element("p", verdict[0].upper() + verdict[1:] + ".", class_="verdict"),
                *self._opening(),
                *self._sizes(),
                *self._baselines(),
                *confidence(self._selection, self._mux),
                *self._pictures(),
                *self._models(),
                *self._datasets(),
                *self._questions(),
                *self._settings(),
                element(
                    "footer",
                    f"Made by slmmux {version('slmmux')} from the recording {self._selection.fingerprint}. "
                    "The same recording makes the same page.",
                ),
            ),
        )

    def _opening(self) -> list[Html]:
        questions, there = len(self._arrays.questions), len(self._whole.questions)
        k = sorted({*self._k.values()})
        times = _times(k[0]) if len(k) == 1 else f"{k[0]} to {k[-1]} times"
        models = len(self._k)
        dropped = (
            f" {_many(there - questions, 'question')} of {there} {'is' if there - questions == 1 else 'are'} left out: "
            "not recorded in full of every model."
            if there > questions
            else ""
        )
        # Each is one sentence for a reader who has never heard of us.
        words = {
            "Vote": "The answer that a model gives most often when it is asked the same question several times.",
            "Confidence": "The share of a model's samples that gave its vote: 3 of 5 is 60 %.",
            "Mux": "Several models asked side by side; the one that agrees most with itself answers, and where two "
            "agree as much with themselves, the one that was more often right.",
            "In-sample": "Counted on the very questions that the models were chosen on: flattered by the choice.",
            "Held-out": "Counted on questions that had no part in the choice: what to expect of new questions like "
            "these.",
        }
        return [
            element(
                "p",
                f"{_many(models, 'model')} {'was' if models == 1 else 'were each'} asked {_many(questions, 'question')}"
                f" with known answers, {times}. This page says which of them answer better together than the best of "
                f"them alone, if any do.{dropped}",
            ),
            element("dl", *(each([element("dt", word), element("dd", means)]) for word, means in words.items())),
        ]

    def _sizes(self) -> list[Html]:
        chosen = self._selection
        head = [
            element(
                "tr",
                element("th", "K", rowspan="2", class_="number"),
                element("th", "models, best first", rowspan="2", class_="names"),
                element("th", "in-sample (%)", colspan="6", class_="group"),
                element("th", "held-out (%)", colspan="3", class_="group"),
                element("th", "samples a question", rowspan="2", class_="number"),
                element("th", "tokens a question", rowspan="2", class_="number"),
            ),
            element(
                "tr",
                *heads("objective", "union", "contradiction", "floor", "ceiling", "accuracy"),
                *heads("accuracy", "best single", "gain, 95 % interval"),
            ),
        ]
        rows = [_size_row(str(size), subset) for size, subset in sorted(chosen.by_size.items())]
        rows.append(_size_row("best single", chosen.single))
        late = [str(size) for size, proved in chosen.proved.items() if not proved]
        out_of_time = (
            f" The search ran out of time for K = {', '.join(late)}: something better may exist." if late else ""
        )
        by_which = (
            "" if self._mux.contest is None else " All of it by self-consistency; other rules stand further down."
        )
        estimate = next((subset.held_out for subset in chosen.by_size.values() if subset.held_out), None)
        return [
            element("h2", "The best mux of each size"),
            element("p", _how_held_out(estimate) + out_of_time + by_which),
            table("In-sample and held-out shares of questions, by number of models K", head, rows),
            element(
                "p",
                f"Union: some model is right (rule: {chosen.correct}). Contradiction: some model is right and some is "
                "confidently wrong. Objective: union "
                f"- {chosen.penalty:g} x contradiction; the subset with the most of it is chosen. The accuracy of the "
                "mux on these samples lies between floor and ceiling.",
                class_="soft",
            ),
        ]

    def _baselines(self) -> list[Html]:
        rows = [
            element(
                "tr",
                element("td", row.name),
                element("td", ", ".join(row.models)),
                number(f"{row.samples:.1f}"),
                number(_share(row.accuracy)),
            )
            for row in baselines(self._used, self._mux.models, same=self._same)
        ]
        return [
            element("h2", "What the mux has to beat"),
            element(
                "p",
                f"Other ways to answer with the same recorded samples of {' + '.join(self._mux.models)}, and oracles "
                "that know the right answer: no way of choosing among these models' votes can pass them. "
                "All of it is in-sample, as these models were chosen on these questions.",
            ),
            table(
                "Accuracy of each way to answer (in-sample)",
                [
                    element(
                        "tr", element("th", "way to answer", class_="names"), element("th", "models", class_="names"),
                        *heads("samples a question", "accuracy (in-sample)"),
                    )
                ],
                rows,
            ),
        ]  # fmt: skip

    def _pictures(self) -> list[Html]:
        used, mux, same = self._used, self._mux.models, self._same
        together = " + ".join(mux)
        shown = [
            captioned(
                plot_objective(self._selection),
                "objective",
                "Above: how often the best mux of each size is right. Lines are in-sample; the stars are held-out, and "
                "the ones to believe: where the bar of a star stays above the dash of the best single model, the gain "
                "is more than chance. Below: what the models were chosen by (in-sample).",
            ),
            captioned(
                plot_attribution(used, mux, same=same),
                "attribution",
                f"Which model of {together} gave the answer that the mux returned: a model that hardly ever speaks "
                "brings little. In-sample.",
            ),
        ]
        if group_of(used) is None or same is not None:
            curves = [p for subset in self._selection.by_size.values() for p in scaling(used, subset.models, same=same)]
            says = (
                "Whether asking each model more often would help: the accuracy expected with k samples each, over all "
                "ways to draw them from those recorded. In-sample."
            )
            shown.append(captioned(plot_scaling(curves), "scaling", says))
        else:
            shown.append(
                element(
                    "p",
                    "Accuracy against the number of samples cannot be counted for this recording: its answers were "
                    f"compared in pairs ({self._selection.agreement}).",
                )
            )
        if len(self._order) > 1:
            says = (
                "How often the model of a row is right on questions that the model of a column gets wrong: two models "
                "with dark cells both ways cover for each other. In-sample."
            )
            least = f"{max(0, 17 * len(self._order) - 60)}px"  # a cell for each, as wide as its name is high
            shown.append(
                captioned(draw_complement(complement_of(self._arrays, self._order)), "complement", says, least=least)
            )
        return [element("h2", "Pictures"), element("div", *shown, class_="figures")]

    def _models(self) -> list[Html]:
        found = {row.model: row for row in recorded(self._whole, self._arrays)}
        rows = [
            element(
                "tr",
                element("th", model, scope="row"),
                number(row.of),
                number(", ".join(f"{t:g}" for t in row.temperatures) or "-"),
                number(f"{row.samples:,}"),
                number(f"{row.failed:,}"),
                number(_share(row.unread / row.samples)),
                number("-" if row.tokens is None else f"{row.tokens:,}"),
                number("-" if row.seconds is None else f"{row.seconds:.2f}"),
                number(_share(row.accuracy)),
            )
            for model, row in ((model, found[model]) for model in self._order)
        ]
        return [
            element("h2", "What was recorded"),
            table(
                "Each model, best first; accuracy is that of its vote alone (in-sample)",
                [
                    element(
                        "tr", element("th", "model", class_="names"),
                        *heads(
                            "samples a question (k)", "temperature", "samples", "calls failed", "no answer read",
                            "tokens", "seconds a call (median)", "accuracy (in-sample)",
                        ),
                    )
                ],
                rows,
            ),
        ]  # fmt: skip

    def _datasets(self) -> list[Html]:
        votes, place = self._arrays.votes, self._arrays.models.index
        lines = {model: votes.right[place(model)] for model in self._order}
        counted = {name: by_dataset(self._whole, self._arrays, right) for name, right in lines.items()}
        if len(self._mux.models) > 1:
            mux = votes.decided_right([place(model) for model in self._mux.models])
            counted[f"mux: {' + '.join(self._mux.models)}"] = by_dataset(self._whole, self._arrays, mux)
        datasets = counted[self._order[0]]
        if len(datasets) == 1:
            return []
        return [
            element("h2", "By dataset"),
            table(
                "Accuracy on each dataset, of each model's vote and of the mux (in-sample)",
                [
                    element(
                        "tr",
                        element("th", "model", class_="names"),
                        *heads(*(f"{name} ({_many(n, 'question')})" for name, (n, _) in datasets.items())),
                    )
                ],
                [
                    element(
                        "tr",
                        element("th", name, scope="row"),
                        *(number(_share(shares[dataset][1])) for dataset in datasets),
                    )
                    for name, shares in counted.items()
                ],
            ),
        ]

    def _questions(self) -> list[Html]:
        if len(self._mux.models) == 1:
            return []
        found = changed(self._arrays, self._mux.models, self._single)
        won = [c.question for c in found if c.won]
        lost = [c.question for c in found if not c.won]
        head = [
            element("h2", "Questions that the mux changed"),
            element(
                "p",
                f"Against {self._single} alone the mux {' + '.join(self._mux.models)} wins "
                f"{_many(len(won), 'question')} and loses {len(lost)} (in-sample)."
                + (f" {_CHANGED} of them:" if len(found) > _CHANGED else ""),
            ),
        ]
        # Both kinds are seen, half and half as far as there are any.
        losses = min(len(lost), max(_CHANGED // 2, _CHANGED - len(won)))
        shown = {*won[: _CHANGED - losses], *lost[:losses]}
        if not shown:
            return head
        some = _only(self._used, self._arrays, [q for q in self._arrays.questions if q in shown])
        together = replay(some, self._mux.models, wait="exhausted", same=self._same)
        alone = replay(some, [self._single], wait="exhausted", same=self._same)
        return [*head, *(self._question(q, together[q], alone[q].winner, won=q in won) for q in some.questions)]

    def _question(self, question: str, decided: Decision[Row | None], alone: Vote, *, won: bool) -> Html:
        rows = [row for of_model in self._used.by_question[question].values() for row in of_model]
        asked = next((row.question for row in rows if row.question), None)
        gold = next(row.gold for row in rows if row.gold is not None)
        votes = list(decided.votes)
        if alone.model not in self._mux.models:
            votes.append(alone)
        return element(
            "section",
            element("h3", f"{question}: {'won' if won else 'lost'}"),
            element("p", dataset_of(self._whole, question), class_="soft"),
            element("blockquote", _cut(asked, _QUESTION)) if asked else Html(""),
            element("p", "Right answer: ", element("strong", _cut(_shown(gold), _QUESTION))),
            table(
                "Who said what (in-sample)",
                [element("tr", *(element("th", name) for name in ("model", "vote", "samples for it", "")))],
                [
                    self._vote_row(question, vote, spoke=vote is not alone and vote.model == decided.winner.model)
                    for vote in votes
                ],
            ),
        )

    def _vote_row(self, question: str, vote: Vote, *, spoke: bool) -> Html:
        q = self._arrays.questions.index(question)
        right = bool(self._arrays.votes.right[self._arrays.models.index(vote.model), q])
        notes = ["best single model"] if vote.model == self._single else []
        notes += ["answers for the mux"] if spoke else []
        return element(
            "tr",
            element("td", vote.model, *(element("div", note, class_="soft") for note in notes)),
            element("td", _cut(_shown(vote.answer), _ANSWER)),
            element("td", f"{vote.count} of {vote.of}"),
            element("td", "✓ right" if right else "✗ wrong", class_="right" if right else "wrong"),
            **({"class_": "spoke"} if spoke else {}),
        )

    def _settings(self) -> list[Html]:
        if not self._whole.settings:
            return []
        written = json.dumps(self._whole.settings, indent=1, ensure_ascii=False, default=str)
        return [
            element("h2", "Settings"),
            element("details", element("summary", "What the samples were made with"), element("pre", written)),
        ]


def _only(recording: Recording, arrays: Arrays, questions: Sequence[str]) -> Recording:
    """Return the samples of some questions that stand in the arrays."""
    planned = list(zip(arrays.models, arrays.of.tolist(), strict=True))
    rows = (row for q in questions for model, k in planned for row in recording.by_question[q][model][:k])
    return Recording.of(rows, recording.settings)


def _size_row(name: str, subset: Subset) -> Html:
    shares = (subset.objective, subset.union, subset.contradiction, subset.floor, subset.ceiling, subset.accuracy)
    seen = subset.held_out
    held = (
        ("-", "-", "-")
        if seen is None
        else (
            bare(seen.accuracy),
            bare(seen.single),
            gain_of(seen),
        )
    )
    return element(
        "tr",
        element("th", name, scope="row", class_="number"),
        element("td", " + ".join(subset.models)),
        *map(number, map(bare, shares)),
        *map(number, held),
        number(f"{subset.samples['parallel']:.1f}"),
        number("-" if subset.tokens is None else f"{subset.tokens['parallel']:,.0f}"),
    )


def _how_held_out(estimate: HeldOut | None) -> str:
    if estimate is None:
        return "Nothing could be held out: there are too few questions, or too many subsets."
    return (
        f"In-sample figures are counted on the questions that the models were chosen on. Held-out: the questions are "
        f"split into {estimate.folds} parts, models are chosen on all parts but one and scored on that one, each part "
        f"in turn, {_times(estimate.repeats)} over; the best single model is chosen the same way. Gains are in points."
    )


def _share(share: float) -> str:
    return f"{100 * share:.1f} %"


def _many(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"


def _shown(answer: Any) -> str:
    if answer is None:
        return "(no answer)"
    return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False, default=str)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
