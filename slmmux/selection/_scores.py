"""Where the forms of scoring part: a model that is right by what it says, and wrong by its answer as a whole."""

from collections.abc import Mapping, Sequence

from slmmux.recording import Arrays, Recording, arrays_of
from slmmux.recording._arrays import Missing, Same, ScoreName

__all__ = ["parting"]

_POINTS = 0.02  # of accuracy: a smaller difference is not worth a word
_MOST_NAMED = 3
_MOST_SAMPLES = 500_000  # whose replies are read for this
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
    if arrays.score == "recorded" or not recording.columns.has_texts:
        return ""
    step = -(-arrays.codes.size // _MOST_SAMPLES)
    if step > 1:  # each reply is read: on millions of them that takes longer than the whole choice
        recording = recording.of_questions(arrays.questions[::step])
        arrays = arrays_of(recording, arrays.models, samples, same=same, missing=missing, score="exact")
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
    some = f" (on {len(arrays.questions):,} of the questions)" if step > 1 else ""
    return f"; scored by exact and by includes{some}: {figures}{more}; all other figures are by {arrays.score}"
