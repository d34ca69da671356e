"""A pool of LangChain chat models put to many questions: each asked as the mux would ask it, every sample kept."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from langchain_slmmux._chat_model import SLMMuxChatModel
from langchain_slmmux._request import Request
from langchain_slmmux._sampling import Reply, Sampling
from langchain_slmmux._tracing import Traces
from slmmux import Answer, Draw, Recording
from slmmux._decision.labels import by_label
from slmmux._mux.generation import generation_settings
from slmmux._mux.profile import asking_mux, recorded_settings
from slmmux.profiling import Watch
from slmmux.profiling import aprofile as aprofile_members
from slmmux.profiling import profile as profile_members
from slmmux.profiling._asker import Came, Draws
from slmmux.profiling._pressing import Pressing, split
from slmmux.profiling._progress import watching
from slmmux.profiling._questions import Questions

__all__ = ["aprofile", "profile"]


class _Members:
    """A mux's members, as a profile asks them."""

    def __init__(self, mux: SLMMuxChatModel, samples: int | dict[str, int] | None = None) -> None:
        self._mux = mux
        self.pressing: Pressing = {"max_concurrency": mux.max_concurrency, "timeout": mux.timeout}
        self._request = Request.build(mux._members, {}, mux.extract, None)
        self.samples = mux.k if samples is None else by_label("samples", samples, mux.k)
        self.compare = mux._agreement.compare
        asked = self._request.asked
        own = {label: generation_settings(a.model, a.kwargs) for label, a in asked.items()}
        self.settings: Mapping[str, Any] = recorded_settings(mux, own)
        self._any = self._sampling("")  # which samples go in one request is one for all questions

    def group(self, draws: Sequence[Draw]) -> list[Draws]:
        return self._any.group(draws)

    def call(self, question: str, draws: Draws) -> list[Came]:
        return [self._came(reply) for reply in self._sampling(question).call(draws)]

    async def acall(self, question: str, draws: Draws) -> list[Came]:
        return [self._came(reply) for reply in await self._sampling(question).acall(draws)]

    def _sampling(self, question: str) -> Sampling:
        messages: list[BaseMessage] = [HumanMessage(question)]
        if self._mux.system_prompt:
            messages.insert(0, SystemMessage(self._mux.system_prompt))
        return Sampling(self._request.asked, messages, self._mux.stop, Traces(None), self._mux._pool)

    def _came(self, reply: Reply) -> Came:
        def read() -> Answer | None:
            return self._request.read(reply)

        usage = reply.usage if reply.usage["total_tokens"] else {}  # not counted is not nothing
        return Came(str(reply.message.text), read, usage.get("input_tokens"), usage.get("output_tokens"))


def profile(
    models: SLMMuxChatModel | Mapping[str, Any] | Sequence[Any],
    questions: Questions,
    *,
    recording: str | PathLike[str],
    samples: int | dict[str, int] | None = None,
    progress: bool | Watch = True,
    trial_only: bool = False,
    **options: Any,
) -> Recording:
    """Sample every member k times on every question, and keep every sample in a file.

    Each is asked as a mux would ask it, several samples in one request where it takes `n`. Killed at any point it goes
    on where it was when it is called again: no sample that is in the file is asked for again.

    Args:
        models: What `SLMMuxChatModel(models=...)` takes; or a mux, with its own k, temperatures and extractor.
        questions: A `.jsonl` file, or questions: mappings with question_id, question and, to select with, gold.
        recording: The `.jsonl` file to write or to go on with.
        samples: k, or k by label; without it a mux's own, else 5.
        progress: Whether to show what will be done, then bars; or who looks on instead.
        trial_only: Make the first few requests of each member and stop, with an estimate of the rest.
        options: concurrency, requests_per_minute, max_concurrency, retries, timeout: how hard members are pressed (see
            `slmmux.profiling.Pressing`). Others are arguments of the mux that asks: temperature, system_prompt, ...

    Returns:
        The whole recording.

    Raises:
        ArgumentError: Members, questions or options that cannot be used.
        RecordingError: The file was recorded with other settings or other questions; says which.
        ProfilingError: A member failed in each of its first requests, and would in all of them.

    Example:
        >>> import tempfile, pathlib
        >>> from langchain_core.language_models import FakeListChatModel
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "samples.jsonl"
        >>> asked = [{"question_id": "q1", "question": "2 + 2?", "gold": "4"}]
        >>> members = {"sure": FakeListChatModel(responses=["4"])}
        >>> profile(members, asked, samples=2, recording=file, progress=False).rows[1].answer
        '4'
    """
    pressing, others = split(options)
    members = _Members(asking_mux(models, SLMMuxChatModel, samples, others), samples)
    pressing = members.pressing | pressing
    with watching(progress) as watch:
        return profile_members(members, questions, recording=recording, watch=watch, trial_only=trial_only, **pressing)


async def aprofile(
    models: SLMMuxChatModel | Mapping[str, Any] | Sequence[Any],
    questions: Questions,
    *,
    recording: str | PathLike[str],
    samples: int | dict[str, int] | None = None,
    progress: bool | Watch = True,
    trial_only: bool = False,
    **options: Any,
) -> Recording:
    """Sample every member on every question from an event loop; arguments, result and errors are those of `profile`."""
    pressing, others = split(options)
    members = _Members(asking_mux(models, SLMMuxChatModel, samples, others), samples)
    pressing = members.pressing | pressing
    with watching(progress) as watch:
        return await aprofile_members(
            members, questions, recording=recording, watch=watch, trial_only=trial_only, **pressing
        )
