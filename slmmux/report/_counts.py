"""What a report counts of a recording, before anything is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slmmux.recording import Recording, Row
from slmmux.recording._arrays import Arrays

__all__ = ["Changed", "Recorded", "by_dataset", "changed", "dataset_of", "recorded"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was recorded of one model.

    Attributes:
        model: Its label.
        of: k, its samples a question.
        temperatures: What they were drawn at.
        samples: How many there are.
        failed: Calls that failed.
        unread: Replies in which no answer was read.
        tokens: Input and output tokens of all of them; `None` where they were not recorded.
        seconds: The median call took; `None` where it was not recorded.
        accuracy: The share of questions that its vote is right on.
    """

    model: str
    of: int
    temperatures: tuple[float, ...]
    samples: int
    failed: int
    unread: int
    tokens: int | None
    seconds: float | None
    accuracy: float


@dataclass(frozen=True, slots=True)
class Changed:
    """A question that the mux and the best single model do not both get right or both wrong.

    Attributes:
        question: Its id.
        won: The mux is right on it, the single model is not; otherwise the other way round.
    """

    question: str
    won: bool


def recorded(recording: Recording, arrays: Arrays) -> tuple[Recorded, ...]:
    """Return what was recorded of each model, as far as it stands in the arrays.

    Args:
        recording: Where the samples are.
        arrays: Some of its models, questions and samples, by `arrays_of`.
    """
    return tuple(
        _recorded(
            [row for question in arrays.questions for row in recording.by_question[question][model][:k]],
            model, k, float(accuracy),
        )
        for model, k, accuracy in zip(arrays.models, arrays.of.tolist(), arrays.votes.right.mean(axis=1), strict=True)
    )  # fmt: skip


def _recorded(rows: Sequence[Row], model: str, k: int, accuracy: float) -> Recorded:
    tokens = [n for row in rows for n in (row.input_tokens, row.output_tokens) if n is not None]
    seconds = [row.latency_s for row in rows if row.latency_s is not None]
    return Recorded(
        model=model,
        of=k,
        temperatures=tuple(sorted({row.temperature for row in rows if row.temperature is not None})),
        samples=len(rows),
        failed=sum(row.error is not None for row in rows),
        unread=sum(row.error is None and row.answer is None for row in rows),
        tokens=sum(tokens) if tokens else None,
        seconds=median(seconds) if seconds else None,
        accuracy=accuracy,
    )


def by_dataset(recording: Recording, arrays: Arrays, right: NDArray[Any]) -> dict[str, tuple[int, float]]:
    """Return the questions of each dataset, and which share of them is right.

    Args:
        recording: Where the samples are.
        arrays: Some of its questions, by `arrays_of`.
        right: [q] which of these are right.
    """
    places: dict[str, list[int]] = {}
    for q, question in enumerate(arrays.questions):
        places.setdefault(dataset_of(recording, question), []).append(q)
    return {dataset: (len(of), float(right[of].mean())) for dataset, of in places.items()}


def changed(arrays: Arrays, models: Sequence[str], single: str) -> tuple[Changed, ...]:
    """Return the questions that a mux wins or loses against one of the models, in the order recorded.

    Args:
        arrays: The samples of a pool, by `arrays_of`.
        models: The mux, best first.
        single: The model beside it, with self-consistency.
    """
    mux = arrays.votes.decided_right([arrays.models.index(model) for model in models])
    alone = arrays.votes.right[arrays.models.index(single)]
    return tuple(Changed(arrays.questions[q], bool(mux[q])) for q in np.flatnonzero(mux != alone))


def dataset_of(recording: Recording, question: str) -> str:
    rows = (row for of_model in recording.by_question[question].values() for row in of_model)
    return next((row.dataset for row in rows if row.dataset), "no dataset named")
