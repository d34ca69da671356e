"""A pool of LlamaIndex LLMs put to many questions: each asked as the mux would ask it, every sample kept."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from llama_index.core.callbacks import CallbackManager

from llamaindex_slmmux._llm import SLMMuxLLM
from llamaindex_slmmux._question import Question
from llamaindex_slmmux._request import Completion, Reply
from llamaindex_slmmux._sampling import Sampling
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

    def __init__(self, mux: SLMMuxLLM, samples: int | dict[str, int] | None = None) -> None:
        self._mux = mux
        self.pressing: Pressing = {"max_concurrency": mux.max_concurrency, "timeout": mux.timeout}
        self.samples = mux.k if samples is None else by_label("samples", samples, mux.k)
        self.compare = mux._agreement.compare
        members = mux._ready()
        own = {label: generation_settings(member.llm) for label, member in members.items()}
        self.settings: Mapping[str, Any] = recorded_settings(mux, own)
        self._any, _ = self._sampling("")  # which samples go in one request is one for all questions

    def group(self, draws: Sequence[Draw]) -> list[Draws]:
        return self._any.group(draws)

    def call(self, question: str, draws: Draws) -> list[Came]:
        sampling, request = self._sampling(question)
        return [_came(request, reply) for reply in sampling.call(draws)]

    async def acall(self, question: str, draws: Draws) -> list[Came]:
        sampling, request = self._sampling(question)
        return [_came(request, reply) for reply in await sampling.acall(draws)]

    def _sampling(self, question: str) -> tuple[Sampling, Completion]:
        request = self._mux._completion(question, formatted=False, kwargs={})
        return Question(request, self._mux._ready(), CallbackManager([]), self._mux._pool).sampling(), request


def _came(request: Completion, reply: Reply) -> Came:
    def read() -> Answer | None:
        return request.read(reply)

    usage = reply.usage if reply.usage.get("total_tokens") else {}  # not counted is not nothing
    text = reply.response.message.content or ""
    return Came(text, read, usage.get("input_tokens"), usage.get("output_tokens"))


def profile(
    models: SLMMuxLLM | Mapping[str, Any] | Sequence[Any],
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
        models: What `SLMMuxLLM(models=...)` takes; or a mux, with its own k, temperatures and extractor.
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
        >>> from llamaindex_slmmux.testing import ScriptedLLM
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "samples.jsonl"
        >>> asked = [{"question_id": "q1", "question": "2 + 2?", "gold": "4"}]
        >>> members = {"sure": ScriptedLLM(script=["4"])}
        >>> profile(members, asked, samples=2, recording=file, progress=False).rows[1].answer
        '4'
    """
    pressing, others = split(options)
    members = _Members(asking_mux(models, SLMMuxLLM, samples, others), samples)
    pressing = members.pressing | pressing
    with watching(progress) as watch:
        return profile_members(members, questions, recording=recording, watch=watch, trial_only=trial_only, **pressing)


async def aprofile(
    models: SLMMuxLLM | Mapping[str, Any] | Sequence[Any],
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
    members = _Members(asking_mux(models, SLMMuxLLM, samples, others), samples)
    pressing = members.pressing | pressing
    with watching(progress) as watch:
        return await aprofile_members(
            members, questions, recording=recording, watch=watch, trial_only=trial_only, **pressing
        )
