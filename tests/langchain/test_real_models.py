"""langchain-openai members against real small models, served by llama.cpp on loopback."""

import json

import pytest
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from langchain_slmmux import SLMMuxChatModel
from slmmux import NoAnswerError
from slmmux.config import Config, MemberConfig
from slmmux.local import listing, serve

from .support import Seen

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
    return ChatOpenAI(
        base_url=server.base_url,
        api_key=server.api_key,
        model=server.model,
        temperature=0.7,
        max_tokens=40,
        max_retries=0,
    )


def test_two_real_models_answer_a_question(config):
    """Two models in this process are sampled three times each; the record says who answered, and the cost is theirs."""
    seen, handler = Seen(), UsageMetadataCallbackHandler()
    message = SLMMuxChatModel.from_config(config).invoke(
        "What is the capital of France?", {"callbacks": [seen, handler]}
    )
    record = message.response_metadata["slmmux"]
    assert message.text.strip()
    assert [(vote["model"], vote["of"], vote["failed"]) for vote in record["votes"]] == [
        (name, 3, 0) for name in SMALLEST
    ]
    assert len(seen.samples) == 6
    assert seen.unclosed == []
    assert message.usage_metadata["total_tokens"] == sum(u["total_tokens"] for u in handler.usage_metadata.values())
    assert 6 <= message.usage_metadata["output_tokens"] <= 6 * 12


@pytest.mark.full
async def test_async_and_streamed(config):
    """The same over the event loop, and as a stream of one chunk."""
    mux = SLMMuxChatModel.from_config(config)
    assert (await mux.ainvoke("What is 2 + 2?")).text.strip()
    chunks = [chunk async for chunk in mux.astream("What is 2 + 2?")]
    assert len(chunks) == 1
    assert chunks[0].usage_metadata["total_tokens"] > 0


class City(BaseModel):
    """A city and how many people live in it."""

    name: str
    people: int


def test_structured_output_by_json_schema(smollm):
    """Grammar-constrained JSON makes even a 135M model's samples parse, and they are voted on by value."""
    mux = SLMMuxChatModel(models={"s": smollm}, samples=3, wait="exhausted")
    result = mux.with_structured_output(City, method="json_schema", include_raw=True).invoke("Name a city, as JSON.")
    record = result["raw"].response_metadata["slmmux"]
    assert record["votes"][0]["failed"] == 0
    if result["parsed"] is not None:  # a reply cut at the token limit does not parse, and abstains
        assert isinstance(result["parsed"], City)
        assert record["answer"] == result["parsed"].model_dump()


def test_tools(smollm):
    """A tool the server is told to call comes back as a call that is voted on by name and arguments."""

    @tool
    def look_up(word: str) -> str:
        """Look a word up in the dictionary."""
        return word

    mux = SLMMuxChatModel(models={"s": smollm}, samples=2, wait="exhausted")
    message = mux.bind_tools([look_up], tool_choice="any").invoke("Look up the word tree.")
    record = message.response_metadata["slmmux"]
    assert record["votes"][0]["failed"] == 0
    if message.tool_calls:
        assert message.tool_calls[0]["name"] == "look_up"
        assert json.loads(record["answer"])[0]["name"] == "look_up"


def test_n_is_one_request_for_k_samples(smollm):
    """A member whose class has `n` is asked once for all its samples, each of them a run and a vote."""
    seen = Seen()
    message = SLMMuxChatModel(models={"s": smollm}, samples=3, wait="exhausted").invoke(
        "Say a word.", {"callbacks": [seen]}
    )
    assert message.response_metadata["slmmux"]["samples"] == {"planned": 3, "used": 3}
    assert len(seen.samples) == 3
    assert (
        sum(
            "token_usage" in (run.outputs["generations"][0][0]["message"]["kwargs"]["response_metadata"])
            for run in seen.samples
        )
        == 1
    )


@pytest.mark.full
@pytest.mark.parametrize("name", SMALLEST)
def test_the_tokens_of_every_completion_are_counted(config, name):
    """llama.cpp reports one completion's tokens for a request of three; the member reports all three's."""
    member = SLMMuxChatModel.from_config(config).models[name]
    question = [HumanMessage("What is the capital of Norway?")]
    one = member.generate([question], temperature=0).generations[0]
    three = member.generate([question], temperature=0, n=3).generations[0]
    assert [g.text for g in three] == [one[0].text] * 3
    assert three[0].message.usage_metadata["output_tokens"] == 3 * one[0].message.usage_metadata["output_tokens"]
    assert three[0].message.usage_metadata["input_tokens"] == one[0].message.usage_metadata["input_tokens"]


def test_the_wrong_key_is_refused_and_not_quoted(smollm):
    """The server wants its key; the error of a wrong one does not say either."""
    wrong = ChatOpenAI(base_url=smollm.openai_api_base, api_key="sk-not-the-key", model="m", max_retries=0)
    with pytest.raises(NoAnswerError) as caught:
        SLMMuxChatModel(models={"s": wrong}, samples=2).invoke("q")
    assert "sk-not-the-key" not in str(caught.value)
    assert {error.cause.status_code for error in caught.value.errors} == {401}
