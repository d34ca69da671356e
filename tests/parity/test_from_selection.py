"""A selection served by both classes: what was profiled is what is asked, and what differs is said."""

import warnings
from dataclasses import replace
from itertools import count

import pytest

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux import profile as profile_chat_models
from langchain_slmmux.testing import ScriptedChatModel
from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux import profile as profile_llms
from llamaindex_slmmux.testing import ScriptedLLM
from slmmux import ArgumentError, replay, select_complementary

QUESTIONS = [{"question_id": f"q{i}", "question": f"{i} + 0?", "gold": str(i)} for i in range(8)]


def says(first, last):
    """Return a script that knows the questions from first to last, and is of two minds about the others."""

    def reply(messages, turn, kwargs):
        asked = str(getattr(messages[-1], "content", messages[-1]))
        number = int(asked.split(maxsplit=1)[0])
        return str(number) if first <= number < last else f"no idea {turn}"

    return reply


FRAMEWORKS = {
    "langchain": (
        profile_chat_models,
        SLMMuxChatModel,
        lambda script, **more: ScriptedChatModel(script=script, **more),
        lambda mux, text: mux.invoke(text).response_metadata["slmmux"],
    ),
    "llamaindex": (
        profile_llms,
        SLMMuxLLM,
        lambda script, **more: ScriptedLLM(script=script, **more),
        lambda mux, text: mux.complete(text).raw["slmmux"],
    ),
}


@pytest.fixture(params=FRAMEWORKS)
def framework(request):
    return FRAMEWORKS[request.param]


def pool(make, **more):
    return {"low": make(says(0, 3), **more), "none": make(says(9, 9), **more), "high": make(says(3, 8), **more)}


def selected(framework, tmp_path, **more):
    profile, _, make, _ = framework
    members = pool(make, **more)
    recording = profile(
        members, QUESTIONS, recording=tmp_path / "samples.jsonl", samples=2, progress=False, system_prompt="Short."
    )
    return members, recording, select_complementary(recording, sizes=[1, 2])


def test_what_was_chosen_is_served_as_it_was_profiled(framework, tmp_path):
    """The chosen members with their k, rank, extractor and instruction decide live as in the replay; nothing is said."""
    _, cls, _, ask = framework
    members, recording, selection = selected(framework, tmp_path)
    assert selection.best.models == ("high", "low")
    selection.save(tmp_path / "selection.json")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mux = cls.from_selection(tmp_path / "selection.json", models=members, wait="exhausted")
    assert (list(mux.k), mux.k["low"], mux.system_prompt, mux.extract) == (["high", "low"], 2, "Short.", "auto")
    assert mux.accuracies == {"high": 5 / 8, "low": 3 / 8}
    replayed = replay(recording, selection.best.models, wait="exhausted")
    for question in QUESTIONS:
        record = ask(mux, question["question"])
        decided = replayed[question["question_id"]].winner
        assert (record["model"], record["confidence"]) == (decided.model, decided.confidence)


def test_a_size_can_be_chosen(framework, tmp_path):
    """The best of another size is served where it was looked at, and refused by name where it was not."""
    _, cls, _, _ = framework
    members, _, selection = selected(framework, tmp_path)
    assert list(cls.from_selection(selection, models=members, size=1).k) == ["high"]
    with pytest.raises(ArgumentError, match=r"size 3 was not looked at; the selection has \[1, 2\]"):
        cls.from_selection(selection, models=members, size=3)


def test_what_is_served_otherwise_is_warned_of(framework, tmp_path):
    """Another temperature, k or instruction than was profiled is said, each with both values."""
    _, cls, make, _ = framework
    _, _, selection = selected(framework, tmp_path, temperature=0.7)
    hotter = pool(make, temperature=1.0)
    with pytest.warns(UserWarning, match="profiled with") as seen:
        cls.from_selection(selection, models=hotter, samples=3, system_prompt="Long.")
    told = [str(warning.message) for warning in seen]
    assert len(told) == 5
    assert "'high' was profiled with temperature 0.7 and is served with 1.0; the selection's figures are" in told[0]
    assert any("'low' was profiled with 2 samples and is served with 3" in text for text in told)
    assert any("with system_prompt 'Short.' and is served with 'Long.'" in text for text in told)
    with pytest.warns(UserWarning, match="temperature 0.7 and is served with 0.2"):
        cls.from_selection(selection, models=pool(make, temperature=0.7), temperature={"high": 0.2})


def test_a_model_that_is_missing_is_named(framework, tmp_path):
    """A chosen model without its LLM is refused by its label."""
    _, cls, _, _ = framework
    members, _, selection = selected(framework, tmp_path)
    del members["low"]
    with pytest.raises(ArgumentError, match=r"the selection is of 'high', 'low', and models= has no 'low'"):
        cls.from_selection(selection, models=members)


def test_an_extractor_that_no_file_can_hold_is_asked_for(framework, tmp_path):
    """A pool profiled with a function of one's own is served with that function, given again."""
    profile, cls, make, _ = framework
    members = pool(make)
    recording = profile(
        members, QUESTIONS, recording=tmp_path / "own.jsonl", samples=2, progress=False, extract=str.strip
    )
    selection = select_complementary(recording)
    with pytest.raises(
        ArgumentError, match=r"profiled with the extractor 'str.strip', which no file can hold; pass extract="
    ):
        cls.from_selection(selection, models=members)
    with pytest.warns(UserWarning, match="profiled with extract 'str.strip' and is served with"):
        cls.from_selection(selection, models=members, extract=str.lower)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cls.from_selection(selection, models=members, extract=str.strip)


def test_what_is_no_answer_abstains_live_too(framework, tmp_path):
    """A member that says "unknown" has no vote, whether its mux was told so or serves a selection that was."""
    _, cls, make, ask = framework
    bold = count(40)  # of two minds
    members = {"shy": make(lambda *_: "Unknown."), "bold": make(lambda *_: next(bold))}
    plain = ask(cls(models=members, samples=2, wait="exhausted"), "What is it?")
    assert (plain["model"], plain["confidence"]) == ("shy", 1.0)
    told = cls(models=members, samples=2, no_answer=["unknown"], wait="exhausted")
    record = ask(told, "What is it?")
    assert (record["model"], record["confidence"]) == ("bold", 0.5)
    assert [vote["abstained"] for vote in record["votes"]] == [2, 0]
    members, _, selection = selected(framework, tmp_path)
    served = cls.from_selection(replace(selection, no_answer=("no idea 1",)), models=members)
    assert served.no_answer == ["no idea 1"]
    with pytest.warns(UserWarning, match=r"were chosen with no_answer=\['no idea 1'\] and are served with \[\]"):
        cls.from_selection(replace(selection, no_answer=("no idea 1",)), models=members, no_answer=[])
    with pytest.raises(ArgumentError, match="no_answer is a list of answers, received 'unknown'"):
        cls(models=members, no_answer="unknown")


def test_a_mux_of_one_that_streams_says_so_too(framework):
    """The text is the member's own; the record has no answer."""
    _, cls, make, _ = framework
    mux = cls(models={"shy": make(lambda *_: "unknown")}, samples=1, no_answer=["unknown"])
    if cls is SLMMuxChatModel:
        chunks = list(mux.stream("What is it?"))
        assert "".join(chunk.text for chunk in chunks) == "unknown"
        (record,) = (c.response_metadata["slmmux"] for c in chunks if "slmmux" in c.response_metadata)
    else:
        record = mux.complete("What is it?").raw["slmmux"]
    assert (record["answer"], record["confidence"]) == (None, 0)
