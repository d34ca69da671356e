"""Other confidences than self-consistency, live and in either framework: each ranks the members by its scores."""

import asyncio
import math
import threading

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_openai import ChatOpenAI
from llama_index.core.base.llms.types import ChatMessage
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

import langchain_slmmux
import llamaindex_slmmux
from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux._llama import ChatLlama
from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux._served import Served
from slmmux import ArgumentError, NoAnswerError
from slmmux._mux.observe import observe_samples
from slmmux._mux.scoring.confidence import fraction_of, logprobs_in, mean_probability, without_statement
from slmmux.config import load_config
from slmmux.selection import compare_confidences
from tests.frameworks import LangChain, LlamaIndex
from tests.servers.loopback import Response, serving


@pytest.fixture(params=[LangChain(), LlamaIndex()], ids=["langchain", "llamaindex"])
def framework(request):
    return request.param


def ask(framework, mux, *, is_async):
    """Ask a mux on threads or on an event loop."""
    return asyncio.run(framework.aask(mux, "q?")) if is_async else framework.ask(mux, "q?")


def text_of(message):
    """Return the text of a message of either framework."""
    return str(message.text) if isinstance(message, AIMessage | HumanMessage) else message.content


def all_texts(messages):
    """Return the texts of messages of either framework, one after another."""
    return "\n".join(str(message.content) for message in messages)


# --- a function -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", [False, True])
def test_a_function_ranks_the_members(framework, is_async):
    """A member that always agrees with itself loses to one whose reply a reward function scores higher."""
    models = {"sure": framework.member(["no"]), "right": framework.member(["yes", "maybe", "yes"])}
    plain = framework.mux(models, samples=2)
    assert ask(framework, plain, is_async=is_async)[0] == "no"
    rewarded = framework.mux(models, samples=2, confidence=lambda text: 0.9 if text == "yes" else 0.1)
    text, record = ask(framework, rewarded, is_async=is_async)
    assert (text, record["model"], record["confidence"], record["confidence_by"]) == ("yes", "right", 0.9, "reward")
    assert [vote["score"] for vote in record["votes"]] == [0.1, 0.9]
    assert record["reason"] == "exhausted"


def test_the_default_is_untouched(framework):
    """Without the option, and with confidence="consistency", records have no further fields and are the same."""
    models = {"a": framework.member(["4"]), "b": framework.member(["5"])}
    records = [
        framework.ask(framework.mux(models, samples=2, wait="exhausted", **options), "q?")[1]
        for options in ({}, {"confidence": "consistency"})
    ]
    for record in records:
        record["seconds"] = None
    assert records[0] == records[1]
    assert "confidence_by" not in records[0]
    assert all("score" not in vote for vote in records[0]["votes"])


@pytest.mark.parametrize("score", [3.2, -1, math.nan, "high", None])
def test_a_score_outside_its_range_is_an_error(framework, score):
    """A function whose score is no number from 0 to 1 is told so, with what it returned and what to write."""
    mux = framework.mux({"a": framework.member(["4"])}, samples=2, confidence=lambda _: score)
    with pytest.raises(NoAnswerError, match="expected a score from 0 to 1") as failure:
        framework.ask(mux, "q?")
    assert f"received {score!r}" in str(failure.value)


def test_a_function_runs_beside_the_loop(framework):
    """A slow function is called on threads, so that it does not hold up the event loop."""
    threads = set()

    def reward(_):
        threads.add(threading.current_thread())
        return 1.0

    mux = framework.mux({"a": framework.member(["4"])}, samples=2, confidence=reward)
    asyncio.run(framework.aask(mux, "q?"))
    assert threads
    assert threading.main_thread() not in threads


def test_even_a_mux_of_one_is_scored(framework):
    """With one member and one sample the record still has the score: there is nothing to choose, but much to know."""
    text, record = framework.ask(framework.mux([framework.member(["4"])], samples=1, confidence=lambda _: 0.25), "q?")
    assert (text, record["confidence"]) == ("4", 0.25)


# --- verbalised -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", [False, True])
def test_a_member_is_asked_how_sure_it_is(framework, is_async):
    """With "verbalised" the members are asked for a line, it ranks them, and it is in no text, vote or record."""
    models = {
        "doubting": framework.member(["no\nConfidence: 20 %"]),
        "sure": framework.member(["yes\n**Confidence: 90%**", "no\nConfidence: 30%"]),
    }
    mux = framework.mux(models, samples=2, confidence="verbalised", system_prompt="Be brief.")
    text, record = ask(framework, mux, is_async=is_async)
    assert (text, record["model"], record["confidence"]) == ("yes", "sure", 0.45)
    assert "onfidence:" not in str({name: value for name, value in record.items() if name != "confidence_by"})
    asked = all_texts(models["sure"].calls[0])
    assert "Be brief." in asked
    assert "Confidence: 0 to 100 %" in asked


def test_an_instruction_joins_the_conversation_s_own():
    """A conversation with a system message of its own keeps it, and has one system message still."""
    member = LangChain().member(["4\nConfidence: 100%"])
    mux = SLMMuxChatModel(models=[member], samples=2, confidence="verbalised")
    for content in ("Be kind.", [{"type": "text", "text": "Be kind."}]):
        mux.invoke([("system", content), ("user", "2 + 2?")])
        kinds = [message.type for message in member.calls[-1]]
        assert kinds == ["system", "human"]
        assert "Be kind." in all_texts(member.calls[-1])
        assert "Confidence:" in all_texts(member.calls[-1])
    llm = LlamaIndex().member(["4\nConfidence: 100%"])
    other = SLMMuxLLM(models=[llm], samples=2, confidence="verbalised")
    other.chat([ChatMessage(role="system", content="Be kind."), ChatMessage(role="user", content="2 + 2?")])
    assert [message.role.value for message in llm.calls[-1]] == ["system", "user"]
    assert "Be kind." in all_texts(llm.calls[-1])
    assert "Confidence:" in all_texts(llm.calls[-1])


def test_text_in_blocks_loses_the_line_too():
    """The line is taken out of a message whose content is a list, and other blocks stay."""
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aa"}}
    scripts = (
        [AIMessage([picture, {"type": "text", "text": "4\nConfidence: 80%"}])],
        [AIMessage([picture, "4\nConfidence: 80%"])],
    )
    for script in scripts:
        message = SLMMuxChatModel(models=[LangChain().member(script)], samples=2, confidence="verbalised").invoke("q?")
        assert message.text == "4"
        assert message.content[0] == picture
        assert message.response_metadata["slmmux"]["confidence"] == 0.8
    silent = SLMMuxChatModel(
        models=[LangChain().member([AIMessage([picture])])], samples=2, confidence="verbalised"
    ).invoke("q?")
    assert silent.content == [picture]


def test_a_stated_line_reaches_no_stream(framework):
    """Streamed, sync and async, the winner's text is without the line, and for one member and one sample as well."""
    for samples in (1, 2):
        mux = framework.mux([framework.member(["4\nConfidence: 80%"])], samples=samples, confidence="verbalised")

        async def collect(mux=mux):
            return [chunk async for chunk in framework.astream(mux, "q?")]

        for chunks in (list(framework.stream(mux, "q?")), asyncio.run(collect())):
            assert "".join(str(chunk.text) for chunk in chunks[-1:]) == "4"


class Number(BaseModel):
    """A number."""

    value: int


def test_with_a_schema_nobody_is_asked_for_a_line():
    """Where a schema, tools or a format are asked for, a line of text would spoil the reply: self-consistency decides."""
    member = LangChain().member([AIMessage("", tool_calls=[{"name": "Number", "args": {"value": 4}, "id": "1"}])])
    mux = SLMMuxChatModel(models=[member], samples=2, confidence="verbalised")
    assert mux.with_structured_output(Number).invoke("q?") == Number(value=4)
    message = mux.bind_tools([Number]).invoke("q?")
    assert message.response_metadata["slmmux"]["confidence"] == 1.0
    assert "onfidence" not in all_texts([m for call in member.calls for m in call])
    llm = LlamaIndex().member(["4"])
    SLMMuxLLM(models=[llm], samples=2, confidence="verbalised").chat(
        [ChatMessage(role="user", content="q?")], response_format={"type": "json_object"}
    )
    assert "onfidence" not in all_texts(llm.calls[-1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4\nConfidence: 85 %", ("4", 0.85)),
        ("4\nConfidence: 85", ("4", 0.85)),
        ("4\nconfidence = 0.7", ("4", 0.7)),
        ("4\nConfidence: 7/10", ("4", 0.7)),
        ("4\n\n**Confidence level:** 95%.", ("4", 0.95)),
        ("Paris Confidence: 60%", ("Paris", 0.6)),
        ("4\nConfidence: 1", ("4", 1.0)),
        ("4\nConfidence: 850", ("4\nConfidence: 850", None)),
        ("Confidence: 85 % and more text", ("Confidence: 85 % and more text", None)),
        ("The confidence interval is 95%", ("The confidence interval is 95%", None)),
        ("4", ("4", None)),
        ("", ("", None)),
    ],
)
def test_a_statement_is_read(text, expected):
    """The last line is read in the forms that models write; what is none stays in the text."""
    assert without_statement(text) == expected


# --- judge ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", [False, True])
def test_a_judge_rates_each_answer_once(framework, is_async):
    """Another model rates each different answer of each member once; its tokens are counted, its replies are no votes."""

    def rate(messages, _, __):
        return "90" if "Proposed answer:\nyes" in all_texts(messages) else "I say 20."

    judge = framework.member(rate)
    models = {"sure": framework.member(["no"]), "right": framework.member(["yes", "yes", "yes", "maybe"])}
    mux = framework.mux(models, samples=4, confidence="judge", judge=judge)
    seen = []
    with observe_samples(lambda sample: seen.append(sample.draw.model)):
        text, record = ask(framework, mux, is_async=is_async)
    assert (text, record["confidence"]) == ("yes", 0.675)
    assert len(judge.calls) == 3
    assert "q?" in all_texts(judge.calls[0])
    assert record["usage"]["total_tokens"] == 12 * (8 + 3)
    assert record["samples"] == {"planned": 8, "used": 8}
    assert sorted(set(seen)) == ["right", "sure"]


def test_a_member_can_judge(framework):
    """Without judge= the best-ranked member rates, and a label names another one."""

    def script(messages, _, __):
        return "100" if "Proposed answer" in all_texts(messages) else "4"

    models = {"a": framework.member(script), "b": framework.member(script)}
    for judge, label in ((None, "a"), ("b", "b")):
        before = {name: len(model.calls) for name, model in models.items()}
        framework.ask(framework.mux(models, samples=2, confidence="judge", judge=judge), "q?")
        calls = {name: len(model.calls) - before[name] for name, model in models.items()}
        assert calls == {"a": 2, "b": 2, label: 4}


def test_a_judge_that_fails_decides_nothing(framework, caplog):
    """If the judge fails, rates nothing, or there is nothing to rate, self-consistency decides, and it is said."""
    models = {"sure": framework.member(["no"]), "unsure": framework.member(["yes", "no"])}
    broken = framework.mux(models, samples=2, confidence="judge", judge=framework.member([RuntimeError("down")]))
    text, record = framework.ask(broken, "q?")
    assert (text, record["model"], record["confidence"]) == ("no", "sure", 1.0)
    assert "the judge rated nothing" in caplog.text
    vague = framework.mux(models, samples=2, confidence="judge", judge=framework.member(["good"]))
    assert framework.ask(vague, "q?")[1]["confidence"] == 1.0
    judge = framework.member(["50"])
    empty = framework.mux([framework.member(["unknown"])], confidence="judge", judge=judge, no_answer=["unknown"])
    assert framework.ask(empty, "q?")[1]["answer"] is None
    assert not judge.calls


def test_a_budget_covers_the_judge(framework):
    """A budget of calls is never exceeded: the judge has what the members left, and missing ratings are neutral."""
    judge = framework.member(["80"])
    models = {"a": framework.member(["4"]), "b": framework.member(["5"])}
    mux = framework.mux(models, samples=2, confidence="judge", judge=judge, budget={"calls": 5})
    _, record = framework.ask(mux, "q?")
    assert len(judge.calls) == 1
    assert record["confidence"] == 0.8


# --- log-probabilities ------------------------------------------------------------------------------------------------


def reporting(request, _):
    """Reply "yes" surely and "no" unsurely, by the model's name, n times, with log-probabilities if asked."""
    body = request.body
    texts, logprob = (["yes"], -0.1) if body["model"] == "right" else (["no"], -2.0)
    content = [{"token": texts[0], "logprob": logprob, "bytes": None, "top_logprobs": []}] * 2
    choices = [
        {
            "index": i,
            "message": {"role": "assistant", "content": texts[0]},
            "logprobs": {"content": content} if body.get("logprobs") else None,
            "finish_reason": "stop",
        }
        for i in range(body.get("n") or 1)
    ]
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    head = {"id": "1", "object": "chat.completion", "created": 1, "model": body["model"]}
    return Response.of({**head, "choices": choices, "usage": usage})


def served(kind, server, name):
    """Return a client of one of the classes that ask servers of OpenAI's protocol."""
    url = f"{server.url}/v1"
    if kind in {ChatOpenAI, ChatLlama}:
        return kind(base_url=url, api_key="none", model=name)
    return kind(model=name, api_base=url, api_key="none", is_chat_model=True, **_LOCAL.get(kind, {}))


_LOCAL = {Served: {"counts_first_only": True}}


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("kind", [ChatOpenAI, ChatLlama, OpenAILike, Served])
def test_log_probabilities_rank_the_members(kind, is_async):
    """The members are asked for log-probabilities, in a request for several samples too, and their mean ranks them."""
    framework = LangChain() if kind in {ChatOpenAI, ChatLlama} else LlamaIndex()
    with serving(reporting, []) as server:
        models = {name: served(kind, server, name) for name in ("sure", "right")}
        mux = framework.mux(models, samples=2, confidence="logprob")
        text, record = ask(framework, mux, is_async=is_async)
    assert server.error is None
    assert (text, record["confidence_by"]) == ("yes", "logprob")
    assert record["confidence"] == pytest.approx(math.exp(-0.1), abs=1e-6)
    assert all(request.body["logprobs"] for request in server.requests)
    for model in models.values():
        assert not model.logprobs  # the user's own model is as it was


def test_members_without_log_probabilities_are_neutral():
    """A member whose server reports none counts as the mean of the others; if none does, self-consistency decides."""
    lone = LangChain().member(["no"])
    with serving(reporting, []) as server:
        models = {"silent": lone, "right": served(ChatOpenAI, server, "right")}
        record = (
            SLMMuxChatModel(models=models, samples=2, confidence="logprob").invoke("q?").response_metadata["slmmux"]
        )
    assert [vote["score"] for vote in record["votes"]] == pytest.approx([math.exp(-0.1)] * 2, abs=1e-6)
    assert record["decided_by"] == "tie-break"
    with pytest.warns(UserWarning, match="logprobs: no member has this setting"):
        mux = SLMMuxChatModel(models=[lone], samples=2, confidence="logprob")
    assert mux.invoke("q?").response_metadata["slmmux"]["confidence"] == 1.0


def test_log_probabilities_of_other_clients_are_read():
    """Ollama's list and LlamaIndex's own are read; NaN and what is no report are none."""
    assert logprobs_in([{"token": "4", "logprob": -0.5}, "x"]) == [-0.5]
    assert logprobs_in({"content": None}) is None
    assert mean_probability([math.nan]) is None
    assert mean_probability([-math.inf]) < 1e-40
    assert mean_probability([0.3]) == 1.0


@pytest.mark.parametrize(
    ("text", "rating"), [("85", 0.85), ("0.5", 0.005), ("8/10", 0.8), ("150", None), ("Rating: 90%", 0.9), ("", None)]
)
def test_a_rating_is_read(text, rating):
    """A judge's number is of 100 unless it says otherwise."""
    assert fraction_of(text) == rating


# --- what does not fit --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"confidence": "logprobs"}, "did you mean 'logprob'"),
        ({"confidence": 0.9}, "write one of 'consistency'"),
        ({"confidence": "reward"}, "pass the function itself"),
        ({"judge": "a"}, 'confidence="judge" alone'),
        ({"confidence": "judge", "judge": "c"}, "the members are 'a'"),
        ({"confidence": "verbalised", "rule": "pooled"}, "leave the rule out"),
        ({"confidence": "verbalised", "agreement": "math"}, 'write agreement="canonical"'),
    ],
)
def test_what_does_not_fit_is_said(framework, options, sentence):
    """A confidence that does not exist or does not fit the other options is refused with what to write instead."""
    with pytest.raises(ArgumentError, match=sentence):
        framework.mux({"a": framework.member(["4"])}, **options)


def test_a_member_named_judge_is_no_judge(framework):
    """A judge of its own cannot share its label with a member."""
    with pytest.raises(ArgumentError, match="give the member another name"):
        framework.mux({"judge": framework.member(["4"])}, confidence="judge", judge=framework.member(["4"]))


def test_an_option_set_later_holds(framework):
    """Setting the confidence on a mux, or on a copy, checks it and takes effect."""
    mux = framework.mux({"a": framework.member(["4"])}, samples=2)
    mux.confidence = lambda _: 0.5
    assert framework.ask(mux, "q?")[1]["confidence"] == 0.5
    assert "confidence_by" not in framework.ask(mux.model_copy(update={"confidence": "consistency"}), "q?")[1]
    with pytest.raises(ArgumentError):
        mux.confidence = "sure"


def test_a_cache_tells_confidences_apart():
    """Two muxes that differ in their confidence or their judge alone do not share a cached answer."""
    one, other = LangChain().member(["4"], model_name="one"), LangChain().member(["4"], model_name="other")
    options = (
        {},
        {"confidence": "verbalised"},
        {"confidence": "judge"},
        {"confidence": "judge", "judge": "a"},
        {"confidence": "judge", "judge": one},
        {"confidence": "judge", "judge": other},
        {"confidence": lambda _: 0.5},
        {"confidence": lambda _: 0.6},
    )
    muxes = [SLMMuxChatModel(models={"a": LangChain().member(["4"])}, **each) for each in options]
    assert len({mux._get_llm_string() for mux in muxes}) == len(options)


def test_a_dump_keeps_the_confidence():
    """A dump holds a named confidence and a judge's label, and asks for a function or a judge of its own again."""
    member = LlamaIndex().member(["4"])
    named = SLMMuxLLM(models={"a": member}, confidence="judge", judge="a")
    again = SLMMuxLLM.from_dict(named.to_dict(), llms={"a": member})
    assert (again.confidence, again.judge) == ("judge", "a")
    assert "confidence" not in SLMMuxLLM(models={"a": member}).to_dict()
    for options, name in (({"confidence": len}, "confidence"), ({"confidence": "judge", "judge": member}, "judge")):
        dump = SLMMuxLLM(models={"a": member}, **options).to_dict()
        with pytest.raises(ArgumentError, match=f"pass {name}="):
            SLMMuxLLM.from_dict(dump, llms={"a": member})
        assert SLMMuxLLM.from_dict(dump, llms={"a": member}, **{name: options[name]})


def test_a_file_names_confidence_and_judge(tmp_path, framework):
    """A `mux.toml` names the confidence and the judge: a member by its label, or a model in a table of its own."""
    file = tmp_path / "mux.toml"
    endpoint = 'url = "http://127.0.0.1:9/v1"\nmodel = "m"\n'
    member = f"[models.a]\n{endpoint}"
    file.write_text(f'confidence = "judge"\njudge = "a"\n{member}')
    mux = type(framework.mux([framework.member(["4"])])).from_config(file)
    assert (mux.confidence, mux.judge) == ("judge", "a")
    file.write_text(f'confidence = "judge"\n{member}[judge]\n{endpoint}')
    assert type(mux).from_config(file)._judge_label == "judge"
    assert load_config(file).judge.model == "m"
    file.write_text(f"confidence = 'verbalised'\n{member}")
    assert type(mux).from_config(file).confidence == "verbalised"


# --- profiles -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("kind", ["judge", "verbalised", "reward", "broken judge"])
def test_a_profile_keeps_the_scores(framework, tmp_path, kind, is_async):
    """Each sample has its score in the recording, a judge's once for each text; one that fails loses no sample."""
    package = langchain_slmmux if isinstance(framework, LangChain) else llamaindex_slmmux
    judge = framework.member([RuntimeError("down")] if kind == "broken judge" else ["70"])
    options = {
        "judge": {"confidence": "judge", "judge": judge},
        "broken judge": {"confidence": "judge", "judge": judge},
        "verbalised": {"confidence": "verbalised"},
        "reward": {"confidence": lambda _: 0.4},
    }[kind]
    mux = framework.mux({"a": framework.member(["4\nConfidence: 80%"])}, samples=2, **options)
    questions = [{"question_id": "q", "question": "2 + 2?", "gold": "4"}]
    arguments = {"recording": tmp_path / "r.jsonl", "progress": False}
    if is_async:
        recording = asyncio.run(package.aprofile(mux, questions, **arguments))
    else:
        recording = package.profile(mux, questions, **arguments)
    scores = {"judge": {"judge": 0.7}, "verbalised": {"verbalised": 0.8}, "reward": {"reward": 0.4}}
    assert [row.confidences for row in recording.rows] == [scores.get(kind)] * 2
    assert [row.text == "4" for row in recording.rows] == [kind == "verbalised"] * 2
    assert [row.error for row in recording.rows] == [None, None]
    assert ("confidence" in recording.settings) == (kind == "verbalised")


def test_a_profile_keeps_a_judges_tokens_and_price(framework, tmp_path):
    """Each rating's tokens stand with the first sample that it is of, the judge's price among the settings.

    So `select` counts them for the judge's confidence, and for no other.
    """
    package = langchain_slmmux if isinstance(framework, LangChain) else llamaindex_slmmux
    judge = framework.member(["70"], tokens=(100, 10))
    prices = {"a": {"input": 1.0, "output": 2.0}, "judge": {"input": 10.0, "output": 10.0}}
    mux = framework.mux(
        {"a": framework.member(["4", "5"], tokens=(20, 5))}, samples=2, confidence="judge", judge=judge, prices=prices
    )
    questions = [{"question_id": "q", "question": "2 + 2?", "gold": "4"}]
    recording = package.profile(mux, questions, recording=tmp_path / "r.jsonl", progress=False)
    assert [(row.judge_input_tokens, row.judge_output_tokens) for row in recording.rows] == [(100, 10)] * 2
    assert recording.settings["prices"] == prices
    consistency, rated = compare_confidences(recording, ["a"])
    assert (consistency.tokens, consistency.cost) == (50, pytest.approx(60e-6))
    assert (rated.tokens, rated.cost) == (270, pytest.approx(60e-6 + 2200e-6))
