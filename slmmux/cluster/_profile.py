"""The driver: model after model, it sends missing samples through Ray Data, and writes each as it comes."""

# Ray is an extra that the environment of the tests does without.
# pyright: reportMissingImports=false

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from slmmux import answers
from slmmux._decision.types import Answer, Draw
from slmmux._errors import ArgumentError, ProfilingError, SampleError
from slmmux.cluster._engine import NO_COUNT, Asker
from slmmux.cluster._pool import PoolConfig
from slmmux.cluster._vllm import config_of, replies_of, requests_of
from slmmux.profiling import Completion, Questions
from slmmux.profiling._campaign import PlannedRequest
from slmmux.profiling._journal import Journal
from slmmux.profiling._questions import Question, questions_of
from slmmux.profiling._run import TRIAL, check_questions
from slmmux.profiling._samples import Samples
from slmmux.recording import Recording
from slmmux.recording._row import Row

__all__ = ["profile_on_ray"]

# Replies of a model to the items of a list, in any order; an item has the place of its question, an index and a text.
Replies: TypeAlias = Callable[[PoolConfig, str, list[dict[str, Any]]], Iterable[Mapping[str, Any]]]
Came: TypeAlias = Callable[[str, int, int], None]


class _RemoteError(Exception):
    """A request that failed in an actor; its text is the error there."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What `Samples` reads of a pool."""

    settings: Mapping[str, Any]
    compare: None = None


def profile_on_ray(
    pool: PoolConfig,
    questions: Questions,
    *,
    recording: str | PathLike[str],
    came: Came | None = None,
    replies: Replies | None = None,
) -> Recording:
    """Sample every model of a pool on every question with Ray Data, one model after another.

    Ray runs on the cluster that the variable RAY_ADDRESS names, else on this machine. After an interruption, call it
    again with the same arguments: samples that are in the file are not asked for again.

    Args:
        pool: The models and their engines.
        questions: As for `slmmux.profile`.
        recording: The `.jsonl` file to write, or to continue.
        came: Called with a label, a number of samples and how many of them failed, as they come.
        replies: Gives the replies in the place of Ray.

    Returns:
        The whole recording.

    Raises:
        ArgumentError: The extra `ray` is not installed, or the questions cannot be used.
        RecordingError: The file was recorded with other settings or other questions.
        ProfilingError: A model failed in each of its first requests. Nothing of it is written; the other models were
            sampled all the same.
    """
    items = questions_of(questions)
    answers.reader(pool.extract)  # an extractor that does not exist is reported before a request
    replies = _ray_replies() if replies is None else replies
    dead: list[SampleError] = []
    with Journal(Path(recording), pool.settings()) as journal:
        check_questions(Path(recording), journal.recording, items)
        done = {(row.model, row.question_id, row.sample_index) for row in journal.recording.rows}
        for label in pool.models:
            missing = [
                {"place": place, "index": index, "question": question.question}
                for place, question in enumerate(items)
                for index in range(pool.samples_of(label))
                if (label, question.question_id, index) not in done
            ]
            if missing:
                rows = _rows(pool, label, items, replies(pool, label, missing))
                is_alive = any(model == label for model, _, _ in done)
                dead += _written(journal, label, rows, came, is_alive=is_alive)
        whole = journal.recording.continued(journal.rows)
    if dead:
        raise ProfilingError(dead)
    return whole


def _rows(
    pool: PoolConfig,
    label: str,
    questions: Sequence[Question],
    replies: Iterable[Mapping[str, Any]],
) -> Iterator[Row]:
    """Yield the rows of a model's replies."""
    samples = Samples(_Plan(pool.settings()), questions)  # type: ignore[arg-type] # it makes no request
    for reply in map(replies_of, replies):
        place, draw = int(reply["place"]), Draw(label, int(reply["index"]))
        request, seconds = PlannedRequest(place, (draw,)), float(reply["seconds"])
        if reply["error"]:
            row = samples.failed(request, draw, _RemoteError(), seconds)
            yield replace(row, error=str(reply["error"]))
            continue
        text, question = str(reply["text"]), questions[place].question
        sent, received = (
            None if reply[name] == NO_COUNT else int(reply[name]) for name in ("input_tokens", "output_tokens")
        )
        completion = Completion(text, _reading(pool.extract, text, question), sent, received)
        yield samples.row(request, draw, completion, seconds)[0]


def _reading(extract: str, text: str, question: str) -> Callable[[], Answer | None]:
    return lambda: answers.reader(extract, question=question)(text)


def _written(
    journal: Journal, label: str, rows: Iterable[Row], came: Came | None, *, is_alive: bool
) -> list[SampleError]:
    """Write a model's rows; return its first failures if it never succeeded, of which nothing is written."""
    waiting: list[Row] = []
    for row in rows:
        waiting.append(row)
        is_alive = is_alive or row.error is None
        if is_alive:
            journal.write(waiting)
            if came is not None:
                came(label, len(waiting), sum(each.error is not None for each in waiting))
            waiting = []
        elif len(waiting) >= TRIAL:
            break
    return [SampleError(label, row.sample_index, _RemoteError(row.error)) for row in waiting]


def _ray_replies() -> Replies:
    """Return the replies of Ray Data, on the cluster or on this machine."""
    try:
        import ray  # noqa: PLC0415 - an extra
        import ray.data  # noqa: PLC0415
    except ImportError:
        raise ArgumentError('a profile with --engine ray needs Ray: pip install "slmmux[ray]"') from None
    if not ray.is_initialized():
        # A Ray of this machine alone needs no dashboard; one that is there already has its own.
        options: dict[str, Any] = {} if os.environ.get("RAY_ADDRESS") else {"include_dashboard": False}
        with _in_a_sentence("Ray cannot be started or reached"):
            ray.init(log_to_driver=False, **options)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False

    def replies(pool: PoolConfig, label: str, items: list[dict[str, Any]]) -> Iterator[Mapping[str, Any]]:
        own = pool.models[label]
        # As many blocks as there are batches, so that each actor has one while others wait.
        data: Any = ray.data.from_items(items, override_num_blocks=max(1, -(-len(items) // pool.batch)))
        if own.vllm is not None:
            from ray.data.llm import build_processor, vLLMEngineProcessorConfig  # noqa: PLC0415 - it imports vLLM

            processor = build_processor(
                vLLMEngineProcessorConfig(**config_of(pool, label)),
                preprocess=requests_of(pool, label),
                postprocess=replies_of,
            )
            data = processor(data)
        else:
            data = data.map_batches(
                Asker,
                fn_constructor_args=(pool, label),
                batch_size=pool.batch,
                batch_format="numpy",
                compute=ray.data.ActorPoolStrategy(size=own.actors or pool.actors),
                # An actor mostly waits for an address, whose machine does the work.
                num_cpus=0.5,
            )
        with _in_a_sentence(f"Ray broke off at {label}; the samples so far are in the file"):
            yield from data.iter_rows()

    return replies


@contextmanager
def _in_a_sentence(what: str) -> Iterator[None]:
    """Raise an error of Ray's, which may be of any class, as a sentence: the last line that says what was wrong."""
    try:
        yield
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = f"{type(error).__name__}: {lines[-1] if lines else 'no reason given'}"
        raise ArgumentError(f"{what} ({reason:.400}); fix the cause and run the same command again") from error
