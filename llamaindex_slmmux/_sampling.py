"""One question put to the members: each call made, its tokens counted, its faults cleaned of secrets.

Knows nothing of races: a driver calls `call` or `acall` with the draws of one request.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.callbacks import CallbackManager
from llama_index_instrumentation.dispatcher import active_instrument_tags

from llamaindex_slmmux._members import Member, count_once
from llamaindex_slmmux._opentelemetry import trace_once
from llamaindex_slmmux._request import Call, Calls, Reply, Request
from llamaindex_slmmux._several import report
from slmmux import Draw, Pool
from slmmux._mux.dispatch import Dispatch
from slmmux._mux.sampling import OnceMoreError, Remedy, group_draws, remedy_for, remember_single
from slmmux._mux.secrets import clean_error, secrets_of
from slmmux._mux.usage import Account, total

__all__ = ["MEMBER_TAG", "SAMPLE_TAG", "Sampling", "new_to_handlers", "tags_of"]

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
        account: Where the tokens are counted: of replies before `close` as used, of later ones as abandoned.
    """

    def __init__(
        self,
        members: Mapping[str, Member],
        request: Request,
        wrapper: CallbackManager,
        pool: Pool,
        account: Account,
    ) -> None:
        self._members = members
        self._request = request
        self._wrapper = wrapper
        self._pool = pool
        self._lock = threading.Lock()
        self._is_late = False
        self._doubted: set[tuple[Draw, ...]] = set()  # calls of which nobody knows what their server refused
        self._account = account
        self._dispatch = Dispatch(account)
        self._calls: dict[str, Calls] = {}  # by member, made when it is first asked: who is never asked may not fail

    def group(self, draws: Sequence[Draw]) -> list[tuple[Draw, ...]]:
        """Put the draws of a member in one call where it takes several; all others are calls of their own."""
        return group_draws(draws, lambda label: self._request.takes_several(self._members[label]))

    def pace(self, draws: tuple[Draw, ...]) -> float:
        """Ask the member's rate limiter: return 0, or the seconds after which to ask again."""
        return self._members[draws[0].model].pace()

    def call(self, draws: tuple[Draw, ...]) -> Sequence[Reply]:
        """Make one call in this thread."""
        member, call = self._begin(draws)
        try:
            outcome: list[Reply] | BaseException = self._send(draws, call)
        except BaseException as error:  # noqa: BLE001 - raised again, cleaned
            outcome = _reply_or_error(member, call, error)
        if (remedy := _remedy(member, outcome, self._wanted(draws))) == "singly":
            return []
        if remedy == "probe":
            raise self._doubt(draws, outcome)
        return self._replies(draws, call, outcome)

    async def acall(self, draws: tuple[Draw, ...]) -> Sequence[Reply]:
        """Make one call in this task."""
        member, call = self._begin(draws)
        try:
            outcome: list[Reply] | BaseException = (
                await self._pool.run(
                    lambda: self._send(draws, call),
                    late=lambda replies: self._account.add_abandoned(
                        member.label, total(reply.usage for reply in replies)
                    ),
                )
                if member.sync_only(call.method)
                else await self._asend(draws, call)
            )
        except BaseException as error:  # noqa: BLE001 - raised again, cleaned
            outcome = _reply_or_error(member, call, error)
        if (remedy := _remedy(member, outcome, self._wanted(draws))) == "singly":
            return []
        if remedy == "probe":
            raise self._doubt(draws, outcome)
        return self._replies(draws, call, outcome)

    def close(self) -> None:
        """Count nothing more as used, and let no further request be sent."""
        self._dispatch.close()
        with self._lock:
            self._is_late = True

    async def aclose(self) -> None:
        """Do the same; what runs on tasks has ended before."""
        self.close()

    def sent(self, begun: Mapping[tuple[Draw, ...], int]) -> tuple[tuple[Draw, ...], ...]:
        """Return those of some calls that were sent as often as they were begun."""
        return self._dispatch.sent(begun)

    def _begin(self, draws: tuple[Draw, ...]) -> tuple[Member, Call]:
        # Each call runs in a context of its own, so that nobody has to set this back.
        active_instrument_tags.set(tags_of(draws[0]))
        count_once(self._wrapper)
        trace_once()
        member = self._members[draws[0].model]
        # Two threads may both make it: either will do.
        calls = self._calls.get(member.label) or self._calls.setdefault(member.label, self._request.calls(member))
        return member, calls(len(self._wanted(draws)))

    def _wanted(self, draws: tuple[Draw, ...]) -> tuple[Draw, ...]:
        """Return the draws that one call asks for: the first alone, if its server may have refused several."""
        return draws[:1] if draws in self._doubted else draws

    def _doubt(self, draws: tuple[Draw, ...], outcome: list[Reply] | BaseException) -> OnceMoreError:
        """Return the error by which a refused call is made once more, for one sample."""
        assert isinstance(outcome, BaseException)  # noqa: S101 - a remedy is for a fault
        self._doubted.add(draws)
        return OnceMoreError(outcome)

    def _send(self, draws: tuple[Draw, ...], call: Call) -> list[Reply]:
        self._dispatch.send(draws)
        return call.to_replies(getattr(call.llm, call.method)(*call.args, **call.kwargs))

    async def _asend(self, draws: tuple[Draw, ...], call: Call) -> list[Reply]:
        self._dispatch.send(draws)
        return call.to_replies(await getattr(call.llm, f"a{call.method}")(*call.args, **call.kwargs))

    def _replies(self, draws: tuple[Draw, ...], call: Call, outcome: list[Reply] | BaseException) -> Sequence[Reply]:
        """Return the replies of a call, and report those that came with another draw's request."""
        member = self._members[draws[0].model]
        if draws in self._doubted and isinstance(outcome, list):
            remember_single(member, "refuses n")
        draws = self._wanted(draws)
        if len(draws) > 1:
            if isinstance(outcome, list) and len(outcome) < len(draws):
                remember_single(member, f"brought {len(outcome)} of {len(draws)} completions")
            for i, draw in enumerate(draws[1:], 1):
                if isinstance(outcome, BaseException):
                    report(call.llm, call.messages, tags_of(draw), outcome)
                elif i < len(outcome):
                    report(call.llm, call.messages, tags_of(draw), outcome[i].response)
        if isinstance(outcome, BaseException):
            raise outcome  # here, or a cleaned one would carry the error that quotes the secret
        replies = outcome[: len(draws)]
        usage = total(reply.usage for reply in replies)
        with self._lock:
            is_late = self._is_late
            if not is_late:
                self._account.add(member.label, usage)
        if is_late:
            self._account.add_abandoned(member.label, usage)
        return replies


def _remedy(member: Member, outcome: list[Reply] | BaseException, draws: tuple[Draw, ...]) -> Remedy:
    """Return how a failed request gets a second try; remember a class that takes no `n`."""
    if not isinstance(outcome, BaseException):
        return "none"
    remedy = remedy_for(outcome, draws)
    if remedy == "singly" and isinstance(outcome, TypeError | NotImplementedError):
        remember_single(member, "refuses n")
    return remedy


def tags_of(draw: Draw) -> dict[str, Any]:
    """Return what every event and span below a sample carries."""
    return {**active_instrument_tags.get(), MEMBER_TAG: draw.model, SAMPLE_TAG: draw.index}


def _reply_or_error(member: Member, call: Call, error: BaseException) -> list[Reply] | BaseException:
    """Return the reply that an error hides, or the error; neither quotes a secret."""
    clean = clean_error(error, (*member.secrets, *secrets_of(call.kwargs)), call.llm)
    reply = call.failed(clean) if isinstance(clean, Exception) else None
    return clean if reply is None else [reply]


def new_to_handlers(error: BaseException) -> BaseException:
    """Return an error that the mux's own handlers are told of, although the member's were.

    LlamaIndex marks an error that its older callbacks have heard of, and tells no other manager of it.
    """
    vars(error).pop("event_added", None)
    return error
