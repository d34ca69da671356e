"""Samples in the logs of Inspect (inspect_ai): a JSON file, or a zip with one member for each sample.

The log format is version 2. Inspect itself is never imported.
"""

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from zipfile import BadZipFile, ZipFile

from pydantic import ConfigDict, Field, TypeAdapter

from slmmux._errors import RecordingError
from slmmux.readers._foreign import Foreign, checked
from slmmux.recording._row import Row

__all__ = ["files", "samples"]

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

    answer: Any = None


@dataclass(frozen=True, slots=True)
class _Sample:
    __pydantic_config__ = _STRICT

    id: int | str
    epoch: Annotated[int, Field(ge=1)]
    input: str | list[_Message]
    target: str | list[str]
    output: _Output = field(default_factory=_Output)
    scores: dict[str, _Score] | None = None
    error: _Error | None = None
    model_usage: dict[str, _Usage] = field(default_factory=dict)
    total_time: float | None = None

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


def files(path: Path) -> Iterator[Path]:
    """Yield the logs in a folder and its subfolders, or the file itself."""
    if path.is_dir():
        # Inspect also writes .json lists of its logs into the folder; only a log's name begins with a date.
        logs = (*path.rglob("*.eval"), *path.rglob("[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T*.json"))
        yield from sorted(logs)
    else:
        yield path


def samples(path: Path, *, with_answers: bool) -> Iterator[Foreign]:
    """Yield the samples of a log.

    Args:
        path: The file.
        with_answers: Whether to copy the scorer's answers.

    Raises:
        RecordingError: The file has another format, or no samples.
    """
    empty = True
    for place, log, sample in _read(path):
        empty = False
        yield Foreign(
            place, _row(log, sample, _answer(sample, place) if with_answers else None), log.generation_settings
        )
    if empty:
        raise RecordingError(f"{path}: the log has no samples; {_INSTEAD}, with its samples")


def _row(log: _Log, sample: _Sample, answer: Any) -> Row:
    usage = sample.output.usage or sample.model_usage.get(log.eval.model)
    question = sample.input if isinstance(sample.input, str) else "\n\n".join(message.text for message in sample.input)
    return Row(
        question_id=f"{log.eval.task}/{sample.id}",
        model=log.eval.model,
        sample_index=sample.epoch - 1,
        answer=answer,
        dataset=log.eval.task,
        question=question,
        gold=sample.target[0] if isinstance(sample.target, list) and len(sample.target) == 1 else sample.target,
        text=sample.output.text,
        input_tokens=usage.request_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
        latency_s=sample.output.time if sample.output.time is not None else sample.total_time,
        error=sample.failure,
    )


def _answer(sample: _Sample, place: str) -> Any:
    if sample.failure is not None:
        return None
    if not sample.scores:
        raise RecordingError(f"{place}: the sample was not scored, so it has no answer; write extract='auto'")
    answer = next(iter(sample.scores.values())).answer
    return None if answer == "" else answer


def _read(path: Path) -> Iterator[tuple[str, _Log, _Sample]]:
    if path.suffix == ".eval":
        yield from _zipped(path)
    elif path.suffix == ".json":
        log = checked(_LOG, path.read_bytes(), str(path), _INSTEAD)
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
