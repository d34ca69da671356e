"""What may be a member, and the copy of it that is sampled: the user's own model is never changed.

Knows nothing of races or messages.
"""

import hashlib
import inspect
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from types import CodeType
from typing import Any, TypeAlias, TypeVar, cast

from langchain_core.caches import BaseCache
from langchain_core.language_models import BaseChatModel
from langchain_core.rate_limiters import BaseRateLimiter
from langchain_core.runnables import Runnable, RunnableBinding, RunnableConfig
from pydantic import SecretBytes, SecretStr

from langchain_slmmux._private import drop_description, identifying_params, is_sync_only
from slmmux import MemberError
from slmmux._mux import members
from slmmux._mux.in_words import takes_signed_calls_only
from slmmux._mux.limiter import POLL_S, no_limit
from slmmux._mux.options import no_temperature
from slmmux._mux.secrets import clean_error, secrets_of, secrets_of_client, told_apart
from slmmux._mux.settings import field_for, no_member_takes
from slmmux._mux.warn import warn
from slmmux.answers import FirstOf
from slmmux.answers._extractor import Extractor

__all__ = [
    "Member",
    "MemberCall",
    "Unwrapped",
    "as_owned",
    "ask_member",
    "code_identity",
    "make_members",
    "own_name",
    "unwrap",
    "with_settings",
]

Unwrapped: TypeAlias = tuple[BaseChatModel, dict[str, Any], RunnableConfig]
Json: TypeAlias = Any

T = TypeVar("T")


@dataclass(eq=False, kw_only=True)
class Member(members.Member):
    """One wrapped chat model, ready to be sampled.

    Attributes:
        model: Our copy of the user's model: uncached (k samples must be k draws, not one cached reply), streaming off,
            settings applied.
        own: The user's model with the same settings, as traces describe it and as it would stream by itself.
        config: Tags, metadata and callbacks of that binding.
        identity: The settings that affect generation, as JSON without secrets: the member's part of the cache key.
    """

    model: BaseChatModel
    own: BaseChatModel
    config: RunnableConfig
    identity: Json = field(repr=False)

    @property
    def sync_only(self) -> bool:
        """Whether its async call would only be its sync call on the loop's few default threads."""
        return is_sync_only(self.model)


@dataclass(frozen=True)
class MemberCall:
    """What one member is asked for this request: its model and call arguments, tools or schema included."""

    member: Member
    model: BaseChatModel
    kwargs: dict[str, Any]

    @cached_property  # each sample's run is struck of them
    def secrets(self) -> tuple[tuple[str, ...], BaseChatModel]:
        """The secrets of the member and of this call, and the model whose clients may have others by now."""
        secrets = {*self.member.secrets, *secrets_of(self.kwargs)}
        return tuple(sorted(secrets, key=len, reverse=True)), self.model

    @property
    def signed_calls_only(self) -> bool:
        """Whether its provider refuses tool calls that stand without the thoughts that led to them."""
        if type(self.model).__module__.startswith("langchain_google_"):
            return True
        fields = ("model_kwargs", "extra_body", "additional_model_request_fields")
        own = {"thinking": getattr(self.model, "thinking", None)}
        return takes_signed_calls_only([own, self.kwargs, *(getattr(self.model, name, None) for name in fields)])


def own_name(label: str, model_or_binding: Any) -> str:
    """Return the name a model of a list goes by.

    Raises:
        MemberError: It is not a chat model.
    """
    model = unwrap(label, model_or_binding)[0]
    return members.name_of_model(model) or type(model).__name__


def unwrap(label: str, model: Any) -> Unwrapped:
    """Return the chat model under any bindings, with their call arguments and config merged.

    Raises:
        MemberError: It is not a chat model or a binding of one; says what to pass instead.
    """
    kwargs: dict[str, Any] = {}
    config: RunnableConfig = {}
    while isinstance(model, RunnableBinding):
        if model.config_factories:
            raise MemberError(
                f"member {label!r} carries listeners, which a member cannot keep; "
                "pass the chat model itself and put with_listeners around the mux"
            )
        kwargs = {**model.kwargs, **kwargs}
        config = _merge(model.config, config)
        model = model.bound
    if isinstance(model, BaseChatModel):
        return model, kwargs, config
    raise MemberError(f"member {label!r} is {_what(model)}, not a chat model; {_instead(model)}")


def _merge(outer: RunnableConfig, inner: RunnableConfig) -> RunnableConfig:
    merged: RunnableConfig = {}
    if tags := [*(outer.get("tags") or []), *(inner.get("tags") or [])]:
        merged["tags"] = tags
    if metadata := {**(outer.get("metadata") or {}), **(inner.get("metadata") or {})}:
        merged["metadata"] = metadata
    if (callbacks := inner.get("callbacks") or outer.get("callbacks")) is not None:
        merged["callbacks"] = callbacks
    return merged


def _what(model: Any) -> str:
    return f"the class {model.__name__}" if isinstance(model, type) else f"a {type(model).__name__}"


def _instead(model: Any) -> str:
    name = type(model).__name__
    if isinstance(model, type):
        return "pass an instance of it"
    if isinstance(model, str):
        return f"pass the model it names, for example init_chat_model({model!r})"
    if name == "RunnableRetry":
        return "pass the chat model itself with its own max_retries, or put with_retry around the mux"
    if name == "RunnableWithFallbacks":
        return "pass the chat models as members of their own, or put with_fallbacks around the mux"
    if name == "RunnableSequence":
        return "pass the chat model alone, with the prompt before and the parser after the mux"
    if isinstance(model, Runnable):
        return "pass the chat model inside it"
    if any(cls.__module__.startswith("llama_index.") for cls in type(model).__mro__):
        return "it is LlamaIndex's: use llamaindex_slmmux.SLMMuxLLM, or pass a LangChain chat model of the same name"
    return "pass a LangChain chat model such as ChatOpenAI(...), or a binding of one"


def ask_member(member: Member, what: str, instead: str, call: Callable[[], T]) -> T:
    """Return what a member's own method returns.

    Raises:
        MemberError: It refused, with its label, the reason it gave and what to do instead.
    """
    try:
        return call()
    except (NotImplementedError, ValueError, TypeError) as error:
        fault = clean_error(error, member.secrets, member.model)
    # Raised out here, or it would carry the error that may quote a secret.
    raise MemberError(
        f"member {member.label!r} ({type(member.model).__name__}) {what}: {str(fault) or 'it cannot'}; {instead}"
    ) from fault


def make_members(
    models: Mapping[str, Any],
    *,
    samples: Mapping[str, int],
    temperature: Mapping[str, float],
    settings: Mapping[str, Any],
) -> dict[str, Member]:
    """Return a member for each model, in the given order.

    Args:
        models: Chat models or bindings of them, by label.
        samples: k by label, for the warning about equal samples.
        temperature: Explicit temperatures by label.
        settings: Standard settings (max_tokens, max_retries) for the members that have the field.

    Raises:
        MemberError: Not a chat model, or a temperature the model does not take.
    """
    alone = list(samples.values()) == [1]
    own = {
        label: _member(label, model, temperature.get(label), settings, alone=alone) for label, model in models.items()
    }
    members.warn_of_settings(settings, samples, [(label, m.model, m.kwargs) for label, m in own.items()])
    return own


def _member(
    label: str, model_or_binding: Any, temperature: float | None, settings: Mapping[str, Any], *, alone: bool
) -> Member:
    model, kwargs, config = unwrap(label, model_or_binding)
    fields = type(model).model_fields
    own_settings: dict[str, Any] = {}
    # The limiter is asked before the call begins: who waits in the copy could not be withdrawn, and the wait would be
    # time of the call.
    update: dict[str, Any] = {"cache": False, "disable_streaming": True, "rate_limiter": None}
    if not alone and "max_retries" in fields and not members.retries_itself(model):
        update["max_retries"] = 1  # Mistral's own, for connections alone: the mux makes all of its calls again
    if alone and isinstance(model.cache, BaseCache):
        del update["cache"]  # of one sample a reply from its own cache is what its user wants
    streams = getattr(model, "streaming", None) is True or kwargs.pop("stream", None) is True
    if streams:  # as its user said: its server may answer no other way; the chunks are joined to one message
        update["disable_streaming"] = False
        if "streaming" in fields:
            update["streaming"] = True
        else:
            kwargs["stream"] = True
    elif "streaming" in fields:
        update["streaming"] = False  # ChatOpenAI would still send stream=True, and get what it cannot read
    if temperature is not None:
        if "temperature" not in fields or (model.profile or {}).get("temperature") is False:
            raise no_temperature(label, model, temperature)
        own_settings["temperature"] = temperature
        kwargs = {k: v for k, v in kwargs.items() if k != "temperature"}
    own_settings |= {
        field: value for name, value in settings.items() if (field := field_for(name, fields) or name) in fields
    }
    own = _copy(model, own_settings) if own_settings else model
    copy = _copy(own, update)
    if "streaming" in update:
        copy.model_fields_set.add("streaming")  # LangChain looks at it only if it was set
    if "max_retries" in settings:
        _retry(copy, settings["max_retries"])
    secrets = (*secrets_of(model), *secrets_of(kwargs), *secrets_of_client(model))
    return Member(
        label=label,
        model=copy,
        own=own,
        kwargs=kwargs,
        config=config,
        secrets=secrets,
        can_several=_takes_several(copy, kwargs),
        most_retries=members.most_retries_of(model),
        pace=no_limit if model.rate_limiter is None else partial(_ask_limiter, model.rate_limiter),
        identity=told_apart(_identity(copy, kwargs), secrets),
    )


def _copy(model: BaseChatModel, update: Mapping[str, Any]) -> BaseChatModel:
    copy = model.model_copy(update=update)
    drop_description(copy)
    return copy


def _ask_limiter(limiter: BaseRateLimiter) -> float:
    return 0.0 if limiter.acquire(blocking=False) else POLL_S


_MOST_VARIANTS = 32
_CLOSED = ("langchain_ollama.", "langchain_anthropic.", "langchain_google_genai.")  # clients that know their arguments


def with_settings(member_calls: Mapping[str, MemberCall], settings: Mapping[str, Any]) -> dict[str, MemberCall]:
    """Return what is asked of each member with the standard settings of one call, each in the member's own way.

    A member whose class has a field for a setting is asked through a copy that has it, kept for the next call. Any
    other member gets the setting as an argument, unless its client would refuse it: then it does without, and a warning
    names it.

    Raises:
        ArgumentError: A setting that no member takes.
    """
    without: dict[str, list[str]] = {}
    adjusted: dict[str, MemberCall] = {}
    for label, call in member_calls.items():
        update: dict[str, Any] = {}
        kwargs = dict(call.kwargs)
        for name, value in settings.items():
            if (field := field_for(name, type(call.model).model_fields)) is not None:
                update[field] = value
                kwargs.pop(name, None)
            elif type(call.model).__module__.startswith(_CLOSED):
                without.setdefault(name, []).append(label)
            else:
                kwargs[name] = value
        model = _variant(call, update) if update else call.model
        adjusted[label] = MemberCall(call.member, model, kwargs)
    for name, labels in without.items():
        if len(labels) == len(member_calls):
            raise no_member_takes(name, settings[name], [type(call.model).__name__ for call in member_calls.values()])
        warn(f"{name}={settings[name]!r} goes to the members that take it; {', '.join(labels)} does without")
    return adjusted


def as_owned(call: MemberCall) -> BaseChatModel:
    """Return the model of a call as traces describe it: without what our copy alone has."""
    own = call.member.own
    if call.model is call.member.model:
        return own
    fields = ("cache", "disable_streaming", "rate_limiter", "streaming")
    return _copy(call.model, {name: getattr(own, name) for name in fields if hasattr(own, name)})


def _variant(call: MemberCall, update: Mapping[str, Any]) -> BaseChatModel:
    """Return a copy of the model with some fields changed: the same one each time, since a model may keep state."""
    variants = call.member.memory.variants
    key = json.dumps([id(call.model), dict(update)], sort_keys=True, default=str)
    if key not in variants:
        if len(variants) >= _MOST_VARIANTS:
            variants.clear()
        variants[key] = _copy(call.model, update)
    return cast("BaseChatModel", variants[key])


def _takes_several(model: BaseChatModel, kwargs: Mapping[str, Any]) -> bool:
    """Return whether one request may ask for several completions; an `n` of the user's own says no."""
    if "n" not in type(model).model_fields or getattr(model, "use_responses_api", None):
        return False
    if getattr(model, "streaming", None) is True:  # the choices of a stream would be joined to one text
        return False
    return getattr(model, "n", None) is None and "n" not in kwargs


def _retry(copy: BaseChatModel, max_retries: int) -> None:
    """Tell the clients of the OpenAI SDK: they take max_retries when they are built, and ours are shared."""
    for root, client in (("root_client", "client"), ("root_async_client", "async_client")):
        sdk = getattr(copy, root, None)
        if (retrying := members.retry_with(sdk, max_retries)) is not sdk:
            setattr(copy, root, retrying)
            setattr(copy, client, retrying.chat.completions)


def _identity(model: BaseChatModel, kwargs: Mapping[str, Any]) -> Json:
    """Return what tells this member from another in a cache key: class, parameters and settings, as JSON.

    Values that cannot be compared across processes get a token of their own: two different muxes never share a
    key, at the price that such a mux is not found again by the next process.
    """
    fields = {
        name: _comparable(getattr(model, name, None))
        for name, info in type(model).model_fields.items()
        if not info.exclude and name not in {"cache", "disable_streaming", "verbose", "tags", "metadata"}
    }
    return {
        "class": f"{type(model).__module__}.{type(model).__qualname__}",
        "params": _comparable(identifying_params(model)),
        "fields": fields,
        # No class has its clients among its parameters; their headers are all that tells them apart.
        "clients": [secrets_of_client(vars(model).get(name)) for name in ("http_client", "http_async_client")],
        "kwargs": _comparable(kwargs),
    }


def _comparable(value: Any) -> Json:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, SecretStr | SecretBytes):
        return None
    if isinstance(value, Mapping):
        return {str(k): _comparable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_comparable(v) for v in value]
    if isinstance(value, set | frozenset):
        return sorted((_comparable(v) for v in value), key=lambda v: json.dumps(v, sort_keys=True))
    if hasattr(value, "model_dump"):
        return _comparable(value.model_dump())
    if callable(value):
        return code_identity(value)
    return _token(value)


def code_identity(function: Callable[..., Any]) -> str:
    """Return a name for a function that another process finds again only if it is the same function."""
    if isinstance(function, FirstOf):
        parts = [part if isinstance(part, str) else code_identity(part) for part in function.extractors]
        return f"first_of({', '.join(parts)})"
    if isinstance(function, Extractor):
        return function.name
    target = inspect.unwrap(function)
    name = f"{getattr(target, '__module__', '?')}.{getattr(target, '__qualname__', type(target).__qualname__)}"
    code = getattr(target, "__code__", None)
    if isinstance(target, type) or inspect.isbuiltin(target):
        return name
    if code is None or getattr(target, "__closure__", None) or "<" in name or getattr(target, "__self__", None):
        return _token(target)
    return f"{name}:{hashlib.sha256(repr(_body(code)).encode()).hexdigest()[:16]}"


def _body(code: CodeType) -> list[Any]:
    constants = [_body(c) if isinstance(c, CodeType) else c for c in code.co_consts]
    return [code.co_code, code.co_names, constants]


def _token(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}:{uuid.uuid4().hex}"
