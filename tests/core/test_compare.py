"""Methods beside the mux: each does what its definition says with scripted members, and every call is kept and counted."""

import asyncio
import json
import re

import numpy as np
import pytest

from slmmux import Answer, ArgumentError, Recording, RecordingError, replay
from slmmux._decision.types import Draw
from slmmux.compare import METHODS, Comparison, MethodResult, compare
from slmmux.compare._calls import _Part
from slmmux.plots import plot_comparison
from slmmux.profiling import Completion
from slmmux.profiling._asker import Functions

QUESTIONS = [{"question_id": f"q{i}", "question": f"What is {i} + {i}?", "gold": str(2 * i)} for i in range(1, 5)]


class Scripted:
    """A member whose reply to a question is `first`, and to a prompt of a method what `later` makes of the prompt."""

    def __init__(self, *first, later=lambda prompt: "0"):
        self.first = first
        self.later = later
        self.prompts = []

    def __call__(self, prompt):
        self.prompts.append(prompt)
        if "Reply" not in prompt:
            return self.first[(len([p for p in self.prompts if p == prompt]) - 1) % len(self.first)]
        return self.later(prompt)

    @property
    def exchanges(self):
        return [prompt for prompt in self.prompts if "Reply" in prompt]


def run(members, tmp_path, *methods, questions=QUESTIONS[:1], samples=3, **options):
    options.setdefault("concurrency", 1)
    return compare(members, questions, folder=tmp_path, methods=methods, samples=samples, **options)


def only(comparison):
    (result,) = comparison.methods
    return result


def test_the_mux_is_its_replay_and_a_member_alone_is_self_consistency(tmp_path):
    """`mux` decides as the recorded samples replay, and `single` gives each member's most frequent answer."""
    members = {"sure": Scripted("2", "2", "3"), "split": Scripted("7", "8", "9")}
    result = run(members, tmp_path, "single", "mux", "forest")
    decision = replay(Recording.load(tmp_path / "samples.jsonl"), ["sure", "split"])["q1"]
    assert decision.winner.model == "sure"
    assert [(each.method, each.exact) for each in result.methods] == [
        ("single:sure", (True,)),
        ("single:split", (False,)),
        ("mux", (True,)),
        ("forest", (True,)),
    ]


def test_forest_counts_all_samples_together(tmp_path):
    """Two members that agree with each other beat a surer one: that is what Agent Forest votes on."""
    members = {"sure": Scripted("9"), "one": Scripted("2", "2", "5"), "two": Scripted("2", "2", "6")}
    result = run(members, tmp_path, "mux", "forest")
    assert [each.exact for each in result.methods] == [(False,), (True,)]


def test_layers_rewrite_and_the_first_member_writes_last(tmp_path):
    """In Mixture-of-Agents every member sees all replies of the layer before, and one call makes the last layer."""
    members = {
        "writer": Scripted("5", later=lambda prompt: "The answer is 2." if "fifth" in prompt else "fifth"),
        "other": Scripted("6", later=lambda prompt: "sixth"),
    }
    result = only(run(members, tmp_path, "moa", layers=3))
    second, last = members["writer"].exchanges
    assert re.findall(r"Reply \d:\n(.*)", second) == ["5", "6"]
    assert re.findall(r"Reply \d:\n(.*)", last) == ["fifth", "sixth"]
    assert members["other"].exchanges == [second]
    assert (result.includes, result.calls) == ((True,), 2 + 2 + 1)


def test_a_debater_sees_the_others_replies_and_the_last_round_is_voted_on(tmp_path):
    """Who is convinced in round two decides: the vote is on the last answers, and nobody reads itself."""
    members = {
        "a": Scripted("5", later=lambda prompt: "2"),
        "b": Scripted("6", later=lambda prompt: "2"),
        "c": Scripted("7", later=lambda prompt: "7"),
    }
    result = only(run(members, tmp_path, "debate", rounds=2))
    assert re.findall(r"Reply \d:\n(.*)", members["a"].exchanges[0]) == ["6", "7"]
    assert (result.exact, result.calls) == ((True,), 6)


def test_rounds_of_a_debate_are_as_many_as_asked_for(tmp_path):
    """Three rounds are the first answers and two exchanges of every member."""
    members = {"a": Scripted("5"), "b": Scripted("6")}
    assert only(run(members, tmp_path, "debate", rounds=3)).calls == 6
    assert [len(member.exchanges) for member in members.values()] == [2, 2]


def test_the_most_approved_candidate_wins(tmp_path):
    """Verifiers approve or not aspect by aspect; the answer with most approvals wins over the most frequent one."""

    def check(prompt):
        return "True" if "Reply:\n2\n" in prompt else "It looks true at first, but it is False"

    members = {"a": Scripted("3", "3", "2", later=check), "b": Scripted("9", later=check)}
    result = only(run(members, tmp_path, "verify"))
    assert result.exact == (True,)
    assert result.calls == 3 + 2 * 3 * 2  # candidates, then two answers x three aspects x two verifiers


def test_one_candidate_needs_no_verifier(tmp_path):
    """If all samples agree there is nothing to choose, and nobody is asked."""
    members = {"a": Scripted("2"), "b": Scripted("9")}
    assert only(run(members, tmp_path, "verify")).calls == 3


@pytest.mark.parametrize(
    ("verdict", "right"), [("2", True), ("Reply 2.", True), ("none of them", False), ("17", False)]
)
def test_a_judge_picks_by_number(tmp_path, verdict, right):
    """The number that a judge writes names a reply; without a number that exists the first reply stays."""
    members = {"a": Scripted("3", "2", "4", later=lambda prompt: verdict), "b": Scripted("9")}
    result = only(run(members, tmp_path, "best"))
    assert (result.exact, result.calls) == ((right,), 4)


def test_the_judge_of_a_panel_writes_the_answer(tmp_path):
    """The fusion judge sees one reply of each member, and what it writes is the answer, whoever said it."""
    members = {"a": Scripted("5", later=lambda prompt: "So it is 2."), "b": Scripted("6")}
    result = only(run(members, tmp_path, "fuse"))
    assert re.findall(r"Reply \d:\n(.*)", members["a"].exchanges[0]) == ["5", "6"]
    assert (result.includes, result.calls, len(members["b"].exchanges)) == ((True,), 3, 0)


def test_nothing_is_asked_twice(tmp_path):
    """Run again, the same comparison makes no call and gives the same result; another method starts from its samples."""
    members = {"a": Scripted("2", "3", "4"), "b": Scripted("6")}
    first = run(members, tmp_path, *METHODS, questions=QUESTIONS)
    calls = [len(member.prompts) for member in members.values()]
    assert run(members, tmp_path, *METHODS, questions=QUESTIONS) == first
    assert [len(member.prompts) for member in members.values()] == calls
    asked = [
        (prompt, members["a"].prompts.count(prompt)) for prompt in {*members["a"].prompts} if "Reply" not in prompt
    ]
    assert {count for _, count in asked} == {3}


def test_a_stage_asks_on_an_event_loop_as_on_threads(tmp_path):
    """Some members of a pool, as a stage asks them, are a pool as well: from a loop they reply the same."""
    pool = Functions({"a": lambda question: question, "b": str.upper}, 3)
    stage = _Part(pool, {"b": 1})
    draws = stage.group([Draw("b", 0)])
    replies = [stage.call("lima", draws[0]), asyncio.run(stage.acall("lima", draws[0]))]
    assert [[reply.text for reply in each] for each in replies] == [["LIMA"], ["LIMA"]]


def test_a_member_that_fails_is_left_out(tmp_path):
    """A failed call of one member is no reply that others read, and the comparison goes on."""

    def fails(prompt):
        if "3 + 3" in prompt:
            raise ValueError("out of order")
        return "0"

    members = {"a": Scripted("2", later=lambda prompt: "2"), "b": fails}
    result = run(members, tmp_path, "moa", "debate", "fuse", questions=QUESTIONS, retries=0)
    about_three = [p for p in members["a"].exchanges if "3 + 3" in p and "Reply 1" in p]
    assert about_three
    assert not any("Reply 2" in prompt for prompt in about_three)
    assert [each.exact[2] for each in result.methods] == [False, False, False]
    assert len(result.methods) == 3


def test_answers_are_read_with_the_question_alone_beside_them(tmp_path):
    """A prompt quotes the right answer of another member; read beside the prompt, it would be a word of the question."""
    questions = [{"question_id": "q", "question": "What is the capital of Ghana?", "gold": "Accra"}]
    members = {"a": Scripted("Lima", later=lambda prompt: "Accra"), "b": Scripted("Accra")}
    assert only(run(members, tmp_path, "fuse", questions=questions)).includes == (True,)


def test_other_members_in_the_same_folder_are_refused(tmp_path):
    """A folder holds one comparison: with other settings it says so instead of mixing calls."""
    run({"a": Scripted("2")}, tmp_path, "mux")
    with pytest.raises(RecordingError, match=r"samples\.jsonl"):
        run({"a": Scripted("2"), "b": Scripted("2")}, tmp_path, "mux")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"methods": ["mox"]}, "'mox' does not exist; did you mean 'mux'"),
        ({"methods": []}, "there are no methods; write some of single"),
        ({"rounds": 1}, "rounds must be at least 2, received 1"),
        ({"layers": True}, "layers must be at least 2, received True"),
        ({"questions": [{"question_id": "q", "question": "?"}]}, "question 'q' has no gold answer"),
    ],
)
def test_what_cannot_be_compared_is_a_sentence(tmp_path, options, sentence):
    """What is wrong is said before any call."""
    member = Scripted("2")
    arguments = {"questions": QUESTIONS, "folder": tmp_path, **options}
    with pytest.raises(ArgumentError, match=re.escape(sentence)):
        compare({"a": member}, **arguments)
    assert member.prompts == []


def test_intervals_of_gains_cover():
    """Of 700 draws each of nine known truths, at least 93 in 100 intervals of a gain hold the true gain."""
    random = np.random.default_rng(0)
    for size in (20, 60, 200):
        for both, first, second in ((0.5, 0.2, 0.1), (0.7, 0.02, 0.02), (0.1, 0.6, 0.05)):
            draws = random.choice(4, size=(700, size), p=[both, first, second, 1 - both - first - second])
            held = 0
            for draw in draws:
                one, two = (
                    MethodResult("", tuple(flags.tolist()), (), 0, None, None)
                    for flags in ((draw == 0) | (draw == 1), (draw == 0) | (draw == 2))
                )
                gain = one.gain_over(two)
                assert gain.low < gain.high
                held += gain.low <= first - second <= gain.high
            assert held / len(draws) >= 0.93, (size, both, first, second)


def test_the_picture_has_a_mark_for_each_method(tmp_path):
    """Accuracy against calls shows every method by name; an unknown cost is a sentence."""
    result = run({"a": Scripted("2"), "b": Scripted("3")}, tmp_path, "single", "mux")
    axes = plot_comparison(result, cost="calls").axes[0]
    assert [text.get_text() for text in axes.texts] == ["single:a", "single:b", "mux"]
    for options in ({"cost": "euros"}, {"score": "vibes"}, {"cost": "tokens"}):
        with pytest.raises(ArgumentError, match="write"):
            plot_comparison(result, **options)


def test_every_call_is_kept_with_its_prompt(tmp_path):
    """The folder's files hold each prompt and reply, so that a stranger can check any figure."""
    members = {"a": Scripted("5", later=lambda prompt: "2"), "b": Scripted("6")}
    run(members, tmp_path, "fuse", "debate")
    prompts = {
        json.loads(line).get("question")
        for file in tmp_path.glob("*.jsonl")
        for line in file.read_text("utf-8").splitlines()
    }
    assert {*members["a"].prompts, *members["b"].prompts} <= prompts


def test_methods_are_named_once():
    """The command's names, which are kept apart so that help is quick, are those of the package."""
    from slmmux.cli._compare import METHODS as NAMES

    assert NAMES == METHODS
    assert Comparison((), 0, ()).methods == ()


def test_a_first_sample_costs_what_it_takes_alone(tmp_path):
    """Where one request brought all samples and their usage, a method that starts from one pays for one."""

    class OneRequest(Functions):
        def group(self, draws):
            return [tuple(draws)]

        def call(self, question, draws):
            tokens = [(40, 10 * len(draws)), *[(None, None)] * (len(draws) - 1)]
            return [Completion("2", lambda: Answer("2", "number", "2"), *each) for each in tokens]

    pool = OneRequest({"a": str, "b": str}, 5)
    result = compare(pool, QUESTIONS[:1], folder=tmp_path, methods=["single", "fuse"])
    assert [each.tokens for each in result.methods] == [90, 90, 2 * 50 + 50]


def test_failed_calls_are_calls(tmp_path):
    """A sample that failed was called for, so it is counted with the calls of every method that draws samples."""
    replies = iter(["2", ValueError("no"), "2"])

    def member(prompt):
        reply = next(replies)
        if isinstance(reply, Exception):
            raise reply
        return reply

    result = run({"a": member}, tmp_path, "single", "verify", retries=0)
    assert [each.calls for each in result.methods] == [3, 3]
    assert run({"a": member}, tmp_path, "mux").best_single() is None
