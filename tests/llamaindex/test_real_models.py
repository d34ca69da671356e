"""OpenAILike members against real small models, served by llama.cpp on loopback."""

import pytest
from llama_index.core import Document, PromptTemplate, VectorStoreIndex
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

from llamaindex_slmmux import SLMMuxLLM
from slmmux import NoAnswerError
from slmmux.config import Config, MemberConfig
from slmmux.local import listing, serve

from .support import user

SMALLEST = ("smollm2-135m-instruct", "gemma-3-270m")

pytestmark = pytest.mark.real_model


@pytest.fixture(scope="module", autouse=True)
def _weights():
    here = {entry.name for entry in listing() if entry.path}
    if missing := [name for name in SMALLEST if name not in here]:
        pytest.skip(f"no weights of {', '.join(missing)}: slmmux models pull NAME fetches them")


@pytest.fixture(scope="module")
def config():
    return Config(
        models={name: MemberConfig(local=name) for name in SMALLEST}, samples=3, max_tokens=12, wait="exhausted"
    )


@pytest.fixture
def smollm():
    server = serve("smollm2-135m-instruct", parallel=3)
    return OpenAILike(
        api_base=server.base_url,
        api_key=server.api_key,
        model=server.model,
        is_chat_model=True,
        is_function_calling_model=True,
        should_use_structured_outputs=True,
        temperature=0.7,
        max_tokens=40,
        max_retries=0,
    )


def test_two_real_models_answer_a_question(config, seen):
    """Two local models are sampled three times each; each sample is an event, and the counter shows the whole cost."""
    events, _ = seen
    mux = SLMMuxLLM.from_config(config)
    counter = TokenCountingHandler(tokenizer=str.split)
    mux.callback_manager = CallbackManager([counter])
    response = mux.complete("What is the capital of France?")
    record = response.raw["slmmux"]
    assert response.text.strip()
    assert [(v["model"], v["of"], v["failed"]) for v in record["votes"]] == [(name, 3, 0) for name in SMALLEST]
    samples = [(e.tags["slmmux_member"], e.tags["slmmux_sample"]) for e in events.of("LLMChatEndEvent")]
    assert sorted(samples) == sorted((name, i) for name in SMALLEST for i in range(3))
    assert counter.total_llm_token_count == record["usage"]["total_tokens"] > 0
    assert 6 <= record["usage"]["output_tokens"] <= 6 * 12


@pytest.mark.full
async def test_async_and_streamed(config):
    """The same over the event loop, and as a stream of one chunk."""
    mux = SLMMuxLLM.from_config(config)
    try:
        assert (await mux.acomplete("What is 2 + 2?")).text.strip()
        chunks = [chunk async for chunk in await mux.astream_complete("What is 2 + 2?")]
    finally:
        for member in mux.models.values():  # their connections belong to this test's loop
            await member._get_aclient().close()
    assert len(chunks) == 1
    assert chunks[0].raw["usage"]["total_tokens"] > 0


class City(BaseModel):
    """A city and how many people live in it."""

    name: str
    people: int


@pytest.mark.full
def test_structured_predict_by_json_schema(smollm, seen):
    """Grammar-constrained JSON makes even a 135M model's samples parse; they are voted on by value and counted."""
    events, _ = seen
    mux = SLMMuxLLM(models={"s": smollm}, samples=3, wait="exhausted")
    city = mux.structured_predict(City, PromptTemplate("Name a {what}, as JSON."), what="city")
    (ended,) = [e for e in events.of("LLMChatEndEvent") if "slmmux_member" not in e.tags]
    record = ended.response.raw["slmmux"]
    assert record["votes"][0]["failed"] == 0
    assert record["answer"] == city.model_dump()
    assert record["usage"]["output_tokens"] > 0


def test_tools(smollm):
    """A tool comes back as a call that is voted on by name and arguments, or as text, which abstains if it is cut off."""

    def look_up(word: str) -> str:
        """Look a word up in the dictionary."""
        return word

    mux = SLMMuxLLM(models={"s": smollm}, samples=2, wait="exhausted")
    tool = FunctionTool.from_defaults(look_up)
    response = mux.chat_with_tools([tool], "Look up the word tree.", tool_required=True)
    record = response.raw["slmmux"]
    assert record["votes"][0]["failed"] == 0
    calls = mux.get_tool_calls_from_response(response, error_on_no_tool_call=False)
    assert [call.tool_name for call in calls] in ([], ["look_up"])
    is_text = record["answer"] is not None and not calls
    assert record["extractor"] == ("text" if is_text else "tool_calls")


DOCUMENTS = (
    "The lighthouse at Sandvik has a green door. It was built of granite.",
    "The ferry to Holm leaves at nine in the morning from the north pier.",
    "Bread at the bakery in Lund is baked with rye and sold by the half loaf.",
)


@pytest.mark.full
def test_a_query_engine_answers_from_local_documents():
    """Offline, with the server's own embeddings, the right document is found and both members read the answer in it."""
    server = serve("smollm2-135m-instruct", parallel=2, embeddings=True)
    embed = OpenAILikeEmbedding(model_name=server.model, api_base=server.base_url, api_key=server.api_key)
    index = VectorStoreIndex.from_documents([Document(text=text) for text in DOCUMENTS], embed_model=embed)
    members = Config(
        models={name: MemberConfig(local=name) for name in SMALLEST}, samples=1, temperature=0, max_tokens=24
    )
    engine = index.as_query_engine(llm=SLMMuxLLM.from_config(members, wait="exhausted"), similarity_top_k=1)
    response = engine.query("What colour is the door of the lighthouse?")
    assert response.source_nodes[0].text == DOCUMENTS[0]
    assert "green" in str(response).lower()


@pytest.mark.full
@pytest.mark.parametrize("name", SMALLEST)
def test_the_tokens_of_every_completion_are_counted(config, name):
    """llama.cpp reports one completion's tokens for a request of three; the member reports all three's."""
    member = SLMMuxLLM.from_config(config).models[name]
    one = member.chat(user("What is the capital of Norway?"), temperature=0)
    three = member.chat(user("What is the capital of Norway?"), temperature=0, n=3)
    assert [c.message.content for c in three.raw.choices] == [one.message.content] * 3
    assert three.raw.usage.completion_tokens == 3 * one.raw.usage.completion_tokens
    assert three.raw.usage.prompt_tokens == one.raw.usage.prompt_tokens


def test_the_wrong_key_is_refused_and_not_quoted(smollm):
    """The server wants its key; the error of a wrong one does not say either."""
    wrong = OpenAILike(api_base=smollm.api_base, api_key="sk-not-the-key", model="m", max_retries=0, is_chat_model=True)
    with pytest.raises(NoAnswerError) as caught:
        SLMMuxLLM(models={"s": wrong}, samples=2).complete("q")
    assert "sk-not-the-key" not in str(caught.value)
    assert {error.cause.status_code for error in caught.value.errors} == {401}
