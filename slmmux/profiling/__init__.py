"""Sample a pool of models on many questions and record every sample; the offline half starts from such a recording.

`Campaign` decides which requests come next and `Journal` writes the samples. Here are the two loops between them, on
threads and on tasks. A `MemberPool` makes the requests, so this package knows no framework.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial
from os import PathLike
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar, Unpack

from slmmux._decision.pool import Pool
from slmmux._errors import ArgumentError
from slmmux.profiling._asker import Completion, Functions, MemberPool
from slmmux.profiling._campaign import PlannedRequest
from slmmux.profiling._presets import PRESETS, Preset, preset_of
from slmmux.profiling._pressing import Pressing
from slmmux.profiling._questions import Question, Questions, read_questions
from slmmux.profiling._run import Effort, Run, Watch
from slmmux.recording import Recording

__all__ = [
    "PRESETS",
    "Asker",
    "Came",
    "Completion",
    "Effort",
    "Functions",
    "MemberPool",
    "Preset",
    "Pressing",
    "Question",
    "Questions",
    "Watch",
    "aprofile",
    "preset_of",
    "profile",
    "read_questions",
]

T = TypeVar("T")

# The names under which these two were first published.
Asker = MemberPool
Came = Completion

_GRACE_S = 5.0  # The time that cancelled calls have to end.


def profile(
    models: MemberPool | Mapping[str, Callable[[str], str]],
    questions: Questions,
    *,
    recording: str | PathLike[str],
    samples: int | Mapping[str, int] = 5,
    extract: str | Callable[[str], Any] = "auto",
    watch: Watch | None = None,
    trial_only: bool = False,
    retry_failed: bool = False,
    **pressing: Unpack[Pressing],
) -> Recording:
    """Sample every member k times on every question, and write every sample to a file.

    After an interruption, call it again with the same arguments: it continues, and repeats no sample that is in the
    file. A call that fails is recorded as a sample with an error, which abstains. A temporary fault (a time-out, a
    broken connection, too many requests) is first tried again after a pause.

    Args:
        models: Functions by label: question -> reply. For LangChain and LlamaIndex members, use the `profile` of their
            package.
        questions: A `.jsonl` file, or mappings with question_id, question and, if you want to select models, gold.
        recording: The `.jsonl` file to write, or to continue.
        samples: k, or k by label; only for functions.
        extract: The extractor that reads the answers; only for functions.
        watch: An observer of the progress.
        trial_only: Make only the first few requests; their samples are recorded, and `watch` receives the estimate.
        retry_failed: Request the failed samples of the file again. Their rows stay in it, as the recording's history.
        pressing: Limits on the rate and number of requests; see `Pressing`.

    Returns:
        The whole recording.

    Raises:
        ArgumentError: The questions or limits cannot be used.
        RecordingError: The file was recorded with other settings or other questions.
        ProfilingError: A member failed in each of its first requests, so the rest was not tried.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "samples.jsonl"
        >>> questions = [{"question_id": "q1", "question": "2 + 2?", "gold": "4"}]
        >>> profile({"sure": lambda question: "4"}, questions, samples=2, recording=file).rows[1].answer
        '4'
    """
    pool = _member_pool(models, samples, extract)
    with Run(
        pool, questions, Path(recording), watch, pressing, trial_only=trial_only, retry_failed=retry_failed
    ) as run:
        threads = Pool(run.most)
        arrivals: SimpleQueue[PlannedRequest] = SimpleQueue()
        running: dict[PlannedRequest, Future[Sequence[Completion]]] = {}

        def start(request: PlannedRequest) -> None:
            running[request] = future = threads.submit(lambda: pool.call(run.text(request), request.draws))
            future.add_done_callback(lambda _: arrivals.put(request))

        try:
            while run.goes_on():
                for request in run.start():
                    start(request)
                try:
                    request = arrivals.get(timeout=run.wait())
                except Empty:
                    pass
                else:
                    if request in running:
                        run.take(request, _outcome(running.pop(request)))
                for late in run.overdue(request for request, future in running.items() if not future.done()):
                    threads.abandon(running.pop(late))
        finally:
            threads.abandon(*running.values())
    return run.recording


async def aprofile(
    models: MemberPool | Mapping[str, Callable[[str], str]],
    questions: Questions,
    *,
    recording: str | PathLike[str],
    samples: int | Mapping[str, int] = 5,
    extract: str | Callable[[str], Any] = "auto",
    watch: Watch | None = None,
    trial_only: bool = False,
    retry_failed: bool = False,
    **pressing: Unpack[Pressing],
) -> Recording:
    """Sample every member on every question from an event loop, with the arguments and errors of `profile`.

    Files are read and written, and replies read and compared, on threads, one after another; `watch` is called there.
    """
    pool = _member_pool(models, samples, extract)
    runs: list[Run] = []

    with ExitStack() as stack:

        def open_run() -> None:
            path = Path(recording)
            run = Run(pool, questions, path, watch, pressing, trial_only=trial_only, retry_failed=retry_failed)
            runs.append(stack.enter_context(run))  # closed with the stack, even if the task was cancelled meanwhile

        await _beside(open_run)
        (run,) = runs
        running: dict[PlannedRequest, asyncio.Task[Sequence[Completion]]] = {}
        abandoned: list[asyncio.Task[Sequence[Completion]]] = []
        try:
            while run.goes_on():
                for request in run.start():
                    running[request] = asyncio.ensure_future(pool.acall(run.text(request), request.draws))
                wait = run.wait()
                if running:
                    await asyncio.wait(running.values(), timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                else:
                    await asyncio.sleep(wait or 0)
                for request in [request for request, task in running.items() if task.done()]:
                    await _beside(partial(run.take, request, _outcome(running.pop(request))))
                for late in run.overdue(request for request, task in running.items() if not task.done()):
                    abandoned.append(running.pop(late))
                    abandoned[-1].cancel()
        finally:
            await _cancel([*abandoned, *running.values()])
    return await _beside(lambda: run.recording)


async def _beside(work: Callable[[], T]) -> T:
    """Do work that may block on a thread, and wait for its end, also if cancelled: nothing else may touch the run."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _member_pool(
    models: MemberPool | Mapping[str, Callable[[str], str]],
    samples: int | Mapping[str, int],
    extract: str | Callable[[str], Any],
) -> MemberPool:
    if isinstance(models, Mapping):
        return Functions(models, samples, extract)
    if not hasattr(models, "group"):
        raise ArgumentError(
            f"models must be functions by label, received {type(models).__name__}; for chat models, use the `profile` "
            "of langchain_slmmux or llamaindex_slmmux"
        )
    return models


async def _cancel(tasks: Sequence[asyncio.Task[Sequence[Completion]]]) -> None:
    """Cancel the tasks and wait for their end, but only for a while: a member may ignore its cancellation."""
    for task in tasks:
        task.cancel()
    ended = (await asyncio.wait(tasks, timeout=_GRACE_S))[0] if tasks else ()
    for task in ended:
        if not task.cancelled():
            task.exception()  # Fetched, so that asyncio does not warn about it; the run is over.


def _outcome(
    call: Future[Sequence[Completion]] | asyncio.Task[Sequence[Completion]],
) -> Sequence[Completion] | BaseException:
    if call.cancelled():
        return asyncio.CancelledError("the call was cancelled")
    error = call.exception()
    return call.result() if error is None else error
