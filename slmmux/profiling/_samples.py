"""Replies as rows: the answer read, compared with the member's earlier ones if that is how answers are compared."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from slmmux._decision.types import Answer, Draw
from slmmux._errors import quote
from slmmux.profiling._asker import Completion, MemberPool
from slmmux.profiling._campaign import PlannedRequest
from slmmux.profiling._questions import Question
from slmmux.recording._row import Row, answer_of

__all__ = ["Samples"]


class Samples:
    """Makes rows of the outcomes of requests.

    Args:
        pool: The members.
        questions: The questions, by the places that the requests name.
        attempts: The number of the attempt, for samples that are requested again, by question id and draw.
    """

    def __init__(
        self,
        pool: MemberPool,
        questions: Sequence[Question],
        attempts: Mapping[tuple[str, Draw], int] | None = None,
    ) -> None:
        self._pool = pool
        self._questions = questions
        self._attempts = attempts or {}
        self._answers: dict[tuple[str, str], dict[int, Answer]] = {}

    def remember(self, row: Row) -> None:
        """Compare later answers with that of a recorded sample too."""
        if self._pool.compare is not None and (answer := answer_of(row)) is not None:
            self._answers.setdefault((row.model, row.question_id), {})[row.sample_index] = answer

    def failed(self, request: PlannedRequest, draw: Draw, error: BaseException, latency: float) -> Row:
        """Return the row of a sample whose request failed."""
        return self._row(request, draw, None, latency, error)

    def row(
        self, request: PlannedRequest, draw: Draw, completion: Completion, latency: float
    ) -> tuple[Row, BaseException | None]:
        """Return the row of a reply, and the error if its answer could not be read."""
        try:
            answer = completion.read()
            row = self._row(request, draw, completion, latency, None, answer)
            if answer is not None and self._pool.compare is not None:
                others = self._answers.get((row.model, row.question_id), {})
                row = replace(row, alike=dict(self._pool.compare(answer, others)))
                self.remember(row)
        except Exception as error:  # noqa: BLE001 - an extractor that raises loses its sample, never the profile
            return self._row(request, draw, completion, latency, error), error
        return row, None

    def _row(  # noqa: PLR0917 - a row's parts
        self,
        request: PlannedRequest,
        draw: Draw,
        completion: Completion | None,
        latency: float,
        error: BaseException | None,
        answer: Answer | None = None,
    ) -> Row:
        question = self._questions[request.question]
        return Row(
            dataset=question.dataset,
            question_id=question.question_id,
            question=question.question,
            gold=question.gold,
            model=draw.model,
            sample_index=draw.index,
            answer=answer.value if answer else None,
            kind=answer.kind if answer else None,
            key=answer.key if answer else None,
            text=completion.text if completion else None,
            temperature=self._pool.settings["models"].get(draw.model, {}).get("temperature"),
            input_tokens=completion.input_tokens if completion else None,
            output_tokens=completion.output_tokens if completion else None,
            latency_s=latency,
            error=None if error is None else quote(error),
            attempt=self._attempts.get((question.question_id, draw)),
            confidences=dict(completion.confidences) if completion and completion.confidences else None,
            judge_input_tokens=completion.judge_input_tokens if completion else None,
            judge_output_tokens=completion.judge_output_tokens if completion else None,
            cut_off=True if completion and completion.cut_off else None,
        )
