"""A selection in `mux.toml` and on the command line: its members, settings, rule and thresholds are what is served."""

import json
import random
from functools import cache

import pytest
from typer.testing import CliRunner

from langchain_slmmux import SLMMuxChatModel
from llamaindex_slmmux import SLMMuxLLM
from slmmux import ConfigError, Recording, Row, select_complementary
from slmmux.cli import app
from slmmux.config import load_config

from ..langchain.openai_server import serving

run = CliRunner().invoke
MUXES = pytest.mark.parametrize("cls", [SLMMuxChatModel, SLMMuxLLM])


def ever_new(body, turn):
    """Reply with another number each time."""
    return str(10 + turn)


def rows(questions=120):
    """`a` and `b` each know another half of the questions, `c` none; who knows agrees with itself."""
    draw = random.Random(1)
    for q in range(questions):
        for label, share in (("a", q % 2 == 0), ("b", q % 2 == 1), ("c", False)):
            for i in range(3):
                answer = "4" if share else str(draw.randrange(5, 60))
                yield Row(
                    question_id=f"q{q:03}",
                    question="2 + 2?",
                    gold="4",
                    model=label,
                    sample_index=i,
                    answer=answer,
                    text=answer,
                )


@pytest.fixture(scope="module")
def recording():
    settings = {
        "extract": "number",
        "system_prompt": "Be brief.",
        "models": {label: {"model": f"{label}-model", "temperature": 0.4, "max_tokens": 9} for label in "abc"},
    }
    return Recording.of(rows(), settings)


@pytest.fixture(scope="module")
def select(recording):
    """Return the selection of a rule; fitting one takes seconds, and the tests change nothing of it."""
    return cache(lambda rule: select_complementary(recording, sizes=[2], rule=rule, n_resamples=0))


@pytest.fixture
def write(tmp_path, select, monkeypatch):
    """Write a selection beside a mux.toml of members on servers of their own, and return the file."""
    monkeypatch.setenv("COLUMNS", "200")

    def write(servers, text='selection = "selection.json"', rule="self-consistency", more=""):
        select(rule).save(tmp_path / "selection.json")
        for label, server in servers.items():
            more += f'\n[models.{label}]\nurl = "{server.url}"\nmodel = "{label}-model"\n'
        file = tmp_path / "mux.toml"
        file.write_text(f"{text}\n{more}", encoding="utf-8")
        return file

    return write


@MUXES
def test_a_selection_in_the_file_says_who_is_asked_and_how(write, cls):
    """Its two models of three, k, temperature, limit and instruction are asked, and nothing differs from the profile."""
    with serving(["4"]) as a, serving(["4"]) as b, serving(["4"]) as c:
        mux = cls.from_config(write({"c": c, "a": a, "b": b}))
        assert mux.k == {"a": 3, "b": 3}
        mux.invoke("2 + 2?") if cls is SLMMuxChatModel else mux.complete("2 + 2?")
        assert c.requests == []
        for body in (*a.requests, *b.requests):
            limit = body.get("max_completion_tokens", body.get("max_tokens"))
            assert (body["temperature"], limit, body["messages"][0]["content"]) == (0.4, 9, "Be brief.")


def test_what_the_file_sets_comes_first_and_is_said(write):
    """Another temperature and another k are served, each with a warning that the figures are of the profile."""
    with serving(["4"]) as a, serving(["4"]) as b:
        text = 'selection = "selection.json"\ntemperature = 0.9\nsamples = 2'
        with pytest.warns(UserWarning, match="figures are of what was profiled") as told:
            mux = SLMMuxChatModel.from_config(write({"a": a, "b": b}, text))
        assert mux.k == {"a": 2, "b": 2}
    sentences = " ".join(str(each.message) for each in told)
    assert "temperature 0.4 and is served with 0.9" in sentences
    assert "3 samples and is served with 2" in sentences


def test_members_without_an_address_are_named(write):
    """A label that the file does not have, and that was not local, is asked for."""
    with serving(["4"]) as a, pytest.raises(ConfigError, match=r"nothing says where 'b' runs; write a \[models.b\]"):
        SLMMuxChatModel.from_config(write({"a": a}))


def test_a_member_that_was_profiled_here_is_served_here(tmp_path, recording):
    """The name of a local model in the profile is enough."""
    from slmmux._mux.from_selection import with_selected_members

    local = Recording.of(recording.rows, {"models": {m: {"model": "gemma-3-270m"} for m in "abc"}})
    select_complementary(local, sizes=[2], n_resamples=0).save(tmp_path / "selection.json")
    (tmp_path / "mux.toml").write_text('selection = "selection.json"')
    config = with_selected_members(load_config(tmp_path / "mux.toml"))
    assert {label: member.local for label, member in config.models.items()} == dict.fromkeys("ab", "gemma-3-270m")


@MUXES
def test_a_fitted_rule_abstains_below_its_threshold(write, cls):
    """With the rule of the selection an answer has a probability, and below `abstain_below` there is none."""
    rule = 'selection = "selection.json"\nrule = "learned"\n'
    with serving(["4"]) as a, serving(ever_new) as b:
        sure = cls.from_config(write({"a": a, "b": b}, rule + "abstain_below = 0.01", rule="learned"))
        unsure = cls.from_config(write({"a": b, "b": b}, rule + "abstain_below = 0.999", rule="learned"))
        ask = (
            (lambda m: m.invoke("2 + 2?").response_metadata)
            if cls is SLMMuxChatModel
            else (lambda m: m.complete("2 + 2?").raw)
        )
        assert ask(sure)["slmmux"]["outcome"] == "answered"
        record = ask(unsure)["slmmux"]
    assert (record["outcome"], record["rule"]) == ("abstained", "learned")
    assert 0 < record["probability"] < 0.999


def test_the_bigger_model_of_the_file_is_asked(write):
    """`[escalate_to]` has an address of its own, and answers below `escalate_below`."""
    text = 'selection = "selection.json"\nrule = "learned"\nescalate_below = 0.999\n'
    with serving(ever_new) as small, serving(["4"]) as large:
        more = f'[escalate_to]\nurl = "{large.url}"\nmodel = "large"\n'
        file = write({"a": small, "b": small}, text, rule="learned", more=more)
        message = SLMMuxChatModel.from_config(file).invoke("2 + 2?")
    assert message.text == "4"
    assert message.response_metadata["slmmux"]["escalation"]["model"] == "large"


def test_ask_takes_a_selection_and_says_what_a_low_confidence_means(write):
    """Exit code 0, the words on the screen, and in the JSON."""
    with serving(ever_new) as server:
        file = write({"a": server, "b": server}, text="")
        arguments = ["ask", "2 + 2?", "--config", str(file), "--selection", str(file.with_name("selection.json"))]
        result = run(app, arguments)
        assert result.exit_code == 0, result.output
        assert "No two samples of any model agree: do not rely on this." in result.output
        result = run(app, [*arguments, "--json"])
    record = json.loads(result.stdout)
    assert record["advice"] == "No two samples of any model agree: do not rely on this."
    assert {vote["model"]: vote["of"] for vote in record["votes"]} == {"a": 3, "b": 3}


def test_thresholds_come_from_the_command_line(write):
    """`--rule learned --abstain-below P` serve the fitted rule of the selection."""
    with serving(ever_new) as server:
        file = write({"a": server, "b": server}, text="", rule="learned")
        selected = ["--selection", str(file.with_name("selection.json"))]
        arguments = ["ask", "2 + 2?", "--config", str(file), *selected, "--abstain-below", "0.999", "--rule", "learned"]
        result = run(app, [*arguments, "--json"])
    assert json.loads(result.stdout)["outcome"] == "abstained"


def test_embeddings_of_the_file_compare_answers(tmp_path):
    """`agreement = "embedding"` asks the address of `[embedding]`, so that two wordings are one answer."""
    from ..servers.loopback import Response
    from ..servers.loopback import serving as serving_protocol

    def embeddings(request, take):
        assert request.path.endswith("/embeddings")
        return Response.of(
            {"object": "list", "model": "e", "data": [{"index": 0, "object": "embedding", "embedding": [1.0, 0.0]}]}
        )

    with serving(["It is a fruit.", "A fruit, of course."]) as member, serving_protocol(embeddings, []) as vectors:
        file = tmp_path / "mux.toml"
        file.write_text(
            f'agreement = "embedding"\nsamples = 2\n[embedding]\nurl = "{vectors.url}/v1"\nmodel = "e"\n'
            f'[models.a]\nurl = "{member.url}"\nmodel = "m"\n'
        )
        record = SLMMuxChatModel.from_config(file).invoke("What is a fig?").response_metadata["slmmux"]
    assert (record["confidence"], record["equality"]) == (1.0, "embedding")
    assert vectors.requests


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('rule = "learned"', 'rule = "learned" is fitted in a selection; write selection'),
        ('agreement = "embedding"', r"needs an \[embedding\] table"),
        ("escalate_below = 0.5", r"escalate_below and an \[escalate_to\] table belong together"),
        ('selection = "nowhere.json"', "nowhere.json cannot be read: No such file"),
    ],
)
def test_settings_that_do_not_fit_each_other_are_sentences(tmp_path, text, words):
    """Each says what to write."""
    file = tmp_path / "mux.toml"
    file.write_text(f'{text}\n[models.a]\nurl = "http://127.0.0.1:9/v1"\nmodel = "m"\n')
    with pytest.raises(ConfigError, match=words):
        SLMMuxChatModel.from_config(file)


def test_serve_takes_a_selection(write, monkeypatch):
    """`slmmux serve selection.json` needs members on this machine; with a file they are where it says."""
    apps = []
    monkeypatch.setattr("slmmux.cli._serve._run", lambda app, *_, **__: apps.append(app))
    with serving(["4"]) as server:
        file = write({"a": server, "b": server})
        result = run(app, ["serve", f"mine={file}"])
        assert result.exit_code == 0, result.output
        result = run(app, ["serve", str(file.with_name("selection.json"))])
    assert result.exit_code == 1
    assert "nothing says where 'a', 'b' runs" in " ".join(result.stderr.split())
    assert len(apps) == 1
