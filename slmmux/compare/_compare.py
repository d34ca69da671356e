"""Compare the mux with what others do, on the same members, samples and questions."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Unpack

from slmmux._errors import ArgumentError, did_you_mean
from slmmux.compare._calls import Calls
from slmmux.compare._comparison import Comparison, result_of
from slmmux.compare._methods import BY_NAME, Method, Samples, single
from slmmux.profiling import MemberPool, Pressing, Questions, Watch
from slmmux.profiling._asker import Functions
from slmmux.profiling._questions import questions_of

__all__ = ["METHODS", "compare"]

METHODS: tuple[str, ...] = ("single", *BY_NAME)
"""The names of the methods."""


def compare(
    models: MemberPool | Mapping[str, Callable[[str], str]],
    questions: Questions,
    *,
    folder: str | PathLike[str],
    methods: Sequence[str] = METHODS,
    samples: int | Mapping[str, int] = 5,
    rounds: int = 2,
    layers: int = 3,
    extract: str | Callable[[str], Any] = "auto",
    watch: Watch | None = None,
    **pressing: Unpack[Pressing],
) -> Comparison:
    """Put the same questions to the same members by several methods, and return how often each is right and its cost.

    Every call is written to a recording in `folder`. After an interruption, call it again with the same arguments: it
    continues. Samples that several methods start from are requested once, and counted for each of them.

    Args:
        models: Functions by label, best first: question -> reply. For LangChain and LlamaIndex members, use the
            `compare` of their package.
        questions: A `.jsonl` file, or mappings with question_id, question and gold.
        folder: The folder of the recordings; it is made if it does not exist.
        methods: Some of "single" (every member alone), "mux", "forest", "moa", "debate", "verify", "fuse", "best".
        samples: k, or k by label; only for functions.
        rounds: The rounds of a debate, the first answers included.
        layers: The layers of Mixture-of-Agents, the last one, which the first member writes, included.
        extract: The extractor that reads answers.
        watch: An observer of the progress of each stage.
        pressing: Limits on the rate and number of requests; see `slmmux.profiling.Pressing`.

    Returns:
        The methods' results.

    Raises:
        ArgumentError: A method does not exist, a question has no gold answer, or rounds or layers are below 2.
        RecordingError: The folder holds recordings of other members, settings or questions.
        ProfilingError: A member failed in each of its first requests.

    Example:
        >>> import tempfile
        >>> questions = [{"question_id": "q1", "question": "2 + 2?", "gold": "4"}]
        >>> members = {"sure": lambda question: "4", "wrong": lambda question: "5"}
        >>> result = compare(members, questions, folder=tempfile.mkdtemp(), methods=["single", "mux"], samples=2)
        >>> [(each.method, each.accuracy(), each.calls) for each in result.methods]
        [('single:sure', 1.0, 2.0), ('single:wrong', 0.0, 2.0), ('mux', 1.0, 4.0)]
    """
    names = _checked(methods)
    for name, value in (("rounds", rounds), ("layers", layers)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 2:  # noqa: PLR2004 - one is no exchange
            raise ArgumentError(f"{name} must be at least 2, received {value!r}; with 1 no model reads another's reply")
    items = questions_of(questions)
    if without := [item.question_id for item in items if item.gold is None]:
        raise ArgumentError(f"question {without[0]!r} has no gold answer; without it nothing can be compared")
    pool = Functions(models, samples, extract) if isinstance(models, Mapping) else models
    calls = Calls(pool, items, Path(folder), extract=extract, watch=watch, pressing=pressing)
    start = Samples(calls, calls.samples(), rounds, layers)
    to_run: dict[str, Method] = {}
    for name in names:
        if name == "single":
            to_run |= {f"single:{model}": partial(single, model=model) for model in calls.models}
        else:
            to_run[name] = BY_NAME[name]
    return Comparison(
        calls.models, len(items), tuple(result_of(name, method(start), items) for name, method in to_run.items())
    )


def _checked(methods: Sequence[str]) -> tuple[str, ...]:
    names = (methods,) if isinstance(methods, str) else tuple(dict.fromkeys(methods))
    if not names:
        raise ArgumentError(f"there are no methods; write some of {', '.join(METHODS)}")
    for name in names:
        if name not in METHODS:
            hint = did_you_mean(name, METHODS)
            raise ArgumentError(
                f"the method {name!r} does not exist; {hint and hint + ' '}write some of {', '.join(METHODS)}"
            )
    return names
