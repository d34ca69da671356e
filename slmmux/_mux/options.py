"""The options every mux takes, by member label: checked, spread over the members, put in rank order.

It knows labels and numbers only; what a member is, is the adapter's business.
"""

import difflib
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import ValidationError, ValidationInfo

from slmmux._decision.budget import MOST_TOKENS, check_budget
from slmmux._decision.labels import by_label
from slmmux._decision.race import check_samples
from slmmux._errors import ArgumentError, MemberError, SLMMuxError
from slmmux._mux.warn import warn

__all__ = [
    "MemberOptions",
    "MuxOptions",
    "argument_error",
    "label_models",
    "member_options",
    "no_bool",
    "no_temperature",
    "warn_if_equal",
    "warn_if_unbounded",
    "warn_if_unused",
    "warn_unknown",
]


_MOST_RETRIES = 100  # with a wait that doubles: more of them never come


class MuxOptions(Protocol):
    """The options that any mux has."""

    samples: int | dict[str, int]
    temperature: float | dict[str, float] | None
    accuracies: dict[str, float] | None
    max_tokens: int | None
    max_retries: int | None
    max_concurrency: int
    timeout: float | None
    deadline: float | None
    budget: dict[str, float] | None


@dataclass(frozen=True)
class MemberOptions:
    """What that comes to for its members.

    Attributes:
        samples: k by label.
        temperature: Explicit temperatures by label; every other member keeps its own.
        settings: Standard settings for the members that have the field.
        rank: The labels, best first.
    """

    samples: dict[str, int]
    temperature: dict[str, float]
    settings: dict[str, int]
    rank: list[str]


def member_options(mux: MuxOptions, labels: Collection[str]) -> MemberOptions:
    """Return a mux's options by member, all of them checked.

    Args:
        mux: The mux, or its options.
        labels: Its members, in the order of `models`.

    Raises:
        ArgumentError: k < 1, a label that is no member, an accuracy outside 0..1, a temperature below 0, a limit that
            is not above 0, a budget without a unit.
    """
    samples = by_label("samples", mux.samples, labels)
    check_samples(samples)
    explicit = {} if mux.temperature is None else mux.temperature
    temperature = by_label("temperature", explicit, labels, partly=True)
    _check_temperatures(temperature)
    _check_accuracies(mux.accuracies, labels)
    _check_positive(max_concurrency=mux.max_concurrency, timeout=mux.timeout, deadline=mux.deadline)
    check_budget(mux.budget)
    _check_whole("max_tokens", mux.max_tokens, 1, MOST_TOKENS)
    _check_whole("max_retries", mux.max_retries, 0, _MOST_RETRIES)
    settings = {"max_tokens": mux.max_tokens, "max_retries": mux.max_retries}
    return MemberOptions(
        samples=samples,
        temperature=temperature,
        settings={name: value for name, value in settings.items() if value is not None},
        rank=_in_rank_order(labels, mux.accuracies),
    )


def label_models(models: Any, own_name: Callable[[str, Any], str], *, what: str, example: str) -> dict[str, Any]:
    """Return models by label; a list is labelled by the models' own names.

    Args:
        models: A mapping of label to model, or a sequence of models.
        own_name: (how to call it in an error, model) -> the name it goes by; refuses what is no model.
        what: What a model is called in the sentences, "chat model".
        example: How one is made, "ChatOpenAI(...)".

    Raises:
        ArgumentError: No members, two of a list with one name, a label that is no text.
    """
    if isinstance(models, Mapping):
        labelled = dict(models)
    elif isinstance(models, Sequence) and not isinstance(models, str):
        labelled = {}
        for i, model in enumerate(models):
            label = own_name(f"models[{i}]", model)
            if label in labelled:
                raise ArgumentError(
                    f"two members are both named {label!r}; pass a dict that names them: "
                    f'models={{"{label}-1": ..., "{label}-2": ...}}'
                )
            labelled[label] = model
    else:
        raise ArgumentError(
            f"models must be a dict of label to {what}, or a list of {what}s, received {type(models).__name__}; "
            f'pass models={{"name": {example}}}'
        )
    if not labelled:
        raise ArgumentError(f"no members: models is empty; pass at least one {what}, models={{label: model}}")
    for label in labelled:
        if not isinstance(label, str) or not label:
            raise ArgumentError(f"a member's label must be a text that is not empty, received {label!r}")
    return labelled


def _check_accuracies(accuracies: Mapping[str, float] | None, labels: Iterable[str]) -> None:
    """Refuse accuracies that are no share of 1.

    Raises:
        ArgumentError: One is outside 0..1, or they do not fit the members.
    """
    if accuracies is None:
        return
    for label, accuracy in by_label("accuracies", accuracies, labels).items():
        if not 0 <= accuracy <= 1:
            raise ArgumentError(
                f"accuracies[{label!r}] must be between 0 and 1, received {accuracy!r}; 75 % is written 0.75"
            )


def _in_rank_order(labels: Iterable[str], accuracies: Mapping[str, float] | None) -> list[str]:
    """Return the labels by validation accuracy, best first; equals, and members without one, stay in their order.

    Example:
        >>> _in_rank_order(["qwen", "phi"], {"qwen": 0.6, "phi": 0.7})
        ['phi', 'qwen']
    """
    return sorted(labels, key=lambda label: -(accuracies or {}).get(label, 0.0))


def _check_temperatures(temperatures: Mapping[str, float]) -> None:
    """Refuse temperatures that no model takes.

    Raises:
        ArgumentError: One is below 0, or no number.
    """
    for label, temperature in temperatures.items():
        if not 0 <= temperature < math.inf:
            raise ArgumentError(f"temperature for {label!r} must be a number of at least 0, received {temperature!r}")


def no_bool(value: Any, info: ValidationInfo) -> Any:
    """Refuse True and False as a number, which pydantic would take for 1 and 0.

    Raises:
        ArgumentError: A bool where a number belongs.
    """
    for each in value.values() if isinstance(value, Mapping) else [value]:
        if isinstance(each, bool):
            number = "whole number of at least 1" if info.field_name == "samples" else "number"
            raise ArgumentError(f"{info.field_name} must be a {number}, received {each!r}")
    return value


def _check_whole(name: str, value: int | None, least: int, most: int) -> None:
    """Refuse numbers that are no limit to anything.

    Raises:
        ArgumentError: The value is out of range.
    """
    if value is not None and not least <= value <= most:
        raise ArgumentError(f"{name} must be a whole number from {least} to {most:,}, received {value}")


def _check_positive(**values: float | None) -> None:
    """Refuse limits that would let nothing through.

    Raises:
        ArgumentError: A value is 0 or less.
    """
    for name, value in values.items():
        if value is not None and not value > 0:
            raise ArgumentError(f"{name} must be above 0, received {value!r}; leave it out for the default")


def no_temperature(label: str, model: Any, temperature: float) -> MemberError:
    """Return the error for a temperature that a member does not take."""
    return MemberError(
        f"member {label!r} ({type(model).__name__}) takes no temperature, received temperature={temperature:g}; "
        "leave it out, or name only members that take one: temperature={label: value}"
    )


def warn_if_unbounded(budget: Mapping[str, float] | None, longest: Mapping[str, int | None]) -> None:
    """Warn of a budget of tokens, or of their cost, that calls in flight can overrun by any length.

    Args:
        budget: The budget.
        longest: The most tokens a reply of each member can have; `None` if it is unknown.
    """
    unknown = [label for label, limit in longest.items() if limit is None]
    unit = next((unit for unit in ("tokens", "cost") if budget and unit in budget), None)
    if budget and unit and unknown:
        warn(
            f"budget in {unit}: {', '.join(map(repr, unknown))} has no max_tokens, so its calls in flight can overrun "
            f"the {budget[unit]} by any length; set max_tokens="
        )


def warn_if_equal(label: str, k: int, *, temperature: float | None, seed: int | None) -> None:
    """Warn where a member's k samples will all be the same."""
    why = "temperature 0" if temperature == 0 else f"the fixed seed {seed}" if seed is not None else None
    if why and k > 1:
        warn(
            f"{label}: {why} makes its {k} samples equal, so its confidence says nothing; "
            f"give it a temperature above 0 and no seed, or samples={{{label!r}: 1}}"
        )


def warn_if_unused(settings: Mapping[str, Any], classes: Sequence[type[Any]]) -> None:
    """Warn of settings that no member's class has a field for."""
    for name in settings:
        if not any(name in cls.model_fields for cls in classes):
            warn(f"{name}: no member has this setting, so it changes nothing")


def warn_unknown(name: str, options: Mapping[str, Any], names: Collection[str]) -> None:
    """Warn of keywords that the frameworks' base classes would drop without a word."""
    for keyword in options:
        if keyword not in names and keyword != "api_key":
            near = difflib.get_close_matches(keyword, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; the options are {', '.join(sorted(names))}"
            warn(f"{name} does not know {keyword!r} and ignores it{hint}")
    if options.get("api_key") is not None:
        warn(f"{name} uses no api_key: each member carries its own")


def argument_error(error: ValidationError) -> Exception:
    """Return the error of ours that pydantic wrapped, or its findings as one sentence without the values passed."""
    faults: dict[str, list[str]] = {}
    for fault in error.errors(include_input=False, include_url=False):
        if isinstance(cause := fault.get("ctx", {}).get("error"), SLMMuxError):
            return cause
        faults.setdefault(str(fault["loc"][0]) if fault["loc"] else "arguments", []).append(fault["msg"])
    return ArgumentError("; ".join(f"{name}: {' or '.join(dict.fromkeys(texts))}" for name, texts in faults.items()))
