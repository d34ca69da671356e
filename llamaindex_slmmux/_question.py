"""One question as LlamaIndex puts it: its request, and the samplings it takes, counted together."""

from collections.abc import Mapping, Sequence

from llama_index.core.base.llms.types import MessageRole
from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms.llm import ToolSelection

from llamaindex_slmmux._members import Member
from llamaindex_slmmux._messages import has_content
from llamaindex_slmmux._request import Chat, Reply, Request
from llamaindex_slmmux._sampling import Sampling
from slmmux import Answer, Pool, Race
from slmmux._mux.generation import longest_reply
from slmmux._mux.usage import Account

__all__ = ["Question"]


class Question:
    """One question.

    Args:
        request: What each member is asked, and how replies are read.
        members: Every member that may be called, by label.
        wrapper: The mux's own callbacks.
        pool: Threads for members that only have a sync call.
        account: Where the tokens of its replies are counted.

    Attributes:
        account: Where the tokens of its replies are counted.
    """

    def __init__(
        self,
        request: Request,
        members: Mapping[str, Member],
        wrapper: CallbackManager,
        pool: Pool,
        *,
        account: Account,
    ) -> None:
        self._request = request
        self._members = members
        self._wrapper = wrapper
        self._pool = pool
        self.account = account

    @property
    def extractor(self) -> str:
        """The name of the reading, for the record."""
        return self._request.extractor

    @property
    def longest(self) -> Mapping[str, int]:
        """The most tokens a reply of each model can have, by label; 0 if nobody knows."""
        return {label: longest_reply(member.model, member.kwargs) or 0 for label, member in self._members.items()}

    def text(self) -> str:
        """Return the user's last message, for a rule by question; without one, the last message."""
        messages = self._request.messages
        of_users = [message for message in messages if message.role is MessageRole.USER] or messages
        return (of_users[-1].content or "") if of_users else ""

    def read(self, reply: Reply) -> Answer | None:
        """Return the answer of a reply."""
        return self._request.read(reply)

    def calls_in(self, reply: Reply) -> Sequence[ToolSelection]:
        """Return the calls that a model wrote into its text."""
        return self._request.calls_in(reply) if isinstance(self._request, Chat) else ()

    def has_content(self, reply: Reply) -> bool:
        """Return whether a reply says anything: a text or another block, tool calls, or a value."""
        return reply.value is not None or bool(reply.calls) or has_content(reply.response.message)

    def is_cut_off(self, reply: Reply) -> bool:
        """Return whether a reply was cut off at its limit of tokens."""
        return reply.is_cut_off

    def usage_of(self, reply: Reply) -> Mapping[str, int]:
        """Return the tokens of one reply."""
        return reply.usage

    def text_of(self, reply: Reply) -> str:
        """Return the text of one reply."""
        return reply.response.message.content or ""

    def logprobs_of(self, reply: Reply) -> Sequence[float] | None:
        """Return the log-probabilities of one reply's tokens; `None` if its server did not report them."""
        return reply.logprobs

    def stated_by(self, reply: Reply) -> float | None:
        """Return how sure a model says it is of one reply; `None` if it was not asked or does not say."""
        return reply.stated

    def content_of(self, reply: Reply) -> object:
        """Return everything in a reply that is read: its text, its tool calls and its value."""
        text = reply.response.message.content
        return (text, list(reply.calls), reply.value) if reply.calls or reply.value is not None else text

    def sampling(self, race: Race[Reply] | None = None) -> Sampling:  # noqa: ARG002 - LlamaIndex's samples need none
        """Return the calls of a race, or of a profile, which has none."""
        return Sampling(self._members, self._request, self._wrapper, self._pool, self.account)
