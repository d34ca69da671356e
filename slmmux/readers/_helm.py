"""Samples in HELM's `scenario_state.json`: the requests of one run, each with its completions.

What surrounds it in the run's folder (the metrics' means) holds no samples. HELM itself is never imported.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from slmmux._errors import RecordingError
from slmmux._files.fields import key_of
from slmmux._files.read import document
from slmmux.readers._foreign import Foreign, Request, at_limit, checked
from slmmux.recording._gold import TESTS, accepted, are_tests, gold_of, with_options
from slmmux.recording._row import Row

__all__ = ["samples"]

_INSTEAD = "give the scenario_state.json of a HELM run"
_STRICT = ConfigDict(strict=True)
_SETTINGS = ("temperature", "max_tokens", "top_p", "stop_sequences", "presence_penalty", "frequency_penalty")


@dataclass(frozen=True, slots=True)
class _Reference:
    __pydantic_config__ = _STRICT

    output: str | dict[str, Any]  # A text in versions of before 2023.
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Instance:
    __pydantic_config__ = _STRICT

    input: str | dict[str, Any]
    references: list[_Reference] = field(default_factory=list)
    id: str | int | None = None
    perturbation: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Result:
    __pydantic_config__ = _STRICT

    success: bool
    completions: list[dict[str, Any]] = field(default_factory=list)
    request_time: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class _State:
    __pydantic_config__ = _STRICT

    instance: _Instance
    request: dict[str, Any]
    reference_index: int | None = None
    request_mode: str | None = None
    output_mapping: dict[str, str] | None = None
    result: _Result | None = None


@dataclass(frozen=True, slots=True)
class _Run:
    __pydantic_config__ = _STRICT

    request_states: list[_State]
    adapter_spec: dict[str, Any] = field(default_factory=dict)


def samples(files: Sequence[Path], request: Request) -> Iterator[Foreign]:
    """Yield the samples of runs, run by run.

    Raises:
        RecordingError: A file has another form, or no texts.
    """
    for path in files:
        run = checked(_RUN, document(path), str(path), _INSTEAD)
        if not run.request_states:
            raise RecordingError(f"{path}: the run has no requests; {_INSTEAD}")
        for number, state in enumerate(run.request_states):
            yield from _of_state(path, number, state, run.adapter_spec, request)


def _of_state(
    path: Path, number: int, state: _State, adapter: Mapping[str, Any], request: Request
) -> Iterator[Foreign]:
    place = f"{path} request_states.{number}"
    if state.reference_index is not None or adapter.get("method") == "language_modeling":
        raise RecordingError(
            f"{place}: the options were scored by log-likelihood, so there are no texts; "
            "give a run whose adapter is generation, chat or multiple_choice_joint"
        )
    text = _text(state.instance.input)
    question = with_options(text, state.output_mapping)
    model = request.model or state.request.get("model") or adapter.get("model") or state.request.get("model_deployment")
    right = [_text(reference.output) for reference in state.instance.references if "correct" in reference.tags]
    tests = any(map(are_tests, right))
    settings = {name: state.request[name] for name in _SETTINGS if name in state.request}
    for index, (reply, error, cut_off) in enumerate(_replies(state.result)):
        row = Row(
            question_id=_question_id(state.instance, question),
            model=str(model or path.absolute().parent.name),
            sample_index=number * 10**4 + index,
            answer=None,
            dataset=_scenario(path),
            question=question,
            gold=None if tests else _gold(right, state.output_mapping, question, place),
            text=reply,
            latency_s=state.result.request_time if state.result is not None else None,
            error=error,
        )
        yield Foreign(path, place, row, settings, TESTS if tests else None, cut_off)


def _text(value: str | Mapping[str, Any]) -> str:
    return value if isinstance(value, str) else str(value.get("text", ""))


def _question_id(instance: _Instance, question: str | None) -> str:
    """Return an id that is the same in the runs of all models, and another in every scenario.

    HELM numbers the instances of each scenario from "id0", so the number alone would mix two scenarios.
    """
    perturbation = instance.perturbation or {}
    key = key_of(question, str(perturbation.get("name", "")))
    return key if instance.id is None else f"{instance.id}-{key.removeprefix('q-')}"


def _scenario(path: Path) -> str | None:
    """Return the scenario that a run's folder is named after, without the model: "mmlu:subject=anatomy"."""
    name = path.absolute().parent.name
    scenario, colon, arguments = name.partition(":")
    if not colon:
        return None
    parts = [part for part in arguments.split(",") if not part.startswith(("model=", "model_deployment="))]
    return f"{scenario}:{','.join(parts)}" if parts else scenario


def _gold(right: Sequence[str], mapping: Mapping[str, str] | None, question: str | None, place: str) -> Any:
    if mapping:
        return accepted([letter for letter, option in mapping.items() if option in right])
    return gold_of(list(right), question, place)


def _replies(result: _Result | None) -> Iterator[tuple[str | None, str | None, bool]]:
    """Yield the text or the error of each sample, and whether the text was cut off at its limit."""
    if result is None:
        yield None, "the request was not made", False
    elif not result.success:
        yield None, result.error or "the request failed", False
    elif not result.completions:
        yield None, None, False
    else:
        for completion in result.completions:
            text = completion.get("text")
            yield text if isinstance(text, str) else None, None, at_limit(completion.get("finish_reason"))


_RUN = TypeAdapter(_Run)
