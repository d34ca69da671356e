"""What may be a member, and what of it is sampled: the user's own LLM is never changed.

Knows nothing of races or messages.
"""

import copy
import inspect
import threading
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.llms import LLM, CustomLLM
from llama_index.core.llms.function_calling import FunctionCallingLLM

from llamaindex_slmmux._private import OPENAI_CLIENTS, client_builders
from llamaindex_slmmux._several import takes_several
from slmmux import MemberError
from slmmux._mux import members
from slmmux._mux.generation import generation_settings
from slmmux._mux.in_words import takes_signed_calls_only
from slmmux._mux.limiter import BlockingLimiter, no_limit
from slmmux._mux.options import no_temperature
from slmmux._mux.secrets import secrets_of, secrets_of_client, strike
from slmmux._mux.settings import field_for, is_standard, no_member_takes
from slmmux._mux.warn import warn

__all__ = [
    "Member",
    "check_llm",
    "check_settings",
    "count_once",
    "identity_of",
    "make_members",
    "own_name",
    "reporting_to",
    "with_settings",
]

_counting: ContextVar[frozenset[BaseCallbackHandler]] = ContextVar("slmmux_counting", default=frozenset())


@dataclass(eq=False, kw_only=True)
class Member(members.Member):
    """One wrapped LLM, ready to be sampled.

    Attributes:
        alone: Whether the mux has no other member, so that what it says and hears is the member's own.
    """

    model: LLM
    alone: bool = False

    @property
    def llm(self) -> LLM:
        """The user's own LLM, or a copy of it if settings differ."""
        return self.model

    @property
    def calls_functions(self) -> bool:
        """Whether tools can be bound to it."""
        return isinstance(self.llm, FunctionCallingLLM) and self.llm.metadata.is_function_calling_model

    @property
    def signed_calls_only(self) -> bool:
        """Whether its provider refuses tool calls that stand without the thoughts that led to them."""
        if _is_of(self.llm, "google_genai"):
            return True
        own = {"thinking": getattr(self.llm, "thinking_dict", None)}
        return takes_signed_calls_only([own, _more_arguments(self.llm)])

    def sync_only(self, method: str) -> bool:
        """Return whether the async form of a method would only make the sync call, on the event loop."""
        completes = method == "complete" or (method == "structured_predict" and not self.llm.metadata.is_chat_model)
        return _inherits(type(self.llm), "acomplete" if completes else "achat")


@lru_cache(maxsize=256)  # each sample asks, and a class does not change
def _inherits(cls: type[LLM], name: str) -> bool:
    """Return whether a class has an async method from `CustomLLM` alone, which makes the sync call."""
    # Statically: as an attribute, a wrapped method is a new object each time.
    own, inherited = (inspect.getattr_static(each, name) for each in (cls, CustomLLM))
    return issubclass(cls, CustomLLM) and own is inherited


def own_name(label: str, model: Any) -> str:
    """Return the name an LLM of a list goes by.

    Raises:
        MemberError: It is not an LLM.
    """
    check_llm(label, model)
    for name in (getattr(model, "model", None), getattr(model, "model_name", None), model.metadata.model_name):
        if isinstance(name, str) and name and name != "unknown":
            return name
    return type(model).__name__


def check_llm(label: str, model: Any) -> None:
    """Refuse what cannot be a member.

    Raises:
        MemberError: It is not a LlamaIndex LLM; says what to pass instead.
    """
    if not isinstance(model, LLM):
        what = f"the class {model.__name__}" if isinstance(model, type) else f"a {type(model).__name__}"
        raise MemberError(f"member {label!r} is {what}, not a LlamaIndex LLM; {_instead(model)}")


def _instead(model: Any) -> str:
    if isinstance(model, type):
        return "pass an instance of it"
    if isinstance(model, str):
        return f"pass the LLM it names, for example OpenAILike(model={model!r}, api_base=...)"
    # By name: this package must not import LangChain to know one of its models.
    if any(cls.__module__.startswith("langchain_core.") for cls in type(model).__mro__):
        return "it is LangChain's: use langchain_slmmux.SLMMuxChatModel, or pass a LlamaIndex LLM of the same model"
    return "pass one such as OpenAILike(...) or Ollama(...)"


def identity_of(member: Member) -> dict[str, Any]:
    """Return what tells a member from another in a dump or a cache key: class, model and settings, and no secret."""
    settings = generation_settings(member.model, member.kwargs)
    identity: dict[str, Any] = strike({"class": member.model.class_name(), **settings}, member.secrets)
    return identity


def make_members(
    models: Mapping[str, LLM],
    *,
    samples: Mapping[str, int],
    temperature: Mapping[str, float],
    settings: Mapping[str, Any],
) -> dict[str, Member]:
    """Return a member for each LLM, in their order.

    Args:
        models: LLMs by label.
        samples: k by label, for the warning about equal samples.
        temperature: Explicit temperatures by label.
        settings: Standard settings (max_tokens, max_retries) for the members that have the field.

    Raises:
        MemberError: Not an LLM, or a temperature it does not take.
    """
    own = {label: _member(label, llm, temperature.get(label), settings) for label, llm in models.items()}
    members.warn_of_settings(settings, samples, [(label, m.llm, _more_arguments(m.llm)) for label, m in own.items()])
    return own


def _member(label: str, model: LLM, temperature: float | None, settings: Mapping[str, Any]) -> Member:
    check_llm(label, model)
    fields = type(model).model_fields
    update: dict[str, Any] = _own_settings(model, settings)
    if temperature is not None:
        if "temperature" not in fields:
            raise no_temperature(label, model, temperature)
        update["temperature"] = temperature
        more = update.get("additional_kwargs", _more_arguments(model))
        if "temperature" in more:  # it would come before the field
            update["additional_kwargs"] = {k: v for k, v in more.items() if k != "temperature"}
    # The limiter is asked before the call begins: who waits in the copy could not be withdrawn, and the wait would be
    # time of the call.
    limiter = getattr(model, "rate_limiter", None)  # not in every release
    if limiter is not None:
        update["rate_limiter"] = None
    # Only where there is something to set: a copy of a model that keeps state of its own would keep it apart.
    llm = _copy(model, update) if update else model
    if "max_retries" in update:
        _retry(llm, update["max_retries"])
    secrets = (*secrets_of(model), *secrets_of_client(model))
    pace = no_limit if limiter is None else BlockingLimiter(limiter.acquire)
    return Member(
        label=label,
        model=llm,
        secrets=secrets,
        can_several=takes_several(llm),
        pace=pace,
        most_retries=members.most_retries_of(model),
    )


def _own_settings(llm: LLM, settings: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the fields in which an LLM keeps standard settings; Ollama's stand among its additional arguments.

    Args:
        llm: The LLM.
        settings: The settings.
        before: Fields that change beside them.
    """
    update: dict[str, Any] = dict(before or {})
    fields = type(llm).model_fields
    for name, value in settings.items():
        if (field := field_for(name, fields) or name) in fields:
            update[field] = value
        elif (option := field_for(name, _OLLAMA) or (name if name in _OLLAMA else None)) and _is_of(llm, "ollama"):
            update["additional_kwargs"] = {**update.get("additional_kwargs", _more_arguments(llm)), option: value}
    return update


# The options of Ollama's protocol that its class has no field for.
_OLLAMA = {"frequency_penalty", "num_predict", "presence_penalty", "repeat_penalty", "seed", "stop", "top_k", "top_p"}
_CLOSED = ("anthropic", "google_genai", "ollama")  # packages of clients that know their arguments
# What such clients take with a call, each under its own name.
_ARGUMENTS: Mapping[str, Collection[str]] = {
    "anthropic": {"max_tokens", "temperature", "top_k", "top_p"},
    "google_genai": {
        "frequency_penalty",
        "max_output_tokens",
        "presence_penalty",
        "seed",
        "temperature",
        "top_k",
        "top_p",
    },
}


def with_settings(llm: LLM, kwargs: Mapping[str, Any]) -> tuple[LLM, dict[str, Any]]:
    """Return an LLM and call arguments such that standard settings among these mean the same for every class.

    A client that knows its arguments gets those it knows under its own names, is asked through a copy of its class that
    has the setting, or does without; OpenAI's and any other class take them as arguments.
    """
    settings = _settings(kwargs)
    if not settings or not _is_closed(llm):
        return llm, dict(kwargs)
    arguments = {name: value for name, value in kwargs.items() if name not in settings}
    update: dict[str, Any] = {}
    for name, value in settings.items():
        if (argument := _argument_for(llm, name)) is None:
            update |= _own_settings(llm, {name: value}, update)
        elif _is_of(llm, "google_genai"):  # its settings come as one argument
            arguments["generation_config"] = {**arguments.get("generation_config", {}), argument: value}
        else:
            arguments[argument] = value
    return (_copy(llm, update) if update else llm), arguments


def check_settings(members: Iterable[Member], kwargs: Mapping[str, Any]) -> None:
    """Say which members cannot take a setting of a call.

    Raises:
        ArgumentError: A setting that no member takes.
    """
    callable_members = list(members)
    for name, value in _settings(kwargs).items():
        without = [m for m in callable_members if not _takes(m.llm, name, value)]
        if without and len(without) == len(callable_members):
            raise no_member_takes(name, value, [type(m.llm).__name__ for m in callable_members])
        if without:
            labels = ", ".join(m.label for m in without)
            warn(f"{name}={value!r} goes to the members that take it; {labels} does without")


def _settings(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of generation among call arguments, stop sequences included."""
    return {n: v for n, v in kwargs.items() if (is_standard(n) or n == "stop") and v is not None}


def _takes(llm: LLM, name: str, value: Any) -> bool:
    return not _is_closed(llm) or _argument_for(llm, name) is not None or bool(_own_settings(llm, {name: value}))


def _is_closed(llm: LLM) -> bool:
    return any(_is_of(llm, package) for package in _CLOSED)


def _argument_for(llm: LLM, setting: str) -> str | None:
    """Return the call argument by which a closed client takes a setting, if it does."""
    for package, names in _ARGUMENTS.items():
        if _is_of(llm, package):
            return "stop_sequences" if setting == "stop" else field_for(setting, names)
    return None


def _is_of(llm: LLM, package: str) -> bool:
    return _comes_from(type(llm), package)


@lru_cache(maxsize=256)  # each sample asks, and a class does not change
def _comes_from(cls: type[LLM], package: str) -> bool:
    # By name: whoever has a member of a class has its package, and nobody else needs it.
    return any(c.__module__.startswith(f"llama_index.llms.{package}.") for c in cls.__mro__)


def _copy(llm: LLM, update: Mapping[str, Any]) -> LLM:
    """Return a copy that shares its original's clients: it builds them at the first call, and each copy its own."""
    with _building:  # samples are copied side by side, and each would build
        _build_clients(llm)
    return llm.model_copy(update=dict(update))


_building = threading.Lock()


def _build_clients(llm: LLM) -> None:
    if getattr(llm, "reuse_client", True):
        for build in client_builders(llm):
            with suppress(Exception):  # what is wrong with it is said at the first call, as it would be alone
                build()


def _more_arguments(llm: LLM) -> Mapping[str, Any]:
    more = getattr(llm, "additional_kwargs", None)
    return more if isinstance(more, Mapping) else {}


def _retry(llm: LLM, max_retries: int) -> None:
    """Tell the clients of the OpenAI SDK: they take max_retries when they are built, and the copy shares them."""
    for name in OPENAI_CLIENTS:
        setattr(llm, name, members.retry_with(getattr(llm, name, None), max_retries))


def count_once(wrapper: CallbackManager) -> None:
    """Let the token counters of a mux be told by it alone, for as long as this context lasts.

    A counter that is told of the mux and of its members counts every token twice, and `Settings` hands the same one to
    both. The mux reports the whole cost, so what it asks does not report to the counters it has.
    """
    counters = {handler for handler in wrapper.handlers if isinstance(handler, TokenCountingHandler)}
    _counting.set(_counting.get() | counters)


def reporting_to(llm: LLM, *more: BaseCallbackHandler) -> LLM:
    """Return the LLM, or a copy of it where its handlers must differ: no counter is told twice, and `more` as well."""
    manager = llm.callback_manager
    own = list(manager.handlers) if isinstance(manager, CallbackManager) else []
    handlers = [handler for handler in own if handler not in _counting.get()]
    if len(handlers) == len(own) and not more:
        return llm
    quieter = copy.copy(manager) if isinstance(manager, CallbackManager) else CallbackManager([])
    quieter.handlers = [*handlers, *more]
    return _copy(llm, {"callback_manager": quieter})
