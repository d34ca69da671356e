"""One question as it is put: its request, its messages, and the samplings it takes, counted together."""

from collections.abc import Mapping

from langchain_core.callbacks.manager import BaseRunManager
from langchain_core.messages import BaseMessage

from langchain_slmmux._messages import question_of
from langchain_slmmux._request import Request
from langchain_slmmux._sampling import Reply, Sampling
from langchain_slmmux._tracing import Traces
from slmmux import Pool, Race
from slmmux._decision.budget import Budget
from slmmux._decision.record import USAGE

__all__ = ["Question"]


class Question:
    """One question.

    Args:
        request: What each member is asked, and how replies are read.
        messages: The question.
        stop: Stop sequences.
        parent: The run below which samples are traced; `None` leaves them untraced.
        pool: Threads for members that only have a sync call.
    """

    def __init__(
        self,
        request: Request,
        messages: list[BaseMessage],
        stop: list[str] | None,
        parent: BaseRunManager | None,
        pool: Pool,
    ) -> None:
        self.request = request
        self._messages = messages
        self._stop = stop
        self._parent = parent
        self._pool = pool
        self._traces: list[Traces] = []

    def text(self) -> str:
        """Return what was asked, for a rule by question."""
        return question_of(self._messages)

    def sampling(self, race: Race[Reply]) -> Sampling:
        """Return what makes the requests of one race."""
        self._traces.append(Traces(self._parent))
        return Sampling(self.request.asked, self._messages, self._stop, self._traces[-1], self._pool, race=race)

    def budget(self, limits: Mapping[str, int] | None) -> Budget | None:
        """Return what all of it may cost."""
        return None if limits is None else self.request.budget(limits)

    @property
    def usage(self) -> dict[str, int]:
        """Tokens of every reply that came in time, whoever gave it."""
        return {name: sum(traces.usage[name] for traces in self._traces) for name in USAGE}
