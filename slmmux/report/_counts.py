"""The counts that a report shows, as data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slmmux.recording import Arrays, Recording
from slmmux.recording._columns import NONE, Columns
from slmmux.recording._counted import Counted, first_values

__all__ = ["Changed", "Recorded", "by_dataset", "changed", "dataset_of", "places_by_dataset", "recorded"]

_WITHOUT = "without dataset"


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
    samples = Counted(recording.columns, dict(zip(arrays.models, arrays.of.tolist(), strict=True)), arrays.questions)
    return tuple(
        _recorded(recording.columns, positions[there], model, k, float(accuracy))
        for model, k, accuracy, positions, there in zip(
            arrays.models,
            arrays.of.tolist(),
            arrays.votes.right.mean(axis=1),
            samples.positions,
            samples.there,
            strict=True,
        )
    )


def _recorded(columns: Columns, positions: NDArray[Any], model: str, k: int, accuracy: float) -> Recorded:
    inputs, outputs = columns.numbers("input_tokens")[positions], columns.numbers("output_tokens")[positions]
    counts = np.concatenate((inputs[inputs != NONE], outputs[outputs != NONE]))
    seconds = columns.numbers("latency_s")[positions]
    seconds = seconds[~np.isnan(seconds)]
    temperatures = columns.coded("temperature").take(positions)
    failed = columns.failed[positions]
    readings = columns.coded("reading").take(positions)
    silent = np.array([answer is None for answer, _, _ in readings.values], dtype=np.bool_)
    return Recorded(
        model=model,
        of=k,
        temperatures=tuple(sorted(temperatures.values[i] for i in np.unique(temperatures.codes).tolist() if i >= 0)),
        samples=positions.size,
        failed=int(failed.sum()),
        unread=int((silent[readings.codes] & ~failed).sum()),
        tokens=int(counts.sum()) if counts.size else None,
        seconds=float(np.median(seconds)) if seconds.size else None,
        accuracy=accuracy,
    )


def by_dataset(recording: Recording, arrays: Arrays, right: NDArray[Any]) -> dict[str, tuple[int, float]]:
    """Return for each dataset the number of questions and the share of them that is right.

    Args:
        recording: The recorded samples.
        arrays: Arrays of the recording (`slmmux.recording.arrays_of`).
        right: [q] whether each question of the arrays is right.
    """
    places = places_by_dataset(recording, arrays)
    return {dataset: (len(rows), float(right[rows].mean())) for dataset, rows in places.items()}


def places_by_dataset(recording: Recording, arrays: Arrays) -> dict[str, list[int]]:
    """Return the places of the questions of each dataset; a walk over all samples, however many rights are counted."""
    places: dict[str, list[int]] = {}
    datasets = first_values(recording.columns, "dataset")
    for q, question in enumerate(arrays.questions):
        places.setdefault(datasets.get(question, _WITHOUT), []).append(q)
    return places


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
    return next((row.dataset for row in rows if row.dataset), _WITHOUT)
