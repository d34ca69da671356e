"""What others do with the same LLMs, measured beside the mux: every call is asked as the mux would ask it."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from llamaindex_slmmux._llm import SLMMuxLLM
from slmmux._mux.offline.compare import METHODS, Comparison, Questions, Watch, compare_mux

__all__ = ["compare"]


def compare(
    models: SLMMuxLLM | Mapping[str, Any] | Sequence[Any],
    questions: Questions,
    *,
    folder: str | PathLike[str],
    methods: Sequence[str] = METHODS,
    samples: int | dict[str, int] | None = None,
    rounds: int = 2,
    layers: int = 3,
    progress: bool | Watch = True,
    **options: Any,
) -> Comparison:
    """Put the same questions to the same members by several methods, and return how often each is right and its cost.

    Every call is written to a recording in `folder`. After an interruption, call it again with the same arguments: it
    continues. The methods are those of `slmmux.compare`.

    Args:
        models: What `SLMMuxLLM(models=...)` takes, best first; or a mux, with its own k, temperatures and extractor.
        questions: A `.jsonl` file, or mappings with question_id, question and gold.
        folder: The folder of the recordings; it is made if it does not exist.
        methods: Some of "single" (every member alone), "mux", "forest", "moa", "debate", "verify", "fuse", "best".
        samples: k, or k by label; without it a mux's own, else 5.
        rounds: The rounds of a debate, the first answers included.
        layers: The layers of Mixture-of-Agents, the last one, which the first member writes, included.
        progress: Whether to show bars for each stage, or an observer to use instead.
        options: concurrency, requests_per_minute, max_concurrency, retries, timeout: how hard members are pressed (see
            `slmmux.profiling.Pressing`). Others are arguments of the mux that asks: temperature, system_prompt, ...

    Returns:
        The methods' results.

    Raises:
        ArgumentError: Members, questions, methods or options that cannot be used.
        RecordingError: The folder holds recordings of other members, settings or questions.
        ProfilingError: A member failed in each of its first requests.

    Example:
        >>> import tempfile
        >>> from llamaindex_slmmux.testing import ScriptedLLM
        >>> members = {"sure": ScriptedLLM(script=["4"])}
        >>> questions = [{"question_id": "q1", "question": "2 + 2?", "gold": "4"}]
        >>> result = compare(members, questions, folder=tempfile.mkdtemp(), methods=["mux", "fuse"], progress=False)
        >>> [(each.method, each.accuracy(), each.calls) for each in result.methods]
        [('mux', 1.0, 5.0), ('fuse', 1.0, 2.0)]
    """
    return compare_mux(
        SLMMuxLLM,
        models,
        questions,
        folder=folder,
        methods=methods,
        samples=samples,
        rounds=rounds,
        layers=layers,
        progress=progress,
        options=options,
    )
