"""One question as LangChain puts it: its request, its messages, and the samplings it takes, counted together."""

from collections.abc import Mapping
from typing import Any

from langchain_core.callbacks.manager import BaseRunManager
from langchain_core.messages import BaseMessage

from langchain_slmmux._members import MemberCall
from langchain_slmmux._messages import has_content, question_of
from langchain_slmmux._request import Request, calls_of
from langchain_slmmux._sampling import Reply, Sampling
from langchain_slmmux._tracing import Traces
from slmmux import Answer, Pool, Race
from slmmux._mux.dispatch import Dispatch
from slmmux._mux.generation import longest_reply
from slmmux._mux.live import Hear
from slmmux._mux.scoring.confidence import logprobs_in
from slmmux._mux.usage import Account

__all__ = ["Question"]


class Question:
    """One question.

    Args:
        request: What each member is asked, and how replies are read.
        messages: The question.
        stop: Stop sequences.
        parent: The run below which samples are traced; `None` leaves them untraced.
        pool: Threads for members that only have a sync call.
        account: Where the tokens of its replies are counted.
        listener: The run that hears the tokens a member reports of itself; `None` if nobody may.
        states: Whether the members were asked to state how sure they are, which is no part of the answer.
        live: Who hears the tokens of a member whose reply is the answer whatever it says, by label.

    Attributes:
        messages: The question.
        stop: Stop sequences.
        pool: The places for calls.
        account: Where the tokens of its replies are counted.
    """

    def __init__(
        self,
        request: Request,
        messages: list[BaseMessage],
        stop: list[str] | None,
        parent: BaseRunManager | None,
        pool: Pool,
        *,
        account: Account,
        listener: BaseRunManager | None = None,
        states: bool = False,
        live: Mapping[str, Hear] | None = None,
    ) -> None:
        self._request = request
        self.messages = messages
        self.stop = stop
        self._parent = parent
        self.pool = pool
        self._listener = listener
        self._live = live
        self.account = account
        self._states = states

    @property
    def only_call(self) -> MemberCall:
        """What the only member is asked."""
        (call,) = self._request.member_calls.values()
        return call

    @property
    def extractor(self) -> str:
        """The name of the reading, for the record."""
        return self._request.extractor

    @property
    def longest(self) -> Mapping[str, int]:
        """The most tokens a reply of each model can have, by label; 0 if nobody knows."""
        return {label: longest_reply(a.model, a.kwargs) or 0 for label, a in self._request.member_calls.items()}

    def text(self) -> str:
        """Return the question's text, for a rule by question."""
        return question_of(self.messages)

    def read(self, reply: Reply) -> Answer | None:
        """Return the answer of a reply."""
        return self._request.read(reply)

    def calls_in(self, reply: Reply) -> list[dict[str, Any]]:
        """Return the calls that a model wrote into its text."""
        return self._request.calls_in(reply)

    def has_content(self, reply: Reply) -> bool:
        """Return whether a reply says anything: a text or another block, tool calls, or a refusal."""
        return has_content(reply.message)

    def is_cut_off(self, reply: Reply) -> bool:
        """Return whether a reply was cut off at its limit of tokens."""
        return reply.is_cut_off

    def usage_of(self, reply: Reply) -> Mapping[str, int]:
        """Return the tokens of one reply."""
        return reply.usage

    def text_of(self, reply: Reply) -> str:
        """Return the text of one reply."""
        return str(reply.message.text)

    def logprobs_of(self, reply: Reply) -> list[float] | None:
        """Return the log-probabilities of one reply's tokens; `None` if its server did not report them."""
        info = {**(reply.generation_info or {}), **reply.message.response_metadata}
        return logprobs_in(info.get("logprobs"))

    def stated_by(self, reply: Reply) -> float | None:
        """Return how sure a model says it is of one reply; `None` if it was not asked or does not say."""
        return reply.stated

    def content_of(self, reply: Reply) -> object:
        """Return everything in a reply that is read: its text and its tool calls."""
        text, calls = str(reply.message.text), calls_of(reply.message)
        return (text, calls) if calls else text

    def sampling(self, race: Race[Reply] | None = None) -> Sampling:
        """Return the calls of a race, or of a profile, which has none."""
        traces = Traces(self._parent, self.account, self._listener)
        dispatch = Dispatch(self.account)
        calls, states, live = self._request.member_calls, self._states, self._live
        return Sampling(
            calls, self.messages, self.stop, traces, self.pool, dispatch=dispatch, race=race, states=states, live=live
        )
