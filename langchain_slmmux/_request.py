"""What one call of the mux asks of each member, and how the replies are to be read.

The reading is fixed by the request where it can be: tools bound, a schema, a response format, an extractor named.
"""

import inspect
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.utils.function_calling import convert_to_openai_tool

from langchain_slmmux._members import Member, MemberCall, ask_member, unwrap, with_settings
from langchain_slmmux._messages import question_of
from langchain_slmmux._sampling import Reply
from langchain_slmmux._structured import Structured
from slmmux import Answer
from slmmux._mux.replies.reading import reading
from slmmux._mux.replies.tools import Tools
from slmmux._mux.settings import is_standard, refuse_at_call_time

__all__ = ["Request", "bind_tools", "calls_of", "tool_form"]


@dataclass(frozen=True)
class Request:
    """What each member is asked, by label, and the answer of a reply."""

    member_calls: Mapping[str, MemberCall]
    read: Callable[[Reply], Answer | None]
    extractor: str
    tools: Tools = field(default_factory=lambda: Tools(()))

    @classmethod
    def build(
        cls,
        members: Mapping[str, Member],
        kwargs: dict[str, Any],
        extract: str | Callable[[str], Any],
        structured: Structured | None,
        *,
        vote_on: Collection[str] | None = None,
        messages: Sequence[BaseMessage] = (),
        alone: bool = False,
    ) -> "Request":
        """Build the request of one call.

        Args:
            members: The members, by label.
            kwargs: Call arguments, as bound or passed to `invoke`; what is not the mux's own goes to the members.
            extract: The extractor the mux was given.
            structured: The schema bound to this mux, if any.
            vote_on: The fields of an object that are voted on.
            messages: The question: a reply is read as an answer to it.
            alone: Whether a mux of one passes its only member's stream through.

        Raises:
            ArgumentError: `model=` or `n=` at call time.
            MemberError: A member cannot bind tools.
        """
        refuse_at_call_time(kwargs)
        tools = kwargs.get("tools")
        # A choice without tools is an argument like others; so is `stream` where the only member may stream.
        ours = {"tools", "n", "model", *(() if tools is None else ("tool_choice",)), *(() if alone else ("stream",))}
        arguments = {k: v for k, v in kwargs.items() if k not in ours}
        settings = {k: arguments.pop(k) for k in tuple(arguments) if is_standard(k) and arguments[k] is not None}
        if structured is not None:
            member_calls = with_settings(structured.member_calls, settings)
        else:
            member_calls = with_settings(
                {label: MemberCall(m, m.model, m.kwargs) for label, m in members.items()}, settings
            )
        if structured is None and tools is not None:
            member_calls = bind_tools(member_calls, tools, kwargs.get("tool_choice"), arguments)
        else:
            member_calls = {
                label: MemberCall(a.member, a.model, {**a.kwargs, **arguments}) for label, a in member_calls.items()
            }

        if structured is not None:
            return cls(member_calls, lambda r: structured.read(r.model, r.message, extract, vote_on), "structured")
        formatted = arguments.get("response_format") is not None
        schemas = [_schema(tool) for tool in tools or ()]
        read, name = reading(
            extract,
            tools=schemas,
            formatted=formatted,
            vote_on=vote_on,
            question=question_of(messages),
            prompt="\n".join(str(m.text) for m in messages if isinstance(m, HumanMessage | SystemMessage)),
        )

        def answer(reply: Reply) -> Answer | None:
            message = reply.message
            return read(str(message.text), calls_of(message), cut_off=reply.is_cut_off)

        return cls(member_calls, answer, name, Tools(schemas))

    def calls_in(self, reply: Reply) -> list[dict[str, Any]]:
        """Return the calls that a model wrote into its text, where it made none in its protocol's own way."""
        calls = calls_of(reply.message) or reply.message.invalid_tool_calls
        return [] if calls else self.tools.calls_in(str(reply.message.text))


def bind_tools(
    member_calls: Mapping[str, MemberCall], tools: Any, tool_choice: Any, arguments: Mapping[str, Any]
) -> dict[str, MemberCall]:
    """Bind tools to every member, each in its own way: it gets them as the user wrote them.

    Args:
        member_calls: What each member is asked, by label.
        tools: The tools.
        tool_choice: The choice among them; `None` leaves it to the member.
        arguments: The other call arguments. A member's own `bind_tools` gets those that it takes, since it may read
            them: beside a `response_format` OpenAI's tools have another form. The call gets the rest as they are.

    Raises:
        MemberError: A member cannot, with its label and the reason it gave.
    """
    choice = {} if tool_choice is None else {"tool_choice": tool_choice}
    bindings: dict[str, MemberCall] = {}
    for label, ask in member_calls.items():
        parameters = inspect.signature(ask.model.bind_tools).parameters
        takes_all = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())
        options = {name: value for name, value in arguments.items() if takes_all or name in parameters}
        rest = {name: value for name, value in arguments.items() if name not in options}
        binding = ask_member(
            ask.member,
            "cannot bind these tools",
            "leave it out where tools are used",
            partial(ask.model.bind_tools, tools, **choice, **options),
        )
        model, kwargs, _ = unwrap(label, binding)
        bindings[label] = MemberCall(ask.member, model, {**ask.kwargs, **kwargs, **rest})
    return bindings


def calls_of(message: AIMessage) -> list[dict[str, Any]]:
    """Return a message's tool calls, and the call in OpenAI's older form that only its provider fields hold."""
    calls: list[dict[str, Any]] = [{"name": call["name"], "args": call["args"]} for call in message.tool_calls]
    older = message.additional_kwargs.get("function_call")
    if not calls and isinstance(older, Mapping):
        try:
            arguments = json.loads(older.get("arguments") or "{}")
        except ValueError:
            arguments = older.get("arguments")
        calls.append({"name": older.get("name"), "args": arguments})
    return calls


def _schema(tool: Any) -> Any:
    """Return a tool in OpenAI's form; as it is if it is a provider's own, or unlike any."""
    try:
        return convert_to_openai_tool(tool)
    except Exception:  # noqa: BLE001 - the member binds it; here its schema is only looked at
        return tool


def tool_form(tool: Any) -> Any:
    """Return a tool as JSON for traces and cache keys; a provider's own tool is JSON already."""
    return tool if isinstance(tool, Mapping) else convert_to_openai_tool(tool)
