"""Samples in the logs of Inspect (inspect_ai): a JSON file, or a zip with one member for each sample.

The log format is version 2. Inspect itself is never imported.
"""

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from zipfile import BadZipFile, ZipFile

from pydantic import ConfigDict, Field, TypeAdapter

from slmmux._errors import RecordingError
from slmmux._files.read import DOCUMENT_BYTES, document, too_long
from slmmux._files.table import kind_of
from slmmux.readers._foreign import Foreign, Request, at_limit, checked, share
from slmmux.recording._gold import TESTS, are_tests, gold_of, with_options
from slmmux.recording._row import Row

__all__ = ["samples"]

_INSTEAD = "give a log as Inspect writes it, .eval or .json"
_STRICT = ConfigDict(strict=True)
_HEADERS = ("header.json", "_journal/start.json")  # A run that was cut short has only the second.
_SAMPLE_FILE = re.compile(r"samples/.+_epoch_\d+\.json", re.DOTALL)
_SAMPLE_PIECE = re.compile(r"samples/.+_epoch_\d+/sample\.json", re.DOTALL)
# Only these settings are copied into the recording: the headers and bodies in a log may hold secrets.
_GENERATION_SETTINGS = (
    "temperature", "top_p", "top_k", "max_tokens", "seed", "stop_seqs", "frequency_penalty", "presence_penalty",
    "reasoning_effort", "reasoning_tokens",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Block:
    __pydantic_config__ = _STRICT

    type: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class _Message:
    __pydantic_config__ = _STRICT

    content: str | list[_Block]

    @property
    def text(self) -> str:
        """The text of the message, without reasoning and pictures."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(block.text for block in self.content if block.type == "text" and block.text is not None)


@dataclass(frozen=True, slots=True)
class _Usage:
    __pydantic_config__ = _STRICT

    input_tokens: int = 0
    output_tokens: int = 0
    input_tokens_cache_read: int | None = None
    input_tokens_cache_write: int | None = None

    @property
    def request_tokens(self) -> int:
        """The tokens of the request. Inspect counts tokens from a cache separately, so they are added here."""
        return self.input_tokens + (self.input_tokens_cache_read or 0) + (self.input_tokens_cache_write or 0)


@dataclass(frozen=True, slots=True)
class _Choice:
    __pydantic_config__ = _STRICT

    message: _Message
    stop_reason: str | None = None


@dataclass(frozen=True, slots=True)
class _Output:
    __pydantic_config__ = _STRICT

    choices: list[_Choice] = field(default_factory=list)
    completion: str | None = None
    usage: _Usage | None = None
    time: float | None = None
    error: str | None = None

    @property
    def text(self) -> str | None:
        """The reply: the first of several choices, which is the one that Inspect scores."""
        return self.choices[0].message.text if self.choices else self.completion or None


@dataclass(frozen=True, slots=True)
class _Error:
    __pydantic_config__ = _STRICT

    message: str


@dataclass(frozen=True, slots=True)
class _Score:
    __pydantic_config__ = _STRICT

    value: Any = None
    answer: Any = None


@dataclass(frozen=True, slots=True)
class _Sample:
    __pydantic_config__ = _STRICT

    id: int | str
    epoch: Annotated[int, Field(ge=1)]
    input: str | list[_Message]
    target: str | list[str]
    choices: list[str] | None = None
    output: _Output = field(default_factory=_Output)
    scores: dict[str, _Score] | None = None
    score: _Score | None = None  # in logs of before May 2024
    error: _Error | None = None
    model_usage: dict[str, _Usage] = field(default_factory=dict)
    total_time: float | None = None

    @property
    def verdict(self) -> _Score | None:
        """What the first scorer made of the sample."""
        return next(iter(self.scores.values())) if self.scores else self.score

    @property
    def failure(self) -> str | None:
        """The reason, if there is no reply: the error that halted the sample, or the server's message."""
        if self.error is not None:
            return self.error.message
        return None if self.output.text is not None else self.output.error


@dataclass(frozen=True, slots=True)
class _Eval:
    __pydantic_config__ = _STRICT

    task: str
    model: str
    model_generate_config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Plan:
    __pydantic_config__ = _STRICT

    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Log:
    __pydantic_config__ = _STRICT

    eval: _Eval
    plan: _Plan = field(default_factory=_Plan)
    samples: list[_Sample] | None = None

    @property
    def generation_settings(self) -> Mapping[str, Any]:
        """The settings of the task, which override the settings of the model."""
        configs = self.eval.model_generate_config, self.plan.config
        settings = {name: value for config in configs for name, value in config.items() if value is not None}
        return {name: settings[name] for name in _GENERATION_SETTINGS if name in settings}


_LOG = TypeAdapter(_Log)
_SAMPLE = TypeAdapter(_Sample)


def samples(files: Sequence[Path], request: Request) -> Iterator[Foreign]:
    """Yield the samples of logs, log by log.

    Raises:
        RecordingError: A file has another format, or no samples.
    """
    for path in files:
        empty = True
        for place, log, sample in _read(path):
            empty = False
            answer = _answer(sample, place) if request.with_answers else None
            row = _row(log, sample, answer, request.model, place)
            note = TESTS if are_tests(sample.target) else None
            choices = sample.output.choices
            cut_off = bool(choices) and at_limit(choices[0].stop_reason)
            yield Foreign(path, place, row, log.generation_settings, note, cut_off)
        if empty:
            raise RecordingError(f"{path}: the log has no samples; {_INSTEAD}, with its samples")


def _row(log: _Log, sample: _Sample, answer: Any, model: str | None, place: str) -> Row:
    usage = sample.output.usage or sample.model_usage.get(log.eval.model)
    text = sample.input if isinstance(sample.input, str) else "\n\n".join(message.text for message in sample.input)
    question = with_options(text, sample.choices)  # The solver shows the options, which the input does not hold.
    failure = sample.failure
    return Row(
        question_id=f"{log.eval.task}/{sample.id}",
        model=model or log.eval.model,
        sample_index=sample.epoch - 1,
        answer=answer,
        dataset=log.eval.task,
        question=question,
        gold=gold_of(sample.target, question, place),
        text=sample.output.text,
        input_tokens=usage.request_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
        latency_s=sample.output.time if sample.output.time is not None else sample.total_time,
        error=failure,
        score=share(sample.verdict.value) if sample.verdict is not None and failure is None else None,
    )


def _answer(sample: _Sample, place: str) -> Any:
    if sample.failure is not None:
        return None
    if sample.verdict is None:
        raise RecordingError(f"{place}: the sample was not scored, so it has no answer; write extract='auto'")
    answer = sample.verdict.answer
    return None if answer == "" else answer


def _read(path: Path) -> Iterator[tuple[str, _Log, _Sample]]:
    if path.suffix == ".eval":
        yield from _zipped(path)
    elif kind_of(path) == "json":
        log = checked(_LOG, document(path), str(path), _INSTEAD)
        for i, sample in enumerate(log.samples or ()):
            yield f"{path} samples.{i}", log, sample
    else:
        raise RecordingError(f"{path}: expected a log of Inspect, an .eval or a .json file; {_INSTEAD}")


def _zipped(path: Path) -> Iterator[tuple[str, _Log, _Sample]]:
    try:
        with ZipFile(path) as packed:
            # A sample that Inspect wrote again occurs twice under one name; reading by name gives the later one.
            members = dict.fromkeys(packed.namelist())
            header = next((name for name in _HEADERS if name in members), None)
            if header is None:
                raise RecordingError(f"{path}: the zip has no {' or '.join(_HEADERS)}; {_INSTEAD}")
            log = checked(_LOG, _member(packed, header, path), f"{path} {header}", _INSTEAD)
            for name in members:
                if _SAMPLE_PIECE.fullmatch(name):
                    raise RecordingError(f"{path} {name}: a sample in pieces, which cannot be read; {_convert(path)}")
                if _SAMPLE_FILE.fullmatch(name):
                    place = f"{path} {name}"
                    yield place, log, checked(_SAMPLE, _member(packed, name, path), place, _INSTEAD)
    except (BadZipFile, zlib.error) as error:
        raise RecordingError(f"{path}: not a zip, or an incomplete one ({error}); copy the file again") from error


def _member(packed: ZipFile, name: str, path: Path) -> bytes:
    # The size that the zip states bounds what is unpacked: zipfile reads no more, and refuses what has another size.
    if packed.getinfo(name).file_size > DOCUMENT_BYTES:
        raise too_long(f"{path} {name}", DOCUMENT_BYTES, "document")
    try:
        return packed.read(name)
    except RuntimeError as error:
        method = packed.getinfo(name).compress_type
        raise RecordingError(
            f"{path} {name}: packed by method {method} (zstd is 93), which this Python cannot unpack, 3.14 can; "
            f"{_convert(path)}"
        ) from error


def _convert(path: Path) -> str:
    return f"convert it with `inspect log convert {path} --to json --output-dir DIR`"
