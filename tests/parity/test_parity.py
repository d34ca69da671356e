"""One recording gives one answer: through LangChain members, through LlamaIndex members, and replayed from the file."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage
from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from llama_index.core.llms.callbacks import llm_chat_callback
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.dispatcher import active_instrument_tags
from pydantic import BaseModel, Field, ValidationError

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux.testing import ScriptedLLM
from slmmux import Answer, Decision, Draw, NoAnswerError, Race, Recording, SampleError, answers, replay
from slmmux._decision.record import record
from slmmux.recording import Row

from ..lengths import examples as in_short_form
from ..lengths import short_form
from ..llamaindex.support import Events, user

PLANS = ["parallel", "cascade", "adaptive", "first_round"]
EACH_PLAN = short_form(PLANS, {"parallel", "adaptive"}.__contains__)
WAITS = ["settled", "exhausted"]


# --- what is recorded -------------------------------------------------------------------------------------------------


class Failed(str):
    """A call that failed, by its error's text."""

    __slots__ = ()


Calls = list[tuple[str, dict[str, Any]]]  # of tools, by name and arguments
Outcome = str | Calls | Failed


@dataclass(frozen=True)
class Recorded:
    """One question's samples.

    Attributes:
        table: Each member's outcomes, in index order.
        accuracies: The members' validation accuracies, or None.
        extractor: How the request has them read: "auto", "tool_calls" or "structured".
    """

    table: dict[str, list[Outcome]]
    accuracies: dict[str, float] | None = None
    extractor: str = "auto"

    @property
    def samples(self) -> dict[str, int]:
        """k by label, best-ranked first."""
        accuracies = self.accuracies or {}
        rank = sorted(self.table, key=lambda label: -accuracies.get(label, 0))  # equals stay in the order given
        return {label: len(self.table[label]) for label in rank}

    @property
    def draws(self) -> list[Draw]:
        return [Draw(label, i) for label, k in self.samples.items() for i in range(k)]

    def at(self, draw: Draw) -> Outcome:
        return self.table[draw.model][draw.index]

    def says_something(self, draw: Draw) -> bool:
        outcome = self.at(draw)
        return bool(outcome.strip() if isinstance(outcome, str) else outcome)

    def tokens(self, label: str) -> tuple[int, int]:
        """What each reply of a member costs: other numbers for each, so that none is mistaken for another."""
        place = list(self.table).index(label)
        return 10 + 3 * place, 1 + 10**place

    def read(self, outcome: str | Calls) -> Answer | None:
        """Return what is to be read in a reply."""
        if self.extractor == "structured":
            return city(outcome)
        if isinstance(outcome, str):
            return answers.reader("auto" if self.extractor == "auto" else "text", question="q")(outcome)
        if not all(name == "add" and args.keys() == {"a", "b"} for name, args in outcome):
            return None  # no call of the tool that is bound
        key = answers.tool_calls({"name": name, "args": args} for name, args in outcome)
        return Answer(key, "tool_calls", key)

    def record(self, decision: Decision[Any], plan: str) -> dict[str, Any]:
        """Return the record of a decision over these samples, at the cost of the replies that it saw."""
        sent, received = (
            sum(self.tokens(sample.draw.model)[side] for sample in decision.samples if sample.error is None)
            for side in (0, 1)
        )
        usage = {"input_tokens": sent, "output_tokens": received, "total_tokens": sent + received}
        return record(decision, plan=plan, extractor=self.extractor, usage=usage)

    def replayed(self, plan: str, wait: str) -> Decision[Any]:
        """Return what `replay` makes of the samples; its votes show the answers as they were read."""
        rows = []
        for draw in self.draws:
            outcome = self.at(draw)
            failed = isinstance(outcome, Failed)
            answer = None if failed else self.read(outcome)
            rows.append(
                Row(
                    question_id="q",
                    model=draw.model,
                    sample_index=draw.index,
                    answer=answer and [answer.kind, answer.key, answer.value],
                    error=str(outcome) if failed else None,
                )
            )
        recording = Recording.of(rows)
        decided = replay(recording, list(self.samples), plan=plan, wait=wait, same=lambda a, b: a[:2] == b[:2])["q"]
        votes = [
            replace(v, answer=v.answer[2], kind=v.answer[0], answers=tuple((a[2], n) for a, n in v.answers))
            if v.answer is not None
            else v
            for v in decided.votes
        ]
        speaker = decided.winner.model
        if not decided.winner.count:  # a recording keeps no replies, so a replay cannot know which of them are empty
            speakers = (s.draw.model for s in decided.samples if s.error is None and self.says_something(s.draw))
            speaker = next(speakers, speaker)
        winner = next(vote for vote in votes if vote.model == speaker)
        return replace(decided, winner=winner, votes=tuple(votes))

    def raced(self, order: list[Draw], plan: str) -> Decision[Any]:
        """Return what a bare race decides when its samples come in this order and it may settle."""
        race: Race[Any] = Race(self.samples, self.read, plan=plan)
        asked: set[Draw] = set()
        while (decision := race.decision) is None:
            asked |= set(race.ask())
            draw = next(draw for draw in order if draw in asked)
            asked.remove(draw)
            if isinstance(outcome := self.at(draw), Failed):
                race.fail(draw, RuntimeError(outcome))
            else:
                race.tell(draw, outcome)
        return decision

    def refusal(self) -> str:
        """Return what is said where every sample failed."""
        return str(NoAnswerError(SampleError(d.model, d.index, RuntimeError(self.at(d))) for d in self.draws))


def city(outcome: str | Calls) -> Answer | None:
    """Return the value of a reply's first call, where that fills the schema."""
    if isinstance(outcome, str) or outcome[0][0] != "City":
        return None
    try:
        value = City(**outcome[0][1]).model_dump(mode="json")
    except ValidationError:
        return None
    return Answer(value, "structured", answers.canonical(value))


# --- members that reply what was recorded -----------------------------------------------------------------------------


def drawn(tags: dict[str, Any]) -> Draw:
    """Return whose sample is being asked for, as the mux tells a tracer: turns would depend on the threads."""
    return Draw(tags["slmmux_member"], tags["slmmux_sample"])


class Chat(ScriptedChatModel):
    """A LangChain member; its async calls wait at the gate, where there is one."""

    gate: Any = Field(default=None, exclude=True, repr=False)

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        return self._reply(messages, {"draw": drawn(run_manager.metadata)})

    async def _agenerate(self, messages, stop=None, run_manager=None, **kwargs):
        draw = drawn(run_manager.metadata)
        if self.gate:
            await self.gate(draw)
        return self._reply(messages, {"draw": draw})


class Llm(ScriptedLLM):
    """A LlamaIndex member, likewise."""

    gate: Any = Field(default=None, exclude=True, repr=False)

    def _reply(self, messages, kwargs):
        return super()._reply(messages, {"draw": drawn(active_instrument_tags.get())})

    @llm_chat_callback()
    async def achat(self, messages, **kwargs):
        if self.gate:
            await self.gate(drawn(active_instrument_tags.get()))
        return self._reply(messages, kwargs)


def ai_message(calls: Calls) -> AIMessage:
    return AIMessage(
        "", tool_calls=[{"id": f"id{i}", "name": n, "args": {**args}} for i, (n, args) in enumerate(calls)]
    )


def chat_message(calls: Calls) -> ChatMessage:
    blocks = [ToolCallBlock(tool_call_id=f"x{i}", tool_name=n, tool_kwargs={**a}) for i, (n, a) in enumerate(calls)]
    return ChatMessage(role="assistant", blocks=blocks)


def mux_of(mux, member, message, recorded: Recorded, gate=None, **options):
    """Return a mux whose members reply what was recorded."""

    def script(_messages, _turn, kwargs):
        outcome = recorded.at(kwargs["draw"])
        if isinstance(outcome, Failed):
            return RuntimeError(str(outcome))
        return outcome if isinstance(outcome, str) else message(outcome)

    models = {label: member(script=script, tokens=recorded.tokens(label), gate=gate) for label in recorded.table}
    k = dict(reversed(recorded.samples.items()))  # in no order of its own
    return mux(models=models, samples=k, accuracies=recorded.accuracies, **options)


langchain = partial(mux_of, SLMMuxChatModel, Chat, ai_message)
llamaindex = partial(mux_of, SLMMuxLLM, Llm, chat_message)


# --- asking, and what is heard ----------------------------------------------------------------------------------------


class Heard(NamedTuple):
    """What a mux says: the record, the text and the calls."""

    record: dict[str, Any]
    text: str
    calls: Calls


def timeless(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record without what runs do not share: the seconds, the calls that ran at the decision, fields of values.

    A recording keeps the answers and no names of the fields that were compared.
    """
    assert record["seconds"] > 0
    assert record["abandoned"]["calls"] <= record["samples"]["planned"] - record["samples"]["used"]
    return record | {"seconds": None, "abandoned": {"calls": 0, "usage": None}, "voted_on": None}


def of_message(message: AIMessage) -> Heard:
    calls = [(call["name"], call["args"]) for call in message.tool_calls]
    assert message.usage_metadata == message.response_metadata["slmmux"]["usage"]
    return Heard(timeless(message.response_metadata["slmmux"]), str(message.text), calls)


# Any mux of several reads the calls of any other's response.
READER = SLMMuxLLM(models={label: ScriptedLLM(script=[""]) for label in "ab"})


def of_response(response: Any) -> Heard:
    calls = READER.get_tool_calls_from_response(response, error_on_no_tool_call=False)
    usage = response.raw["slmmux"]["usage"]  # a mux of one has its member's own counts beside these
    assert {name: response.raw["usage"][name] for name in usage} == usage
    said = [(call.tool_name, call.tool_kwargs) for call in calls]
    return Heard(timeless(response.raw["slmmux"]), response.message.content or "", said)


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


def asked_chat(recorded, options):
    mux = langchain(recorded, **options)
    return mux.bind_tools([add]) if recorded.extractor == "tool_calls" else mux


def invoke(recorded, **options):
    return of_message(asked_chat(recorded, options).invoke("q"))


async def ainvoke(recorded, **options):
    return of_message(await asked_chat(recorded, options).ainvoke("q"))


def asked_llm(recorded, options):
    mux = llamaindex(recorded, **options)
    if recorded.extractor != "tool_calls":
        return partial(mux.chat, user("q")), partial(mux.achat, user("q"))
    bound = [FunctionTool.from_defaults(add)], "q"
    return partial(mux.chat_with_tools, *bound), partial(mux.achat_with_tools, *bound)


def chat(recorded, **options):
    return of_response(asked_llm(recorded, options)[0]())


async def achat(recorded, **options):
    return of_response(await asked_llm(recorded, options)[1]())


def awaited(ask: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    return lambda *args, **options: asyncio.run(ask(*args, **options))


SYNC = {"invoke": invoke, "chat": chat}
ASYNC = {"ainvoke": ainvoke, "achat": achat}
WAYS = {**SYNC, **{name: awaited(ask) for name, ask in ASYNC.items()}}


def outcomes_of(ways: dict[str, Callable[..., Any]], *args: Any, **options: Any) -> dict[str, Any]:
    """Return what is heard each way, or the text of the refusal."""
    heard = {}
    for name, ask in ways.items():
        try:
            heard[name] = ask(*args, **options)
        except NoAnswerError as error:
            heard[name] = str(error)
    return heard


# --- recordings -------------------------------------------------------------------------------------------------------

# Of each kind several spellings of one answer, and another answer.
TEXTS = [
    "So it is \\boxed{4}.",
    "\\boxed{ 4 }",
    "\\boxed{\\frac{1}{2}}",
    "The answer is 4.",
    "Answer: 1,234",
    "The answer is 1234",
    "Answer: (B)",
    "The answer is B.",
    '{"a": 1, "b": [2]}',
    '```json\n{"b": [2.0], "a": 1}\n```',
    "Paris",
    " paris. ",
    "It may well be Paris, though nobody knows.",
    "<think>\\boxed{9}</think>\\boxed{4}",
    "<think>never ended \\boxed{4}",
    "",
    " \n",
]
failed = st.sampled_from(["refused", "cut off"]).map(Failed)
texts = st.sampled_from(TEXTS) | st.sampled_from(TEXTS) | st.text(max_size=9) | failed


@st.composite
def recordings(draw: Any, outcome: Any = texts, extractor: str = "auto") -> Recorded:
    """One to four members with one to four samples each, ranked by the order given or by accuracies."""
    table = dict(
        zip("abcd", draw(st.lists(st.lists(outcome, min_size=1, max_size=4), min_size=1, max_size=4)), strict=False)
    )
    ranked = st.fixed_dictionaries(dict.fromkeys(table, st.sampled_from([0.5, 0.7])))
    return Recorded(table, draw(st.none() | ranked), extractor)


class City(BaseModel):
    """A city."""

    name: str
    people: float


BERN, ROME = {"name": "Bern", "people": 1}, {"name": "Rome", "people": 3}
# Not two calls in one reply: LangChain's own parser takes the first, LlamaIndex's own refuses both.
CITIES = [
    [("City", BERN)],
    [("City", {"people": "1.0", "name": "Bern"})],
    [("City", ROME)],
    [("City", {"name": "Bern"})],  # lacks a field
    [("Town", BERN)],  # calls what there is not
    "Bern",  # calls nothing
    "",
]
NO_REPLY = Recorded({"a": [Failed("refused"), Failed("cut off")], "b": [Failed("refused")]})


def tried(examples: int) -> Any:
    # A sixth in each run, as for all properties, and never fewer than eight.
    return settings(
        max_examples=max(8, in_short_form(examples)), deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )


# --- the claims -------------------------------------------------------------------------------------------------------


def check_exhausted(recorded: Recorded, plan: str) -> None:
    decision = recorded.replayed(plan, "exhausted")
    if decision.reply is None:
        expected: Any = recorded.refusal()
    else:
        outcome = recorded.at(decision.sample)
        said = (outcome, []) if isinstance(outcome, str) else ("", outcome)
        expected = Heard(recorded.record(decision, plan), *said)
    for way, heard in outcomes_of(WAYS, recorded, plan=plan, wait="exhausted").items():
        assert heard == expected, way


@pytest.mark.parametrize("plan", EACH_PLAN)
@tried(20)
@given(recorded=recordings())
@example(recorded=NO_REPLY)
def test_with_all_in_the_record_is_the_same(recorded, plan):
    """Under wait="exhausted" both frameworks, sync and async, give the record, the text and the cost of the replay."""
    check_exhausted(recorded, plan)


ADD, SAME_ADD = [("add", {"a": 1, "b": 2})], [("add", {"b": 2.0, "a": 1})]
CALLS = [ADD, SAME_ADD, [("add", {"a": 2, "b": 1})], [("sub", {"a": 1, "b": 2})], [*ADD, ("add", {})], "It is 3.", ""]


@pytest.mark.parametrize("plan", EACH_PLAN)
@tried(15)
@given(recorded=recordings(st.sampled_from(CALLS) | failed, "tool_calls"))
def test_the_same_tool_calls_give_the_same_record(recorded, plan):
    """With tools bound the calls are voted on alike, and the winner's own calls come out."""
    check_exhausted(recorded, plan)


@pytest.mark.parametrize("plan", EACH_PLAN)
@tried(20)
@given(recorded=recordings())
@example(recorded=NO_REPLY)
def test_settled_the_answer_is_the_same_however_samples_arrive(recorded, plan):
    """Under wait="settled", all at once on threads and tasks, both frameworks give the replay's model and answer."""
    decision = recorded.replayed(plan, "settled")
    for way, heard in outcomes_of(WAYS, recorded, plan=plan, wait="settled").items():
        if decision.reply is None:
            assert heard == recorded.refusal(), way
            continue
        answer = recorded.read(heard.text)
        assert answer == recorded.read(recorded.at(decision.sample)), way
        assert heard.record["model"] == decision.winner.model, way
        assert heard.record["answer"] == (answer and answer.value), way


class Gate:
    """Holds every sample until the test lets it through."""

    def __init__(self) -> None:
        self.waiting: dict[Draw, asyncio.Event] = {}

    async def __call__(self, draw: Draw) -> None:
        await self.waiting.setdefault(draw, asyncio.Event()).wait()


async def in_order(order: list[Draw], ask: Callable[..., Awaitable[Heard]], *args: Any, **options: Any) -> Heard:
    """Ask, and let one sample after the other through, in this order, each when the last has had its effect."""
    gate = Gate()
    asking = asyncio.ensure_future(ask(*args, gate=gate, **options))
    while True:
        for _ in range(40):  # turns of the loop: enough for a reply to reach the race and what it asks for to begin
            await asyncio.sleep(0)
        if asking.done():
            return asking.result()
        gate.waiting.pop(next(draw for draw in order if draw in gate.waiting)).set()


@pytest.mark.parametrize("plan", EACH_PLAN)
@tried(30)
@given(scripted=recordings().flatmap(lambda r: st.tuples(st.just(r), st.permutations(r.draws))))
@example(scripted=(NO_REPLY, NO_REPLY.draws))
def test_in_one_order_of_arrival_the_record_is_the_same(scripted, plan):
    """Samples that arrive in one scripted order give both frameworks the record of a bare race, the unused included."""
    recorded, order = scripted
    try:
        decision = recorded.raced(order, plan)
        expected: Any = (recorded.record(decision, plan), recorded.at(decision.sample))
    except NoAnswerError as error:
        expected = str(error)
    ways = {name: awaited(partial(in_order, order, ask)) for name, ask in ASYNC.items()}
    for way, heard in outcomes_of(ways, recorded, plan=plan).items():
        assert (heard if isinstance(heard, str) else heard[:2]) == expected, way


@pytest.mark.parametrize("plan", EACH_PLAN)
@tried(20)
@given(recorded=recordings())
def test_one_call_at_a_time_the_record_is_the_replays(recorded, plan):
    """Where calls follow each other the sync ways settle where the replay does; a call more may have been paid for."""
    decision = recorded.replayed(plan, "settled")
    for way, heard in outcomes_of(SYNC, recorded, plan=plan, max_concurrency=1).items():
        if decision.reply is None:
            assert heard == recorded.refusal(), way
        else:
            assert heard.record | {"usage": None} == recorded.record(decision, plan) | {"usage": None}, way


def filled(way: Callable[..., Any]) -> Callable[..., Any]:
    """Return LlamaIndex's way of filling a schema with the mux's own record beside the value, as LangChain gives it."""

    def ask(recorded: Recorded, **options: Any) -> tuple[dict[str, Any], City | None]:
        root, events = get_dispatcher(), Events()
        root.add_event_handler(events)
        try:
            value = way(llamaindex(recorded, **options))
        except NoAnswerError:
            raise
        except Exception:  # noqa: BLE001 - no reply could be parsed: the error is the member's own
            value = None
        finally:
            root.event_handlers.remove(events)
        ends = [event for event in events.of("LLMChatEndEvent") if "slmmux_member" not in event.tags]
        return timeless(ends[0].response.raw["slmmux"]), value

    return ask


def parsed(result: dict[str, Any]) -> tuple[dict[str, Any], City | None]:
    return timeless(result["raw"].response_metadata["slmmux"]), result["parsed"]


def bound(recorded: Recorded, **options: Any) -> Any:
    return langchain(recorded, **options).with_structured_output(City, include_raw=True)


PROMPT = PromptTemplate("q")
FILLING = {
    "invoke": lambda *args, **options: parsed(bound(*args, **options).invoke("q")),
    "ainvoke": lambda *args, **options: parsed(asyncio.run(bound(*args, **options).ainvoke("q"))),
    "structured_predict": filled(lambda mux: mux.structured_predict(City, PROMPT)),
    "astructured_predict": filled(lambda mux: asyncio.run(mux.astructured_predict(City, PROMPT))),
}


@pytest.mark.parametrize("plan", EACH_PLAN)
@tried(10)
@given(recorded=recordings(st.sampled_from(CITIES) | failed, "structured"))
@example(recorded=NO_REPLY)
@example(recorded=Recorded({"a": ["Bern", [("Town", BERN)]], "b": [""]}, extractor="structured"))
@example(recorded=Recorded({"a": [[("City", {"name": "Bern"})]], "b": ["Bern"]}, extractor="structured"))
@example(recorded=Recorded({"a": [""], "b": [[("City", {"name": "Bern"})]]}, extractor="structured"))
def test_the_same_parsed_values_give_the_same_record(recorded, plan):
    """Asked for a schema, members that call a function give both frameworks one value, and the replay's record for it."""
    decision = recorded.replayed(plan, "exhausted")
    for way, heard in outcomes_of(FILLING, recorded, plan=plan, wait="exhausted").items():
        if decision.reply is None:
            assert heard == recorded.refusal(), way
        else:
            answer = decision.winner.answer
            assert heard == (recorded.record(decision, plan), answer and City(**answer)), way


# Two small models, ten samples each of capitals and sums.
REAL = Path(__file__).parents[2] / "bench" / "recordings" / "pair-t07.jsonl.gz"


@pytest.fixture(scope="module")
def real() -> Recording:
    return Recording.load(REAL)


@pytest.mark.parametrize(
    ("first", "plan", "wait"),
    short_form(((i, *how) for i, how in enumerate(product(PLANS, WAITS))), lambda case: case[0] % 3 == 0),
)
def test_a_real_recording_gives_the_same_through_both(real, first, plan, wait):
    """On 48 questions of a real recording, 12 for each plan and wait, each way gives the replay's model and answer."""
    k = {"qwen2.5-coder-0.5b-instruct": 5, "gemma-3-270m": 4}
    decisions = replay(real, list(k), samples=k, plan=plan, wait=wait)
    for question in real.questions[first::10]:
        recorded = Recorded(
            {label: [row.text for row in real.by_question[question][label][:n]] for label, n in k.items()}
        )
        winner = decisions[question].winner
        for way, heard in outcomes_of(WAYS, recorded, plan=plan, wait=wait).items():
            answer = recorded.read(heard.text)
            said = answer and f"{answer.kind}:{answer.key}"  # as the recording has it
            assert (heard.record["model"], said) == (winner.model, winner.answer), (question, way)
            if wait == "exhausted":
                assert heard.record["confidence"] == winner.confidence, (question, way)
                assert heard.text == decisions[question].reply.text, (question, way)
