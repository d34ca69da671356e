"""Agreement as an option of both classes: the same options, the same record, any framework's embeddings."""

import asyncio
import math

import pytest
from langchain_core.embeddings import Embeddings
from llama_index.core.embeddings import BaseEmbedding

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux.testing import ScriptedLLM
from slmmux import ArgumentError
from slmmux.local import listing, serve

BOXES = [r"So \boxed{(x+1)^2}", r"\boxed{x^2+2x+1}", r"\boxed{x^2}"]
PROSE = ["The cat sleeps", "A dog barks", "A cat is sleeping"]


def vector(text):
    return [1.0, 0.1] if "cat" in text else [0.1, 1.0]


class ByCat(Embeddings):
    """LangChain's kind."""

    def embed_query(self, text):
        return vector(text)

    def embed_documents(self, texts):
        return [vector(text) for text in texts]


class ByCatToo(BaseEmbedding):
    """LlamaIndex's kind."""

    def _get_text_embedding(self, text):
        return vector(text)

    def _get_query_embedding(self, query):
        return vector(query)

    async def _aget_query_embedding(self, query):
        return vector(query)


def langchain(replies, **options):
    model = SLMMuxChatModel(models={"m": ScriptedChatModel(script=replies)}, samples=len(replies), **options)
    return model, lambda: model.invoke("q").response_metadata["slmmux"]


def llamaindex(replies, **options):
    llm = SLMMuxLLM(models={"m": ScriptedLLM(script=replies)}, samples=len(replies), **options)
    return llm, lambda: llm.complete("q").raw["slmmux"]


def llamaindex_async(replies, **options):
    llm, _ = llamaindex(replies, **options)
    return llm, lambda: asyncio.run(llm.acomplete("q")).raw["slmmux"]


def langchain_async(replies, **options):
    model, _ = langchain(replies, **options)
    return model, lambda: asyncio.run(model.ainvoke("q")).response_metadata["slmmux"]


BOTH = pytest.mark.parametrize("made", [langchain, llamaindex, langchain_async, llamaindex_async])


@BOTH
def test_mathematics(made):
    """agreement="math" votes on mathematics, and the record says so."""
    pytest.importorskip("math_verify")
    _, asked = made(BOXES, agreement="math", wait="exhausted", max_concurrency=1)
    record = asked()
    assert (record["equality"], record["votes"][0]["count"], record["answer"]) == ("math", 2, "(x+1)^2")


@BOTH
@pytest.mark.parametrize("embedding", [ByCat(), ByCatToo(), vector], ids=["LangChain", "LlamaIndex", "function"])
def test_meaning(made, embedding):
    """agreement="embedding" votes on what replies mean, with either framework's embeddings or a function."""
    _, asked = made(PROSE, agreement="embedding", embedding=embedding, tau=0.9, wait="exhausted", max_concurrency=1)
    record = asked()
    assert (record["equality"], record["votes"][0]["count"], record["answer"]) == ("embedding", 2, "The cat sleeps")


@BOTH
def test_what_cannot_be_had_is_refused(made):
    """The options are checked when the mux is made."""
    for options in ({"agreement": "embedding"}, {"embedding": vector}, {"agreement": "meaning"}):
        with pytest.raises(ArgumentError):
            made(["4"], **options)
    with pytest.raises(ArgumentError, match="tau"):
        made(["4"], agreement="embedding", embedding=vector, tau=math.nan)


def test_a_cache_tells_agreements_apart():
    """Two muxes that compare differently have different cache keys; one mux keeps its own."""
    keys = [
        langchain(["4"], **options)[0]._get_llm_string()
        for options in ({}, {"agreement": "math"}, *[{"agreement": "embedding", "embedding": vector}] * 2)
    ]
    assert len({*keys}) == 4
    mux, _ = langchain(["4"], agreement="embedding", embedding=vector)
    assert mux._get_llm_string() == mux._get_llm_string()


def test_a_dump_without_its_embedding_is_refused():
    """A dump holds no embedding: made whole without one it is refused, with one it votes as before."""
    llm, _ = llamaindex(PROSE, agreement="embedding", embedding=vector, wait="exhausted", max_concurrency=1)
    models = {"m": ScriptedLLM(script=PROSE)}
    with pytest.raises(ArgumentError, match="needs embedding="):
        SLMMuxLLM.from_dict(llm.to_dict(), llms=models)
    made = SLMMuxLLM.from_dict(llm.to_dict(), llms=models, embedding=vector)
    assert made.complete("q").raw["slmmux"]["votes"][0]["count"] == 2


@pytest.mark.real_model
@pytest.mark.parametrize("framework", ["langchain", "llamaindex"])
def test_real_embeddings(framework):
    """With a small model's embeddings, two replies that say one thing are neighbours, and one that does not is none."""
    if not any(entry.path for entry in listing() if entry.name == "smollm2-135m-instruct"):
        pytest.skip("no weights of smollm2-135m-instruct: slmmux models pull NAME fetches them")
    server = serve("smollm2-135m-instruct", parallel=2, embeddings=True)
    replies = [
        "The ferry leaves at nine in the morning from the north pier.",
        "It is made of granite and has a green door.",
        "From the north pier, the ferry departs at nine in the morning.",
    ]
    options = {"agreement": "embedding", "tau": 0.9, "extract": "text", "wait": "exhausted", "max_concurrency": 1}
    if framework == "langchain":
        from langchain_openai import OpenAIEmbeddings

        embedding = OpenAIEmbeddings(
            model=server.model, base_url=server.base_url, api_key=server.api_key, check_embedding_ctx_length=False
        )
        _, asked = langchain(replies, embedding=embedding, **options)
    else:
        from llama_index.embeddings.openai_like import OpenAILikeEmbedding

        embedding = OpenAILikeEmbedding(model_name=server.model, api_base=server.base_url, api_key=server.api_key)
        _, asked = llamaindex(replies, embedding=embedding, **options)
    vote = asked()["votes"][0]
    assert (vote["count"], vote["failed"]) == (2, 0)
    assert "ferry" in vote["answer"]
