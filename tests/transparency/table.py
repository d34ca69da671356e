"""The table: integrations, situations, and one cell of them run twice, alone and through a mux of one.

Knows no framework: what is particular to LangChain or LlamaIndex comes with the rows and the situations.
"""

import asyncio
import contextlib
import gc
import importlib
import inspect
import io
import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from tests.servers.loopback import Loopback, Request, Script, serving
from tests.servers.loopback import Protocol as Wire

from .difference import Difference, differences
from .exceptions import EXCEPTIONS, Allowed
from .plain import plain, plain_error, without_ids

__all__ = [
    "ARGS_PARSED", "NO_AUDIO", "NO_IMAGES_OUT", "NO_REASONING", "NO_REFUSAL",
    "Cell", "Desk", "Framework", "Integration", "Outcome", "Situation", "compare", "model_of",
]  # fmt: skip

# Why a protocol cannot be in a situation.
NO_REFUSAL = "the protocol has no refusals: a model refuses in its text"
NO_IMAGES_OUT = "the protocol brings no pictures back"
NO_AUDIO = "the protocol brings no sound back"
NO_REASONING = "chat completions carry no reasoning back"
ARGS_PARSED = "the protocol carries a call's arguments as an object: there are none that cannot be read"

# Headers that carry what the body and the address say already, or a measure of the client's own time.
_UNCOMPARED_HEADERS = {"host", "content-length", "connection", "accept-encoding", "x-stainless-read-timeout"}


def model_of(module: str, name: str, address: Callable[[str], dict[str, Any]], **fixed: Any) -> Callable[..., Any]:
    """Return a function that makes a model of a class; the package is imported when the first is made."""

    def build(url: str, **settings: Any) -> Any:
        return getattr(importlib.import_module(module), name)(**{**fixed, **address(url), **settings})

    return build


@dataclass(frozen=True)
class Integration:
    """One row: a class of models as its package ships it.

    Attributes:
        name: What the row is called.
        framework: Whose models these are.
        package: The distribution it comes from, for the version.
        wire: The protocol its server speaks.
        build: Makes the model from the server's address and more arguments of the class.
        settings: More arguments of the class for a situation that needs them, by what it needs.
        forms: What the member takes in a form of its own (a provider's tool, a picture), by what it is.
        without: Situations that the protocol or the class cannot be in, with the reason.
        common: Whether it is among the commonest of its framework, which run by default.
    """

    name: str
    framework: Literal["langchain", "llamaindex"]
    package: str
    wire: Wire
    build: Callable[..., Any]
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    forms: Mapping[str, Any] = field(default_factory=dict)
    without: Mapping[str, str] = field(default_factory=dict)
    common: bool = False


@dataclass(frozen=True)
class Situation:
    """One column: what is done with a model, and what its server replies.

    Attributes:
        name: What the column is called.
        run: Does it, at a desk; may be a coroutine function.
        script: The server's replies, or a function of the integration that gives them.
        needs: The settings it needs, a name in `Integration.settings`.
    """

    name: str
    run: Callable[["Desk"], Any]
    script: Script | Callable[[Integration], Script]
    needs: str = ""


class Watch(Protocol):
    """What listens to one call, as a framework's users listen."""

    def config(self) -> dict[str, Any]:
        """Return the arguments by which the call is listened to."""

    def events(self) -> Any:
        """Return what was heard, as plain data."""

    def names(self) -> dict[str, str]:
        """Return names for the ids of runs."""


class Framework(Protocol):
    """What the table needs to know of a framework."""

    def mux(self, member: Any) -> Any:
        """Return the mux of one."""

    def watch(self, model: Any) -> contextlib.AbstractContextManager[Watch]:
        """Return what listens to one call of a model, for as long as the call lasts."""


@dataclass
class Desk:
    """Where a situation is run: the model, alone or in a mux, and what is noted about it.

    Attributes:
        model: The member itself, or the mux of it.
        integration: The row.
        framework: Its framework.
        member: Whether the model is the member itself.
        url: The server's address.
    """

    model: Any
    integration: Integration
    framework: Framework
    member: bool
    url: str
    calls: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def other(self, **settings: Any) -> Any:
        """Return another member of the same class, or a mux of it, made with other settings."""
        member = self.integration.build(self.url, **settings)
        return member if self.member else self.framework.mux(member)

    def call(self, name: str, act: Callable[..., Any], model: Any = None) -> Any:
        """Make a call and note all about it; `act` is given the framework's arguments for listening.

        Returns:
            What the call returned; `None` if it failed.
        """
        note: dict[str, Any] = {}
        value = None
        streamed: list[Any] = []
        with _noting(note), self.framework.watch(self.model if model is None else model) as watch:
            try:
                value = act(**watch.config())
                if inspect.isgenerator(value):
                    stream, value = value, streamed
                    for item in stream:
                        streamed.append(item)  # noqa: PERF402 - what came before an error is kept
                note["value"] = plain(value)
            except Exception as error:  # noqa: BLE001
                note["error"] = plain_error(error)
                note["value"] = plain(streamed)
        self._keep(name, note, watch)
        return value

    def refused(self, name: str, act: Callable[..., Any]) -> None:
        """Note whether a mux refuses a call that its member has no means to answer, and says what it refuses.

        There is nothing to compare with: the member alone passes over what it does not know, or fails as it happens.
        """
        if self.member:
            self.calls[name] = {"refused": True}
            return
        note: dict[str, Any] = {}
        with _noting(note), self.framework.watch(self.model) as watch:
            try:
                act(**watch.config())
                self.calls[name] = {"refused": False}
            except Exception as error:  # noqa: BLE001
                self.calls[name] = {"refused": True if name in str(error) else str(error)}

    async def acall(self, name: str, act: Callable[..., Any], model: Any = None) -> Any:
        """Make an async call and note all about it."""
        note: dict[str, Any] = {}
        value = None
        streamed: list[Any] = []
        with _noting(note), self.framework.watch(self.model if model is None else model) as watch:
            try:
                value = act(**watch.config())
                if inspect.isawaitable(value):
                    value = await value
                if hasattr(value, "__aiter__"):
                    stream, value = value, streamed
                    async for item in stream:
                        streamed.append(item)  # noqa: PERF401 - what came before an error is kept
                note["value"] = plain(value)
            except Exception as error:  # noqa: BLE001
                note["error"] = plain_error(error)
                note["value"] = plain(streamed)
        self._keep(name, note, watch)
        return value

    def _keep(self, name: str, note: dict[str, Any], watch: Watch) -> None:
        note["events"] = watch.events()
        self.names.update(watch.names())
        self.calls[name] = note

    def pass_in(self, name: str, value: Any) -> Any:
        """Return a value that the user passes in, and remember to look at it afterwards."""
        self.inputs[name] = value
        return value


@contextlib.contextmanager
def _noting(note: dict[str, Any]) -> Any:
    """Note what a call warns of, logs and prints."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = records.append  # type: ignore[method-assign]
    out = io.StringIO()
    logging.getLogger().addHandler(handler)
    try:
        with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(out):
            warnings.simplefilter("always")
            yield
    finally:
        logging.getLogger().removeHandler(handler)
    note["warnings"] = [f"{w.category.__name__}: {w.message}" for w in caught if not _of_process(w)]
    note["logs"] = [f"{r.name} {r.levelname}: {r.getMessage()}" for r in records if r.name != "asyncio"]
    note["printed"] = out.getvalue()


def _of_process(warning: warnings.WarningMessage) -> bool:
    """Return whether a warning is given once a process, or when something is collected: it belongs to no call."""
    if warning.category.__name__ in {"ResourceWarning", "LangChainBetaWarning"} or "ReadOnly" in str(warning.message):
        return True
    if "is_running called from within a step" in str(warning.message):  # by LlamaIndex's agents, once an event
        return True
    return warning.category is RuntimeWarning and "was never awaited" in str(warning.message)


@dataclass(frozen=True)
class Outcome:
    """What a cell came to.

    Attributes:
        differences: Where the mux parts from its member, and no exception allows it.
        allowed: The exceptions that were used, each with the first difference it allowed.
        alone_fails: The member's own failures by the call's name, where the situation asks for none.
        missing: Why the cell does not apply.
    """

    differences: tuple[Difference, ...] = ()
    allowed: Mapping[Allowed, Difference] = field(default_factory=dict)
    alone_fails: Mapping[str, str] = field(default_factory=dict)
    missing: str | None = None


@dataclass(frozen=True)
class Cell:
    """An integration in a situation."""

    integration: Integration
    situation: Situation
    framework: Framework

    def __str__(self) -> str:
        return f"{self.integration.framework}-{self.integration.name}-{self.situation.name}".replace(" ", "_")

    def compare(self) -> Outcome:
        """Run the situation twice and compare."""
        return compare(self)

    def first(self) -> None:
        """Make the model once unseen: some packages say things when they are imported, once a process."""
        with _noting({}), serving(self.integration.wire, ()) as server:
            self.integration.build(server.url, **self.integration.settings.get(self.situation.needs, {}))

    def observe(self, *, member: bool) -> dict[str, Any]:
        """Run the situation with the member alone or with the mux of it, and return all that can be seen."""
        integration, situation = self.integration, self.situation
        script = situation.script(integration) if callable(situation.script) else situation.script
        with serving(integration.wire, script) as server:
            made: dict[str, Any] = {}
            settings = integration.settings.get(situation.needs, {})
            with _noting(made):
                model = integration.build(server.url, **settings)
                if not member:
                    model = self.framework.mux(model)
            desk = Desk(model, integration, self.framework, member, server.url)
            with warnings.catch_warnings():  # a call notes its warnings itself
                warnings.simplefilter("ignore")
                try:
                    if inspect.iscoroutinefunction(situation.run):
                        asyncio.run(situation.run(desk))
                    else:
                        situation.run(desk)
                except Exception as error:  # noqa: BLE001
                    desk.calls["the situation"] = {"error": plain_error(error)}
                del model
                desk.model = None
                gc.collect(1)  # clients of async calls that nobody closes warn when they are collected: here, not later
            if server.error is not None:
                raise server.error
            seen = {
                "made": made,
                "calls": desk.calls,
                "inputs": {name: plain(value) for name, value in desk.inputs.items()},
                "wire": [_sent(request) for request in server.requests],
            }
            return _comparable(seen, desk, server)


def compare(cell: Cell) -> Outcome:
    """Run a cell with the member alone and with the mux of it, and say where they part."""
    if cell.situation.name in cell.integration.without:
        return Outcome(missing=cell.integration.without[cell.situation.name])
    if not cell.integration.common:
        cell.first()
    alone, mux = cell.observe(member=True), cell.observe(member=False)
    left: list[Difference] = []
    used: dict[Allowed, Difference] = {}
    for difference in differences(alone, mux):
        entry = next(
            (
                entry
                for entry in EXCEPTIONS
                if entry.allows(difference, cell.integration.framework, cell.integration.name)
            ),
            None,
        )
        if entry is None:
            left.append(difference)
        else:
            used.setdefault(entry, difference)
    fails = {name: note["error"]["text"] for name, note in alone["calls"].items() if "error" in note}
    return Outcome(tuple(left), used, fails)


def _sent(request: Request) -> dict[str, Any]:
    headers = {name: value for name, value in request.headers.items() if name not in _UNCOMPARED_HEADERS}
    return {"request": f"{request.method} {request.path}", "headers": headers, "body": request.body}


def _comparable(seen: dict[str, Any], desk: Desk, server: Loopback) -> dict[str, Any]:
    port = server.url.rpartition(":")[2]
    return without_ids(seen, desk.names, {f"127.0.0.1:{port}": "<server>", f"localhost:{port}": "<server>"})
