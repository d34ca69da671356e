"""One question as it is put: its request, and the samplings it takes, counted together."""

from collections.abc import Mapping

from llama_index.core.base.llms.types import MessageRole
from llama_index.core.callbacks import CallbackManager

from llamaindex_slmmux._members import Member
from llamaindex_slmmux._request import Reply, Request
from llamaindex_slmmux._sampling import Sampling
from slmmux import Pool, Race
from slmmux._decision.budget import Budget
from slmmux._decision.record import USAGE
from slmmux._mux.generation import longest_reply

__all__ = ["Question"]


class Question:
    """One question.

    Args:
        request: What each member is asked, and how replies are read.
        members: Everyone who may be called, by label.
        wrapper: The mux's own callbacks.
        pool: Threads for members that only have a sync call.

    Attributes:
        usage: Tokens of every reply that came in time, whoever gave it.
    """

    def __init__(self, request: Request, members: Mapping[str, Member], wrapper: CallbackManager, pool: Pool) -> None:
        self.request = request
        self._members = members
        self._wrapper = wrapper
        self._pool = pool
        self.usage: dict[str, int] = dict.fromkeys(USAGE, 0)

    def text(self) -> str:
        """Return what was asked last by a person, for a rule by question; where nobody did, what was said last."""
        messages = self.request.messages
        asked = [message for message in messages if message.role is MessageRole.USER] or messages
        return (asked[-1].content or "") if asked else ""

    def sampling(self, _: Race[Reply] | None = None) -> Sampling:
        """Return what makes the calls of one race."""
        return Sampling(self._members, self.request, self._wrapper, self._pool, self.usage)

    def budget(self, limits: Mapping[str, int] | None) -> Budget | None:
        """Return what all of it may cost."""
        if limits is None:
            return None
        longest = {label: longest_reply(member.llm) or 0 for label, member in self._members.items()}

        def spent(reply: Reply) -> int:
            return reply.usage["total_tokens"]

        return Budget(limits, lambda draw: longest[draw.model], spent)
