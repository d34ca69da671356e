"""A model in vLLM as Ray Data's processor takes it: its configuration, its requests and its replies.

There is no GPU where this package is tested: the names here are checked against Ray's own classes and signatures, and
the processor itself is not run.
"""

from collections.abc import Callable, Mapping
from typing import Any

from slmmux.cluster._engine import NO_COUNT, messages_of
from slmmux.cluster._pool import PoolConfig

__all__ = ["config_of", "replies_of", "requests_of"]

_ERROR = "__inference_error__"  # Ray's column for a request that failed


def config_of(pool: PoolConfig, label: str) -> dict[str, Any]:
    """Return the arguments of `ray.data.llm.vLLMEngineProcessorConfig`."""
    own = pool.models[label]
    config: dict[str, Any] = {
        "model_source": own.vllm,
        "engine_kwargs": own.engine,
        "concurrency": own.actors or pool.actors,
        "batch_size": pool.batch,
        "should_continue_on_error": True,  # a request that fails is a failed sample, and its batch goes on
    }
    return config if own.accelerator is None else {**config, "accelerator_type": own.accelerator}


def requests_of(pool: PoolConfig, label: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Return the function of `build_processor(preprocess=...)`."""
    sampling = pool.generation_of(label)
    return lambda row: {"messages": messages_of(pool, str(row["question"])), "sampling_params": sampling}


def replies_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the profile reads of a processor's row; `build_processor(postprocess=replies_of)`.

    Rows of failed requests bypass Ray's postprocess, so the driver calls this for all rows.
    """
    if "text" in row and "seconds" in row:
        return dict(row)
    seconds = row.get("time_taken_llm")
    return {
        "place": row["place"],
        "index": row["index"],
        "text": row.get("generated_text") or "",
        "error": row.get(_ERROR) or "",
        "input_tokens": _count(row.get("num_input_tokens")),
        "output_tokens": _count(row.get("num_generated_tokens")),
        "seconds": float(seconds) if seconds is not None and seconds >= 0 else 0.0,
    }


def _count(value: Any) -> int:
    return NO_COUNT if value is None else int(value)
