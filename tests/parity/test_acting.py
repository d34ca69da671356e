"""A rule that decides and what is made of its probability, in both frameworks, sync and async."""

import asyncio
import json
import pickle
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers.run_collector import RunCollectorCallbackHandler
from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, SecretStr

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux.testing import ScriptedLLM
from slmmux import AbstainedError, ArgumentError, LearnedRule, NoAnswerError, WeightedRule
from slmmux._decision.clock import Clock
from slmmux._mux.observe import observe_samples
from slmmux.by_question import ByQuestionRule, Vectors

UNIT = 10**6
# b is worth three times a; with these weights two agreeing members are right with 0.94, b alone against a with 0.79.
RULE = LearnedRule(("a", "b"), (UNIT, 3 * UNIT), (0, 0), (-0.5, 1.0), 60)

SURE = {"a": ["4"], "b": ["4"]}
SPLIT = {"a": ["4"], "b": ["5"]}


def langchain(mux):
    message = mux.invoke("q")
    return str(message.text), message.response_metadata["slmmux"]


def langchain_async(mux):
    message = asyncio.run(mux.ainvoke("q"))
    return str(message.text), message.response_metadata["slmmux"]


def llamaindex(mux):
    response = mux.complete("q")
    return response.text, response.raw["slmmux"]


def llamaindex_async(mux):
    response = asyncio.run(mux.acomplete("q"))
    return response.text, response.raw["slmmux"]


WAYS = {f.__name__: f for f in (langchain, langchain_async, llamaindex, llamaindex_async)}


@pytest.fixture(params=WAYS)
def way(request):
    return request.param


def member(way, script, **options):
    return (ScriptedChatModel if way.startswith("langchain") else ScriptedLLM)(script=script, **options)


def mux(way, said, **options):
    cls = SLMMuxChatModel if way.startswith("langchain") else SLMMuxLLM
    options = {"samples": 2, "rule": RULE, **options}
    return cls(models={label: member(way, script) for label, script in said.items()}, **options)


def ask(way, made):
    return WAYS[way](made)


# --- the rule ---------------------------------------------------------------------------------------------------------


def test_the_rule_decides_and_gives_its_probability(way):
    """Where a and b are both sure the heavier one speaks; the record has the rule and what it gives for these shares."""
    text, record = ask(way, mux(way, SPLIT))
    expected = RULE.decide({"a": {"4": (2, 0)}, "b": {"5": (2, 0)}}, 2)
    assert (text, record["model"], record["rule"]) == ("5", "b", "learned")
    assert (record["probability"], record["confidence"], record["outcome"]) == (expected.probability, 1.0, "answered")
    assert ask(way, mux(way, SPLIT, rule="self-consistency"))[1]["model"] == "a"


def test_one_vote_of_all_samples(way):
    """Under "pooled" two members that agree outvote one that is sure, and no probability is made up."""
    said = {"a": ["4", "4", "4"], "b": ["5", "5", "6"], "c": ["5", "5", "7"]}
    text, record = ask(way, mux(way, said, samples=3, rule="pooled"))
    assert (text, record["model"], record["rule"], record["probability"]) == ("5", "b", "pooled", None)
    assert ask(way, mux(way, said, samples=3, rule="self-consistency"))[0] == "4"


def test_a_fitted_rule_waits_for_all_unless_it_is_told_otherwise(way):
    """A probability needs every sample; an explicit "settled" ends early, without one."""
    assert ask(way, mux(way, SURE))[1]["reason"] == "exhausted"
    heavy = LearnedRule(("b", "a"), (9 * UNIT, UNIT), (0, 0), (0.0, 1.0), 60)
    options = {"rule": heavy, "wait": "settled", "plan": "cascade", "accuracies": {"a": 0.1, "b": 0.9}}
    record = ask(way, mux(way, SPLIT, **options))[1]
    assert (record["reason"], record["probability"], record["samples"]["used"]) == ("settled", None, 2)
    record = ask(way, mux(way, SPLIT, **options, abstain_below=0.5))[1]  # a threshold waits, whatever was said
    assert (record["reason"], record["samples"]["used"]) == ("exhausted", 4)


class ByLength:
    """A rule by question of a user's own: it trusts a on short questions."""

    models = ("a", "b")

    def at(self, question):
        return WeightedRule(self.models, (UNIT * (5 if len(question) < 2 else 1), 3 * UNIT), (0, 0))


def test_a_rule_by_question_sees_what_the_person_asked(way):
    """It is given the last message of a person, not the instruction, and decides for that one."""
    made = mux(way, SPLIT, rule=ByLength(), system_prompt="a long instruction")
    assert ask(way, made)[1]["model"] == "a"
    assert ask(way, made)[1]["rule"] == "learned-by-question"


def by_embedding():
    vectors = Vectors("embedding", ((127, 0), (0, 127)))
    return ByQuestionRule(
        ("a", "b"), (UNIT, UNIT), (0, 0), UNIT, vectors, ((UNIT, 0), (0, UNIT)), calibration=(0.0, 1.0)
    )


def test_a_rule_on_embeddings_is_asked_with_the_muxs(way):
    """What the mux has as `embedding` compares questions, and answers stay compared by their keys."""
    for vector, model in (([1.0, 0.0], "a"), ([0.0, 1.0], "b")):
        made = mux(way, SPLIT, rule=by_embedding(), embedding=lambda _, vector=vector: vector)
        record = ask(way, made)[1]
        assert (record["model"], record["equality"]) == (model, "canonical")
    with pytest.raises(ArgumentError, match="pass the embedding= it was fitted on"):
        mux(way, SPLIT, rule=by_embedding())


# --- abstaining -------------------------------------------------------------------------------------------------------


def test_it_abstains_below_the_threshold_and_nowhere_else(way):
    """The text is the caller's, the record says so and what would have been said; above, the answer stands."""
    options = {"abstain_below": 0.9, "abstain_with": "Ask somebody else."}
    text, record = ask(way, mux(way, SPLIT, **options))
    assert text == "Ask somebody else."
    assert (record["outcome"], record["answer"], record["withheld"]) == (
        "abstained", None, {"model": "b", "answer": "5"},
    )  # fmt: skip
    assert 0 < record["probability"] < 0.9
    text, record = ask(way, mux(way, SURE, **options))
    assert (text, record["outcome"], record["withheld"]) == ("4", "answered", None)
    assert record["probability"] >= 0.9


def test_an_answer_exactly_at_the_threshold_is_given(way):
    """Below is below: the probability itself is enough."""
    exact = ask(way, mux(way, SPLIT))[1]["probability"]
    assert ask(way, mux(way, SPLIT, abstain_below=exact))[1]["outcome"] == "answered"


def test_an_unknown_probability_is_below_any(way):
    """Where a budget ended the sampling there is no probability: the mux abstains rather than guess."""
    record = ask(way, mux(way, SURE, abstain_below=0.01, budget={"calls": 2}))[1]
    assert (record["reason"], record["probability"], record["outcome"]) == ("budget", None, "abstained")


def test_where_nothing_could_be_read_it_abstains(way):
    """Replies without an answer are right with probability 0."""
    record = ask(way, mux(way, {"a": ["?"], "b": ["?"]}, extract="number", abstain_below=0.01))[1]
    assert (record["decided_by"], record["probability"], record["outcome"]) == ("rank", 0.0, "abstained")


# --- escalating -------------------------------------------------------------------------------------------------------


def escalating(way, said, script, **options):
    bigger = member(way, script, **({"model_name": "big"} if way.startswith("langchain") else {"model": "big"}))
    return mux(way, said, **{"escalate_to": bigger, "escalate_below": 0.9, **options}), bigger


def test_it_asks_the_bigger_model_once_and_counts_its_cost(way):
    """Below the threshold the bigger model's reply is returned, the record says so, and its tokens are in the usage."""
    made, bigger = escalating(way, SPLIT, ["6"])
    text, record = ask(way, made)
    assert (text, len(bigger.calls)) == ("6", 1)
    assert (record["outcome"], record["model"], record["answer"]) == ("escalated", "big", "6")
    assert record["withheld"] == {"model": "b", "answer": "5"}
    assert record["escalation"] == {
        "model": "big", "usage": {"input_tokens": 10, "output_tokens": 2, "total_tokens": 12}, "error": None,
    }  # fmt: skip
    assert record["usage"]["total_tokens"] == 5 * 12
    assert json.loads(json.dumps(record)) == record


def test_it_does_not_ask_the_bigger_model_where_it_is_sure(way):
    """At or above the threshold the bigger model is never called."""
    made, bigger = escalating(way, SURE, ["6"])
    text, record = ask(way, made)
    assert (text, record["outcome"], record["escalation"], bigger.calls) == ("4", "answered", None, [])


def test_the_bigger_model_gets_the_question_whole(way):
    """It is asked with the mux's own messages, instruction included, and not with a member's settings."""
    made, bigger = escalating(way, SPLIT, ["6"], system_prompt="Be brief.", temperature=0.3)
    ask(way, made)
    assert [str(message.content) for message in bigger.calls[0]] == ["Be brief.", "q"]
    assert bigger.temperature is None


@pytest.mark.parametrize("form", ["sync", "async"])
def test_the_bigger_models_call_is_a_run_of_its_own(form):
    """A tracer sees the five calls below the mux's run, the last under the name of who it is, and all of them ended."""
    seen = RunCollectorCallbackHandler()
    made, _ = escalating("langchain", SPLIT, ["6"])
    if form == "sync":
        made.invoke("q", {"callbacks": [seen]})
    else:
        asyncio.run(made.ainvoke("q", {"callbacks": [seen]}))
    (whole,) = seen.traced_runs
    assert sorted(run.name for run in whole.child_runs) == ["a[0]", "a[1]", "b[0]", "b[1]", "escalate_to[0]"]
    assert all(run.end_time and not run.error for run in whole.child_runs)


def test_where_the_bigger_model_fails_the_mux_answers(way):
    """A failing bigger model never takes the answer down: the record has its error, and its cost."""
    text, record = ask(way, escalating(way, SPLIT, [ValueError("overloaded")])[0])
    assert (text, record["outcome"], record["withheld"]) == ("5", "answered", None)
    assert "overloaded" in record["escalation"]["error"]


def test_where_the_bigger_model_fails_too_it_may_abstain(way):
    """With both thresholds the bigger model is asked first, and abstaining is what is left."""
    made, _ = escalating(way, SPLIT, [ValueError("overloaded")], abstain_below=0.85)
    record = ask(way, made)[1]
    assert (record["outcome"], record["answer"]) == ("abstained", None)
    assert "overloaded" in record["escalation"]["error"]


def test_between_the_thresholds_each_does_its_part(way):
    """escalate_below under abstain_below: what is too sure to escalate and too unsure to say is not said."""
    made, bigger = escalating(way, SPLIT, ["6"], escalate_below=0.2, abstain_below=0.9)
    assert (ask(way, made)[1]["outcome"], bigger.calls) == ("abstained", [])


def test_where_nobody_replied_the_bigger_model_is_asked(way):
    """All members down is a question for the bigger model; where it is down too, one error carries every cause."""
    down = {"a": [ValueError("a is down")], "b": [ValueError("b is down")]}
    text, record = ask(way, escalating(way, down, ["6"])[0])
    assert (text, record["outcome"], record["withheld"]) == ("6", "escalated", None)
    assert [vote["failed"] for vote in record["votes"]] == [2, 2]
    with pytest.raises(NoAnswerError) as caught:
        ask(way, escalating(way, down, [ValueError("big is down")])[0])
    assert [(e.model, e.index) for e in caught.value.errors] == [
        ("a", 0), ("a", 1), ("b", 0), ("b", 1), ("escalate_to", 0),
    ]  # fmt: skip
    assert all(text in str(caught.value) for text in ("a is down", "b is down", "big is down"))


def test_a_budget_holds_for_the_bigger_model_too(way):
    """Of four calls the members take all: there is none left, and the record says why it was not asked."""
    made, bigger = escalating(way, SPLIT, ["6"], budget={"calls": 4})
    record = ask(way, made)[1]
    assert (record["outcome"], bigger.calls) == ("answered", [])
    assert "budget reached" in record["escalation"]["error"]
    made, bigger = escalating(way, SPLIT, ["6"], budget={"calls": 5})
    assert (ask(way, made)[1]["outcome"], len(bigger.calls)) == ("escalated", 1)


def test_a_deadline_that_has_passed_leaves_no_time_for_the_bigger_model(way, monkeypatch):
    """The deadline is the whole question's: after it nobody is called any more."""
    made, bigger = escalating(way, SPLIT, ["6"], deadline=1000.0)
    samples = []
    monkeypatch.setattr(Clock, "left", property(lambda _: 0.0 if samples else 1000.0))
    with observe_samples(samples.append):
        record = ask(way, made)[1]
    assert (record["outcome"], bigger.calls) == ("answered", [])
    assert "deadline reached" in record["escalation"]["error"]


# --- tools and schemas ------------------------------------------------------------------------------------------------


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def calling(way, b):
    args = {"a": 1, "b": b}
    if way.startswith("langchain"):
        return AIMessage("", tool_calls=[{"name": "add", "args": args, "id": f"c{b}"}])
    return ChatMessage(
        role="assistant", blocks=[ToolCallBlock(tool_call_id=f"c{b}", tool_name="add", tool_kwargs=args)]
    )


def called(way, made):
    """Return the calls (name, arguments) and the record of one question with tools."""
    if way.startswith("langchain"):
        bound = made.bind_tools([add])
        message = bound.invoke("q") if way == "langchain" else asyncio.run(bound.ainvoke("q"))
        return [(c["name"], c["args"]) for c in message.tool_calls], message.response_metadata["slmmux"]
    tools = [FunctionTool.from_defaults(add)]
    response = (
        made.chat_with_tools(tools, user_msg="q")
        if way == "llamaindex"
        else asyncio.run(made.achat_with_tools(tools, user_msg="q"))
    )
    calls = made.get_tool_calls_from_response(response, error_on_no_tool_call=False)
    return [(c.tool_name, c.tool_kwargs) for c in calls], response.raw["slmmux"]


def test_with_tools_the_bigger_model_calls_them(way):
    """Tools are bound to the bigger model as well, and its calls are the reply; abstaining calls none."""
    said = {"a": [calling(way, 2)], "b": [calling(way, 3)]}
    calls, record = called(way, escalating(way, said, [calling(way, 9)])[0])
    assert (calls, record["outcome"]) == ([("add", {"a": 1, "b": 9})], "escalated")
    calls, record = called(way, mux(way, said, abstain_below=0.9))
    assert (calls, record["outcome"]) == ([], "abstained")


class City(BaseModel):
    """A city."""

    name: str


def filled(way, made):
    """Return the value of one question with a schema."""
    if way.startswith("langchain"):
        chain = made.with_structured_output(City)
        return chain.invoke("q") if way == "langchain" else asyncio.run(chain.ainvoke("q"))
    prompt = PromptTemplate("q")
    return (
        made.structured_predict(City, prompt)
        if way == "llamaindex"
        else asyncio.run(made.astructured_predict(City, prompt))
    )


def city(way, name):
    if way.startswith("langchain"):
        return AIMessage("", tool_calls=[{"name": "City", "args": {"name": name}, "id": "c"}])
    return ChatMessage(
        role="assistant", blocks=[ToolCallBlock(tool_call_id="c", tool_name="City", tool_kwargs={"name": name})]
    )


def test_with_a_schema_the_bigger_model_fills_it(way):
    """The value is parsed of the bigger model's reply, by its own parser."""
    said = {"a": [city(way, "Oslo")], "b": [city(way, "Bergen")]}
    assert filled(way, escalating(way, said, [city(way, "Tromso")])[0]) == City(name="Tromso")
    assert filled(way, mux(way, said)) == City(name="Bergen")


def test_with_a_schema_abstaining_gives_no_value(way):
    """LangChain's parsers give None where nothing came; LlamaIndex can only return a value, so it raises the record."""
    made = mux(way, {"a": [city(way, "Oslo")], "b": [city(way, "Bergen")]}, abstain_below=0.9)
    if way.startswith("langchain"):
        assert filled(way, made) is None
        both: Any = made.with_structured_output(City, include_raw=True).invoke("q")
        assert (both["parsed"], both["parsing_error"], str(both["raw"].text)) == (None, None, "I do not know.")
    else:
        with pytest.raises(AbstainedError, match="below abstain_below") as caught:
            filled(way, made)
        assert caught.value.record["outcome"] == "abstained"


# --- what is kept apart, and what is refused --------------------------------------------------------------------------


SECRET = "sk-never-shown"


class KeyedChatModel(ScriptedChatModel):
    api_key: SecretStr = SecretStr(SECRET)


class KeyedLLM(ScriptedLLM):
    api_key: str = SECRET


def test_the_bigger_models_key_is_nowhere(way):
    """Not in the repr, not in a dump, not in a cache key, and not in the error that the record quotes."""
    cls = KeyedChatModel if way.startswith("langchain") else KeyedLLM
    made = mux(way, SPLIT, escalate_to=cls(script=[ValueError(f"refused: {SECRET}")]), escalate_below=0.9)
    record = ask(way, made)[1]
    assert "refused" in record["escalation"]["error"]
    shown = [repr(record), repr(made), str(made.model_dump())]
    if way.startswith("langchain"):
        shown += [made._get_llm_string(), str(made._identifying_params)]
    assert not any(SECRET in text for text in shown)


def test_two_rules_and_two_thresholds_are_two_cache_keys():
    """What changes the answer changes LangChain's cache key."""
    bigger = ScriptedChatModel(script=["6"], model_name="big")
    other = ScriptedChatModel(script=["6"], model_name="bigger")
    keys = {
        mux("langchain", SURE, **options)._get_llm_string()
        for options in (
            {},
            {"rule": "pooled"},
            {"rule": LearnedRule(("a", "b"), (UNIT, 2 * UNIT), (0, 0), (-0.5, 1.0), 60)},
            {"abstain_below": 0.5},
            {"abstain_below": 0.6},
            {"abstain_below": 0.6, "abstain_with": "No."},
            {"escalate_to": bigger, "escalate_below": 0.5},
            {"escalate_to": other, "escalate_below": 0.5},
            {"escalate_to": other, "escalate_below": 0.6},
        )
    }
    assert len(keys) == 9


def test_a_dump_keeps_the_rule_and_the_threshold():
    """to_dict and pickle of a LlamaIndex mux hold a fitted rule, and what is made of them decides alike."""
    made = mux("llamaindex", SPLIT, abstain_below=0.9)
    llms = {label: member("llamaindex", script) for label, script in SPLIT.items()}
    again = SLMMuxLLM.from_dict(json.loads(json.dumps(made.to_dict())), llms=llms)
    unpickled = pickle.loads(pickle.dumps(made))
    unpickled.models = llms
    for each in (again, unpickled):
        record = each.complete("q").raw["slmmux"]
        assert (record["rule"], record["outcome"], record["reason"]) == ("learned", "abstained", "exhausted")


def test_setting_an_option_keeps_the_rest():
    """A LlamaIndex mux whose threshold is set later acts on it from then on, and no more once it is taken away."""
    made = mux("llamaindex", SPLIT)
    made.abstain_below = 0.9
    assert ask("llamaindex", made)[1]["outcome"] == "abstained"
    made.abstain_below = None
    assert ask("llamaindex", made)[1]["outcome"] == "answered"


def of_others():
    return ByQuestionRule(("a", "c"), (1, 1), (0, 0), 1, Vectors("terms", ((1,),)), ((1, 1),))


REFUSED = {
    "a threshold without a probability": ({"rule": "self-consistency", "abstain_below": 0.5}, "gives none"),
    "a threshold that is none": ({"abstain_below": 1.5}, "above 0 and at most 1, received 1.5"),
    "half of an escalation": ({"escalate_below": 0.5}, "belong together"),
    "a plan that ends early": ({"abstain_below": 0.5, "plan": "first_round"}, "leave the plan out"),
    "a rule that is none": ({"rule": "majority"}, "'self-consistency', 'pooled'"),
    "a rule to be fitted": ({"rule": "learned"}, "select_complementary"),
    "a rule by question of others": ({"rule": of_others()}, "'b'"),
    "a rule of others": ({"rule": LearnedRule(("a", "c"), (1, 1), (0, 0), (0.0, 1.0), 60)}, "'b'"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_is_refused_when_the_mux_is_made(way, why):
    """Each sentence says what was wrong and what to write."""
    options, sentence = REFUSED[why]
    with pytest.raises(ArgumentError, match=sentence):
        mux(way, SURE, **options)


def test_a_member_of_the_bigger_models_label_is_refused(way):
    """Their calls go by the label: one of the two would never be asked."""
    rule = LearnedRule(("a", "escalate_to"), (UNIT, UNIT), (0, 0), (0.0, 1.0), 60)
    with pytest.raises(ArgumentError, match="give the member another name"):
        escalating(way, {"a": ["4"], "escalate_to": ["4"]}, ["6"], rule=rule)


def test_a_bigger_model_that_is_none_is_refused(way):
    """It has to be the framework's own kind of model, as a member has."""
    with pytest.raises(ArgumentError, match="escalate_to"):
        mux(way, SURE, escalate_to=RunnableLambda(str), escalate_below=0.5)
