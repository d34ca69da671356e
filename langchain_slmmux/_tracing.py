"""The runs of one question's samples: each opened once, closed exactly once, whoever comes first, and their cost.

A sample's run is ours, not the member's: a thread cannot be stopped, so a member that traced itself would report the
end of a run that early stop, time-out or cancellation had closed long before.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias, TypeGuard, TypeVar, cast
from uuid import uuid4

from langchain_core.callbacks import (
    AsyncCallbackManager,
    AsyncCallbackManagerForLLMRun,
    BaseCallbackHandler,
    BaseCallbackManager,
    CallbackManager,
    CallbackManagerForLLMRun,
)
from langchain_core.callbacks.manager import BaseRunManager
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config

from langchain_slmmux._members import MemberCall, as_owned
from langchain_slmmux._private import described_as, invocation_params, ls_params_with_defaults, traced_form
from langchain_slmmux._silent import silent
from slmmux import Draw
from slmmux._mux.secrets import strike
from slmmux._mux.usage import Account

__all__ = ["NOSTREAM", "SAMPLE_TAG", "Run", "Traces", "inner_config", "is_heard"]

Run: TypeAlias = CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun

NOSTREAM = "nostream"  # LangGraph's word for: this model's tokens are not the graph's output
SAMPLE_TAG = "slmmux:sample"

_NOTHING = LLMResult(generations=[[]])

T = TypeVar("T")
M = TypeVar("M", CallbackManager, AsyncCallbackManager)
R = TypeVar("R", CallbackManagerForLLMRun, AsyncCallbackManagerForLLMRun)


class Traces:
    """One child run a sample, below the mux's own run, and the tokens they cost.

    A reply that arrives before `close` ends its run and counts as used; a later one counts as abandoned.

    Args:
        parent: The mux's run; `None` leaves the samples untraced.
        account: Where the tokens are counted.
        listener: The run that hears the tokens of the samples, as those of the only member of a mux of one are the
            answer's; `None` if nobody may hear them.
    """

    def __init__(self, parent: BaseRunManager | None, account: Account, listener: BaseRunManager | None = None) -> None:
        self._parent = parent
        self._listener = listener
        self._state = threading.Condition()
        self._open: dict[Draw, Run | None] = {}
        self._busy = 0  # handlers at work; close() waits for them, so that no run ends after the mux's own
        self._end = asyncio.Event()  # of some handlers, for aclose()
        self._closed = False
        self._account = account
        # By member, since its samples differ in nothing that a handler depends on.
        self._heard: dict[str, bool] = {}
        self._managers: dict[str, BaseCallbackManager] = {}  # of the members that nobody hears

    def open(self, draw: Draw, member_call: MemberCall, messages: list[BaseMessage]) -> CallbackManagerForLLMRun | None:
        """Open a sample's run, or return the one that is open: a draw can be asked again one by one.

        Raises:
            CancelledError: The question is decided; the call must not begin.
        """
        with self._state:
            if self._closed:
                raise asyncio.CancelledError("decided before this call began")
            if draw in self._open or not self._is_heard(CallbackManager, draw, member_call):
                run = self._open[draw] = self._open.get(draw) or self._unheard(CallbackManagerForLLMRun, draw)
                return cast("CallbackManagerForLLMRun | None", run)
            self._busy += 1
        with self._at_work():
            manager = self._manager(CallbackManager, draw, member_call)
            (run,) = manager.on_chat_model_start(
                _serialized(member_call), [traced_form(messages)], **_start(draw, member_call)
            )
            _relay_tokens(run, self._listener)
            self._open[draw] = run
            return run

    async def aopen(
        self, draw: Draw, member_call: MemberCall, messages: list[BaseMessage]
    ) -> AsyncCallbackManagerForLLMRun | None:
        """Open a sample's run on the event loop."""
        if draw in self._open or not self._is_heard(AsyncCallbackManager, draw, member_call):
            run = self._open[draw] = self._open.get(draw) or self._unheard(AsyncCallbackManagerForLLMRun, draw)
            return cast("AsyncCallbackManagerForLLMRun | None", run)
        manager = self._manager(AsyncCallbackManager, draw, member_call)

        async def begin() -> AsyncCallbackManagerForLLMRun:
            (run,) = await manager.on_chat_model_start(
                _serialized(member_call), [traced_form(messages)], **_start(draw, member_call)
            )
            _relay_tokens(run, self._listener)
            self._open[draw] = run
            return run

        return await _uncancelled(begin())

    def end(self, draw: Draw, result: LLMResult, usage: Mapping[str, int]) -> None:
        """Close a sample's run with its reply."""
        with self._closing(draw, usage) as run:
            if is_heard(run):
                run.on_llm_end(result)

    async def aend(self, draw: Draw, result: LLMResult, usage: Mapping[str, int]) -> None:
        """Close a sample's run with its reply, on the event loop."""
        with self._closing(draw, usage) as run:
            if is_heard(run):
                await _uncancelled(cast("AsyncCallbackManagerForLLMRun", run).on_llm_end(result))

    def fail(self, draw: Draw, error: BaseException) -> None:
        """Close a sample's run with an error."""
        with self._closing(draw) as run:
            if is_heard(run):
                run.on_llm_error(error, response=_NOTHING)

    async def afail(self, draw: Draw, error: BaseException) -> None:
        """Close a sample's run with an error, on the event loop; a cancelled task still gets it done."""
        with self._closing(draw) as run:
            if is_heard(run):
                await cast("AsyncCallbackManagerForLLMRun", run).on_llm_error(error, response=_NOTHING)

    def abandon(self, draw: Draw, usage: Mapping[str, int]) -> None:
        """Count the reply of a call on a thread whose task was cancelled before."""
        self._account.add_abandoned(draw.model, usage)

    def close(self) -> list[Draw]:
        """Open and count nothing more; return the draws whose runs are still open."""
        with self._state:
            self._closed = True
            self._state.wait_for(lambda: not self._busy)
            return list(self._open)

    async def aclose(self) -> list[Draw]:
        """Do the same on the event loop: handlers at work there could never end while it is blocked."""
        self._closed = True
        while self._busy:  # rarely: a question that was cancelled twice leaves a task's handlers at work
            self._end.clear()
            await self._end.wait()
        return list(self._open)

    @contextmanager
    def _closing(self, draw: Draw, usage: Mapping[str, int] | None = None) -> Iterator[Run | None]:
        """Yield an open run to whoever asks first; `None` to all others."""
        with self._state:
            mine = draw in self._open
            run = self._open.pop(draw, None)
            if mine and usage is not None:
                self._account.add(draw.model, usage)
            self._busy += 1
        with self._at_work():
            if usage is not None and not mine:
                self._account.add_abandoned(draw.model, usage)
            yield run

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        try:
            yield
        finally:
            with self._state:
                self._busy -= 1
                self._state.notify_all()
            self._end.set()

    def sync_run(self, run: AsyncCallbackManagerForLLMRun) -> CallbackManagerForLLMRun:
        """Return a sample's run as a member's sync call reports to it."""
        sync = run.get_sync()
        if isinstance(self._listener, AsyncCallbackManagerForLLMRun):
            _relay_tokens(sync, self._listener.get_sync())
        return sync

    def _is_heard(self, cls: type[M], draw: Draw, member_call: MemberCall) -> bool:
        """Return whether a member's runs have a handler; one that nobody hears is not started, which costs the most."""
        if self._parent is None:
            return False
        if draw.model not in self._heard:
            manager = self._managers[draw.model] = self._manager(cls, draw, member_call)
            self._heard[draw.model] = bool(manager.handlers) or self._listener is not None
        return self._heard[draw.model]

    def _unheard(self, cls: type[R], draw: Draw) -> R | None:
        """Return the run of a sample that nobody hears, which a member may use as it uses any other."""
        if self._parent is None:
            return None
        manager = self._managers[draw.model]
        return cls(
            run_id=uuid4(),
            handlers=[],
            inheritable_handlers=[],
            parent_run_id=self._parent.run_id,
            tags=manager.tags,
            inheritable_tags=manager.inheritable_tags,
            metadata={**manager.metadata, "slmmux_sample": draw.index},
            inheritable_metadata=manager.inheritable_metadata,
        )

    def _manager(self, cls: type[M], draw: Draw, member_call: MemberCall) -> M:
        # An LLM run's manager has no get_child(): a child is made of what it would inherit. The outer ls_* metadata
        # describe the mux, not the member.
        parent = self._parent
        assert parent is not None  # noqa: S101 - open() asked
        child = cls(handlers=[], parent_run_id=parent.run_id)
        for handler in parent.inheritable_handlers:
            child.add_handler(handler)
        child.add_tags(parent.inheritable_tags)
        child.add_metadata({k: v for k, v in parent.inheritable_metadata.items() if not k.startswith("ls_")})
        model: BaseChatModel = member_call.model
        config: RunnableConfig = member_call.member.config
        local = model.callbacks if isinstance(model.callbacks, BaseCallbackManager) else list(model.callbacks or [])
        extra = config.get("callbacks")
        configured = cls.configure(
            child,
            local,
            model.verbose,
            [NOSTREAM, SAMPLE_TAG, *(config.get("tags") or [])],
            model.tags,
            {
                **(config.get("metadata") or {}),
                **ls_params_with_defaults(model, **member_call.kwargs),
                "slmmux_member": draw.model,
                "slmmux_sample": draw.index,
            },
            model.metadata,
        )
        for handler in extra if isinstance(extra, list) else extra.handlers if extra else []:
            configured.add_handler(handler, inherit=True)
        # The member's own handlers hear the tokens of a mux of one, which are the answer's; the listener tells others.
        listening = None if self._listener is None else self._listener.handlers
        handlers: list[BaseCallbackHandler] = configured.handlers
        own: list[BaseCallbackHandler] = (
            [] if listening is None else [handler for handler in handlers if handler not in listening]
        )
        configured.handlers = [*silent(handler for handler in handlers if handler not in own), *own]
        configured.inheritable_handlers = silent(configured.inheritable_handlers)
        return configured


def _relay_tokens(run: Run, listener: BaseRunManager | None) -> None:
    """Let the listener hear the tokens that a member reports from inside a call, as its own."""
    for name in ("on_llm_new_token", "on_stream_event"):
        relay, report = getattr(listener, name, None), getattr(run, name, None)
        if relay is not None and report is not None:
            both = _in_turn_async if isinstance(run, AsyncCallbackManagerForLLMRun) else _in_turn
            setattr(run, name, partial(both, relay, report))


def _in_turn(relay: Callable[..., Any], report: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    relay(*args, **kwargs)
    report(*args, **kwargs)


async def _in_turn_async(relay: Callable[..., Any], report: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    await relay(*args, **kwargs)
    await report(*args, **kwargs)


async def _uncancelled(handlers: Coroutine[Any, Any, T]) -> T:
    """Let handlers at work finish even when this task is cancelled: a run half opened could not be closed."""
    task = asyncio.ensure_future(handlers)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def is_heard(run: Run | None) -> TypeGuard[Run]:
    """Return whether a run has a handler that hears it."""
    return run is not None and bool(run.handlers)


def inner_config(run: Run | None) -> None:
    """Make what a member runs inside itself a child of its sample, and no part of the caller's stream."""
    config: dict[str, Any] = {"tags": [NOSTREAM, SAMPLE_TAG], "callbacks": None}
    if run is not None:
        cls = CallbackManager if isinstance(run, CallbackManagerForLLMRun) else AsyncCallbackManager
        config["callbacks"] = cls(
            handlers=list(run.inheritable_handlers),
            inheritable_handlers=list(run.inheritable_handlers),
            parent_run_id=run.run_id,
            tags=list(run.inheritable_tags),
            inheritable_tags=list(run.inheritable_tags),
            metadata=dict(run.inheritable_metadata),
            inheritable_metadata=dict(run.inheritable_metadata),
        )
    var_child_runnable_config.set(cast("Any", config))


def _serialized(member_call: MemberCall) -> dict[str, Any]:
    return cast("dict[str, Any]", strike(described_as(as_owned(member_call)), member_call.secrets[0]))


def _start(draw: Draw, member_call: MemberCall) -> dict[str, Any]:
    params: Mapping[str, Any] = strike(
        invocation_params(member_call.model, **member_call.kwargs),
        member_call.secrets[0],
    )
    return {
        "invocation_params": params,
        "options": {"stop": member_call.kwargs["stop"]},
        "name": f"{draw.model}[{draw.index}]",
        "batch_size": 1,
    }
