"""Samples that the paper's own program writes with `slm-mux collect`: one JSON file a model.

The questions have no ids and stand in the order in which they came back, so a question's id is made of its text. What
the program calls its answers (`extracted_answer`) and verdicts (`is_correct`) are there too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from slmmux._errors import RecordingError
from slmmux._files.fields import key_of
from slmmux._files.read import document
from slmmux._files.table import stem
from slmmux.readers._foreign import Foreign, Request, checked, share
from slmmux.recording._gold import TESTS, are_tests, gold_of, with_options
from slmmux.recording._row import Row

__all__ = ["samples"]

_INSTEAD = "give the file of a model that `slm-mux collect` wrote"
# The benchmarks name these two fields differently, and earlier scripts of the paper named them otherwise.
_QUESTIONS = ("problem", "question", "prompt")
_GOLDS = ("reference_answer", "correct_answer", "answer", "reference", "instructions", "canonical_solution", "solution")


@dataclass(frozen=True, slots=True)
class _File:
    __pydantic_config__ = ConfigDict(strict=True)

    model: str | None = None
    temperature: float | None = None
    max_new_tokens: int | None = None
    responses: list[dict[str, Any]] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)

    @property
    def settings(self) -> dict[str, Any]:
        """The generation settings, by the names that recordings use."""
        settings = {"temperature": self.temperature, "max_tokens": self.max_new_tokens}
        return {name: value for name, value in settings.items() if value is not None}


def samples(files: Sequence[Path], request: Request) -> Iterator[Foreign]:
    """Yield the samples of files, file by file.

    Raises:
        RecordingError: A file has another form, or no samples.
    """
    for path in files:
        content = checked(_FILE, document(path), str(path), _INSTEAD)
        empty = True
        for number, response in enumerate(content.responses or content.results):
            for sample in _of_question(path, number, response, content, request):
                empty = False
                yield sample
        if empty:
            raise RecordingError(f"{path}: the file has no samples; {_INSTEAD}")


def _of_question(
    path: Path, number: int, response: Mapping[str, Any], content: _File, request: Request
) -> Iterator[Foreign]:
    place = f"{path} responses.{number}"
    text = next((value for name in _QUESTIONS if isinstance(value := response.get(name), str)), None)
    if text is None:
        raise RecordingError(f"{place}: there is no {', '.join(_QUESTIONS[:-1])} or {_QUESTIONS[-1]}; {_INSTEAD}")
    choices = response.get("choices")
    question = with_options(text, choices if isinstance(choices, list) else None)
    gold = next((value for name in _GOLDS if (value := response.get(name)) is not None), None)
    tests = are_tests(gold) or "instruction_id_list" in response
    for index, sample in enumerate(response.get("samples") or ()):
        reply = sample.get("model_response", sample.get("response"))
        answer = sample.get("extracted_answer", sample.get("extracted"))
        usage = sample.get("token_usage") or {}
        row = Row(
            question_id=key_of(question),
            model=str(request.model or content.model or response.get("model") or stem(path)),
            sample_index=number * 10**4 + index,
            answer=(answer or None) if request.with_answers else None,
            question=question,
            gold=None if tests else gold_of(gold, question, place),
            text=reply if isinstance(reply, str) else None,
            input_tokens=usage.get("prompt_tokens"),
            output_tokens=usage.get("completion_tokens"),
            score=share(sample.get("is_correct")),
        )
        yield Foreign(path, place, row, content.settings, TESTS if tests else None)


_FILE = TypeAdapter(_File)
