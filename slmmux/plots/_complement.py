"""Who is right where another is wrong: the shares, and a heat map of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slmmux.recording import Recording
from slmmux.recording._arrays import Arrays, Missing, Same, arrays_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
from slmmux.plots._style import (
    INK,
    PALE,
    TICK_LENGTH,
    WIDTH,
    blank_figure,
    drawn_alike,
    need_matplotlib,
    percent_format,
    short_label,
    title_of,
)

__all__ = ["Complement", "complement", "complement_of", "draw_complement", "plot_complement"]

_NUMBERED = 12  # the most models whose heat map has room for numbers
_DARK = 0.6  # share of a colour map past which white is read better than black


@dataclass(frozen=True, slots=True)
class Complement:
    """Who is right where another is not, by self-consistency vote.

    Attributes:
        models: The members.
        share: Row i, column j: the share of questions that i's vote is right on and j's is not, silence included.
    """

    models: tuple[str, ...]
    share: tuple[tuple[float, ...], ...]


def complement(
    recording: Recording,
    models: Sequence[str] | None = None,
    samples: int | Mapping[str, int] | None = None,
    *,
    same: Same | None = None,
    missing: Missing = "error",
) -> Complement:
    """Return for each pair of members how often one is right where the other is wrong.

    share[i][j] = questions with (i's vote is the gold answer, j's is not) / questions.

    Args:
        recording: Where the samples are.
        models: Which members, in this order; `None`: all, as recorded.
        samples: k, or k by label; `None`: as many as were recorded of the member.
        same: Whether two answers are equal, the gold one included; without it they are compared as recorded.
        missing: "error" names what a member was not asked; "drop" leaves those questions out.

    Raises:
        ArgumentError: No, unknown or repeated models, or a k that was not recorded.
        RecordingError: Samples missing, or a question without gold or with two.

    Example:
        >>> from slmmux.recording import Row
        >>> recording = Recording.of(
        ...     Row(question_id=f"q{q}", model=model, sample_index=0, answer=answer, gold="4")
        ...     for model, answers in {"qwen": "4445", "phi": "4554"}.items()
        ...     for q, answer in enumerate(answers)
        ... )
        >>> complement(recording).share
        ((0.0, 0.5), (0.25, 0.0))
    """
    arrays = arrays_of(recording, models, samples, same=same, missing=missing)
    return complement_of(arrays, arrays.models)


def complement_of(arrays: Arrays, models: Sequence[str]) -> Complement:
    """Return the same of some members of arrays."""
    right = arrays.votes.right[[arrays.models.index(model) for model in models]].astype(int)
    found = right @ (1 - right).T / len(arrays.questions)
    return Complement(tuple(models), tuple(map(tuple, found.tolist())))


def plot_complement(
    recording: Recording,
    models: Sequence[str] | None = None,
    samples: int | Mapping[str, int] | None = None,
    *,
    same: Same | None = None,
    missing: Missing = "error",
    held_out: bool = False,
) -> "Figure":
    """Return a heat map: who is right where another is wrong; see `complement`.

    Args:
        recording: Where the samples are.
        models: Which members, in this order; `None`: all, as recorded.
        samples: k, or k by label; `None`: as many as were recorded of the member.
        same: Whether two answers are equal, the gold one included; without it they are compared as recorded.
        missing: "error" names what a member was not asked; "drop" leaves those questions out.
        held_out: Whether the models were chosen on other questions: what the title says.

    Raises:
        ArgumentError: matplotlib is not installed; or as for `complement`.
        RecordingError: As for `complement`.
    """
    need_matplotlib()
    return draw_complement(complement(recording, models, samples, same=same, missing=missing), held_out=held_out)


def draw_complement(found: Complement, *, held_out: bool = False) -> "Figure":
    """Return the same of what was counted before."""
    members = range(len(found.models))
    names = [short_label(model, TICK_LENGTH) for model in found.models]
    most = max((found.share[i][j] for i in members for j in members if i != j), default=0) or 1
    with drawn_alike():
        figure, axes = blank_figure(3.4 + 0.11 * len(members), width=max(WIDTH, 1.8 + 0.22 * len(members)))
        # No share stands on the diagonal: nobody is right where he is wrong.
        shares = [[float("nan") if i == j else found.share[i][j] for j in members] for i in members]
        mesh = axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=most, edgecolors="face", linewidth=0.2)
        axes.set_aspect("equal")
        axes.invert_yaxis()
        axes.set_xticks([i + 0.5 for i in members], names, rotation=90)
        axes.set_yticks([i + 0.5 for i in members], names)
        axes.tick_params(length=0)
        axes.set_xlabel("... and this one is wrong")
        axes.set_ylabel("this model is right ...")
        if len(members) <= _NUMBERED:
            for i in members:
                for j in members:
                    share = found.share[i][j]
                    colour = PALE if i == j else "white" if share > _DARK * most else "black"
                    figures = "-" if i == j else f"{100 * share:.0f}"
                    axes.text(j + 0.5, i + 0.5, figures, ha="center", va="center", color=colour, fontsize=9)
        else:
            bar = figure.colorbar(mesh, ax=axes, format=percent_format(), shrink=0.6)
            bar.ax.tick_params(colors=INK)
        title = "Right where another is wrong, % of questions"
        figure.suptitle(title_of(title, held_out=held_out))
    return figure
