"""A pool put to many questions, every sample kept: what the offline half works on.

`Campaign` says what to ask next, a `Journal` keeps what came; here are the two loops between them, on threads and on
tasks. Who the members are is the business of whoever makes the `Asker`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from os import PathLike
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Unpack

from slmmux._decision.pool import Pool
from slmmux._errors import ArgumentError
from slmmux.profiling._asker import Asker, Came, Functions
from slmmux.profiling._campaign import Request
from slmmux.profiling._pressing import Pressing
from slmmux.profiling._questions import Question, Questions, read_questions
from slmmux.profiling._run import Effort, Run, Watch
from slmmux.recording import Recording

__all__ = [
    "Asker",
    "Came",
    "Effort",
    "Pressing",
    "Question",
    "Questions",
    "Watch",
    "aprofile",
    "profile",
    "read_questions",
]

_GRACE_S = 5.0


def profile(
    models: Asker | Mapping[str, Callable[[str], str]],
    questions: Questions,
    *,
    recording: str | PathLike[str],
    samples: int | Mapping[str, int] = 5,
    extract: str | Callable[[str], Any] = "auto",
    watch: Watch | None = None,
    trial_only: bool = False,
    **pressing: Unpack[Pressing],
) -> Recording:
    """Sample every member k times on every question, and keep every sample in a file.

    Killed at any point it goes on where it was when it is called again: no sample that is in the file is asked for
    again. Calls that fail are samples with an error: they abstain. A fault that passes by itself (a time-out, a broken
    connection, too many requests) is waited out and tried again first.

    Args:
        models: Functions by label: question -> reply. LangChain and LlamaIndex members have a `profile` of their own,
            in their packages.
        questions: A `.jsonl` file, or questions: mappings with question_id, question and, to select with, gold.
        recording: The `.jsonl` file to write or to go on with.
        samples: k, or k by label; of functions.
        extract: How answers are read; of functions.
        watch: Who looks on.
        trial_only: Make the first few requests and stop: their samples are kept, and `watch` has the estimate.
        pressing: See `Pressing`.

    Returns:
        The whole recording.

    Raises:
        ArgumentError: Questions or bounds that cannot be used.
        RecordingError: The file was recorded with other settings or other questions.
        ProfilingError: A member failed in each of its first requests, and would in all of them.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "samples.jsonl"
        >>> asked = [{"question_id": "q1", "question": "2 + 2?", "gold": "4"}]
        >>> profile({"sure": lambda question: "4"}, asked, samples=2, recording=file).rows[1].answer
        '4'
    """
    asker = _asker(models, samples, extract)
    with Run(asker, questions, Path(recording), watch, pressing, trial_only=trial_only) as run:
        pool = Pool(run.most)
        arrivals: SimpleQueue[Request] = SimpleQueue()
        running: dict[Request, Future[Sequence[Came]]] = {}

        def start(request: Request) -> None:
            running[request] = future = pool.submit(lambda: asker.call(run.text(request), request.draws))
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
                    pool.abandon(running.pop(late))
        finally:
            pool.abandon(*running.values())
    return Recording.load(recording)


async def aprofile(
    models: Asker | Mapping[str, Callable[[str], str]],
    questions: Questions,
    *,
    recording: str | PathLike[str],
    samples: int | Mapping[str, int] = 5,
    extract: str | Callable[[str], Any] = "auto",
    watch: Watch | None = None,
    trial_only: bool = False,
    **pressing: Unpack[Pressing],
) -> Recording:
    """Sample every member on every question from an event loop; arguments, result and errors are those of `profile`."""
    asker = _asker(models, samples, extract)
    with Run(asker, questions, Path(recording), watch, pressing, trial_only=trial_only) as run:
        running: dict[Request, asyncio.Task[Sequence[Came]]] = {}
        cancelled: list[asyncio.Task[Sequence[Came]]] = []
        try:
            while run.goes_on():
                for request in run.start():
                    running[request] = asyncio.ensure_future(asker.acall(run.text(request), request.draws))
                wait = run.wait()
                if running:
                    await asyncio.wait(running.values(), timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                else:
                    await asyncio.sleep(wait or 0)
                for request in [request for request, task in running.items() if task.done()]:
                    outcome = _outcome(running.pop(request))
                    if asker.compare is None:
                        run.take(request, outcome)
                    else:  # a comparison may take long, and nobody else touches the run meanwhile
                        await asyncio.to_thread(run.take, request, outcome)
                for late in run.overdue(request for request, task in running.items() if not task.done()):
                    cancelled.append(running.pop(late))
                    cancelled[-1].cancel()
        finally:
            await _ended([*cancelled, *running.values()])
    return Recording.load(recording)


def _asker(
    models: Asker | Mapping[str, Callable[[str], str]],
    samples: int | Mapping[str, int],
    extract: str | Callable[[str], Any],
) -> Asker:
    if isinstance(models, Mapping):
        return Functions(models, samples, extract)
    if not hasattr(models, "group"):
        raise ArgumentError(
            f"models must be functions by label, found {type(models).__name__}; chat models go to the `profile` of "
            "langchain_slmmux or llamaindex_slmmux"
        )
    return models


async def _ended(tasks: Sequence[asyncio.Task[Sequence[Came]]]) -> None:
    """Cancel tasks and wait for their end, but not for ever: a member may swallow its cancellation."""
    for task in tasks:
        task.cancel()
    ended = (await asyncio.wait(tasks, timeout=_GRACE_S))[0] if tasks else ()
    for task in ended:
        if not task.cancelled():
            task.exception()  # seen: it concerns nobody any more


def _outcome(done: Future[Sequence[Came]] | asyncio.Task[Sequence[Came]]) -> Sequence[Came] | BaseException:
    if done.cancelled():
        return asyncio.CancelledError("the call was cancelled")
    error = done.exception()
    return done.result() if error is None else error
