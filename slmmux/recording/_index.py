"""The samples of a recording by question and model, each made a row only when it is looked at."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from slmmux.recording._columns import Columns, Ints
from slmmux.recording._row import Row

__all__ = ["ByQuestion", "in_bulk"]

_QUESTIONS = 500  # whose rows are made together


def in_bulk(columns: Columns, planned: Mapping[str, int]) -> Iterator[tuple[str, Mapping[str, Sequence[Row]]]]:
    """Yield each question with the first k rows of each model, which are made for many questions at once."""
    questions, models = columns.coded("question_id"), columns.coded("model")
    label = dict(enumerate(models.values))
    wanted = np.array([model in planned for model in models.values])
    codes = questions.codes[columns.in_order]
    starts = np.searchsorted(codes, np.arange(len(questions.values) + 1))
    for first in range(0, len(questions.values), _QUESTIONS):
        some = questions.values[first : first + _QUESTIONS]
        at = columns.in_order[starts[first] : starts[first + len(some)]]
        at = at[wanted[models.codes[at]]]
        cells: dict[str, dict[str, list[Row]]] = {question: {model: [] for model in planned} for question in some}
        for row, model in zip(columns.rows(at), models.codes[at].tolist(), strict=True):
            rows = cells[row.question_id][label[model]]
            if len(rows) < planned[label[model]]:
                rows.append(row)
        yield from cells.items()


class ByQuestion(Mapping[str, Mapping[str, Sequence[Row]]]):
    """A recording's samples by question.

    Args:
        columns: The samples.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        questions = columns.coded("question_id")
        self._number = {question: number for number, question in enumerate(questions.values)}
        codes = questions.codes[columns.in_order]
        self._starts = np.searchsorted(codes, np.arange(len(self._number) + 1))

    def __getitem__(self, question: str) -> "Mapping[str, Sequence[Row]]":
        number = self._number[question]
        return _ByModel(self._columns, self._columns.in_order[slice(*self._starts[number : number + 2])])

    def __iter__(self) -> Iterator[str]:
        return iter(self._number)

    def __len__(self) -> int:
        return len(self._number)

    def __repr__(self) -> str:
        return f"<samples of {len(self)} questions>"


class _ByModel(Mapping[str, Sequence[Row]]):
    """The samples of one question by model, in the order in which the models first answered it."""

    def __init__(self, columns: Columns, positions: Ints) -> None:
        self._columns = columns
        models = columns.coded("model")
        codes = models.codes[positions]
        cuts = np.flatnonzero(np.diff(codes)) + 1
        parts = np.split(positions, cuts) if positions.size else []
        parts.sort(key=lambda part: int(part.min()))
        self._positions = {str(models.values[int(models.codes[part[0]])]): part for part in parts}
        self._rows: dict[str, tuple[Row, ...]] = {}

    def __getitem__(self, model: str) -> tuple[Row, ...]:
        if model not in self._rows:
            self._rows[model] = tuple(self._columns.rows(self._positions[model]))
        return self._rows[model]

    def __iter__(self) -> Iterator[str]:
        return iter(self._positions)

    def __len__(self) -> int:
        return len(self._positions)

    def __repr__(self) -> str:
        return f"<samples of {', '.join(self)}>"
