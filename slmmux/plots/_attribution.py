"""Who supplied the answers of a mux: the shares, and a pie of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

from slmmux.recording import Recording
from slmmux.recording._arrays import Missing, Same, arrays_of
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
    """How often a member's answer was the mux's: shares of all questions.

    Attributes:
        model: The member; `None`: no answer was read in any reply.
        right: It was the gold one.
        wrong: It was not.
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
) -> tuple[Spoken, ...]:
    """Return how often each member of a mux supplied the answer, right and wrong.

    Args:
        recording: Where the samples are.
        models: The members by rank, best first.
        samples: k, or k by label; `None`: as many as were recorded of the member.
        same: Whether two answers are equal, the gold one included; without it they are compared as recorded.
        missing: "error" names what a member was not asked; "drop" leaves those questions out.

    Returns:
        One for each member, in rank order; then one without a model where nobody answered some question. All shares
        together are 1, and the right ones the accuracy of Algorithm 1.

    Raises:
        ArgumentError: No, unknown or repeated models, or a k that was not recorded.
        RecordingError: Samples missing, or a question without gold or with two.

    Example:
        >>> from slmmux.recording import Row
        >>> recording = Recording.of(
        ...     Row(question_id=f"q{q}", model=model, sample_index=i, answer=answer, gold="4")
        ...     for q, said in enumerate([{"qwen": "44", "phi": "45"}, {"qwen": "56", "phi": "44"}])
        ...     for model, answers in said.items()
        ...     for i, answer in enumerate(answers)
        ... )
        >>> attribution(recording, ["qwen", "phi"])
        (Spoken(model='qwen', right=0.5, wrong=0.0), Spoken(model='phi', right=0.5, wrong=0.0))
    """
    arrays = arrays_of(recording, models, samples, same=same, missing=missing)
    planned = dict(zip(arrays.models, arrays.of.tolist(), strict=True))
    decisions = replay(recording, arrays.models, planned, same=same)
    place = {model: m for m, model in enumerate(arrays.models)}
    counts: dict[str | None, list[int]] = {model: [0, 0] for model in arrays.models}
    for q, question in enumerate(arrays.questions):
        winner = decisions[question].winner
        if winner.count:
            counts[winner.model][not arrays.votes.right[place[winner.model], q]] += 1
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
    held_out: bool = False,
) -> "Figure":
    """Return a pie: the share of questions whose answer each member supplied, right and wrong; see `attribution`.

    Args:
        recording: Where the samples are.
        models: The members by rank, best first.
        samples: k, or k by label; `None`: as many as were recorded of the member.
        same: Whether two answers are equal, the gold one included; without it they are compared as recorded.
        missing: "error" names what a member was not asked; "drop" leaves those questions out.
        held_out: Whether the models were chosen on other questions: what the title says.

    Raises:
        ArgumentError: matplotlib is not installed; or as for `attribution`.
        RecordingError: As for `attribution`.
    """
    need_matplotlib()
    found = attribution(recording, models, samples, same=same, missing=missing)
    with drawn_alike():
        from matplotlib.patches import Patch  # noqa: PLC0415 - an extra

        figure, axes = blank_figure(3.6 + ROW * (len(found) + 1))
        wedges: list[tuple[float, str, bool]] = []
        legend = []
        for spoken, colour in zip(found, cycle(COLOURS), strict=False):
            name, own = ("nobody", PALE) if spoken.model is None else (short_label(spoken.model, NAME_LENGTH), colour)
            wedges += [(spoken.right, own, False), (spoken.wrong, own, True)]
            share = f"by {name}: {100 * spoken.right:.1f} % right, {100 * spoken.wrong:.1f} % wrong"
            legend.append(Patch(facecolor=own, label=share))
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
        legend.append(Patch(facecolor=PALE, hatch="////", label="hatched: the answer was wrong"))
        figure.suptitle(title_of("Whose answer the mux gave, share of questions", held_out=held_out))
        figure.legend(handles=legend, loc="outside lower center")
    return figure
