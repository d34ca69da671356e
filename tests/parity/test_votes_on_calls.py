"""Votes on tool calls, end to end: both frameworks, over scripted members and real client classes on loopback."""

import json
from typing import Annotated

import pytest
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from llama_index.core.base.llms.types import ChatMessage, TextBlock, ToolCallBlock
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux.testing import ScriptedLLM

from ..langchain.openai_server import call, serving
from ..lengths import short_form


def weather(city: Annotated[str, "The city."], days: int = 1, units: str | None = None) -> str:
    """Tell the weather of a city."""
    return f"{city} {days} {units}"


def search(query: Annotated[str, "What to look for."], top_k: int = 5) -> str:
    """Search the web."""
    return f"{query} {top_k}"


TOOLS = [weather, search]
LIMA = ("weather", {"city": "Lima"})
OSLO = ("weather", {"city": "Oslo"})
REFUSAL = "I'm sorry, but I can't look things up on the internet."
PHRASINGS = [("search", {"query": each}) for each in (
    "population of Lima in 2020", "how many people lived in Lima in 2020", "Lima Peru population 2020 census",
)]  # fmt: skip


class LangChainScripted:
    """A mux of LangChain over scripted members; a reply is a text or a list of calls."""

    @staticmethod
    def member(replies, _server):
        return ScriptedChatModel(script=[LangChainScripted.message(reply) for reply in replies])

    @staticmethod
    def message(reply):
        if isinstance(reply, str):
            return AIMessage(reply)
        return AIMessage("", tool_calls=[{"name": n, "args": a, "id": f"c{i}"} for i, (n, a) in enumerate(reply)])

    @staticmethod
    def asked(members, samples):
        mux = SLMMuxChatModel(models=members, samples=samples, wait="exhausted").bind_tools(TOOLS)
        message = mux.invoke("What is it like in Lima?")
        return [(c["name"], c["args"]) for c in message.tool_calls], message.response_metadata["slmmux"]


class LangChainServed(LangChainScripted):
    """The same over LangChain's client of OpenAI, against a server."""

    @staticmethod
    def member(_, server):
        return ChatOpenAI(base_url=server.url, api_key="sk-none", model="m", max_retries=0)


class LlamaIndexScripted:
    """A mux of LlamaIndex over scripted members."""

    @staticmethod
    def member(replies, _server):
        return ScriptedLLM(script=[LlamaIndexScripted.message(reply) for reply in replies])

    @staticmethod
    def message(reply):
        if isinstance(reply, str):
            return ChatMessage(role="assistant", blocks=[TextBlock(text=reply)])
        blocks = [ToolCallBlock(tool_call_id=f"c{i}", tool_name=n, tool_kwargs=a) for i, (n, a) in enumerate(reply)]
        return ChatMessage(role="assistant", blocks=blocks)

    @staticmethod
    def asked(members, samples):
        mux = SLMMuxLLM(models=members, samples=samples, wait="exhausted")
        tools = [FunctionTool.from_defaults(each) for each in TOOLS]
        response = mux.chat_with_tools(tools, user_msg="What is it like in Lima?")
        calls = mux.get_tool_calls_from_response(response, error_on_no_tool_call=False)
        return [(c.tool_name, c.tool_kwargs) for c in calls], response.raw["slmmux"]


class LlamaIndexServed(LlamaIndexScripted):
    """The same over LlamaIndex's client of OpenAI, against a server."""

    @staticmethod
    def member(_, server):
        return OpenAILike(
            api_base=server.url, api_key="sk-none", model="m", max_retries=0, is_chat_model=True,
            is_function_calling_model=True,
        )  # fmt: skip


WAYS = [LangChainScripted, LangChainServed, LlamaIndexScripted, LlamaIndexServed]
ALL = pytest.mark.parametrize("way", WAYS)
SCRIPTED_FIRST = pytest.mark.parametrize("way", short_form(WAYS, lambda way: way.__name__.endswith("Scripted")))


def served(reply):
    """Return a reply as OpenAI's protocol has it."""
    if isinstance(reply, str):
        return reply
    calls = [call(name, args, f"c{place}")["tool_calls"][0] for place, (name, args) in enumerate(reply)]
    return {"content": None, "tool_calls": calls}


def voted(way, *scripts):
    """Return the calls that win among members with these scripts, and the record."""
    count = len(scripts[0])

    def turn(body, number):
        return served(scripts[0][number % count])

    if way in (LangChainScripted, LlamaIndexScripted):
        return way.asked({f"m{i}": way.member(script, None) for i, script in enumerate(scripts)}, count)
    with serving(turn) as server:
        members = {"m0": way.member(None, server)}
        if len(scripts) == 1:
            return way.asked(members, count)
        with serving(lambda body, number: served(scripts[1][number % count])) as other:
            return way.asked({**members, "m1": way.member(None, other)}, count)


def written(name, args, form):
    """Return a call as models of a family write it into their text."""
    arguments = json.dumps(args)
    return {
        "Qwen": f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>',
        "Hermes": f'I will look.\n<tool_call>{{"arguments": {arguments}, "name": "{name}"}}</tool_call>',
        "Llama": f'<|python_tag|>{{"type": "function", "name": "{name}", "parameters": {arguments}}}',
        "Mistral": f'[TOOL_CALLS] [{{"name": "{name}", "arguments": {arguments}}}]',
        "bare": f'{{"name": "{name}", "parameters": {arguments}}}',
        "fenced": f'```json\n{{"name": "{name}", "arguments": {arguments}}}\n```',
    }[form]


@ALL
def test_one_call_in_many_forms_is_one_vote(way):
    """Explicit defaults and nulls, "3" and 3, and calls that are written into the text are the same call."""
    form = [
        [LIMA],
        [("weather", {"city": "Lima", "days": 1})],
        [("weather", {"city": "Lima", "units": None})],
        [("weather", {"city": "Lima", "days": "1", "units": None})],
        *(written(*LIMA, form) for form in ("Qwen", "Hermes", "Llama", "Mistral", "bare", "fenced")),
        [OSLO],
    ]
    calls, record = voted(way, form)
    assert (record["votes"][0]["count"], record["votes"][0]["of"]) == (10, 11)
    assert [(name, args["city"]) for name, args in calls] == [("weather", "Lima")]


@SCRIPTED_FIRST
def test_calls_made_at_once_have_no_order(way):
    """Two calls in either order are one vote against one of them alone."""
    calls, record = voted(way, [[LIMA], [LIMA, OSLO], [OSLO, LIMA]])
    assert record["votes"][0]["count"] == 2
    assert len(calls) == 2


@SCRIPTED_FIRST
def test_a_canned_refusal_does_not_beat_a_search_worded_anew(way):
    """Three phrasings of one search are three votes for it, within a member and between two."""
    calls, record = voted(way, [PHRASINGS[:1], REFUSAL, PHRASINGS[1:2], REFUSAL, PHRASINGS[2:]])
    assert record["votes"][0]["count"] == 3
    assert calls == PHRASINGS[:1]
    calls, record = voted(way, [[each] for each in PHRASINGS], [REFUSAL] * 3)
    assert calls == PHRASINGS[:1]
    assert [vote["count"] for vote in record["votes"]] == [3, 3]


@SCRIPTED_FIRST
def test_a_call_that_fits_no_tool_has_no_vote(way):
    """A wrong type, an argument that is missing and a tool that nobody bound abstain; the one that fits wins."""
    misfits = [[("weather", {"city": "Lima", "days": "many"})], [("weather", {})], [("forecast", {"city": "Lima"})]]
    calls, record = voted(way, [*misfits, [OSLO]])
    assert calls == [OSLO]
    assert (record["votes"][0]["count"], record["votes"][0]["abstained"]) == (1, 3)
