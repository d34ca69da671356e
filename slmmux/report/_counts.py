"""The counts that a report shows, as data."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slmmux.recording import Arrays, Recording, Row

__all__ = ["Changed", "Recorded", "by_dataset", "changed", "dataset_of", "recorded"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """The recorded samples of one model, counted.

    Attributes:
        model: The model's label.
        of: k, its samples per question.
        temperatures: The sampling temperatures.
        samples: The number of samples.
        failed: The number of failed calls.
        unread: The number of replies without an answer.
        tokens: Input and output tokens of all samples; `None` if they were not recorded.
        seconds: The median seconds per call; `None` if they were not recorded.
        accuracy: The share of questions on which the model's vote is right.
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
    """A question on which either the mux or the best single model is right, but not both.

    Attributes:
        question: The question's id.
        won: Whether it is the mux that is right.
    """

    question: str
    won: bool


def recorded(recording: Recording, arrays: Arrays) -> tuple[Recorded, ...]:
    """Return counts of each model's recorded samples, limited to the models, questions and samples of the arrays.

    Args:
        recording: The recorded samples.
        arrays: Arrays of the recording (`slmmux.recording.arrays_of`).
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
    """Return for each dataset the number of questions and the share of them that is right.

    Args:
        recording: The recorded samples.
        arrays: Arrays of the recording (`slmmux.recording.arrays_of`).
        right: [q] whether each question of the arrays is right.
    """
    places: dict[str, list[int]] = {}
    for q, question in enumerate(arrays.questions):
        places.setdefault(dataset_of(recording, question), []).append(q)
    return {dataset: (len(rows), float(right[rows].mean())) for dataset, rows in places.items()}


def changed(arrays: Arrays, models: Sequence[str], single: str) -> tuple[Changed, ...]:
    """Return the questions that a mux wins or loses against a single model, in recorded order.

    Args:
        arrays: The samples of a pool (`slmmux.recording.arrays_of`).
        models: The members of the mux, best first.
        single: The single model, which answers by self-consistency.
    """
    mux = arrays.votes.decided_right([arrays.models.index(model) for model in models])
    alone = arrays.votes.right[arrays.models.index(single)]
    return tuple(Changed(arrays.questions[q], bool(mux[q])) for q in np.flatnonzero(mux != alone))


def dataset_of(recording: Recording, question: str) -> str:
    rows = (row for of_model in recording.by_question[question].values() for row in of_model)
    return next((row.dataset for row in rows if row.dataset), "without dataset")
