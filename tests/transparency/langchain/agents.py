"""Agents of LangChain: `create_agent` with each middleware that it ships, member alone beside the mux of it."""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import (
    ClearToolUsesEdit,
    ContextEditingMiddleware,
    FilesystemFileSearchMiddleware,
    HumanInTheLoopMiddleware,
    LLMToolEmulator,
    LLMToolSelectorMiddleware,
    ModelCallLimitMiddleware,
    ModelFallbackMiddleware,
    ModelRefusalMiddleware,
    ModelRetryMiddleware,
    PIIMiddleware,
    ProviderToolSearchMiddleware,
    ShellToolMiddleware,
    SummarizationMiddleware,
    TodoListMiddleware,
    ToolCallLimitMiddleware,
    ToolErrorMiddleware,
    ToolRetryMiddleware,
    dynamic_prompt,
)
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from tests.servers.loopback import Script
from tests.servers.replies import Call, Fault, Reply

from ..plain import plain
from ..table import Desk, Situation
from .situations import City, weather

__all__ = ["AGENTS"]

_CITY = {"name": "Oslo", "people": 700000}
_CITY_TEXT = '{"name": "Oslo", "people": 700000}'
_FOLDER = Path(tempfile.gettempdir())  # looked into by two tools; what stands there is the same for both sides

_LIMIT = {"recursion_limit": 20}  # an agent that calls for ever, of the member as of the mux, ends soon


@tool
def broken(city: str) -> str:
    """Return the news of a city."""
    raise ValueError(f"no news of {city}")


def _made(build: Callable[[Desk], dict[str, Any]]) -> Callable[[Desk], None]:
    """Return what puts a question to an agent, at once, on an event loop and as a stream of messages and updates."""

    def agent(desk: Desk) -> Any:
        return create_agent(desk.model, **{"tools": [weather], **build(desk)})

    def run(desk: Desk) -> None:
        question = {"messages": [HumanMessage("Weather in Oslo and Bergen?", id="question")]}

        async def ainvoke(config: dict[str, Any]) -> Any:
            return plain(await agent(desk).ainvoke(question, {**config, **_LIMIT}))

        def stream(config: dict[str, Any]) -> Any:
            for mode, item in agent(desk).stream(question, {**config, **_LIMIT}, stream_mode=["messages", "updates"]):
                # The second of a message's pair says which run it is of.
                yield [mode, plain(item[0]) if mode == "messages" else plain(item)]

        desk.call("invoke", lambda config: plain(agent(desk).invoke(question, {**config, **_LIMIT})))
        desk.call("ainvoke", lambda config: asyncio.run(ainvoke(config)))
        desk.call("stream", stream)

    return run


def _with_human(desk: Desk) -> None:
    """A human looks at each call: approved, refused and changed."""

    def asked(decision: dict[str, Any]) -> Callable[..., Any]:
        def act(config: dict[str, Any]) -> Any:
            agent = create_agent(
                desk.model,
                tools=[weather],
                middleware=[HumanInTheLoopMiddleware({"weather": True})],
                checkpointer=InMemorySaver(),
            )
            thread = {**config, "configurable": {"thread_id": "1"}}
            paused = agent.invoke({"messages": [HumanMessage("Weather?", id="question")]}, thread)
            asks = [plain(each.value) for each in paused["__interrupt__"]]
            return [asks, plain(agent.invoke(Command(resume={"decisions": [decision]}), thread)["messages"])]

        return act

    edited = {"name": "weather", "args": {"city": "Rome"}}
    desk.call("approve", asked({"type": "approve"}))
    desk.call("reject", asked({"type": "reject", "message": "Not now."}))
    desk.call("edit", asked({"type": "edit", "edited_action": edited}))


def _calls(name: str, args: dict[str, Any]) -> Reply:
    return Reply(calls=(Call(name, args, "call_1"),))


_WEATHER = _calls("weather", {"city": "Oslo"})
_LOOP = (
    _WEATHER,
    Reply("And now Bergen.", calls=(Call("weather", {"city": "Bergen"}, "call_2"),)),
    Reply("It is 7 degrees in both."),
    Reply("A summary."),
)
_END = Reply("Done.")
_TODO = {"todos": [{"content": "look", "status": "pending"}]}


def _middleware(*middleware: Callable[[Desk], Any]) -> Callable[[Desk], dict[str, Any]]:
    return lambda desk: {"middleware": [make(desk) for make in middleware]}


def _retry(**options: Any) -> Callable[[Desk], Any]:
    return lambda _: ModelRetryMiddleware(max_retries=1, initial_delay=0, jitter=False, **options)


_FALLBACK: Callable[[Desk], Any] = lambda desk: ModelFallbackMiddleware(desk.other())  # noqa: E731
_REFUSAL: Callable[[Desk], Any] = lambda _: ModelRefusalMiddleware()  # noqa: E731

_BUILDS: dict[str, tuple[Callable[[Desk], dict[str, Any]], Script]] = {
    "tools": (lambda _: {"system_prompt": "Be brief."}, _LOOP),
    "summaries by messages": (
        _middleware(lambda desk: SummarizationMiddleware(desk.model, trigger=("messages", 2), keep=("messages", 1))),
        _LOOP,
    ),
    "summaries by tokens": (
        _middleware(lambda desk: SummarizationMiddleware(desk.model, trigger=("tokens", 12), keep=("tokens", 10))),
        _LOOP,
    ),
    "fallback": (_middleware(_FALLBACK), (Fault("rate_limit"), *_LOOP)),
    "fallback on overflow": (_middleware(_FALLBACK), (_WEATHER, Fault("overflow"), _END, _WEATHER, _END)),
    "retry": (_middleware(_retry()), (Fault("server"), *_LOOP)),
    "retry, in vain": (_middleware(_retry(on_failure="error")), (Fault("rate_limit"),)),
    "retry of a broken stream": (
        _middleware(_retry()),
        (_WEATHER, Reply("It is 7 degrees in Oslo.", breaks="error"), _END),
    ),
    "an error that ends it": (_middleware(), (_WEATHER, Fault("authentication"))),
    "retries of a tool": (
        lambda _: {
            "tools": [broken],
            "middleware": [ToolRetryMiddleware(max_retries=1, initial_delay=0, jitter=False)],
        },
        (_calls("broken", {"city": "Oslo"}), _END),
    ),
    "errors of a tool": (
        lambda _: {"tools": [broken], "middleware": [ToolErrorMiddleware(lambda error, _: f"no: {error}")]},
        (_calls("broken", {"city": "Oslo"}), _END),
    ),
    "limit of tool calls": (_middleware(lambda _: ToolCallLimitMiddleware(run_limit=1)), _LOOP),
    "limit of model calls": (_middleware(lambda _: ModelCallLimitMiddleware(run_limit=2)), _LOOP),
    "private data": (
        _middleware(lambda _: PIIMiddleware("email", apply_to_output=True)),
        (Reply("Write to ann@example.test."),),
    ),
    "todo list": (_middleware(lambda _: TodoListMiddleware()), (_calls("write_todos", _TODO), _END)),
    "edits of the context": (
        _middleware(
            lambda _: ContextEditingMiddleware(
                edits=[ClearToolUsesEdit(trigger=5, keep=0)],  # type: ignore[list-item]
            )
        ),
        _LOOP,
    ),
    "choice of tools": (
        lambda _: {"tools": [weather, broken], "middleware": [LLMToolSelectorMiddleware(max_tools=1)]},
        (Reply('{"tools": ["weather"]}'), *_LOOP),
    ),
    "choice of tools by a call": (
        lambda _: {"tools": [weather, broken], "middleware": [LLMToolSelectorMiddleware(max_tools=1)]},
        (_calls("ToolSelectionResponse", {"tools": ["weather"]}), *_LOOP),
    ),
    "emulated tools": (_middleware(lambda desk: LLMToolEmulator(model=desk.model)), _LOOP),
    "a shell": (
        _middleware(lambda _: ShellToolMiddleware(_FOLDER)),
        (_calls("shell", {"command": "echo hi"}), _END),
    ),
    "a search in files": (
        _middleware(lambda _: FilesystemFileSearchMiddleware(root_path=str(_FOLDER))),
        (_calls("glob_search", {"pattern": "*.no-such-file"}), _END),
    ),
    "a refusal": (_middleware(_REFUSAL), (Reply(refusal="I can not help."),)),
    "fallback on a refusal": (_middleware(_FALLBACK, _REFUSAL), (Reply(refusal="I can not help."), *_LOOP)),
    "a provider's search of tools": (
        _middleware(lambda _: ProviderToolSearchMiddleware(searchable_tools=["weather"])),
        _LOOP,
    ),
    "a prompt of the moment": (_middleware(lambda _: dynamic_prompt(lambda _: "Be brief.")), _LOOP),
    "a schema as a tool": (lambda _: {"response_format": ToolStrategy(City)}, (_WEATHER, _calls("City", _CITY))),
    "a schema as a tool, mended": (
        lambda _: {"response_format": ToolStrategy(City)},
        (_calls("City", {"name": 3}), _calls("City", _CITY)),
    ),
    "a schema by the provider": (
        lambda _: {"response_format": ProviderStrategy(City)},
        (_WEATHER, Reply(_CITY_TEXT)),
    ),
    "a schema in whichever way, a call": (lambda _: {"response_format": City}, (_WEATHER, _calls("City", _CITY))),
    "a schema in whichever way, a text": (lambda _: {"response_format": City}, (_WEATHER, Reply(_CITY_TEXT))),
    "a call that is cut off": (_middleware(), (Reply(calls=(Call("weather", '{"city": "Os'),), cut=True), _END)),
}

AGENTS = (
    *(Situation(f"agent: {name}", _made(build), script) for name, (build, script) in _BUILDS.items()),
    Situation("agent: a human in the loop", _with_human, (_WEATHER, _END) * 3),
)
