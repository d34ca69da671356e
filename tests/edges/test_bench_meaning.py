"""The figures of what replies mean, of calls and of agreement are counted as they say, on recordings small enough to count."""

import json

import pytest

from bench import agreement, calls, crossing, meaning
from slmmux import Recording, Row


def row(**fields):
    return Row(**{"question_id": "1", "model": "m", "sample_index": 0, "answer": None, **fields})


def test_each_label_has_its_reply():
    """Two hundred replies are labelled by hand, each once, and each stands in a recording with its gold answer."""
    rows = [(name, row.model, row.question_id, row.sample_index) for name, row, _ in meaning.labelled()]
    assert len(set(rows)) == len(rows) == 200
    assert all(row.text and row.gold is not None for _, row, _ in meaning.labelled())
    assert {json.loads(line)["by"] for line in meaning.LABELS.read_text(encoding="utf-8").splitlines()} == {"hand"}


@pytest.mark.parametrize(
    ("text", "right", "outcome"),
    [("It is 4.", True, "agree"), ("4 or 5", False, "agree"), ("A square.", True, "missed"), ("4", False, "not right")],
)
def test_outcomes_of_a_score(text, right, outcome):
    """A score agrees with a label, misses what is right, or counts what is not."""
    reply = row(text=text, gold="4", question="How many sides has it?")
    assert meaning.outcome(reply, "includes", right=right) == outcome


def test_the_results_print_what_the_labels_say():
    """RESULTS.md has a row for each recording and score, with today's readers."""
    results = meaning.ROOT.joinpath("bench", "RESULTS.md").read_text(encoding="utf-8")
    for (name, score), count in meaning.figures().items():
        share = f"{100 * count['agree'] / count['replies']:.1f}"
        numbers = count["replies"], count["right"], share, count["missed"], count["not right"]
        assert f"| {name} | {score} | " + " | ".join(map(str, numbers)) + " |" in results


def test_agreement_with_a_grader():
    """A reply counts by who read an answer in it, and as equal if both read the same one."""
    outcomes = {
        ("The answer is (B).", "B"): "equal",
        ("The answer is (B).", "C"): "unequal",
        ("Hello.", "B"): "only the grader",
        ("The answer is (B).", None): "only the reader",
        ("Hello.", None): "neither",
    }
    rows = [row(sample_index=i, text=text, answer=answer) for i, (text, answer) in enumerate(outcomes)]
    assert [agreement.outcome(each, "choice") for each in rows] == [*outcomes.values()]
    counted = agreement.figures(Recording.of([*rows, row(sample_index=9, error="late")], {}), "choice")
    assert dict(counted["m"]) == dict.fromkeys(outcomes.values(), 1)


def test_pairs_and_ways_to_compare_them():
    """A pair should agree if both replies say gold; one that says it and one that does not should not."""
    texts = ["The sum of 80 and 84 is 164.", "164", "160", "162"]
    rows = [row(sample_index=i, text=text, gold="164", question="What is 80 + 84?") for i, text in enumerate(texts)]
    compared = list(crossing.pairs(Recording.of(rows, {})))
    assert [(one, other) for _, one, other, should in compared if should] == [(texts[0], "164")]
    assert len(compared) == 5
    shares = {name: crossing.share(compared, agree) for name, agree in crossing.ways({})}
    assert shares == {
        "the whole text": (0.0, 0.0),
        "auto": (0.0, 0.0),
        "auto with the question (frames)": (100.0, 0.0),
    }
    vectors = {text: [1.0, 0.0] if "164" in text else [0.6, 0.8] for text in texts}
    by_cosine = crossing.by_cosine({text: crossing.np.array(vector) for text, vector in vectors.items()}, 0.9)
    assert crossing.share(compared, by_cosine) == (100.0, 0.0)
    assert len(list(crossing.ways({"164": crossing.np.array([1.0])}))) == 3 + 2 * len(crossing.LEAST_COSINES)


QUESTION = next(question for question in calls.questions() if question["question_id"] == "call-1")


@pytest.mark.parametrize(
    ("made", "right"),
    [
        ([{"name": "get_weather", "args": {"city": "Oslo"}}], True),
        ([{"name": "get_weather", "args": {"city": "oslo ", "unit": "celsius"}}], True),
        ([{"name": "get_weather", "args": {"city": "Oslo", "unit": None}}], True),
        ([{"name": "get_weather", "args": {"city": "Oslo", "unit": "fahrenheit"}}], False),
        ([{"name": "get_weather", "args": {"city": "Oslo", "days": 1}}], False),
        ([{"name": "search_web", "args": {"query": "Oslo"}}], False),
        ([{"name": "get_weather", "args": {"city": "Oslo"}}] * 2, False),
        ([], False),
    ],
)
def test_right_calls(made, right):
    """A call is right if it is the only one, of the tool that is wanted, with its arguments; a default may be left out."""
    assert calls.right(made, QUESTION) is right


def test_votes_over_calls():
    """The plain vote counts the server's calls by their text, the mux also reads those that stand in a text."""
    call = {"name": "get_weather", "args": {"city": "Oslo"}}
    written = row(text=json.dumps({"name": "get_weather", "arguments": {"city": "Oslo"}}))
    other = row(sample_index=1, answer=[{"name": "set_timer", "args": {"minutes": 5}}], text="")
    failed = row(sample_index=2, error="ValueError: no")
    assert calls.plain_vote([written, written, other]) == []
    assert calls.plain_vote([other, other, written]) == other.answer
    assert calls.mux_vote([written, written, other], QUESTION) == [call]
    assert calls.mux_vote([failed, failed], QUESTION) == []


def test_figures_of_calls():
    """The shares are those of one reply, five by a plain vote, one that is read, and five through the mux."""
    written = json.dumps({"name": "get_weather", "arguments": {"city": "Oslo"}})
    rows = [row(question_id="call-1", sample_index=i, text=written) for i in range(2)]
    assert calls.figures(Recording.of(rows, {})) == {"m": [0.0, 0.0, 100.0, 100.0]}
