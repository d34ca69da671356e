"""`slmmux profile --store`, `work`, `status` and `pull` as a person types them."""

import json

import pytest
from typer.testing import CliRunner

from slmmux import Recording
from slmmux.cli import app

from ..langchain.openai_server import serving

run = CliRunner().invoke


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    lines = [{"question_id": f"q{i}", "question": f"{i} + {i}?", "gold": str(2 * i)} for i in range(4)]
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return tmp_path


def config(folder, **servers):
    text = 'samples = 2\nsystem_prompt = "Few words."\n'
    for name, server in servers.items():
        text += f'[models.{name}]\nurl = "{server.url}"\nmodel = "{name}-model"\napi_key_env = "{name.upper()}_KEY"\n'
        text += "price = { input = 1.0, output = 2.0 }\n"
    (folder / "mux.toml").write_text(text)


def ok(*command):
    result = run(app, command)
    assert result.exit_code == 0, result.output
    return result


def test_a_campaign_from_the_plan_to_the_recording(folder, monkeypatch):
    """Plan, two workers of other members, the table, the recording; it is the one that a profile makes, without keys."""
    monkeypatch.setenv("A_KEY", "sk-secret-of-a")
    monkeypatch.setenv("B_KEY", "sk-secret-of-b")
    with serving(["4"]) as a, serving(["5", "6"]) as b:
        config(folder, a=a, b=b)
        plan = ["profile", "questions.jsonl", "--config", "mux.toml", "--store", "store.db"]
        assert "planned: 4 questions, 2 members, 16 samples; work on them" in ok(*plan).stderr
        assert "planned before, and the same" in ok(*plan).stderr
        assert not a.requests
        monkeypatch.delenv("B_KEY")  # a worker needs the keys of its own members alone
        result = ok("work", "--store", "store.db", "--config", "mux.toml", "--members", "a", "--json")
        assert json.loads(result.stdout) == {"samples": 8, "members": {"a": {"samples": 8, "failed": 0}}}
        state = json.loads(ok("status", "--store", "store.db", "--json").stdout)
        assert [(member["label"], member["done"]) for member in state["members"]] == [("a", 8), ("b", 0)]
        (cost, tokens) = (state["members"][0][name] for name in ("cost", "output_tokens"))
        assert cost == pytest.approx((state["members"][0]["input_tokens"] + 2 * tokens) / 1_000_000)
        assert cost > 0
        assert not b.requests
        monkeypatch.setenv("B_KEY", "sk-secret-of-b")
        assert "nothing is left for b; 8 samples" in ok("work", "--store", "store.db", "--config", "mux.toml",
                                                        "--members", "b", "--name", "second").stderr  # fmt: skip
        table = ok("status", "--store", "store.db", "--watch").stdout
        assert "done" in table
        assert "second" in table
        assert (
            "written: samples.parquet, 16 samples"
            in ok("pull", "--store", "store.db", "--out", "samples.parquet").stdout
        )
        ok("profile", "questions.jsonl", "--config", "mux.toml", "--out", "alone.jsonl")
    pulled, alone = Recording.load("samples.parquet"), Recording.load("alone.jsonl")
    assert pulled.settings == alone.settings
    assert {(row.model, row.question_id, row.sample_index) for row in pulled.rows} == {
        (row.model, row.question_id, row.sample_index) for row in alone.rows
    }
    for file in folder.glob("store.db*"):
        assert b"sk-secret" not in file.read_bytes()


def test_replies_stay_out_with_no_text(folder, monkeypatch):
    """With --no-text the file of the store has no reply."""
    monkeypatch.setenv("A_KEY", "key")
    with serving(["It is certainly 4."]) as a:
        config(folder, a=a)
        ok("profile", "questions.jsonl", "--config", "mux.toml", "--store", "store.db", "--no-text")
        ok("work", "--store", "store.db", "--config", "mux.toml")
        ok("pull", "--store", "store.db", "--out", "samples.jsonl")
    assert {row.text for row in Recording.load("samples.jsonl").rows} == {None}
    for file in folder.glob("store.db*"):
        assert b"certainly" not in file.read_bytes()


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["profile", "questions.jsonl"], "write either --out FILE, to sample here, or --store URL"),
        (["profile", "questions.jsonl", "--out", "a.jsonl", "--no-text"], "--no-text is for --store"),
        (["work", "--store", "store.db", "--config", "mux.toml", "--members", "c"], "--members names 'c'; the members"),
        (["work", "--store", "store.db", "--config", "mux.toml"], "holds no plan; write one with"),
        (["status", "--store", "store.txt"], "a store is postgresql://USER@HOST/NAME or a SQLite file"),
        (["pull", "--store", "store.db", "--out", "a.jsonl"], "holds no plan"),
    ],
)
def test_a_wrong_command_is_a_sentence(folder, monkeypatch, command, sentence):
    """What does not fit is said in a sentence, with the form to write."""
    monkeypatch.setenv("A_KEY", "key")
    with serving(["4"]) as a:
        config(folder, a=a)
        result = run(app, command)
    assert result.exit_code in {1, 2}
    assert sentence in " ".join(result.stderr.split())


def test_formats_are_converted_and_back(folder):
    """`convert` writes a recording in another format and back, the same samples with the same fingerprint."""
    rows = [
        {
            "question_id": f"q{i}",
            "model": "qwen",
            "sample_index": 0,
            "answer": str(i),
            "text": f"It is {i}.",
            "gold": "1",
        }
        for i in range(5)
    ]
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    original = Recording.load("samples.jsonl")
    for source, target in (
        ("samples.jsonl", "samples.parquet"), ("samples.parquet", "parts"), ("parts", "again.jsonl.gz"),
    ):  # fmt: skip
        assert "5 samples of qwen" in ok("convert", source, "--out", target).stdout
        assert Recording.load(target) == original
        assert Recording.load(target).fingerprint == original.fingerprint
    assert json.loads(ok("select", "parts", "--resamples", "0", "--json").stdout)["fingerprint"] == original.fingerprint
