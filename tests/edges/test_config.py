"""`mux.toml`: what is read, and the sentence for everything that cannot be."""

import os

import pytest

from slmmux import ConfigError
from slmmux.config import default_config, load_config

from ..pydantic_words import worded

GOOD = """\
samples = 5
temperature = 0.7
system_prompt = "Answer in a few words."

[models.gemma]
local = "gemma-3-270m"

[models.qwen]
url = "http://localhost:11434/v1"
model = "qwen2.5:0.5b"
api_key_env = "QWEN_KEY"
samples = 3
temperature = 0.2
timeout = 30
concurrency = 2
requests_per_minute = 60
"""


def write(tmp_path, text):
    file = tmp_path / "mux.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_members_take_the_files_settings_or_their_own(tmp_path):
    """A member's own k and temperature come before those of the file."""
    config = load_config(write(tmp_path, GOOD))
    assert [config.samples_of(label) for label in ("gemma", "qwen")] == [5, 3]
    assert [config.temperature_of(label) for label in ("gemma", "qwen")] == [0.7, 0.2]
    assert config.system_prompt == "Answer in a few words."


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("samples = 5", "samples = 0"), "line 1: samples: <greater_than_equal ge=1>"),
        (("samples = 5", "smaples = 5"), "line 1: smaples: 'smaples' is not a setting; did you mean 'samples'"),
        (("samples = 3", "k = 3"), "line 12: models.qwen.k: 'k' is not a setting; known are local, url"),
        (('local = "gemma-3-270m"', ""), 'line 5: models.gemma: write either local = "a small model" or url'),
        (('model = "qwen2.5:0.5b"', ""), "line 8: models.qwen: url needs a model; write model ="),
        (
            ("http://localhost:11434/v1", "localhost:11434"),
            'line 9: models.qwen.url: url must be an address; write one such as "http:',
        ),
        (("timeout = 30", "timeout = -1"), "line 14: models.qwen.timeout: <greater_than gt=0>"),
        (("timeout = 30", "timeout = true"), "line 14: models.qwen.timeout: <float_type>"),
        (("samples = 5", 'samples = "5"'), "line 1: samples: <int_type>"),
        (("[models.gemma]", "[models.gemma"), "is not TOML: .*line 5"),
        ((GOOD, "samples = 5"), "no \\[models.NAME\\] table; write one for each member"),
    ],
)
def test_bad_files_get_a_sentence_with_the_line(tmp_path, change, words):
    """What cannot be used is named with its line and what to write instead."""
    with pytest.raises(ConfigError, match=worded(words)):
        load_config(write(tmp_path, GOOD.replace(*change)))


@pytest.mark.parametrize(
    "line", ['api_key = "sk-hidden-0123456789"', 'url = "http://me:sk-hidden-0123456789@localhost/v1"']
)
def test_a_literal_key_is_refused_and_not_quoted(tmp_path, line):
    """A key written into the file is refused with what to write, and the error does not repeat it."""
    text = '[models.a]\nmodel = "m"\n' + line
    with pytest.raises(ConfigError, match="api_key_env") as caught:
        load_config(write(tmp_path, text))
    assert "sk-hidden" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_key_comes_from_the_environment_only(tmp_path, monkeypatch):
    """The key is what the named variable holds; where that is not set, its name is said."""
    member = load_config(write(tmp_path, GOOD)).models["qwen"]
    monkeypatch.delenv("QWEN_KEY", raising=False)
    with pytest.raises(ConfigError, match="QWEN_KEY is not set"):
        member.api_key()
    monkeypatch.setenv("QWEN_KEY", "sk-x")
    assert member.api_key() == "sk-x"


def test_accuracies_are_given_for_all_or_none(tmp_path):
    """A rank from some members' accuracies would be a guess about the others: the missing are named."""
    config = load_config(write(tmp_path, GOOD.replace("samples = 3", "accuracy = 0.5")))
    with pytest.raises(ConfigError, match="accuracy is missing for 'gemma'"):
        config.accuracies()


def test_a_missing_file_says_which():
    """No file: its path, and what to pass."""
    with pytest.raises(ConfigError, match=r"nowhere\.toml cannot be read"):
        load_config("nowhere.toml")


def test_the_default_pair_asks_for_few_words():
    """Without a file two local models answer, asked for a few words: prose of such models never agrees."""
    config = default_config()
    assert list(config.models) == ["qwen2.5-coder-1.5b", "gemma-3-270m"]  # of equal confidences the larger one's wins
    assert "few words" in str(config.system_prompt)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = " + "[" * 5000 + "]" * 5000, "is nested too deeply"),
        (".".join("a" * 200_000) + " = 1", "is nested too deeply"),
        ("[" + " . ".join(['"a"'] * 100_000) + "]", "is nested too deeply"),
        ("temperature = inf", "temperature: <finite_number>"),
        (f"max_tokens = {10**40}", "max_tokens: <less_than_equal le=1000000000>"),
        ("[models.a]\nurl = " + "{a = " * 3000 + "1" + "}" * 3000, "is nested too deeply"),
        (GOOD.replace("samples = 5", f"samples = {10**40}"), "line 1: samples: <less_than_equal le=100000>"),
        (GOOD.replace("samples = 3", f"samples = {10**9}"), "models.qwen.samples: <less_than_equal le=100000>"),
        (GOOD.replace("concurrency = 2", f"concurrency = {10**9}"), "concurrency: <less_than_equal le=10000>"),
        (GOOD.replace("samples = 5", "budget = { calls = inf }"), "budget.calls: <finite_number>"),
        ("#" * 1_000_001, "it has 1,000,001 bytes, and at most 1,000,000 are read"),
    ],
    ids=[
        "lists",
        "parts",
        "quoted parts",
        "temperature",
        "tokens",
        "tables",
        "samples",
        "a member's samples",
        "concurrency",
        "budget",
        "bytes",
    ],
)
def test_what_would_never_end_is_a_sentence(tmp_path, text, words):
    """Depth, numbers and sizes that nobody means are refused at once, and named."""
    with pytest.raises(ConfigError, match=worded(words)):
        load_config(write(tmp_path, text))


def test_a_path_that_is_no_file_is_a_sentence(tmp_path):
    """A folder, a pipe that nobody writes to, a file that is absent and an impossible name: none hangs or escapes."""
    os.mkfifo(tmp_path / "pipe")
    for path, words in [
        (tmp_path, "it is not a file"),
        (tmp_path / "pipe", "it is not a file"),
        (tmp_path / "absent.toml", "No such file"),
        ("a\0b", "null (byte|character)"),
        ("x" * 5000, "too long"),
    ]:
        with pytest.raises(ConfigError, match=words) as caught:
            load_config(path)
        assert str(caught.value).endswith("pass the path of a mux.toml")
        assert len(str(caught.value)) < 700
