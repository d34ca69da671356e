"""The README says only what is so: its two commands, its snippets and its configuration are tried."""

import gzip
import json
import re
from pathlib import Path
from types import SimpleNamespace

from langchain_slmmux.testing import ScriptedChatModel
from llamaindex_slmmux.testing import ScriptedLLM
from slmmux.config import load_config

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_there_are_exactly_two_commands():
    """One runs the main job, one passes the tests; each is one line that sets everything up."""
    ask, test = (block.strip() for block in blocks("sh"))
    assert ask.endswith('slmmux ask "What is the capital of Norway?"')
    assert test.endswith("python -m pytest")
    for command in (ask, test):
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")
        assert "\n" not in command


def test_the_python_snippets_run(tmp_path, monkeypatch):
    """Every Python snippet runs as it stands, in order, given the models it assumes."""
    monkeypatch.chdir(tmp_path)
    rows = [
        {"question_id": "q", "model": m, "sample_index": i, "answer": "4", "gold": "4"}
        for m in ("qwen", "phi")
        for i in range(3)
    ]
    with gzip.open("samples.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    names = {
        "ChatOpenAI": lambda *_: ScriptedChatModel(script=["4"]),
        "ChatOllama": lambda *_: ScriptedChatModel(script=["5"]),
        "OpenAILike": lambda *_: ScriptedLLM(script=["4"]),
        "Ollama": lambda *_: ScriptedLLM(script=["5"]),
        "Settings": SimpleNamespace(),
        "ask": lambda model: "four" if model == "qwen" else "five",
    }
    for snippet in blocks("python"):
        exec(compile(snippet, "README.md", "exec"), names)
    for record in (names["message"].response_metadata["slmmux"], names["response"].raw["slmmux"]):
        assert (record["model"], record["answer"]) == ("qwen", "4")
    assert names["decision"].winner.answer == "four"
    assert names["decisions"]["q"].winner.model == "qwen"


def test_the_configuration_is_read(tmp_path):
    """The mux.toml shown is one that loads."""
    (block,) = blocks("toml")
    file = tmp_path / "mux.toml"
    file.write_text(block, encoding="utf-8")
    assert list(load_config(file).models) == ["gemma", "qwen"]
