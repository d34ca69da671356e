"""Tokens are counted once in whatever listens, under the model that used them, with what was cached and thought."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.tracers import LangChainTracer
from langchain_openai import ChatOpenAI
from langsmith import Client

from langchain_slmmux import SLMMuxChatModel
from tests.servers.loopback import Loopback, Request, Response, serving
from tests.servers.openai_chat import openai_chat
from tests.servers.replies import Fault, Reply


@contextmanager
def pool(**options: Any) -> Iterator[tuple[SLMMuxChatModel, Loopback]]:
    """Yield a mux of two models of OpenAI's, whose server counts 10 and 5 tokens a request, 4 cached and 3 thought."""
    with serving(openai_chat, [Reply("Oslo", reasoning="Hm.")]) as server:
        members = {
            name: ChatOpenAI(model=name, base_url=f"{server.url}/v1", api_key="k", max_retries=0)
            for name in ("cheap", "dear")
        }
        yield SLMMuxChatModel(models=members, samples=2, wait="exhausted", **options), server


def requests_by_model(server: Loopback) -> Counter[str]:
    """Return how often each model was asked."""
    return Counter(request.body["model"] for request in server.requests)


@pytest.mark.parametrize("trace_samples", [True, False])
def test_a_usage_handler_books_tokens_to_no_model_that_did_not_use_them(trace_samples: bool) -> None:
    """A usage handler counts each request once; traced, under its own model, with cached and thought tokens."""
    with pool(trace_samples=trace_samples) as (mux, server), get_usage_metadata_callback() as usage:
        mux.invoke("Capital of Norway?")
        asked = requests_by_model(server)
    assert sum(counted["total_tokens"] for counted in usage.usage_metadata.values()) == 15 * asked.total()
    if trace_samples:
        assert {name: counted["input_tokens"] for name, counted in usage.usage_metadata.items()} == {
            name: 10 * times for name, times in asked.items()
        }
        for name, counted in usage.usage_metadata.items():
            assert counted["input_token_details"]["cache_read"] == 4 * asked[name]
            assert counted["output_token_details"]["reasoning"] == 3 * asked[name]
    else:
        assert not {"cheap", "dear"} & set(usage.usage_metadata)


def test_langsmith_is_told_of_each_request_once():
    """The runs that LangSmith gets over its own client add up to what was paid, and each sample's says its model."""
    with serving(_langsmith, []) as smith, pool() as (mux, server):
        tracer = LangChainTracer(client=Client(api_url=smith.url, api_key="k", auto_batch_tracing=False))
        message = mux.invoke("Capital of Norway?", {"callbacks": [tracer]})
        tracer.wait_for_futures()
        asked = requests_by_model(server)
        told = [usage for request in smith.requests for usage in _usages(request)]
    assert sum(usage["total_tokens"] for usage in told) == 15 * asked.total()
    assert message.response_metadata["slmmux"]["usage"]["total_tokens"] == 15 * asked.total()


def _langsmith(request: Request, take: Callable[[], Reply | Fault]) -> Response:
    return Response.of({"version": "0.1", "instance_flags": {}})


def _usages(request: Request) -> Iterator[dict[str, Any]]:
    """Yield the usage of the messages that a finished run brought."""
    outputs = (request.body or {}).get("outputs") if request.method == "PATCH" else None
    for row in (outputs or {}).get("generations", []):
        for generation in row:
            if usage := generation["message"]["kwargs"].get("usage_metadata"):
                yield usage
