"""What a schema is voted on, in both frameworks, at once and streamed, sync and async: its decisive fields, or `vote_on`.

Member a says the same thing with three reasons; member b wavers, and repeats its reason word for word.
"""

import asyncio

import pytest
from langchain_core.messages import AIMessage
from llama_index.core.base.llms.types import ChatMessage, MessageRole, ToolCallBlock
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux.testing import ScriptedLLM


class Choice(BaseModel):
    """A selector's choice."""

    index: int
    city: str
    reason: str


STEADY = [{"index": 1, "city": "Lima", "reason": reason} for reason in ("it is near", "the sea", "why not")]
WAVERING = [{"index": index, "city": "Quito", "reason": "it is far"} for index in (2, 3, 4)]


def langchain(steady, wavering, **options):
    def member(rows):
        script = [AIMessage("", tool_calls=[{"name": "Choice", "args": row, "id": "c"}]) for row in rows]
        return ScriptedChatModel(script=script)

    models = {"wavering": member(wavering), "steady": member(steady)}
    mux = SLMMuxChatModel(models=models, samples=3, wait="exhausted", **options)
    return mux.with_structured_output(Choice, method="function_calling")


def llamaindex(steady, wavering, **options):
    def member(rows):
        blocks = [ToolCallBlock(tool_call_id="c", tool_name="Choice", tool_kwargs=row) for row in rows]
        return ScriptedLLM(script=[ChatMessage(role=MessageRole.ASSISTANT, blocks=[block]) for block in blocks])

    models = {"wavering": member(wavering), "steady": member(steady)}
    return SLMMuxLLM(models=models, samples=3, wait="exhausted", **options)


async def last(stream):
    return [value async for value in stream][-1]


async def streamed(mux, prompt):
    return await last(await mux.astream_structured_predict(Choice, prompt))


PROMPT = PromptTemplate("Which city?")
WAYS = {
    "langchain invoke": (langchain, lambda model: model.invoke("Which city?")),
    "langchain ainvoke": (langchain, lambda model: asyncio.run(model.ainvoke("Which city?"))),
    "langchain stream": (langchain, lambda model: [*model.stream("Which city?")][-1]),
    "langchain astream": (langchain, lambda model: asyncio.run(last(model.astream("Which city?")))),
    "llamaindex predict": (llamaindex, lambda mux: mux.structured_predict(Choice, PROMPT)),
    "llamaindex apredict": (llamaindex, lambda mux: asyncio.run(mux.astructured_predict(Choice, PROMPT))),
    "llamaindex stream": (llamaindex, lambda mux: [*mux.stream_structured_predict(Choice, PROMPT)][-1]),
    "llamaindex astream": (llamaindex, lambda mux: asyncio.run(streamed(mux, PROMPT))),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_reason_does_not_count(way):
    """The member that is steady in its choice wins over one that ranks before it and is steady in its reason alone."""
    make, ask = WAYS[way]
    assert ask(make(STEADY, WAVERING)).index == 1


@pytest.mark.parametrize("way", WAYS)
def test_vote_on_names_what_counts(way):
    """With `vote_on` other fields count: by the city both are steady, so the one that ranks first wins."""
    make, ask = WAYS[way]
    assert ask(make(STEADY, WAVERING, vote_on=["city"])).city == "Quito"
    assert ask(make(STEADY, WAVERING, vote_on=["index"])).index == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_name_of_an_extractor_does_not_read_an_object(way):
    """`extract` names how texts are read; an object is voted on by its fields all the same."""
    make, ask = WAYS[way]
    assert ask(make(STEADY, WAVERING, extract="number")).index == 1
