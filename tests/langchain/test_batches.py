"""Many questions at once: one window over the samples of all, in every form of batch."""

import asyncio
import threading
from typing import Any

import pytest
from langchain_core.language_models.chat_models import SimpleChatModel
from langchain_core.prompts import ChatPromptTemplate
from pydantic import Field

from langchain_slmmux import SLMMuxChatModel

WAIT_S = 30


class Flights:
    """Counts the calls in flight, and lets them end only once as many are as are waited for."""

    def __init__(self, awaited):
        self.lock = threading.Lock()
        self.awaited = awaited
        self.now = self.most = 0
        self.full = threading.Event()

    def enter(self):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            if self.now >= self.awaited:
                self.full.set()

    def leave(self):
        with self.lock:
            self.now -= 1


class Waits(SimpleChatModel):
    """A member with a sync call alone: asked on an event loop it runs in a thread of the mux."""

    flights: Any = Field(exclude=True)

    @property
    def _llm_type(self):
        return "waits"

    def _call(self, messages, stop=None, run_manager=None, **kwargs):
        self.flights.enter()
        assert self.flights.full.wait(WAIT_S)
        threading.Event().wait(0.01)  # long enough for others to overlap, were they let in
        self.flights.leave()
        return "4"


async def gathered(batches):
    return [done async for done in batches]


SYNC = {
    "batch": lambda runnable, inputs, config: runnable.batch(inputs, config),
    "batch_as_completed": lambda runnable, inputs, config: list(runnable.batch_as_completed(inputs, config)),
}
ASYNC = {
    "abatch": lambda runnable, inputs, config: asyncio.run(runnable.abatch(inputs, config)),
    "abatch_as_completed": lambda runnable, inputs, config: asyncio.run(
        gathered(runnable.abatch_as_completed(inputs, config))
    ),
}


def mux(flights, **options):
    return SLMMuxChatModel(models={"a": Waits(flights=flights)}, samples=2, wait="exhausted", **options)


@pytest.mark.parametrize("form", [*SYNC, *ASYNC])
def test_all_samples_of_all_questions_share_one_window(form):
    """Forty questions of two samples have eighty calls in flight together, however few threads the machine would give."""
    flights = Flights(awaited=80)
    done = {**SYNC, **ASYNC}[form](mux(flights, max_concurrency=100), ["q"] * 40, None)
    assert (len(done), flights.most) == (40, 80)


@pytest.mark.parametrize("form", [*SYNC, *ASYNC])
def test_a_configs_max_concurrency_bounds_the_calls_and_not_the_questions(form):
    """With max_concurrency=3 in the config three calls are in flight at most, and so many are."""
    flights = Flights(awaited=3)
    done = {**SYNC, **ASYNC}[form](mux(flights), ["q"] * 6, {"max_concurrency": 3})
    assert (len(done), flights.most) == (6, 3)


def test_the_mux_bounds_what_a_config_asks_for():
    """A config cannot widen the window of the mux."""
    flights = Flights(awaited=3)
    mux(flights, max_concurrency=3).batch(["q"] * 6, {"max_concurrency": 50})
    assert flights.most == 3


def test_a_chain_s_batch_is_one_window_too():
    """Behind a prompt, and bound, the questions of a batch share the window."""
    flights = Flights(awaited=20)
    chain = ChatPromptTemplate.from_messages([("user", "{q}")]) | mux(flights).bind(stop=["\n"])
    assert len(chain.batch([{"q": "1"}] * 10)) == 10
    assert flights.most == 20


@pytest.mark.parametrize("form", [*SYNC, *ASYNC])
def test_no_questions_are_no_answers(form):
    """An empty batch is empty."""
    assert {**SYNC, **ASYNC}[form](mux(Flights(1)), [], None) == []


def test_a_batch_within_a_narrower_window_is_the_same_mux():
    """Its answers, records and cache identity are those of the mux itself."""
    flights = Flights(awaited=1)
    model = mux(flights)
    whole, narrow = model.batch(["q"]), model.batch(["q"], {"max_concurrency": 1})
    first, second = (came[0].response_metadata["slmmux"] | {"seconds": None} for came in (whole, narrow))
    assert first == second
