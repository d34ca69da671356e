"""A mux of one whose stream goes straight through: when chunks leave, what bounds them, and who hears of them."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import PrivateAttr

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel


class Words(BaseChatModel):
    """A member that streams three words, and notes which it has sent and how many streams ran at once."""

    meet: int = 0
    _sent: list[str] = PrivateAttr(default_factory=list)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)
    _running: int = PrivateAttr(default=0)
    _peak: int = PrivateAttr(default=0)

    @property
    def _llm_type(self) -> str:
        return "words"

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage("Oslo it is"))])

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        with self._lock:
            self._running += 1
            self._peak = max(self._peak, self._running)
        try:
            for word in ("Oslo", " it", " is"):
                self._sent.append(word)
                yield ChatGenerationChunk(message=AIMessageChunk(word))
        finally:
            with self._lock:
                self._running -= 1


class Heard(BaseCallbackHandler):
    """What a handler was told."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def on_chat_model_start(self, *_: Any, **__: Any) -> None:
        self.names.append("start")

    def on_llm_new_token(self, *_: Any, **__: Any) -> None:
        self.names.append("token")

    def on_llm_end(self, *_: Any, **__: Any) -> None:
        self.names.append("end")


def _mux(member: BaseChatModel, **options: Any) -> SLMMuxChatModel:
    return SLMMuxChatModel(models={"a": member}, samples=1, **options)


def test_a_chunk_leaves_before_the_next_is_made():
    """The first word is there when the member has sent one word, and the record comes with the last chunk."""
    member = Words()
    mux = _mux(member)
    stream = mux.stream("Capital of Norway?")
    first = next(stream)
    assert first.text == "Oslo"
    assert len(next(iter(mux._members.values())).model._sent) == 1
    *_, last = stream
    assert last.response_metadata["slmmux"]["model"] == "a"
    assert last.chunk_position == "last"


def test_streams_keep_to_the_window():
    """Of six streams at once no more run than max_concurrency says, and a stream that is dropped leaves its place."""
    member = Words()
    mux = _mux(member, max_concurrency=2)
    with ThreadPoolExecutor(6) as threads:
        texts = list(threads.map(lambda _: "".join(c.text for c in mux.stream("?")), range(6)))
    assert texts == ["Oslo it is"] * 6
    assert next(iter(mux._members.values())).model._peak <= 2
    for _ in range(3):  # one more than there are places
        next(mux.stream("?"))
    assert "".join(c.text for c in mux.stream("?")) == "Oslo it is"


def test_handlers_on_the_member_hear_its_stream_as_they_do_alone():
    """A handler and tags that a user put on the member are those of the streamed run, heard once."""
    alone, through, outer = Heard(), Heard(), Heard()
    list(Words(callbacks=[alone]).stream("?"))
    list(_mux(Words(callbacks=[through])).stream("?", {"callbacks": [outer]}))
    assert through.names == alone.names
    assert outer.names == alone.names


def test_a_members_own_cache_serves_a_mux_of_one():
    """With one sample a member's own cache is asked, as it is alone; with more every sample is drawn."""
    one = ScriptedChatModel(script=["4"], cache=InMemoryCache())
    mux = _mux(one)
    assert [mux.invoke("2 + 2?").text for _ in range(2)] == ["4", "4"]
    assert len(one.calls) == 1
    SLMMuxChatModel(models={"a": one}, samples=2, wait="exhausted").invoke("2 + 2?")
    assert len(one.calls) == 3


def test_generate_returns_the_tokens():
    """What `generate` returns has the whole question's tokens, as libraries of evaluation read them there."""
    mux = SLMMuxChatModel(models={"a": ScriptedChatModel(script=["4"])}, samples=2, wait="exhausted")
    ((generation,),) = mux.generate_prompt([mux._convert_input("2 + 2?")]).generations
    message = generation.message
    assert message.usage_metadata["total_tokens"] == message.response_metadata["slmmux"]["usage"]["total_tokens"]
