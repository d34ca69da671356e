"""Deep agents: `create_deep_agent` with its planning, files and subagents, member alone beside the mux of it.

The package is imported when an agent is made: it comes with the extra `integrations`.
"""

import importlib
from collections.abc import Callable
from typing import Any

from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import AIMessage, HumanMessage

from tests.servers.loopback import Script
from tests.servers.replies import Call, Fault, Reply

from ..plain import plain
from ..table import Desk, Situation
from .situations import City, weather

__all__ = ["DEEP_AGENTS"]

_LIMIT = {"recursion_limit": 60}  # an agent that calls for ever, of the member as of the mux, ends soon
_LONG = [
    HumanMessage("Hi.", id="1"),
    AIMessage("Hello.", id="2"),
    HumanMessage("Weather?", id="3"),
    AIMessage("Where?", id="4"),
    HumanMessage("Oslo. " * 300, id="5"),
]


def _made(build: Callable[[Desk], dict[str, Any]]) -> Callable[[Desk], None]:
    """Return what puts a question to a deep agent, at once and as a stream of messages and updates."""

    def agent(desk: Desk) -> Any:
        options = {"tools": [weather], **build(desk)}
        options.pop("asked", None)
        return importlib.import_module("deepagents").create_deep_agent(model=desk.model, **options)

    def run(desk: Desk) -> None:
        question = {"messages": build(desk).get("asked", [HumanMessage("Weather in Oslo?", id="question")])}

        def stream(config: dict[str, Any]) -> Any:
            for mode, item in agent(desk).stream(question, {**config, **_LIMIT}, stream_mode=["messages", "updates"]):
                yield [mode, plain(item[0]) if mode == "messages" else plain(item)]

        desk.call("invoke", lambda config: plain(agent(desk).invoke(question, {**config, **_LIMIT})))
        desk.call("stream", stream)

    return run


def _task(kind: str) -> Reply:
    return Reply(calls=(Call("task", {"description": "Find the weather.", "subagent_type": kind}, "call_1"),))


_WEATHER = Reply(calls=(Call("weather", {"city": "Oslo"}, "call_1"),))
_END = Reply("It is 7 degrees.")
_TODO = {"todos": [{"content": "look", "status": "pending"}]}
_SUBAGENT = {"name": "looker", "description": "Looks.", "system_prompt": "You look.", "tools": [weather]}

_BUILDS: dict[str, tuple[Callable[[Desk], dict[str, Any]], Script]] = {
    "tools": (lambda _: {}, (_WEATHER, _END)),
    "a plan": (lambda _: {}, (Reply(calls=(Call("write_todos", _TODO, "call_1"),)), _END)),
    "a subagent": (lambda _: {}, (_task("general-purpose"), _WEATHER, _END, _END)),
    "a subagent with a model of its own": (
        lambda desk: {"subagents": [{**_SUBAGENT, "model": desk.other()}]},
        (_task("looker"), _WEATHER, _END, _END),
    ),
    "an overflow": (lambda _: {"asked": _LONG}, (Fault("overflow"), Reply("A summary."), _END)),
    "an error": (lambda _: {}, (Fault("rate_limit"),)),
    "a schema": (
        lambda _: {"response_format": ToolStrategy(City)},
        (_WEATHER, Reply(calls=(Call("City", {"name": "Oslo", "people": 700000}, "call_2"),))),
    ),
}

DEEP_AGENTS = tuple(Situation(f"deep agent: {name}", _made(build), script) for name, (build, script) in _BUILDS.items())
