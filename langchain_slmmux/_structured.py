"""Structured output: each member's own way of asking for a schema, and its own way of reading the reply.

LangChain's `with_structured_output(include_raw=True)` is a model binding followed by a parser. Taken apart, the binding
is what a sample asks and the parser is the extractor, so that structured samples are sampled, traced and cancelled
like all others.
"""

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableBinding, RunnableLambda, RunnableParallel, RunnableSequence
from langchain_core.utils.function_calling import convert_to_json_schema
from langsmith import tracing_context
from pydantic import BaseModel, ValidationError

from langchain_slmmux._members import Member, MemberCall, ask_member, unwrap
from langchain_slmmux._private import is_traced
from slmmux import Answer, MemberError
from slmmux._mux.replies.decisive import marked_fields
from slmmux._mux.replies.reading import structured_answer

__all__ = ["Structured", "ask_through", "parser_fields"]

_FOR_TRACES = ("ls_structured_output_format", "structured_output_format")  # generate() strips them; servers refuse them


@dataclass(frozen=True)
class Structured:
    """A schema bound to every member.

    Attributes:
        schema: What the user asked for: a pydantic class, a TypedDict or a JSON schema; `None` if any JSON will do.
        options: `method`, `strict` and whatever else was given, as the members got it.
        asked: What each member is asked, by label.
        parsers: How each member's reply is read, by label: {"raw": message} to {"raw", "parsed", "parsing_error"}.
    """

    schema: Any
    options: Mapping[str, Any]
    member_calls: Mapping[str, MemberCall]
    parsers: Mapping[str, Runnable[Any, Any]]

    @classmethod
    def bind(cls, members: Mapping[str, Member], schema: Any, options: Mapping[str, Any]) -> "Structured":
        """Bind a schema to every member.

        Raises:
            MemberError: A member cannot do it, with the reason it gave.
        """
        member_calls: dict[str, MemberCall] = {}
        parsers: dict[str, Runnable[Any, Any]] = {}
        for label, member in members.items():
            chain = ask_member(
                member,
                "refuses this structured output",
                "choose another method=, or leave the member out",
                partial(member.model.with_structured_output, schema, include_raw=True, **options),
            )
            model, kwargs, parser = _take_apart(label, chain)
            member_calls[label] = MemberCall(member, model, {**member.kwargs, **kwargs})
            parsers[label] = parser
        return cls(schema, options, member_calls, parsers)

    @property
    def identity(self) -> dict[str, Any]:
        """Return what tells this schema from another in a cache key, as JSON."""
        return {
            "name": getattr(self.schema, "__qualname__", None),
            "schema": self._json_schema,
            "options": dict(self.options),
        }

    def parse(self, label: str, message: AIMessage) -> dict[str, Any]:
        """Read a member's message: {"raw", "parsed", "parsing_error"}; it never raises what the parser raised."""
        with tracing_context(enabled=False) if is_traced() else nullcontext():
            result: dict[str, Any] = self.parsers[label].invoke({"raw": message}, config={"callbacks": []})
        return result

    def read(
        self,
        label: str,
        message: AIMessage,
        extract: str | Callable[[str], Any] = "auto",
        vote_on: Collection[str] | None = None,
    ) -> Answer | None:
        """Return the parsed value as an answer; `None` if the parser found fault."""
        parsed = self.parse(label, message)["parsed"]
        if parsed is None:
            return None
        value = parsed if isinstance(parsed, BaseModel) else _plain(parsed)
        return structured_answer(value, _text_of(message), extract=extract, vote_on=vote_on, marked=self._marked)

    @cached_property
    def _marked(self) -> frozenset[str]:
        """The fields that the schema marks as not decisive."""
        return marked_fields(self._json_schema)

    @property
    def _json_schema(self) -> dict[str, Any]:
        """The schema as JSON; empty if any JSON was asked for."""
        return {} if self.schema is None else convert_to_json_schema(self.schema)


def ask_through(mux: BaseChatModel, structured: Structured, member: Member, *, include_raw: bool) -> Runnable[Any, Any]:
    """Return the chain that the only member of a mux of one makes of a schema, with the mux in the member's place."""
    chain = member.model.with_structured_output(structured.schema, include_raw=include_raw, **structured.options)
    return _replaced(chain, member.label, mux)


def _replaced(chain: Any, label: str, mux: BaseChatModel) -> Runnable[Any, Any]:
    """Return a runnable in which a mux stands where the first step asked a model."""
    if isinstance(chain, RunnableSequence):
        return RunnableSequence(_replaced(chain.first, label, mux), *chain.middle, chain.last, name=chain.name)
    if isinstance(chain, RunnableParallel):
        return RunnableParallel({name: _replaced(step, label, mux) for name, step in chain.steps__.items()})
    if isinstance(chain, RunnableBinding) and isinstance(chain.bound, RunnableSequence):
        return chain.model_copy(update={"bound": _replaced(chain.bound, label, mux)})
    _, kwargs, config = unwrap(label, chain)
    return RunnableBinding(bound=mux, kwargs=kwargs, config=config)


def _text_of(message: AIMessage) -> str:
    """Return the reply's text; of a schema asked for as a tool, the call's arguments."""
    return str(message.text) or (json.dumps(message.tool_calls[0]["args"]) if message.tool_calls else "")


def parser_fields(message: AIMessage) -> dict[str, Any]:
    """Return what a provider's own parser needs of `additional_kwargs`, as plain JSON values."""
    return {k: _plain(v) for k, v in message.additional_kwargs.items() if k in {"parsed", "refusal"}}


def _plain(parsed: Any) -> Any:
    if isinstance(parsed, BaseModel):
        return parsed.model_dump(mode="json")
    if hasattr(parsed, "__fields__") and hasattr(parsed, "json"):  # pydantic.v1, which newer Pythons cannot import
        return json.loads(parsed.json())
    return parsed


def _take_apart(label: str, chain: Any) -> tuple[Any, dict[str, Any], Runnable[Any, Any]]:
    if isinstance(chain, RunnableBinding) and isinstance(chain.bound, RunnableSequence):
        chain = chain.bound
    if isinstance(chain, RunnableSequence) and isinstance(first := chain.first, RunnableParallel):
        steps: Mapping[str, Any] = first.steps__
        if set(steps) == {"raw"}:
            asked, checks = _apart_from_checks(steps["raw"])
            model, kwargs, _ = unwrap(label, asked)
            rest = [*chain.middle, chain.last]
            parser = rest[0] if len(rest) == 1 else RunnableSequence(*rest)
            if checks is not None:
                parser = RunnableLambda(partial(_checked, checks, parser))
            for name in _FOR_TRACES:
                kwargs.pop(name, None)
            if isinstance(schema := kwargs.get("response_format"), type) and issubclass(schema, BaseModel):
                kwargs["response_format"] = _sent_for(schema)
                parser = RunnableLambda(partial(_parse, schema, parser))
            return model, kwargs, parser
    raise MemberError(
        f"member {label!r} builds its structured output as a {type(chain).__name__}, which cannot be sampled; "
        "bind the schema as a tool instead, with bind_tools([schema]), or leave the member out"
    )


def _apart_from_checks(asked: Any) -> tuple[Any, Runnable[Any, Any] | None]:
    """Return what asks a model, and what looks at its message before any parser does; `None` if nothing does.

    ChatAnthropic refuses there a message without calls, as thinking forbids it to force them.
    """
    if not isinstance(asked, RunnableSequence):
        return asked, None
    checks = [*asked.middle, asked.last]
    return asked.first, checks[0] if len(checks) == 1 else RunnableSequence(*checks)


def _checked(checks: Runnable[Any, Any], parser: Runnable[Any, Any], both: dict[str, Any]) -> dict[str, Any]:
    """Parse a message that passed its member's checks; of several samples one that did not abstains, as if unparsed."""
    try:
        message = checks.invoke(both["raw"])
    except Exception as error:  # noqa: BLE001 - whatever a provider's check raises
        return {**both, "parsed": None, "parsing_error": error}
    result: dict[str, Any] = parser.invoke({"raw": message})
    return result


def _sent_for(schema: type[BaseModel]) -> dict[str, Any]:
    """Return what OpenAI's SDK sends for a class.

    Given the class itself, the SDK also parses the replies and raises on the first that does not fit: one bad
    completion would cost the whole request, and a reply that does not parse is to abstain, not to fail.
    """
    from openai import pydantic_function_tool  # noqa: PLC0415 - a member that takes a class brings it

    parameters = cast("Mapping[str, Any]", pydantic_function_tool(schema)["function"])["parameters"]
    return {"type": "json_schema", "json_schema": {"name": schema.__name__, "schema": parameters, "strict": True}}


def _parse(schema: type[BaseModel], parser: Runnable[Any, Any], both: dict[str, Any]) -> dict[str, Any]:
    """Do to a reply what the SDK would have done, then let the member's own parser read it."""
    message: AIMessage = both["raw"]
    additional = message.additional_kwargs
    if message.text and not additional.get("refusal"):
        try:
            parsed = schema.model_validate_json(str(message.text))
        except ValidationError as error:
            return {**both, "parsed": None, "parsing_error": error}
        message = message.model_copy(update={"additional_kwargs": {**additional, "parsed": parsed}})
    result: dict[str, Any] = parser.invoke({"raw": message})
    return result
