"""Histories in pools of several makers."""

import pytest
from llama_index.core.base.llms.types import ChatMessage, ThinkingBlock
from llama_index.core.llms import ChatResponse
from llama_index.llms.ollama import Ollama
from llama_index.llms.openai_like import OpenAILike

from llamaindex_slmmux import SLMMuxLLM
from tests.servers.loopback import serving
from tests.servers.ollama import ollama
from tests.servers.openai_chat import openai_chat
from tests.servers.replies import Reply


@pytest.mark.parametrize("through_json", [False, True])
@pytest.mark.parametrize("way", ["chat", "achat", "stream_chat"])
async def test_thinking_goes_back_to_its_own_maker_alone(way, through_json):
    """On the second turn a member gets its own thinking back and another maker's the text alone, also out of JSON."""
    thought = Reply("Oslo", reasoning="I must think.")
    with serving(ollama, [thought]) as one, serving(openai_chat, [Reply("")]) as two:
        first = Ollama(model="qwen3:4b", base_url=one.url, context_window=4096, thinking=True)
        second = OpenAILike(model="q", api_key="sk-2", api_base=f"{two.url}/v1", is_chat_model=True)
        mux = SLMMuxLLM(models={"a": first, "b": second}, samples=1, wait="exhausted")
        question = ChatMessage(content="Capital of Norway?")
        response: ChatResponse
        if way == "achat":
            response = await mux.achat([question])
        else:
            response = mux.chat([question]) if way == "chat" else list(mux.stream_chat([question]))[-1]
        message = response.message
        assert any(isinstance(block, ThinkingBlock) for block in message.blocks)
        if through_json:
            message = ChatMessage.model_validate_json(message.model_dump_json())
        mux.chat([question, message, ChatMessage(content="Sure?")])
    mine, others = (server.requests[-1].body["messages"][1] for server in (one, two))
    assert (mine["thinking"].strip(), mine["content"]) == ("I must think.", "Oslo")
    assert "think" not in str(others)
    assert "slmmux" not in f"{mine} {others}"
