"""Where the forms of scoring part: a model that is right by what it says, and wrong by its answer as a whole."""

from collections.abc import Mapping, Sequence

from slmmux.recording import Arrays, Recording, arrays_of
from slmmux.recording._arrays import Missing, Same, ScoreName

__all__ = ["parting"]

_POINTS = 0.02  # of accuracy: a smaller difference is not worth a word
_MOST_NAMED = 3
_FORMS: tuple[ScoreName, ...] = ("exact", "includes")


def parting(
    recording: Recording,
    arrays: Arrays,
    *,
    models: Sequence[str] | None,
    samples: int | Mapping[str, int] | None,
    same: Same | None,
    missing: Missing,
) -> str:
    """Return the end of a verdict that gives both figures of each model that exact and includes tell apart.

    Empty if no model is, or if the replies' texts or the gold answers were not recorded.
    """
    if arrays.score == "recorded" or not any(row.text for row in recording.rows):
        return ""
    exact, includes = (
        (
            arrays
            if arrays.score == form
            else arrays_of(recording, models, samples, same=same, missing=missing, score=form)
        ).votes.right.mean(axis=1)
        for form in _FORMS
    )
    apart = sorted(
        (m for m in range(len(arrays.models)) if abs(includes[m] - exact[m]) > _POINTS),
        key=lambda m: -abs(includes[m] - exact[m]),
    )
    if not apart:
        return ""
    figures = ", ".join(
        f"{arrays.models[m]} {100 * exact[m]:.1f} % and {100 * includes[m]:.1f} %" for m in apart[:_MOST_NAMED]
    )
    more = f" and {len(apart) - _MOST_NAMED} more" if len(apart) > _MOST_NAMED else ""
    return f"; scored by exact and by includes: {figures}{more}; all other figures are by {arrays.score}"
