"""Tokens are counted once in whatever listens, streamed or not; and the pipelines that count on a pickle run."""

from typing import Any

import pytest
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.extractors import KeywordExtractor
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.llms import ChatMessage
from llama_index.core.schema import TextNode
from llama_index.llms.openai_like import OpenAILike

from llamaindex_slmmux import SLMMuxLLM
from tests.servers.loopback import serving
from tests.servers.openai_chat import openai_chat
from tests.servers.replies import Reply
from tests.spans import spans

QUESTION = [ChatMessage("Capital of Norway?")]


def member(url: str, name: str = "m") -> OpenAILike:
    """Return an LLM whose server counts 10 and 5 tokens a request."""
    return OpenAILike(model=name, api_base=f"{url}/v1", api_key="k", is_chat_model=True, max_retries=0)


# OpenInference's own; as an error it would be swallowed, and a span with it.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("samples", [1, 2])
def test_a_trace_of_openinference_adds_up_to_what_was_paid(samples: int) -> None:
    """The token counts on all spans of a question add up to its cost, of a pool of two as of several samples."""
    with serving(openai_chat, [Reply("Oslo")]) as server, spans() as exporter:
        members = {name: member(server.url, name) for name in "ab"}
        paid: Any = SLMMuxLLM(models=members, samples=samples, wait="exhausted").chat(QUESTION).raw
        counted = [span.attributes.get("llm.token_count.total", 0) for span in exporter.get_finished_spans()]
    assert sum(counted) == paid["usage"]["total_tokens"] == 15 * len(server.requests)


def test_the_token_counter_counts_a_question_once():
    """LlamaIndex's own counter, on the mux and on its members, counts each request once."""
    counter = TokenCountingHandler(tokenizer=str.split, verbose=False)
    manager = CallbackManager([counter])
    with serving(openai_chat, [Reply("Oslo")]) as server:
        members = {name: member(server.url, name) for name in "ab"}
        for each in members.values():
            each.callback_manager = manager
        mux = SLMMuxLLM(models=members, samples=2, wait="exhausted", callback_manager=manager)
        mux.chat(QUESTION)
    assert counter.total_llm_token_count == 15 * len(server.requests)


@pytest.mark.full
def test_an_ingestion_pipeline_runs_in_two_processes():
    """A pipeline with two workers, to which its extractor goes as a pickle, reads every node as with the member alone."""
    with serving(openai_chat, [Reply("sums, dates")]) as server:
        extractor = KeywordExtractor(llm=SLMMuxLLM(models={"a": member(server.url)}, samples=2))
        pipeline = IngestionPipeline(transformations=[extractor], disable_cache=True)
        nodes = [TextNode(text=text, id_=text) for text in ("one", "two")]
        read = pipeline.run(nodes=nodes, num_workers=2)
    assert [node.metadata["excerpt_keywords"] for node in read] == ["sums, dates"] * 2
