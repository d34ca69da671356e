"""Every way LlamaIndex has of calling an LLM leads to the same decision, and shows the winner and nothing else."""

import asyncio
import json
import threading
import time

import pytest
from llama_index.core import Settings
from llama_index.core.base.llms.types import ChatMessage, LLMMetadata, MessageRole, TextBlock, ThinkingBlock
from llama_index.core.callbacks import CallbackManager, LlamaDebugHandler
from llama_index.core.llms.callbacks import llm_chat_callback
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import Field

from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux.testing import ScriptedLLM
from slmmux import SLMMuxError

from .support import ASYNC, SYNC, CompletionOnly, aask, ask, text_of, user

WAYS = SYNC + ASYNC
STREAMS = [way for way in WAYS if "stream" in way]
CHATS = [way for way in WAYS if way.endswith("chat")]
COMPLETIONS = [way for way in WAYS if way.endswith("complete")]


def pair(**options):
    """Two members, of which the second agrees with itself: "5" wins 3 of 3 against 2 of 3."""
    return SLMMuxLLM(
        **{
            "models": {"wavers": ScriptedLLM(script=["4", "6", "4"]), "sure": ScriptedLLM(script=["5"])},
            "samples": 3,
            "wait": "exhausted",
            **options,
        }
    )


# Six samples at 10 tokens in and 2 out.
USAGE = {"input_tokens": 60, "output_tokens": 12, "total_tokens": 72}
RECORD = {
    "model": "sure",
    "answer": "5",
    "confidence": 1.0,
    "probability": None,
    "rule": "self-consistency",
    "outcome": "answered",
    "withheld": None,
    "escalation": None,
    "decided_by": "confidence",
    "reason": "exhausted",
    "votes": [
        {"model": "wavers", "answer": "4", "count": 2, "of": 3, "abstained": 0, "failed": 0, "unused": 0}
        | {"answers": [["4", 2], ["6", 1]]},
        {"model": "sure", "answer": "5", "count": 3, "of": 3, "abstained": 0, "failed": 0, "unused": 0}
        | {"answers": [["5", 3]]},
    ],
    "lost": [],
    "resting": [],
    "samples": {"planned": 6, "used": 6},
    "usage": USAGE,
    "abandoned": {"calls": 0, "usage": None},
    "plan": "parallel",
    "extractor": "number",
    "equality": "canonical",
    "voted_on": None,
}


# --- the eight ways -------------------------------------------------------------------------------------------------


def check(came):
    (response,) = came
    assert text_of(response) == "5"
    assert response.delta in {"5", None}  # a chunk of a stream has one
    assert json.loads(json.dumps(response.raw)) == response.raw
    assert response.raw["slmmux"].pop("seconds") > 0
    own = {k: v for k, v in response.raw.items() if k not in {"usage", "slmmux"}}
    assert {"usage": response.raw["usage"], "slmmux": response.raw["slmmux"]} == {"usage": USAGE, "slmmux": RECORD}
    assert own.keys() == {"model"}  # the member's own raw stays beside them
    tokens = {"prompt_tokens": 60, "completion_tokens": 12, "total_tokens": 72}
    assert response.additional_kwargs == tokens


@pytest.mark.parametrize("way", WAYS)
def test_all_ways_give_the_same_text_record_and_cost(way):
    """However the mux is asked, the same samples give one response: the winner's text, the record in JSON, the cost."""
    check(ask(pair(), way))


@pytest.mark.parametrize("way", SYNC)
async def test_sync_ways_work_inside_a_running_loop(way):
    """In a notebook, where an event loop runs, the sync ways give what they give outside."""
    check(ask(pair(), way))


@pytest.mark.parametrize("way", STREAMS)
async def test_a_stream_is_decided_before_it_is_returned(way):
    """When the generator is handed out all samples have been taken, and it brings one chunk, the whole text."""
    members = {"a": ScriptedLLM(script=["4"]), "b": ScriptedLLM(script=["5", "6", "7"])}
    mux = pair(models=members)
    given = user("q") if way.endswith("chat") else "q"
    stream = await getattr(mux, way)(given) if way in ASYNC else getattr(mux, way)(given)
    assert [len(member.calls) for member in members.values()] == [3, 3]
    chunks = [chunk async for chunk in stream] if way in ASYNC else list(stream)
    assert [(chunk.delta, text_of(chunk)) for chunk in chunks] == [("4", "4")]


# --- what reaches the members ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_the_system_prompt_goes_first_where_there_is_none(way):
    """`system_prompt` is put in front of every request that has no system message."""
    member = ScriptedLLM(script=["5"])
    ask(SLMMuxLLM(models=[member], samples=1, system_prompt="Be short."), way)
    assert [(m.role, m.content) for m in member.calls[0]] == [("system", "Be short."), ("user", "q")]


@pytest.mark.parametrize("role", [MessageRole.SYSTEM, MessageRole.DEVELOPER])
async def test_the_system_prompt_gives_way_to_another(role):
    """A request with a system or developer message keeps it, and gets no second one."""
    member = ScriptedLLM(script=["5"])
    mux = SLMMuxLLM(models=[member], samples=1, system_prompt="Be short.")
    mux.chat([ChatMessage(role=role, content="Be long."), *user("q")])
    await mux.achat([ChatMessage(role=role, content="Be long."), *user("q")])
    assert [[(m.role, m.content) for m in call] for call in member.calls] == [[(role, "Be long."), ("user", "q")]] * 2


@pytest.mark.parametrize("way", WAYS)
def test_call_arguments_go_to_the_members(way):
    """Arguments the mux does not know reach every member; a call's stop comes before the mux's own."""
    got = []
    mux = SLMMuxLLM(
        models=[ScriptedLLM(script=lambda messages, turn, kwargs: got.append(kwargs) or "5")], samples=1, stop=["own"]
    )
    ask(mux, way)
    ask(mux, way, stop=["call"], top_p=0.5)
    assert got == [{"stop": ["own"]}, {"stop": ["call"], "top_p": 0.5}]


class Completes(CompletionOnly):
    """Keeps what it is asked to complete."""

    got: list = Field(default_factory=list)

    def complete(self, prompt, formatted=False, **kwargs):
        self.got.append((prompt, formatted, kwargs))
        return super().complete(prompt, formatted, **kwargs)


@pytest.mark.parametrize("way", COMPLETIONS)
def test_members_get_a_prompt_in_their_own_way(way):
    """Members that chat get the prompt as one user message; members that only complete get it as it is."""
    chats, completes = ScriptedLLM(script=["4"]), Completes()
    mux = pair(models={"chats": chats, "completes": completes}, samples=1)
    (response,) = ask(mux, way, "  2 + 2 =", stop=["\n"])
    assert [[(m.role, m.content) for m in call] for call in chats.calls] == [[("user", "  2 + 2 =")]]
    assert completes.got == [("  2 + 2 =", False, {"stop": ["\n"]})]
    assert [vote["answer"] for vote in response.raw["slmmux"]["votes"]] == ["4", "4"]


@pytest.mark.parametrize("way", COMPLETIONS)
def test_the_mux_puts_prompts_in_their_form(way):
    """The mux's `completion_to_prompt` is applied to prompts, except to those said to be formatted already."""
    chats, completes = ScriptedLLM(script=["4"]), Completes()
    mux = pair(
        models={"chats": chats, "completes": completes}, samples=1, completion_to_prompt=lambda prompt: f"<{prompt}>"
    )
    ask(mux, way)
    ask(mux, way, formatted=True)
    assert [call[0].content for call in chats.calls] == ["<q>", "q"]
    assert [prompt for prompt, *_ in completes.got] == ["<q>", "q"]
    assert completes.got[1][1] is True


@pytest.mark.parametrize("way", COMPLETIONS)
def test_members_that_only_complete_get_the_system_prompt_too(way):
    """For a member without messages the system prompt stands in front of the prompt."""
    completes = Completes()
    ask(SLMMuxLLM(models=[completes], samples=1, system_prompt="Be short."), way)
    assert completes.prompts == ["Be short.\n\nq"]


class Rewrites(ScriptedLLM):
    """A member that keeps what it was asked, then rewrites it and adds to it."""

    asked: list = Field(default_factory=list)

    def _reply(self, messages, kwargs):
        self.asked.append([(m.content, dict(m.additional_kwargs)) for m in messages])
        for message in messages:
            message.blocks[0].text += "!"
            message.additional_kwargs["mine"] = True
        messages.append(ChatMessage(role=MessageRole.USER, content="more"))
        return super()._reply(messages, kwargs)


def nothing() -> str:
    """Do nothing."""
    return ""


@pytest.mark.parametrize("way", ["chat", "achat", "chat_with_tools", "achat_with_tools"])
async def test_each_sample_has_messages_of_its_own(way):
    """A member that rewrites its messages and adds to them changes neither the caller's nor another sample's."""
    members = {"a": Rewrites(script=["4"]), "b": Rewrites(script=["4"])}
    mux = pair(models=members)
    messages = [*user("q"), ChatMessage(role=MessageRole.ASSISTANT, content="r")]
    before = [message.model_dump() for message in messages]
    if way.endswith("tools"):
        asked = getattr(mux, way)([FunctionTool.from_defaults(nothing)], user_msg="s", chat_history=messages)
    else:
        asked = getattr(mux, way)(messages)
    if way.startswith("a"):
        await asked
    said = [("q", {}), ("r", {})] + ([("s", {})] if way.endswith("tools") else [])
    assert [member.asked for member in members.values()] == [[said] * 3] * 2
    assert [message.model_dump() for message in messages] == before


class Meets(CompletionOnly):
    """A member without async calls, whose replies come from the event loop and once all have met."""

    met: threading.Barrier = Field(exclude=True)
    loop: asyncio.AbstractEventLoop = Field(exclude=True)

    def complete(self, prompt, formatted=False, **kwargs):
        self.met.wait(10)
        text = asyncio.run_coroutine_threadsafe(asyncio.sleep(0, "4"), self.loop).result(10)
        return super().complete(text, formatted, **kwargs)


class HalfAsync(Meets):
    """A member with an async completion of its own, and a chat that only is its sync one."""

    async def acomplete(self, prompt, formatted=False, **kwargs):
        raise AssertionError("a chat was asked for")


@pytest.mark.parametrize(("way", "cls"), [*((way, Meets) for way in ASYNC), ("achat", HalfAsync)])
async def test_members_without_async_calls_run_on_threads(way, cls):
    """Forty calls of a CustomLLM meet, which one after another never would, and the event loop stays free.

    The loop's own executor has at most 32 threads, on two cores 6.
    """
    member = cls(met=threading.Barrier(40), loop=asyncio.get_running_loop())
    (response,) = await aask(SLMMuxLLM(models=[member], samples=40, wait="exhausted"), way)
    assert response.raw["slmmux"]["votes"][0]["count"] == 40


# --- what leaves ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", CHATS)
def test_the_message_is_the_winners_own(way):
    """The winner's blocks leave with it, thinking and its provider's fields included: it needs them back next time."""
    reply = ChatMessage(
        role=MessageRole.ASSISTANT,
        blocks=[ThinkingBlock(content="Hmm."), TextBlock(text="It is"), TextBlock(text="4")],
        additional_kwargs={"signature": "s"},
    )
    (response,) = ask(SLMMuxLLM(models=[ScriptedLLM(script=[reply])], samples=2), way)
    assert response.message.blocks == reply.blocks
    assert response.message.additional_kwargs == {"signature": "s"}
    assert response.message.role == MessageRole.ASSISTANT


@pytest.mark.parametrize("way", WAYS)
def test_a_mux_may_be_a_member(way):
    """A mux is an LLM, so it may be a member; all that it cost is counted."""
    # The inner one is asked twice at once, so its members say the same to whichever question comes first.
    inner = pair(models={name: ScriptedLLM(script=["5"]) for name in "ab"})
    outer = SLMMuxLLM(models={"inner": inner, "one": ScriptedLLM(script=["7", "8"])}, samples=2, wait="exhausted")
    (response,) = ask(outer, way)
    assert (text_of(response), response.raw["slmmux"]["model"]) == ("5", "inner")
    assert response.raw["usage"]["total_tokens"] == 2 * 72 + 2 * 12


# --- what the mux says of itself ------------------------------------------------------------------------------------


class Says(ScriptedLLM):
    """A member with metadata to choose."""

    said: dict = Field(default_factory=dict)

    @property
    def metadata(self):
        return LLMMetadata(**{"is_chat_model": True, "is_function_calling_model": True, **self.said})


def said(*members):
    return SLMMuxLLM(models={str(i): Says(script=["4"], said=each) for i, each in enumerate(members)}).metadata


def test_limits_are_the_least_of_the_members():
    """The context window is the least; so is the number of output tokens, among those that say one."""
    metadata = said(
        {"context_window": 100, "num_output": -1},
        {"context_window": 50, "num_output": 64},
        {"context_window": 70, "num_output": 32},
    )
    assert (metadata.context_window, metadata.num_output) == (50, 32)
    assert said({"num_output": -1}, {"num_output": 0}).num_output == -1


def test_over_members_that_only_complete_a_mux_completes():
    """Programs choose the form of a prompt by it, as they would for the members alone."""
    metadata = SLMMuxLLM(models={"a": CompletionOnly(), "b": CompletionOnly()}).metadata
    assert not metadata.is_chat_model
    assert not metadata.is_function_calling_model
    assert (metadata.context_window, metadata.num_output) == (2048, 64)


@pytest.mark.parametrize(("flags", "expected"), [((True, True), True), ((True, False), False), ((False,), False)])
def test_functions_are_called_where_all_members_do(flags, expected):
    """The mux calls functions exactly when every member does."""
    assert said(*({"is_function_calling_model": flag} for flag in flags)).is_function_calling_model is expected


@pytest.mark.parametrize(
    ("roles", "expected"), [(["user", "user"], "user"), (["user", "system"], "system"), (["user", "tool"], "system")]
)
def test_the_system_role_is_the_members_common_one(roles, expected):
    """The system role is the one all members have, else `system`."""
    assert said(*({"system_role": role} for role in roles)).system_role == MessageRole(expected)


# --- Settings and options -------------------------------------------------------------------------------------------


async def test_settings_give_their_callbacks_to_the_mux_only():
    """As `Settings.llm` the mux is given the settings' callbacks, and its members keep their own."""
    members = {"a": ScriptedLLM(script=["4"]), "b": ScriptedLLM(script=["4"])}
    own = [member.callback_manager for member in members.values()]
    seen = LlamaDebugHandler(print_trace_on_end=False)
    Settings.llm = pair(models=members)
    Settings.callback_manager = CallbackManager([seen])
    assert Settings.llm.predict(PromptTemplate("{x}?"), x="2 + 2") == "4"
    assert await Settings.llm.apredict(PromptTemplate("{x}?"), x="2 + 2") == "4"
    assert Settings.llm.callback_manager is Settings.callback_manager
    assert all(m.callback_manager is kept for m, kept in zip(members.values(), own, strict=True))
    assert [kept.handlers for kept in own] == [[], []]
    assert len(seen.get_llm_inputs_outputs()) == 2


class Warm(ScriptedLLM):
    """A member that replies with its own settings."""

    def _reply(self, messages, kwargs):
        response = super()._reply(messages, kwargs)
        response.message.content = f"{self.temperature} {self.max_tokens}"
        return response


async def test_options_set_on_the_mux_take_effect():
    """An option set by attribute, as LlamaIndex's users do, holds from the next question on; members stay as they are."""
    member, other = Warm(script=[""], temperature=0.5), Warm(script=[""], temperature=0.1)
    mux = SLMMuxLLM(models={"a": member}, samples=2, wait="exhausted", extract="text")
    mux.samples = 5
    mux.temperature = 0.9
    mux.max_tokens = 7
    record = (await mux.achat(user("q"))).raw["slmmux"]
    assert (record["answer"], record["samples"]["planned"]) == ("0.9 7", 5)
    mux.models = {"b": other, "c": member}
    mux.samples = {"b": 1, "c": 2}
    mux.accuracies = {"b": 0.1, "c": 0.2}
    mux.temperature = {"b": 0.7}
    mux.system_prompt, mux.plan, mux.wait, mux.extract, mux.stop = "Be short.", "cascade", "settled", str.upper, ["x"]
    record = mux.chat(user("q")).raw["slmmux"]
    assert [(vote["model"], vote["of"]) for vote in record["votes"]] == [("c", 2), ("b", 1)]
    assert (record["answer"], record["plan"], record["extractor"]) == ("0.5 7", "cascade", "callable")
    assert (member.calls[-1][0].content, mux.metadata.num_output) == ("Be short.", 7)
    assert (member.temperature, other.temperature, member.max_tokens) == (0.5, 0.1, None)


BAD = {
    "models": [{}, None, {"a": "a text"}, {"b": ScriptedLLM(script=["4"])}],
    "samples": [0, 1.5, "3 times", {"x": 2}, {}],
    "temperature": ["hot", {"x": 0.5}],
    "accuracies": [{"a": 75.0}, {"x": 0.5}, 0.5],
    "max_tokens": ["many"],
    "max_concurrency": [0, "all"],
    "timeout": [0, -1.0, "soon"],
    "deadline": [0],
    "extract": ["boxd", 7],
    "plan": ["paralel"],
    "wait": ["for it"],
    "rule": ["majority", "learned", 7],
    "abstain_below": [0.5, 2.0],
    "escalate_below": [0.5],
    "escalate_to": [ScriptedLLM(script=["4"]), "a text"],
    "trace_samples": [False],
    "stop": [7],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_bad_options_set_on_the_mux_are_refused_and_change_nothing(name, value):
    """An option that the constructor would refuse is refused when it is set, and the mux goes on as before."""
    mux = SLMMuxLLM(
        models={"a": Warm(script=[""], temperature=0.5)}, samples={"a": 2}, extract="text", wait="exhausted"
    )
    before = {field: getattr(mux, field) for field in BAD}
    with pytest.raises((SLMMuxError, TypeError)):
        SLMMuxLLM(**{**before, name: value})
    with pytest.raises((SLMMuxError, TypeError)):
        setattr(mux, name, value)
    assert {field: getattr(mux, field) for field in BAD} == before
    assert mux.chat(user("q")).raw["slmmux"]["votes"][0] == {
        "model": "a",
        "answer": "0.5 None",
        "count": 2,
        "of": 2,
        "abstained": 0,
        "failed": 0,
        "unused": 0,
        "answers": [["0.5 None", 2]],
    }


# --- limits ---------------------------------------------------------------------------------------------------------


class Peak:
    """How many calls were in flight at most."""

    def __init__(self):
        self.now = self.most = 0
        self.lock = threading.Lock()

    def __enter__(self):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *error):
        with self.lock:
            self.now -= 1


class Sleepy(ScriptedLLM):
    """Lets others begin while it is at work."""

    peak: Peak = Field(exclude=True)
    model_config = {"arbitrary_types_allowed": True}

    @llm_chat_callback()
    async def achat(self, messages, **kwargs):
        with self.peak:
            for _ in range(20):
                await asyncio.sleep(0)
        return self._reply(messages, kwargs)


async def test_max_concurrency_bounds_tasks():
    """Over all questions asked at once there are never more calls in flight than max_concurrency, and that many."""
    peak = Peak()
    mux = pair(models={name: Sleepy(script=["4"], peak=peak) for name in "ab"}, max_concurrency=2)
    await asyncio.gather(*(mux.achat(user("q")) for _ in range(3)))
    assert peak.most == 2
    mux.max_concurrency = 5
    await mux.achat(user("q"))
    assert peak.most == 5


def test_max_concurrency_bounds_threads():
    """The calls of a sync question meet in twos and never in threes where two may be in flight."""
    peak, met = Peak(), threading.Barrier(2)

    def script(messages, turn, kwargs):
        with peak:
            met.wait(30)
            for _ in range(200):
                time.sleep(0)  # whoever may begin now does
        return "4"

    response = pair(models={name: ScriptedLLM(script=script) for name in "ab"}, max_concurrency=2).chat(user("q"))
    assert peak.most == 2
    assert [vote["count"] for vote in response.raw["slmmux"]["votes"]] == [3, 3]


async def test_samples_are_asked_once_each():
    """Every sample is one request of its own, in every way."""
    member = ScriptedLLM(script=["4"])
    mux = SLMMuxLLM(models=[member], samples=3, wait="exhausted")
    for n, way in enumerate(WAYS, 1):
        await aask(mux, way)
        assert len(member.calls) == 3 * n
