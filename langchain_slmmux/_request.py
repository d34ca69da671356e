"""What one call of the mux asks of each member, and how the replies are to be read.

The reading is fixed by the request where it can be: tools bound, a schema, a response format, an extractor named.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from langchain_slmmux._members import Asked, Member, ask_member, unwrap
from langchain_slmmux._sampling import Reply
from langchain_slmmux._structured import Structured
from slmmux import Answer, ArgumentError
from slmmux._mux.reading import reading

__all__ = ["TOOL_OPTIONS", "Request", "bind_tools"]

TOOL_OPTIONS = ("strict", "parallel_tool_calls")

_NOT_AT_CALL_TIME = {
    "model": "it would turn every member into that model; build a mux with other models={label: model}",
    "n": "a mux returns one message and draws its own samples; set samples=",
}


@dataclass(frozen=True)
class Request:
    """What each member is asked, by label, and the answer of a reply."""

    asked: Mapping[str, Asked]
    read: Callable[[Reply], Answer | None]
    extractor: str

    @classmethod
    def build(
        cls,
        members: Mapping[str, Member],
        kwargs: dict[str, Any],
        extract: str | Callable[[str], Any],
        structured: Structured | None,
    ) -> "Request":
        """Build the request of one call.

        Args:
            members: The members, by label.
            kwargs: Call arguments, as bound or passed to `invoke`; what is not the mux's own goes to the members.
            extract: The extractor the mux was given.
            structured: The schema bound to this mux, if any.

        Raises:
            ArgumentError: `model=` or `n=` at call time.
            MemberError: A member cannot bind tools.
        """
        for name, why in _NOT_AT_CALL_TIME.items():
            if kwargs.get(name) is not None:
                raise ArgumentError(f"{name}={kwargs[name]!r} cannot be given at call time: {why}")
        passed = {k: v for k, v in kwargs.items() if k not in {"tools", "tool_choice", "n", "model", "stream"}}
        tools = kwargs.get("tools")
        if structured is not None:
            bound = structured.asked
        elif tools:
            options: dict[str, Any] = {k: passed.pop(k) for k in TOOL_OPTIONS if k in passed}
            bound = bind_tools(members, tools, kwargs.get("tool_choice"), options)
        else:
            bound = {label: Asked(m, m.model, m.kwargs) for label, m in members.items()}
        asked = {label: Asked(a.member, a.model, {**a.kwargs, **passed}) for label, a in bound.items()}

        if structured is not None:
            return cls(asked, lambda reply: structured.read(reply.model, reply.message), "structured")
        read, name = reading(extract, tools=bool(tools), formatted=passed.get("response_format") is not None)
        return cls(asked, lambda reply: read(str(reply.message.text), reply.message.tool_calls), name)


def bind_tools(
    members: Mapping[str, Member], tools: Any, tool_choice: Any, options: Mapping[str, Any]
) -> dict[str, Asked]:
    """Bind tools to every member, each in its own way.

    Raises:
        MemberError: A member cannot, with its label and the reason it gave.
    """
    choice = {} if tool_choice is None else {"tool_choice": tool_choice}
    asked: dict[str, Asked] = {}
    for label, member in members.items():
        bound = ask_member(
            member,
            "cannot bind these tools",
            "leave it out where tools are used",
            partial(member.model.bind_tools, tools, **choice, **options),
        )
        model, kwargs, _ = unwrap(label, bound)
        asked[label] = Asked(member, model, {**member.kwargs, **kwargs})
    return asked
