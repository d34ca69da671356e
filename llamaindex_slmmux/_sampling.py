"""One question put to the members: each call made, its tokens counted, its faults cleaned of secrets.

Knows nothing of races: a driver calls `call` or `acall` with one draw at a time. One request for several completions is
the road not taken: in LlamaIndex a member reports a call, not a completion, and each sample is to have its own event.
"""

import asyncio
import threading
from collections.abc import Mapping, Sequence

from llama_index.core.callbacks import CallbackManager
from llama_index_instrumentation.dispatcher import active_instrument_tags

from llamaindex_slmmux._members import Member
from llamaindex_slmmux._request import Call, Reply, Request
from slmmux import Draw, Pool
from slmmux._record import USAGE
from slmmux._secrets import clean_error

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

    Attributes:
        usage: Tokens of every reply that came before `close`, needed for the decision or not.
    """

    def __init__(self, members: Mapping[str, Member], request: Request, wrapper: CallbackManager, pool: Pool) -> None:
        self._members = members
        self._request = request
        self._wrapper = wrapper
        self._pool = pool
        self._lock = threading.Lock()
        self._closed = False
        self.usage: dict[str, int] = dict.fromkeys(USAGE, 0)

    def call(self, draws: tuple[Draw, ...]) -> Sequence[Reply]:
        """Make one call in this thread."""
        member, made = self._begin(draws[0])
        try:
            outcome: Reply | BaseException = _ask(made)
        except BaseException as error:  # noqa: BLE001 - raised again, cleaned
            outcome = _what_came(member, made, error)
        return self._count(outcome)

    async def acall(self, draws: tuple[Draw, ...]) -> Sequence[Reply]:
        """Make one call in this task."""
        member, made = self._begin(draws[0])
        try:
            outcome: Reply | BaseException = (
                await self._pool.run(lambda: _ask(made)) if member.sync_only else await _aask(made)
            )
        except BaseException as error:  # noqa: BLE001 - raised again, cleaned
            outcome = _what_came(member, made, error)
        return self._count(outcome)

    def close(self) -> None:
        """Count nothing more, and let no queued call begin."""
        with self._lock:
            self._closed = True

    def _begin(self, draw: Draw) -> tuple[Member, Call]:
        if self._closed:
            raise asyncio.CancelledError("decided before this call began")
        # Each call runs in a context of its own, so that nobody has to set this back.
        tags = {MEMBER_TAG: draw.model, SAMPLE_TAG: draw.index}
        active_instrument_tags.set({**active_instrument_tags.get(), **tags})
        member = self._members[draw.model]
        return member, self._request.call(member, self._wrapper)

    def _count(self, outcome: Reply | BaseException) -> Sequence[Reply]:
        if isinstance(outcome, BaseException):
            raise outcome  # here, or a cleaned one would carry the error that quotes the secret
        with self._lock:
            if not self._closed:
                for name, tokens in outcome.usage.items():
                    self.usage[name] += tokens
        return [outcome]


def _ask(made: Call) -> Reply:
    return made.replied(getattr(made.llm, made.method)(*made.args, **made.kwargs))


async def _aask(made: Call) -> Reply:
    return made.replied(await getattr(made.llm, f"a{made.method}")(*made.args, **made.kwargs))


def _what_came(member: Member, made: Call, error: BaseException) -> Reply | BaseException:
    """Return the reply that an error hides, or the error; neither quotes a secret."""
    clean = clean_error(error, member.secrets)
    reply = made.failed(clean) if isinstance(clean, Exception) else None
    return clean if reply is None else reply
