"""The share of questions on which one model is right and another is wrong, and a heat map of these shares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slmmux.recording import Arrays, Recording, arrays_of
from slmmux.recording._arrays import Missing, Same, Score

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

_MOST_NUMBERED = 12  # With more models the cells of the heat map have no room for numbers.
_DARK = 0.6  # Above this share of the colour map, white text is easier to read than black.


@dataclass(frozen=True, slots=True)
class Complement:
    """For each pair of models, the share of questions on which only the first one's vote is right.

    Attributes:
        models: The members' labels.
        share: Row i, column j: the share of questions on which i's vote is right and j's is wrong or missing.
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
    score: Score | None = None,
) -> Complement:
    """Return for each pair of members the share of questions on which one is right and the other is wrong.

    share[i][j] = number of questions with (i's vote is the gold answer, j's is not) / number of questions.

    Args:
        recording: The recorded samples.
        models: The members, in this order; `None`: every recorded model, in the recording's order.
        samples: k, or k by label; `None`: every recorded sample of the member.
        same: A function of two answers that returns whether they are equal; the gold answer is compared with it too.
            Without it, answers are compared as recorded.
        missing: What to do if a member lacks samples for a question: "error" raises and names them, "drop" leaves the
            question out.
        score: When a sample is right; see `slmmux.recording.arrays_of`.

    Raises:
        ArgumentError: `models` is empty or names a model that is unknown or repeated, or k is more than was recorded.
        RecordingError: Samples are missing, or a question has no gold answer or two different ones.

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
    arrays = arrays_of(recording, models, samples, same=same, missing=missing, score=score)
    return complement_of(arrays, arrays.models)


def complement_of(arrays: Arrays, models: Sequence[str]) -> Complement:
    """Return what `complement` returns, from arrays and for some of their members.

    Args:
        arrays: The samples of a pool (`slmmux.recording.arrays_of`).
        models: The labels of members, in the order of the rows and columns.
    """
    right = arrays.votes.right[[arrays.models.index(model) for model in models]].astype(int)
    shares = right @ (1 - right).T / len(arrays.questions)
    return Complement(tuple(models), tuple(map(tuple, shares.tolist())))


def plot_complement(
    recording: Recording,
    models: Sequence[str] | None = None,
    samples: int | Mapping[str, int] | None = None,
    *,
    same: Same | None = None,
    missing: Missing = "error",
    score: Score | None = None,
    held_out: bool = False,
) -> "Figure":
    """Return a heat map of the shares of questions on which one model is right and another is wrong.

    Args:
        recording: As for `complement`.
        models: As for `complement`.
        samples: As for `complement`.
        same: As for `complement`.
        missing: As for `complement`.
        score: As for `complement`.
        held_out: Whether the models were chosen on other questions; the title says so.

    Raises:
        ArgumentError: matplotlib is not installed, or as for `complement`.
        RecordingError: As for `complement`.
    """
    need_matplotlib()
    shares = complement(recording, models, samples, same=same, missing=missing, score=score)
    return draw_complement(shares, held_out=held_out)


def draw_complement(found: Complement, *, held_out: bool = False) -> "Figure":
    """Return the heat map of shares that `complement` or `complement_of` counted.

    Args:
        found: The shares.
        held_out: Whether the models were chosen on other questions; the title says so.
    """
    members = range(len(found.models))
    names = [short_label(model, TICK_LENGTH) for model in found.models]
    most = max((found.share[i][j] for i in members for j in members if i != j), default=0) or 1
    with drawn_alike():
        figure, axes = blank_figure(3.4 + 0.11 * len(members), width=max(WIDTH, 1.8 + 0.22 * len(members)))
        # The diagonal stays empty, since no model is right and wrong on one question.
        shares = [[float("nan") if i == j else found.share[i][j] for j in members] for i in members]
        mesh = axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=most, edgecolors="face", linewidth=0.2)
        axes.set_aspect("equal")
        axes.invert_yaxis()
        axes.set_xticks([i + 0.5 for i in members], names, rotation=90)
        axes.set_yticks([i + 0.5 for i in members], names)
        axes.tick_params(length=0)
        axes.set_xlabel("... and this one is wrong")
        axes.set_ylabel("this model is right ...")
        if len(members) <= _MOST_NUMBERED:
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
