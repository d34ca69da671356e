"""A server over scripted members, on loopback; members that wait for the test."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatResult
from langchain_openai import ChatOpenAI
from pydantic import PrivateAttr

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from slmmux.serve import create_app

QUESTION = [{"role": "user", "content": "What is the capital of Norway?"}]
OSLO = "The capital of Norway is Oslo, as everybody knows. \\boxed{Oslo}"
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve an application on a free port of 127.0.0.1 until the block ends; yields the address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join()
        listener.close()


def until(condition: Any, seconds: float = 20) -> None:
    """Wait until something holds; the time is only the longest that a broken test takes."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never held"
        time.sleep(0.005)


def chat_openai(url: str, **options: Any) -> ChatOpenAI:
    """Return LangChain's client of a server; each of its connections ends with its response.

    Left to itself, `ChatOpenAI` shares one pool among all models of an address. That pool keeps connections after the
    event loop that opened them is closed, and garbage collection finds them open in some later test.
    """
    limits = httpx.Limits(max_keepalive_connections=0)
    clients = {"http_client": httpx.Client(limits=limits), "http_async_client": httpx.AsyncClient(limits=limits)}
    own = {"model": "mux", "base_url": f"{url}/v1", "api_key": "none", "max_retries": 0}
    return ChatOpenAI(**{**own, **clients, **options})


def replies(messages: list[Any], turn: int, kwargs: dict[str, Any]) -> Any:
    """Reply as a member that agrees with itself: calls the tool once, fills schemas, and else answers."""
    if kwargs.get("tools") and kwargs.get("tool_choice") != "none" and messages[-1].type != "tool":
        name = kwargs["tools"][0]["function"]["name"]
        return AIMessage("", tool_calls=[{"name": name, "args": {"city": "Oslo"}, "id": f"call_{turn}"}])
    if messages[-1].type == "tool":
        return f"It is {messages[-1].content} in Oslo."
    if kwargs.get("response_format"):
        return f'{{"city": "Oslo", "reason": "{turn}"}}'
    return OSLO


def mux(script: Any = replies, **options: Any) -> SLMMuxChatModel:
    """Return a mux of a member that agrees with itself and one that does not."""
    models = {
        "sure": ScriptedChatModel(script=script, model_name="sure"),
        "unsure": ScriptedChatModel(script=["Bergen", "Tromsø", "Bodø"] * 500, model_name="unsure"),
    }
    return SLMMuxChatModel(**{"models": models, "samples": 3, "wait": "exhausted", **options})


class Held(ScriptedChatModel):
    """A member whose calls wait until the test lets them go; it counts those that run, and those that are cancelled."""

    script: Any = ["4"]
    _counts: dict[str, int] = PrivateAttr(default_factory=lambda: {"running": 0, "most": 0, "begun": 0, "cancelled": 0})
    _go: threading.Event = PrivateAttr(default_factory=threading.Event)

    @property
    def counts(self) -> dict[str, int]:
        return self._counts

    @property
    def go(self) -> threading.Event:
        return self._go

    async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        counts = self._counts
        counts["begun"] += 1
        counts["running"] += 1
        counts["most"] = max(counts["most"], counts["running"])
        try:
            while not self._go.is_set():
                await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            counts["cancelled"] += 1
            raise
        finally:
            counts["running"] -= 1
        return self._reply(messages, {"stop": stop, **kwargs})


def app(of: Any = None, **options: Any) -> Any:
    return create_app({"mux": of or mux()}, **options)
