"""A pool of LangChain chat models put to many questions: each asked as the mux would ask it, every sample kept."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from langchain_slmmux._chat_model import SLMMuxChatModel
from slmmux import Recording
from slmmux._mux.offline.profile import Questions, Watch, aprofile_mux, profile_mux

__all__ = ["aprofile", "profile"]


def profile(
    models: SLMMuxChatModel | Mapping[str, Any] | Sequence[Any],
    questions: Questions,
    *,
    recording: str | PathLike[str],
    samples: int | dict[str, int] | None = None,
    progress: bool | Watch = True,
    trial_only: bool = False,
    retry_failed: bool = False,
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
        retry_failed: Request the failed samples of the file again. Their rows stay in it, as the recording's history.
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
    return profile_mux(
        SLMMuxChatModel,
        models,
        questions,
        recording=recording,
        samples=samples,
        progress=progress,
        trial_only=trial_only,
        retry_failed=retry_failed,
        options=options,
    )


async def aprofile(
    models: SLMMuxChatModel | Mapping[str, Any] | Sequence[Any],
    questions: Questions,
    *,
    recording: str | PathLike[str],
    samples: int | dict[str, int] | None = None,
    progress: bool | Watch = True,
    trial_only: bool = False,
    retry_failed: bool = False,
    **options: Any,
) -> Recording:
    """Sample every member on every question from an event loop; arguments, result and errors are those of `profile`."""
    return await aprofile_mux(
        SLMMuxChatModel,
        models,
        questions,
        recording=recording,
        samples=samples,
        progress=progress,
        trial_only=trial_only,
        retry_failed=retry_failed,
        options=options,
    )
