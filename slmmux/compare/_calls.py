"""The calls of a comparison: each stage of prompts is a profile of its own, so that it is kept, resumed and retried."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from slmmux import answers
from slmmux._decision.drive import Draws
from slmmux._decision.types import Answer, Draw
from slmmux.profiling import Completion, MemberPool, Pressing, Question, Watch, profile
from slmmux.recording import Recording, Row

__all__ = ["Calls", "Reply"]


class Reply:
    """One reply to a prompt, and its answer to the question that the prompt is about.

    Args:
        row: The recorded sample.
        answer: The answer to the comparison's question.
    """

    def __init__(self, row: Row, answer: Answer | None) -> None:
        self.row = row
        self.answer = answer
        self.text = row.text or ""


class _Part:
    """Some members of a pool, with a number of samples of their own."""

    def __init__(self, pool: MemberPool, samples: Mapping[str, int]) -> None:
        self._pool = pool
        self.samples = samples
        self.settings = pool.settings
        self.compare = None  # the replies of later stages are read anew, see `Calls.ask`

    def group(self, draws: Sequence[Draw]) -> list[Draws]:
        return self._pool.group(draws)

    def call(self, question: str, draws: Draws) -> Sequence[Completion]:
        return self._pool.call(question, draws)

    async def acall(self, question: str, draws: Draws) -> Sequence[Completion]:
        return await self._pool.acall(question, draws)


class Calls:
    """The calls of a comparison, kept in one folder: `samples.jsonl`, and a file for each further stage.

    Args:
        pool: The members.
        questions: The questions.
        folder: The folder of the recordings.
        extract: Reads answers: an extractor's name, or a function.
        watch: An observer of the progress of each stage.
        pressing: How hard the members are pressed.
    """

    def __init__(
        self,
        pool: MemberPool,
        questions: Sequence[Question],
        folder: Path,
        *,
        extract: str | Callable[[str], Any],
        watch: Watch | None,
        pressing: Pressing,
    ) -> None:
        self._pool = pool
        self._folder = folder
        self._extract = extract
        self._watch = watch
        self._pressing = pressing
        self.questions = questions
        self.models = tuple(pool.samples)

    def samples(self) -> Recording:
        """Sample every member on every question: what the mux votes on, and what every other method starts from."""
        return self._profile("samples", self._pool, self.questions)

    def ask(
        self, stage: str, prompts: Mapping[str, tuple[Question, str]], models: Sequence[str]
    ) -> dict[str, list[Reply]]:
        """Ask members one reply to each prompt.

        Args:
            stage: The name of the file.
            prompts: Id -> the question that a prompt is about, and the prompt.
            models: The members that are asked.

        Returns:
            The replies by id, in the order of `models`, without those of calls that failed.
        """
        if not prompts:
            return {}
        part = _Part(self._pool, dict.fromkeys(models, 1))
        items = [Question(question_id=key, question=prompt) for key, (_, prompt) in prompts.items()]
        recording = self._profile(stage, part, items)
        replies: dict[str, list[Reply]] = {}
        for key, (question, _) in prompts.items():
            # A prompt quotes other replies, so an answer is read with the question alone beside it.
            read = answers.reader(self._extract, question=question.question)
            rows = [row for model in models for row in recording.by_question[key].get(model, ()) if row.error is None]
            replies[key] = [Reply(row, read(row.text or "")) for row in rows]
        return replies

    def _profile(self, stage: str, pool: MemberPool, questions: Sequence[Question]) -> Recording:
        self._folder.mkdir(parents=True, exist_ok=True)
        # A limit by label names every member; a profile of some of them takes theirs.
        pressing = {
            name: {label: value[label] for label in pool.samples if label in value}
            if isinstance(value, Mapping)
            else value
            for name, value in self._pressing.items()
        }
        file = self._folder / f"{stage}.jsonl"
        return profile(pool, questions, recording=file, watch=self._watch, **cast("Pressing", pressing))
