"""One question put to the members: each call made, its tokens counted, its faults cleaned of secrets.

Knows nothing of races: a driver calls `call` or `acall` with the draws of one request.
"""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.callbacks import CallbackManager
from llama_index_instrumentation.dispatcher import active_instrument_tags

from llamaindex_slmmux._members import Member, count_once
from llamaindex_slmmux._opentelemetry import trace_once
from llamaindex_slmmux._request import Call, Reply, Request
from llamaindex_slmmux._several import report
from slmmux import Draw, Pool
from slmmux._mux.sampling import Remedy, group_draws, remedy_for, remember_single
from slmmux._mux.secrets import clean_error
from slmmux._mux.usage import add_usage

__all__ = ["MEMBER_TAG", "SAMPLE_TAG", "Sampling"]

# What every event and span below a sample carries, so that a tracer can tell whose it is.
MEMBER_TAG = "slmmux_member"
SAMPLE_TAG = "slmmux_sample"


class Sampling:
    """The calls of one question.

    Args:
        members: The members, by label.
        request: What each is asked.
        wrapper: The mux's own callbacks.
        pool: Threads for members that only have a sync call.
        usage: Where the tokens of every reply that comes before `close` are added, needed for the decision or not.
    """

    def __init__(
        self,
        members: Mapping[str, Member],
        request: Request,
        wrapper: CallbackManager,
        pool: Pool,
        usage: dict[str, int],
    ) -> None:
        self._members = members
        self._request = request
        self._wrapper = wrapper
        self._pool = pool
        self._lock = threading.Lock()
        self._closed = False
        self._usage = usage

    def group(self, draws: Sequence[Draw]) -> list[tuple[Draw, ...]]:
        """Put the draws of a member in one call where it takes several; all others are calls of their own."""
        return group_draws(draws, lambda label: self._request.takes_several(self._members[label]))

    def call(self, draws: tuple[Draw, ...]) -> Sequence[Reply]:
        """Make one call in this thread."""
        member, call = self._begin(draws)
        try:
            outcome: list[Reply] | BaseException = _ask(call)
        except BaseException as error:  # noqa: BLE001 - raised again, cleaned
            outcome = _reply_or_error(member, call, error)
        if (remedy := _remedy(member, outcome, draws)) == "singly":
            return []
        if remedy == "probe":
            replies = self.call(draws[:1])
            remember_single(member, "refuses n")
            return replies
        return self._replies(draws, call, outcome)

    async def acall(self, draws: tuple[Draw, ...]) -> Sequence[Reply]:
        """Make one call in this task."""
        member, call = self._begin(draws)
        try:
            outcome: list[Reply] | BaseException = (
                await self._pool.run(lambda: _ask(call)) if member.sync_only(call.method) else await _aask(call)
            )
        except BaseException as error:  # noqa: BLE001 - raised again, cleaned
            outcome = _reply_or_error(member, call, error)
        if (remedy := _remedy(member, outcome, draws)) == "singly":
            return []
        if remedy == "probe":
            replies = await self.acall(draws[:1])
            remember_single(member, "refuses n")
            return replies
        return self._replies(draws, call, outcome)

    def close(self) -> None:
        """Count nothing more, and let no queued call begin."""
        with self._lock:
            self._closed = True

    async def aclose(self) -> None:
        """Do the same; what runs on tasks has ended before."""
        self.close()

    def _begin(self, draws: tuple[Draw, ...]) -> tuple[Member, Call]:
        if self._closed:
            raise asyncio.CancelledError("decided before this call began")
        # Each call runs in a context of its own, so that nobody has to set this back.
        active_instrument_tags.set(_tags(draws[0]))
        count_once(self._wrapper)
        trace_once()
        member = self._members[draws[0].model]
        return member, self._request.call(member, len(draws))

    def _replies(self, draws: tuple[Draw, ...], call: Call, outcome: list[Reply] | BaseException) -> Sequence[Reply]:
        """Return the replies of a call, and report those that came with another draw's request."""
        member = self._members[draws[0].model]
        if len(draws) > 1:
            if isinstance(outcome, list) and len(outcome) < len(draws):
                remember_single(member, f"brought {len(outcome)} of {len(draws)} completions")
            for i, draw in enumerate(draws[1:], 1):
                if isinstance(outcome, BaseException):
                    report(call.llm, call.messages, _tags(draw), outcome)
                elif i < len(outcome):
                    report(call.llm, call.messages, _tags(draw), outcome[i].response)
        if isinstance(outcome, BaseException):
            raise outcome  # here, or a cleaned one would carry the error that quotes the secret
        replies = outcome[: len(draws)]
        with self._lock:
            if not self._closed:
                for reply in replies:
                    add_usage(self._usage, reply.usage)
        return replies


def _remedy(member: Member, outcome: list[Reply] | BaseException, draws: tuple[Draw, ...]) -> Remedy:
    """Return how a failed request gets a second try; remember a class that takes no `n`."""
    if not isinstance(outcome, BaseException):
        return "none"
    remedy = remedy_for(outcome, draws)
    if remedy == "singly" and isinstance(outcome, TypeError | NotImplementedError):
        remember_single(member, "refuses n")
    return remedy


def _tags(draw: Draw) -> dict[str, Any]:
    return {**active_instrument_tags.get(), MEMBER_TAG: draw.model, SAMPLE_TAG: draw.index}


def _ask(call: Call) -> list[Reply]:
    return call.replied(getattr(call.llm, call.method)(*call.args, **call.kwargs))


async def _aask(call: Call) -> list[Reply]:
    return call.replied(await getattr(call.llm, f"a{call.method}")(*call.args, **call.kwargs))


def _reply_or_error(member: Member, call: Call, error: BaseException) -> list[Reply] | BaseException:
    """Return the reply that an error hides, or the error; neither quotes a secret."""
    clean = clean_error(error, member.secrets)
    reply = call.failed(clean) if isinstance(clean, Exception) else None
    return clean if reply is None else [reply]
