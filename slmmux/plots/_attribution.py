"""The share of a mux's answers that each member supplied, and a pie chart of these shares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

from slmmux.recording import Recording, arrays_of
from slmmux.recording._arrays import Missing, Same, Score
from slmmux.recording._replay import replay

if TYPE_CHECKING:
    from matplotlib.figure import Figure
from slmmux.plots._style import (
    COLOURS,
    NAME_LENGTH,
    PALE,
    ROW,
    blank_figure,
    drawn_alike,
    need_matplotlib,
    short_label,
    title_of,
)

__all__ = ["Spoken", "attribution", "plot_attribution"]


@dataclass(frozen=True, slots=True)
class Spoken:
    """The shares of all questions on which the mux gave a member's answer.

    Attributes:
        model: The member's label; `None` stands for the questions without any answer.
        right: The share on which that answer was right.
        wrong: The share on which it was wrong.
    """

    model: str | None
    right: float
    wrong: float


def attribution(
    recording: Recording,
    models: Sequence[str],
    samples: int | Mapping[str, int] | None = None,
    *,
    same: Same | None = None,
    missing: Missing = "error",
    score: Score | None = None,
) -> tuple[Spoken, ...]:
    """Return the share of a mux's answers that each member supplied, right and wrong.

    Args:
        recording: The recorded samples.
        models: The members by rank, best first.
        samples: k, or k by label; `None`: every recorded sample of the member.
        same: A function of two answers that returns whether they are equal; the gold answer is compared with it too.
            Without it, answers are compared as recorded.
        missing: What to do if a member lacks samples for a question: "error" raises and names them, "drop" leaves the
            question out.
        score: When a sample is right; see `slmmux.recording.arrays_of`.

    Returns:
        The shares of each member, in rank order, and then, if some question has no answer, the share of those. All
        shares sum to 1, and the right ones to the accuracy of Algorithm 1.

    Raises:
        ArgumentError: `models` is empty or names a model that is unknown or repeated, or k is more than was recorded.
        RecordingError: Samples are missing, or a question has no gold answer or two different ones.

    Example:
        >>> from slmmux.recording import Row
        >>> recording = Recording.of(
        ...     Row(question_id=f"q{q}", model=model, sample_index=i, answer=answer, gold="4")
        ...     for q, answers_of in enumerate([{"qwen": "44", "phi": "45"}, {"qwen": "56", "phi": "44"}])
        ...     for model, answers in answers_of.items()
        ...     for i, answer in enumerate(answers)
        ... )
        >>> attribution(recording, ["qwen", "phi"])
        (Spoken(model='qwen', right=0.5, wrong=0.0), Spoken(model='phi', right=0.5, wrong=0.0))
    """
    arrays = arrays_of(recording, models, samples, same=same, missing=missing, score=score)
    planned = dict(zip(arrays.models, arrays.of.tolist(), strict=True))
    decisions = replay(recording.without_texts(), arrays.models, planned, same=same)
    index_of = {model: m for m, model in enumerate(arrays.models)}
    counts: dict[str | None, list[int]] = {model: [0, 0] for model in arrays.models}
    for q, question in enumerate(arrays.questions):
        winner = decisions[question].winner
        if winner.count:
            counts[winner.model][not arrays.votes.right[index_of[winner.model], q]] += 1
        else:
            counts.setdefault(None, [0, 0])[1] += 1
    questions = len(arrays.questions)
    return tuple(Spoken(model, right / questions, wrong / questions) for model, (right, wrong) in counts.items())


def plot_attribution(
    recording: Recording,
    models: Sequence[str],
    samples: int | Mapping[str, int] | None = None,
    *,
    same: Same | None = None,
    missing: Missing = "error",
    score: Score | None = None,
    held_out: bool = False,
) -> "Figure":
    """Return a pie chart of the share of a mux's answers that each member supplied, right and wrong.

    Args:
        recording: As for `attribution`.
        models: As for `attribution`.
        samples: As for `attribution`.
        same: As for `attribution`.
        missing: As for `attribution`.
        score: As for `attribution`.
        held_out: Whether the models were chosen on other questions; the title says so.

    Raises:
        ArgumentError: matplotlib is not installed, or as for `attribution`.
        RecordingError: As for `attribution`.
    """
    need_matplotlib()
    shares = attribution(recording, models, samples, same=same, missing=missing, score=score)
    with drawn_alike():
        from matplotlib.patches import Patch  # noqa: PLC0415 - an extra

        figure, axes = blank_figure(3.6 + ROW * (len(shares) + 1))
        wedges: list[tuple[float, str, bool]] = []
        legend = []
        for share_of, colour in zip(shares, cycle(COLOURS), strict=False):
            name, wedge_colour = (
                ("no member", PALE) if share_of.model is None else (short_label(share_of.model, NAME_LENGTH), colour)
            )
            wedges += [(share_of.right, wedge_colour, False), (share_of.wrong, wedge_colour, True)]
            share = f"by {name}: {100 * share_of.right:.1f} % right, {100 * share_of.wrong:.1f} % wrong"
            legend.append(Patch(facecolor=wedge_colour, label=share))
        wedges = [wedge for wedge in wedges if wedge[0]]
        pie = axes.pie(
            [share for share, _, _ in wedges],
            colors=[colour for _, colour, _ in wedges],
            startangle=90,
            counterclock=False,
            wedgeprops={"edgecolor": "white", "linewidth": 1},
        )
        for wedge, (_, _, wrong) in zip(pie[0], wedges, strict=True):
            if wrong:
                wedge.set_hatch("////")
        legend.append(Patch(facecolor=PALE, hatch="////", label="hatched: wrong answers"))
        figure.suptitle(title_of("Share of the mux's answers by model", held_out=held_out))
        figure.legend(handles=legend, loc="outside lower center")
    return figure
