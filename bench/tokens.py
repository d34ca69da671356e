"""The saving by `n`: prompt tokens of k completions in one request, divided by those of k requests, on loopback.

python -m bench.tokens
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from langchain_openai import ChatOpenAI
from llama_index.core.base.llms.types import ChatMessage
from llama_index.llms.openai_like import OpenAILike

from bench.cli import main
from bench.row import Row
from langchain_slmmux import SLMMuxChatModel
from llamaindex_slmmux import SLMMuxLLM
from tests.langchain.openai_server import serving

__all__ = ["rows"]

SAMPLES = (2, 5, 10)
QUESTION = "What is 2 + 2?"


def rows(*, short: bool = False) -> list[Row]:
    """Return the ratios of prompt tokens. They are exact, so the short form measures them too."""
    results = []
    for k in SAMPLES[:2] if short else SAMPLES:
        for name, mux_tokens, member_tokens in (
            ("`invoke`", _invoke, _alone),
            ("`ainvoke`", lambda url, k: asyncio.run(_ainvoke(url, k)), _alone),
            ("LlamaIndex `chat`", _chat, _llamaindex_alone),
        ):
            with serving(["4"]) as one, serving(["4"]) as many:
                tokens, plain = mux_tokens(one.url, k), member_tokens(many.url, k)
                assert len(one.requests) == 1
                assert [request.get("n") for request in one.requests] == [k]
                assert len(many.requests) == k == one.completions == many.completions
            assert tokens * k == plain, f"{tokens} prompt tokens for {k} samples, {plain} in {k} requests"
            results.append(
                Row(
                    f"prompt tokens of {k} samples with `n`, {name}, over {k} requests of the member's own",
                    tokens / plain,
                    1 / k,
                    note="As the server counted them; one request.",
                )
            )
    return results


def _openai(url: str) -> ChatOpenAI:
    return ChatOpenAI(model="m", base_url=url, api_key="none", temperature=0.7)


def _like(url: str) -> OpenAILike:
    return OpenAILike(model="m", api_base=url, api_key="none", is_chat_model=True, temperature=0.7)


def _alone(url: str, k: int) -> int:
    member = _openai(url)
    return sum((member.invoke(QUESTION).usage_metadata or {"input_tokens": 0})["input_tokens"] for _ in range(k))


def _invoke(url: str, k: int) -> int:
    return _input_tokens(SLMMuxChatModel(models={"a": _openai(url)}, samples=k, wait="exhausted").invoke(QUESTION))


async def _ainvoke(url: str, k: int) -> int:
    mux = SLMMuxChatModel(models={"a": _openai(url)}, samples=k, wait="exhausted")
    return _input_tokens(await mux.ainvoke(QUESTION))


def _input_tokens(message: Any) -> int:
    return int(message.response_metadata["slmmux"]["usage"]["input_tokens"])


def _llamaindex_alone(url: str, k: int) -> int:
    member = _like(url)
    return sum(int(member.chat(_question()).raw.usage.prompt_tokens) for _ in range(k))


def _chat(url: str, k: int) -> int:
    mux = SLMMuxLLM(models={"a": _like(url)}, samples=k, wait="exhausted")
    return int(mux.chat(_question()).raw["slmmux"]["usage"]["input_tokens"])


def _question() -> Sequence[ChatMessage]:
    return [ChatMessage(role="user", content=QUESTION)]


if __name__ == "__main__":
    main("tokens", rows)
