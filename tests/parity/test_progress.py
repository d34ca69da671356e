"""Samples are told as they arrive to whoever listens, in each framework's own way, and never as message tokens."""

from typing import TypedDict

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langgraph.graph import END, START, StateGraph
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from llamaindex_slmmux import SLMMuxLLM, SLMMuxSampleEvent, _progress
from llamaindex_slmmux.testing import ScriptedLLM
from slmmux import observe_samples

EVERY = sorted(
    [("a", i, "4") for i in range(2)] + [("b", i, "5") for i in range(2)] + [("c", i, None) for i in range(2)]
)


def chat(**options):
    models = {
        label: ScriptedChatModel(script=[reply]) for label, reply in (("a", "4"), ("b", "5"), ("c", OSError("x")))
    }
    return SLMMuxChatModel(models=models, samples=2, wait="exhausted", extract="number", **options)


def llm():
    models = {label: ScriptedLLM(script=[reply]) for label, reply in (("a", "4"), ("b", "5"), ("c", OSError("x")))}
    return SLMMuxLLM(models=models, samples=2, wait="exhausted", extract="number")


def facts_of(events):
    assert {event["error"] for event in events if event["model"] == "c"} == {"OSError"}
    return sorted(((e["model"], e["index"], e["answer"]) for e in events), key=str)


class Listening(BaseCallbackHandler):
    def __init__(self):
        self.events = []
        self.tokens = []

    def on_custom_event(self, name, data, **kwargs):
        assert name == "slmmux_sample"
        self.events.append(data)

    def on_llm_new_token(self, token, **kwargs):
        self.tokens.append(token)


class AsyncListening(AsyncCallbackHandler):
    def __init__(self):
        self.events = []

    async def on_custom_event(self, name, data, **kwargs):
        self.events.append(data)


def test_a_handler_with_custom_events_hears_each_sample():
    """Member, index, answer, and the class of an error; no token is a sample's."""
    handler = Listening()
    chat().invoke("2 + 2?", {"callbacks": [handler]})
    assert facts_of(handler.events) == sorted(EVERY, key=str)
    assert handler.tokens == []


async def test_an_async_handler_has_heard_every_sample_before_the_answer():
    """Events are handled in their order, and none is left when the answer is there."""
    handler = AsyncListening()
    await chat().ainvoke("2 + 2?", {"callbacks": [handler]})
    assert facts_of(handler.events) == sorted(EVERY, key=str)


async def test_events_of_a_stream_have_the_samples_under_a_name_of_their_own():
    """`astream_events` tells them as custom events; the text of the stream is the winner's."""
    events = [event async for event in chat().astream_events("2 + 2?", version="v2")]
    samples = [event["data"] for event in events if event["event"] == "on_custom_event"]
    assert facts_of(samples) == sorted(EVERY, key=str)
    root = next(event["run_id"] for event in events if not event["parent_ids"])
    texts = [e["data"]["chunk"].text for e in events if e["event"] == "on_chat_model_stream" and e["run_id"] == root]
    assert "".join(texts) == "4"


class State(TypedDict):
    """What the graph hands on."""

    answer: str


@pytest.mark.parametrize("is_async", [False, True])
async def test_langgraph_streams_them_in_its_custom_mode_alone(is_async):
    """`stream_mode="custom"` has each sample; "messages" has the winner's text and nothing of the others."""
    mux = chat()

    def node(state: State):
        return {"answer": mux.invoke("2 + 2?").text}

    async def anode(state: State):
        return {"answer": (await mux.ainvoke("2 + 2?")).text}

    graph = StateGraph(State)
    graph.add_node("ask", anode if is_async else node)
    graph.add_edge(START, "ask")
    graph.add_edge("ask", END)
    compiled = graph.compile()

    async def parts(mode):
        if is_async:
            return [part async for part in compiled.astream({"answer": ""}, stream_mode=mode)]
        return list(compiled.stream({"answer": ""}, stream_mode=mode))

    custom = [part["slmmux_sample"] for part in await parts("custom")]
    assert facts_of(custom) == sorted(EVERY, key=str)
    assert "".join(message.text for message, _ in await parts("messages")) == "4"


@pytest.mark.parametrize("is_async", [False, True])
async def test_llamaindex_has_an_event_of_its_own(is_async):
    """Event handlers of the instrumentation hear each sample as a `SLMMuxSampleEvent`."""
    heard = []

    class Handler(BaseEventHandler):
        @classmethod
        def class_name(cls):
            return "Handler"

        def handle(self, event, **kwargs):
            if isinstance(event, SLMMuxSampleEvent):
                heard.append(event.model_dump())

    root, handler = get_dispatcher(), Handler()
    root.add_event_handler(handler)
    try:
        await llm().acomplete("2 + 2?") if is_async else llm().complete("2 + 2?")
    finally:
        root.event_handlers.remove(handler)
    assert facts_of(heard) == sorted(EVERY, key=str)


def test_llamaindex_makes_no_event_that_nobody_hears(monkeypatch):
    """The null handler, which LlamaIndex sets by itself, is no listener: no event is made for it."""
    sent = []
    monkeypatch.setattr(_progress, "_send", sent.append)
    llm().complete("2 + 2?")
    assert not sent


def test_a_callback_of_the_core_hears_each_sample_of_either_framework():
    """`observe_samples` needs no framework's events, and both hear beside each other."""
    samples, handler = [], Listening()
    with observe_samples(samples.append):
        chat().invoke("2 + 2?", {"callbacks": [handler]})
    assert len(samples) == len(handler.events) == 6
    with observe_samples(samples.append):
        llm().complete("2 + 2?")
    assert len(samples) == 12
    chat().invoke("2 + 2?")
    assert len(samples) == 12


def test_a_mux_among_the_members_is_one_sample():
    """The samples inside of a member that is a mux are its own business."""
    handler, samples = Listening(), []
    outer = SLMMuxChatModel(models={"inner": chat()}, samples=2)
    with observe_samples(samples.append):
        outer.invoke("2 + 2?", {"callbacks": [handler]})
    assert [(s.draw.model, s.draw.index) for s in samples] == [(e["model"], e["index"]) for e in handler.events]
    assert {event["model"] for event in handler.events} == {"inner"}


def test_an_observer_that_fails_changes_nothing():
    """Its exception is logged, and the answer is there."""

    def fail(sample):
        raise RuntimeError("mine")

    with observe_samples(fail):
        assert chat().invoke("2 + 2?").text == "4"
