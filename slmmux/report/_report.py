"""A recording as one page: whether to mux these models, which of them, and the evidence for it.

The page is self-contained, and the same recording gives the same page. Each number says whether it is in-sample
(counted on the questions that the models were chosen on) or held-out.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from os import PathLike
from typing import Any, TypedDict, Unpack

import numpy as np

from slmmux._decision.types import Decision, Vote
from slmmux._files.write import write_whole
from slmmux.baselines import baselines
from slmmux.plots import (
    complement_of,
    draw_complement,
    need_matplotlib,
    plot_attribution,
    plot_objective,
    plot_scaling,
    plot_spending,
)
from slmmux.recording import Arrays, Recording, Row, arrays_of
from slmmux.recording._arrays import Missing, Same, Score
from slmmux.recording._counted import Counted
from slmmux.recording._replay import group_of, question_of, recorded_confidences, replay
from slmmux.report._confidence import confidence, confidences, gain_of
from slmmux.report._counts import changed, dataset_of, places_by_dataset, recorded
from slmmux.report._page import Html, bare, captioned, each, element, heads, number, page, table, times
from slmmux.scaling import scaling
from slmmux.selection import HeldOut, Selection, Subset, compare_confidences, select_complementary
from slmmux.selection._confidences import best_mux
from slmmux.selection._contest import Rule
from slmmux.selection._held_out import Progress
from slmmux.selection._pool import Closing
from slmmux.selection._spending import PLAN, spending_of, unit_of

__all__ = ["Choosing", "report"]

_MOST_CHANGED = 10  # The page shows this many of the questions that the mux wins or loses.
_ANSWER, _QUESTION = 160, 1200  # The characters shown of an answer, and of a question or a gold answer.


_SCORED = {
    "exact": "the answer that was read in the reply is the gold answer",
    "includes": "a reply that is read as a text says the gold answer in it, and any other answer is the gold answer",
    "choice": "the reply chooses the gold letter",
    "math": "the answer equals the gold answer as mathematics",
    "recorded": "the other program's grader said so",
}
_SCORED_ELSE = "a function of the reply and the gold answer said so"


class Choosing(TypedDict, total=False):
    """Options of the choice of models; `select_complementary()` describes them."""

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
    no_answer: Sequence[str]
    progress: Progress | None
    closing: Closing | None


def report(
    recording: Recording,
    path: str | PathLike[str] | None = None,
    *,
    sizes: Iterable[int] | None = None,
    samples: int | Mapping[str, int] | None = None,
    models: Sequence[str] | None = None,
    same: Same | None = None,
    missing: Missing = "error",
    score: Score | None = None,
    **choosing: Unpack[Choosing],
) -> str:
    """Return one self-contained page of HTML about a recorded pool: whether to mux, which models, and why.

    Args:
        recording: A pool's samples, with gold answers.
        path: A file to write the page to; an existing file is replaced.
        sizes: The numbers of models in a mux; `None`: 1 to 3, but not more than there are models.
        samples: k, or k by label: the first k recorded samples; `None`: every recorded sample.
        models: The models; `None`: every recorded model.
        same: A function of two answers that returns whether they are equal; the gold answer is compared with it too.
            Without it, answers are compared as recorded.
        missing: What to do if a model lacks samples for a question: "error" raises and names them, "drop" leaves the
            question out.
        score: When a sample is right; see `select_complementary`. The page names it.
        choosing: Options of the choice of models, and with `rule` the rules to compare; see `Choosing`.

    Returns:
        The page, as text. It has no date, so the same recording gives the same page.

    Raises:
        ArgumentError: matplotlib is not installed, or as for `select_complementary`.
        RecordingError: The recording is empty, samples are missing, or a question has no gold answer.
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
    selection = choose(samples=samples, models=models, same=same, missing=missing, score=score, **choosing)
    recording = recording.abstaining(selection.no_answer)
    arrays = arrays_of(recording, models, samples, same=same, missing=missing, score=score)
    text = str(_Report(recording, selection, arrays, same, score).page())
    if path is not None:
        write_whole(path, text.encode())
    return text


class _Report:
    """The sections of the page."""

    def __init__(
        self, recording: Recording, selection: Selection, arrays: Arrays, same: Same | None, score: Score | None
    ) -> None:
        self._recording = recording
        self._selection = selection
        self._arrays = arrays
        self._same = same
        self._score: Score | None = score
        # Limited to the samples of the selection, so that every section counts the same questions and samples.
        self._selected_samples = _only(recording, arrays, arrays.questions)
        self._single = selection.single.models[0]
        self._mux = best_mux(selection)
        self._k = dict(zip(arrays.models, arrays.of.tolist(), strict=True))
        # Best first, like the rank of a mux.
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
                *self._spending(),
                *self._baselines(),
                *confidence(self._selection, self._mux),
                *self._confidences(),
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
        questions = len(self._arrays.questions)
        left_out = len(self._recording.questions) - questions
        k = sorted({*self._k.values()})
        repeats = times(k[0]) if len(k) == 1 else f"{k[0]} to {k[-1]} times"
        models = len(self._k)
        dropped = (
            f" {_many(left_out, 'question')} of {questions + left_out} {'is' if left_out == 1 else 'are'} "
            "left out because a model lacks samples."
            if left_out
            else ""
        )
        # Each is one sentence for a reader who does not know this package.
        words = {
            "Vote": "The answer that a model gives most often when it is asked the same question several times.",
            "Confidence": "The share of a model's samples that gave its vote: 3 of 5 is 60 %.",
            "Mux": "Several models asked side by side; the one that agrees most with itself answers. If two agree "
            "equally with themselves, it is the one that was right more often.",
            "Right": f"Scored by {self._arrays.score}: {_SCORED.get(self._arrays.score, _SCORED_ELSE)}.",
            "In-sample": "Counted on the same questions that the models were chosen on, which flatters the result.",
            "Held-out": "Counted on questions that had no part in the choice: an estimate for new questions of the "
            "same kind.",
        }
        return [
            element(
                "p",
                f"{_many(models, 'model')} {'was' if models == 1 else 'were each'} asked {_many(questions, 'question')}"
                f" with known answers, {repeats}. This page shows which of them answer better together than the best "
                f"one alone, if any do.{dropped}",
            ),
            *self._no_answers(),
            element("dl", *(each([element("dt", word), element("dd", means)]) for word, means in words.items())),
        ]

    def _no_answers(self) -> list[Html]:
        """Return a paragraph on answers that are none, and on those that may be."""
        sentences = []
        if read_as_none := self._selection.no_answer:
            sentences.append(f"Read as no answer: {_quoted(read_as_none)}.")
        if never_right := self._selection.never_right:
            sentences.append(
                f"Common and never right: {_quoted(never_right)}. If that is no answer, make the page again with "
                "no_answer=, and its samples abstain."
            )
        return [element("p", " ".join(sentences))] if sentences else []

    def _confidences(self) -> list[Html]:
        """Return the section on recorded confidences; it is empty if none was recorded."""
        if self._same is not None or not recorded_confidences(self._selected_samples):
            return []
        return confidences(
            self._mux.models,
            compare_confidences(
                self._selected_samples,
                self._mux.models,
                {model: self._k[model] for model in self._mux.models},
                score=self._score,
            ),
        )

    def _sizes(self) -> list[Html]:
        selection = self._selection
        head = [
            element(
                "tr",
                element("th", "K", rowspan="2", class_="number"),
                element("th", "models, best first", rowspan="2", class_="names"),
                element("th", "in-sample (%)", colspan="6", class_="group"),
                element("th", "held-out (%)", colspan="3", class_="group"),
                element("th", "samples per question", rowspan="2", class_="number"),
                element("th", "tokens per question", rowspan="2", class_="number"),
            ),
            element(
                "tr",
                *heads("objective", "union", "contradiction", "floor", "ceiling", "accuracy"),
                *heads("accuracy", "best single model", "gain, 95 % interval"),
            ),
        ]
        rows = [_size_row(str(size), subset) for size, subset in sorted(selection.by_size.items())]
        rows.append(_size_row("best single", selection.single))
        unproved = [
            f"K = {size} (none has an objective above {_share(selection.bounds.get(size, 1.0))})"
            for size, proved in selection.proved.items()
            if not proved
        ]
        out_of_time = (
            f" The search ran out of time for {', '.join(unproved)}: a better subset may exist." if unproved else ""
        )
        by_which = (
            "" if self._mux.contest is None else " All of this is for self-consistency; other rules follow below."
        )
        estimate = next((subset.held_out for subset in selection.by_size.values() if subset.held_out), None)
        return [
            element("h2", "The best mux of each size"),
            element("p", _how_held_out(estimate) + out_of_time + by_which),
            table("Shares of questions by number of models K (in-sample and held-out)", head, rows),
            element(
                "p",
                f"Union: at least one model is right (rule: {selection.correct}). Contradiction: one model is right "
                "and another is confidently wrong. Objective: union "
                f"- {selection.penalty:g} x contradiction; the subset with the largest objective is chosen. The "
                "accuracy of the mux on these samples lies between floor and ceiling.",
                class_="soft",
            ),
        ]

    def _spending(self) -> list[Html]:
        """Return what the subsets of the Pareto front take, and the picture of all."""
        selection = self._selection
        unit = unit_of(selection.single)
        rows = []
        for subset in selection.front:
            per_right = subset.per_right().get(unit, {}).get(PLAN)
            rows.append(
                element(
                    "tr",
                    element("td", " + ".join(subset.models), class_="names"),
                    number(f"{100 * subset.accuracy:.1f}"),
                    number(f"{spending_of(subset):.3g}"),
                    number("-" if per_right is None else f"{per_right:.3g}"),
                )
            )
        head = [
            element(
                "tr",
                element("th", "models, best first", class_="names"),
                *heads("accuracy (%)", f"{unit} per question", f"{unit} per right answer"),
            )
        ]
        return [
            element("h2", "Accuracy against what it takes"),
            element(
                "p",
                f"The subsets that no other one beats in accuracy and in {unit} at once, by the plan {PLAN}, which "
                "asks the next model only while the answer is open. In-sample.",
            ),
            table(f"Accuracy against {unit} (in-sample)", head, rows),
            captioned(
                plot_spending(selection),
                "spending",
                f"Each dot is a subset; the line joins those that no other one beats in accuracy and {unit} at once. "
                "In-sample.",
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
            for row in baselines(self._selected_samples, self._mux.models, same=self._same, score=self._score)
        ]
        return [
            element("h2", "Baselines"),
            element(
                "p",
                f"Other ways to answer with the same recorded samples of {' + '.join(self._mux.models)}, and oracles, "
                "which know the right answer and so bound every way to choose among these models' votes. "
                "These models were chosen on these questions, so all of this is in-sample.",
            ),
            table(
                "Accuracy of each way to answer (in-sample)",
                [
                    element(
                        "tr", element("th", "way to answer", class_="names"), element("th", "models", class_="names"),
                        *heads("samples per question", "accuracy (in-sample)"),
                    )
                ],
                rows,
            ),
        ]  # fmt: skip

    def _pictures(self) -> list[Html]:
        recording, mux, same = self._selected_samples, self._mux.models, self._same
        together = " + ".join(mux)
        figures = [
            captioned(
                plot_objective(self._selection),
                "objective",
                "Above: the accuracy of the best mux of each size. Lines are in-sample, stars are held-out: rely on "
                "the stars. If the bar of a star stays above the dash of the best single model, the gain is more than "
                "chance. Below: the shares that the models were chosen by (in-sample).",
            ),
            captioned(
                plot_attribution(recording, mux, same=same, score=self._score),
                "attribution",
                f"The model of {together} whose answer the mux returned. A model with a small share contributes "
                "little. In-sample.",
            ),
        ]
        if group_of(recording) is None or same is not None:
            curves = [
                point
                for subset in self._selection.by_size.values()
                for point in scaling(recording, subset.models, same=same, score=self._score)
            ]
            says = (
                "Whether more samples of each model would help: the expected accuracy with k samples of each, over all "
                "ways to draw k of the recorded ones. In-sample."
            )
            figures.append(captioned(plot_scaling(curves), "scaling", says))
        else:
            figures.append(
                element(
                    "p",
                    "Accuracy against the number of samples cannot be computed for this recording, since its answers "
                    f"were compared in pairs ({self._selection.agreement}).",
                )
            )
        if len(self._order) > 1:
            says = (
                "The share of questions on which the row's model is right and the column's model is wrong. Two models "
                "with dark cells both ways complement each other. In-sample."
            )
            least = f"{max(0, 17 * len(self._order) - 60)}px"  # Each column is as wide as its vertical name.
            figures.append(
                captioned(draw_complement(complement_of(self._arrays, self._order)), "complement", says, least=least)
            )
        return [element("h2", "Pictures"), element("div", *figures, class_="figures")]

    def _models(self) -> list[Html]:
        counts = {row.model: row for row in recorded(self._recording, self._arrays)}
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
            for model, row in ((model, counts[model]) for model in self._order)
        ]
        return [
            element("h2", "Recorded samples"),
            table(
                "Each model, best first, with the accuracy of its own vote (in-sample)",
                [
                    element(
                        "tr", element("th", "model", class_="names"),
                        *heads(
                            "samples per question (k)", "temperature", "samples", "failed calls",
                            "replies without answer", "tokens", "median seconds per call", "accuracy (in-sample)",
                        ),
                    )
                ],
                rows,
            ),
        ]  # fmt: skip

    def _datasets(self) -> list[Html]:
        votes, place = self._arrays.votes, self._arrays.models.index
        datasets = places_by_dataset(self._recording, self._arrays)
        if len(datasets) == 1:
            return []
        right_by_name = {model: votes.right[place(model)] for model in self._order}
        if len(self._mux.models) > 1:
            mux = votes.decided_right([place(model) for model in self._mux.models])
            right_by_name[f"mux: {' + '.join(self._mux.models)}"] = mux
        return [
            element("h2", "Accuracy by dataset"),
            table(
                "Accuracy of each model's vote and of the mux on each dataset (in-sample)",
                [
                    element(
                        "tr",
                        element("th", "model", class_="names"),
                        *heads(*(f"{name} ({_many(len(of), 'question')})" for name, of in datasets.items())),
                    )
                ],
                [
                    element(
                        "tr",
                        element("th", name, scope="row"),
                        *(number(_share(float(right[of].mean()))) for of in datasets.values()),
                    )
                    for name, right in right_by_name.items()
                ],
            ),
        ]

    def _questions(self) -> list[Html]:
        if len(self._mux.models) == 1:
            return []
        changes = changed(self._arrays, self._mux.models, self._single)
        won = [c.question for c in changes if c.won]
        lost = [c.question for c in changes if not c.won]
        head = [
            element("h2", "Questions that the mux wins or loses"),
            element(
                "p",
                f"Against {self._single} alone, the mux {' + '.join(self._mux.models)} wins "
                f"{_many(len(won), 'question')} and loses {len(lost)} (in-sample)."
                + (f" {_MOST_CHANGED} of them:" if len(changes) > _MOST_CHANGED else ""),
            ),
        ]
        # Half are wins and half are losses, as far as there are enough of each.
        losses = min(len(lost), max(_MOST_CHANGED // 2, _MOST_CHANGED - len(won)))
        ids = {*won[: _MOST_CHANGED - losses], *lost[:losses]}
        if not ids:
            return head
        some = _only(self._selected_samples, self._arrays, [q for q in self._arrays.questions if q in ids])
        together = replay(some, self._mux.models, wait="exhausted", same=self._same)
        alone = replay(some, [self._single], wait="exhausted", same=self._same)
        return [*head, *(self._question(q, together[q], alone[q].winner, won=q in won) for q in some.questions)]

    def _question(self, question: str, decision: Decision[Row | None], alone: Vote, *, won: bool) -> Html:
        by_model = self._selected_samples.by_question[question]
        text = question_of(by_model)
        gold = next(row.gold for rows in by_model.values() for row in rows if row.gold is not None)
        votes = list(decision.votes)
        if alone.model not in self._mux.models:
            votes.append(alone)
        return element(
            "section",
            element("h3", f"{question}: {'won' if won else 'lost'}"),
            element("p", dataset_of(self._recording, question), class_="soft"),
            element("blockquote", _shortened(text, _QUESTION)) if text else Html(""),
            element("p", "Right answer: ", element("strong", _shortened(_as_text(gold), _QUESTION))),
            table(
                "Votes (in-sample)",
                [element("tr", *(element("th", name) for name in ("model", "vote", "samples for it", "result")))],
                [
                    self._vote_row(question, vote, winner=vote is not alone and vote.model == decision.winner.model)
                    for vote in votes
                ],
            ),
        )

    def _vote_row(self, question: str, vote: Vote, *, winner: bool) -> Html:
        q = self._arrays.questions.index(question)
        right = bool(self._arrays.votes.right[self._arrays.models.index(vote.model), q])
        notes = ["best single model"] if vote.model == self._single else []
        notes += ["answers for the mux"] if winner else []
        return element(
            "tr",
            element("td", vote.model, *(element("div", note, class_="soft") for note in notes)),
            element("td", _shortened(_as_text(vote.answer), _ANSWER)),
            element("td", f"{vote.count} of {vote.of}"),
            element("td", "✓ right" if right else "✗ wrong", class_="right" if right else "wrong"),
            **({"class_": "winner"} if winner else {}),
        )

    def _settings(self) -> list[Html]:
        if not self._recording.settings:
            return []
        settings = json.dumps(self._recording.settings, indent=1, ensure_ascii=False, default=str)
        return [
            element("h2", "Settings"),
            element("details", element("summary", "The settings of the recording"), element("pre", settings)),
        ]


def _quoted(answers: Sequence[str]) -> str:
    return ", ".join(f'"{answer}"' for answer in answers)


def _only(recording: Recording, arrays: Arrays, questions: Sequence[str]) -> Recording:
    """Return a recording of these questions, with the models and samples of the arrays."""
    samples = Counted(recording.columns, dict(zip(arrays.models, arrays.of.tolist(), strict=True)), questions)
    # Question by question, and in each member by member.
    return recording.samples_at(samples.positions.transpose(1, 0, 2)[samples.there.transpose(1, 0, 2)])


def _size_row(name: str, subset: Subset) -> Html:
    shares = (subset.objective, subset.union, subset.contradiction, subset.floor, subset.ceiling, subset.accuracy)
    held_out = subset.held_out
    held_out_cells = (
        ("-", "-", "-")
        if held_out is None
        else (
            bare(held_out.accuracy),
            bare(held_out.single),
            gain_of(held_out),
        )
    )
    return element(
        "tr",
        element("th", name, scope="row", class_="number"),
        element("td", " + ".join(subset.models)),
        *map(number, map(bare, shares)),
        *map(number, held_out_cells),
        number(f"{subset.samples['parallel']:.1f}"),
        number("-" if subset.tokens is None else f"{subset.tokens['parallel']:,.0f}"),
    )


def _how_held_out(estimate: HeldOut | None) -> str:
    if estimate is None:
        return "There is no held-out estimate: there are too few questions."
    return (
        f"In-sample figures are counted on the questions that the models were chosen on. For held-out figures, the "
        f"questions are split into {estimate.folds} parts; models are chosen on all parts but one and scored on that "
        f"one, for each part in turn, and all of this is done {times(estimate.repeats)}. The best single model is "
        f"chosen in the same way. Gains are in percentage points."
    )


def _share(share: float) -> str:
    return f"{100 * share:.1f} %"


def _many(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def _as_text(answer: Any) -> str:
    if answer is None:
        return "(no answer)"
    return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False, default=str)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
