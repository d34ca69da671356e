"""What an actor does with a batch of questions: it asks an address, or a function, for a reply to each.

An actor is made on some machine of the cluster. A failed request is a reply with an error, never a failed batch.
"""

import importlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

from slmmux._errors import quote
from slmmux.cluster._pool import PoolConfig

__all__ = ["COLUMNS", "NO_COUNT", "Asker", "messages_of"]

# (reply, input tokens, output tokens)
Reply: TypeAlias = tuple[str, int | None, int | None]
Ask: TypeAlias = Callable[[str], Reply]

# A batch is made of columns of one type each, so that a count that is not known is a number too.
COLUMNS = ("place", "index", "text", "error", "input_tokens", "output_tokens", "seconds")
NO_COUNT = -1


class Asker:
    """An actor of a model that is reached by an address or is a function.

    Args:
        pool: The pool.
        label: The model's label.
    """

    def __init__(self, pool: PoolConfig, label: str) -> None:
        own = pool.models[label]
        self._key = os.environ.get(own.api_key_env, "") if own.api_key_env is not None else ""
        if own.function is not None:
            self._ask = _asker_of_function(own.function)
        else:
            self._ask = _asker_of_address(pool, label, self._key)
        self._threads = ThreadPoolExecutor(own.concurrency)

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        """Return the replies to a batch of questions, in its order."""
        places, indexes, questions = ([*batch[name]] for name in ("place", "index", "question"))
        replies = self._threads.map(self._reply, map(str, questions))
        rows = [(int(p), int(i), *reply) for p, i, reply in zip(places, indexes, replies, strict=True)]
        return {name: [row[column] for row in rows] for column, name in enumerate(COLUMNS)}

    def _reply(self, question: str) -> tuple[str, str, int, int, float]:
        start = time.monotonic()
        text, error, sent, received = "", "", None, None
        try:
            text, sent, received = self._ask(question)
        except Exception as fault:  # noqa: BLE001 - a member's fault is a sample's error, never the batch's
            error = quote(fault)
        if self._key:  # a server that echoes what it was sent gets no secret into the recording
            text, error = (part.replace(self._key, "***") for part in (text, error))
        counts = (NO_COUNT if count is None else count for count in (sent, received))
        return text, error, *counts, round(time.monotonic() - start, 4)


def _asker_of_function(name: str) -> Ask:
    module, _, function = name.partition(":")
    reply = getattr(importlib.import_module(module), function)

    def ask(question: str) -> Reply:
        text = reply(question)
        if not isinstance(text, str):
            raise TypeError(f"{name} returned a {type(text).__name__}, not a text")
        return text, None, None

    return ask


def _asker_of_address(pool: PoolConfig, label: str, key: str) -> Ask:
    from openai import OpenAI  # noqa: PLC0415 - an extra

    own = pool.models[label]
    client = OpenAI(base_url=own.url, api_key=key or "none", timeout=own.timeout, max_retries=own.retries)
    options = pool.generation_of(label)

    def ask(question: str) -> Reply:
        completion = client.chat.completions.create(
            model=own.model or "", messages=messages_of(pool, question), **options
        )
        usage = completion.usage
        return (
            completion.choices[0].message.content or "",
            usage.prompt_tokens if usage is not None else None,
            usage.completion_tokens if usage is not None else None,
        )

    return ask


def messages_of(pool: PoolConfig, question: str) -> list[Any]:
    """Return the messages of a request."""
    system = [{"role": "system", "content": pool.system_prompt}] if pool.system_prompt else []
    return [*system, {"role": "user", "content": question}]
