"""A pool on a cluster: what is asked for, what is written, and what a failure costs, with the actors in this process."""

import json

import pytest
from typer.testing import CliRunner

from slmmux import ArgumentError, ConfigError, ProfilingError, Recording, RecordingError
from slmmux.cli import app
from slmmux.cluster import PoolConfig, load_pool, profile_on_ray
from slmmux.cluster import _profile as module
from slmmux.cluster._vllm import config_of, replies_of, requests_of

from ..langchain.openai_server import serving
from . import scripted
from .scripted import replies_here

QUESTIONS = [
    {"question_id": f"q{i}", "question": f"{i} + {i % 4}?", "gold": str(i + i % 4), "dataset": "sums"} for i in range(8)
]
HERE = "tests.cluster.scripted"


def pool(**models):
    return PoolConfig.model_validate(
        {"samples": 2, "batch": 3, "extract": "number", "models": models or {"rules": {"function": f"{HERE}:reply"}}}
    )


def test_each_sample_is_there_once_with_its_answer_or_its_error(tmp_path):
    """Every sample is in the file as a profile writes it: the answer, the question's fields, or the request's error."""
    counts = []
    recording = profile_on_ray(
        pool(), QUESTIONS, recording=tmp_path / "a.jsonl", came=lambda *c: counts.append(c), replies=replies_here
    )
    assert recording == Recording.load(tmp_path / "a.jsonl")
    assert {(row.question_id, row.sample_index) for row in recording.rows} == {
        (q["question_id"], i) for q in QUESTIONS for i in range(2)
    }
    for row in recording.rows:
        question = QUESTIONS[int(row.question_id[1:])]
        assert (row.question, row.gold, row.dataset) == (question["question"], question["gold"], "sums")
        if question["question"].endswith("3?"):
            assert (row.answer, row.error) == (None, "ValueError: no such luck")
        else:
            assert (row.answer, row.error, row.kind) == (question["gold"], None, "number")
            assert row.text == f"The answer is {row.gold}."
        assert row.input_tokens is row.output_tokens is None
        assert row.temperature == 0.7
    assert sum(count for _, count, _ in counts) == 16
    assert sum(failed for _, _, failed in counts) == 4
    assert recording.settings["models"] == {"rules": {"model": f"{HERE}:reply", "temperature": 0.7}}


def test_what_is_in_the_file_is_not_asked_for_again(tmp_path):
    """After a driver that ended in the middle only the missing samples are requested; the samples are the same."""
    whole = profile_on_ray(pool(), QUESTIONS, recording=tmp_path / "a.jsonl", replies=replies_here)

    def breaks_off(*arguments):
        for number, row in enumerate(replies_here(*arguments)):
            if number == 7:
                raise KeyboardInterrupt
            yield row

    with pytest.raises(KeyboardInterrupt):
        profile_on_ray(pool(), QUESTIONS, recording=tmp_path / "b.jsonl", replies=breaks_off)
    assert len(Recording.load(tmp_path / "b.jsonl").rows) == 7
    scripted.CALLS.clear()
    continued = profile_on_ray(pool(), QUESTIONS, recording=tmp_path / "b.jsonl", replies=replies_here)
    assert len(scripted.CALLS) == 16 - 7

    def plain(recording):
        return [(row.question_id, row.sample_index, row.answer, row.error) for row in recording.rows]

    assert plain(continued) == plain(whole)
    with pytest.raises(RecordingError, match=r"temperature was 0\.7 and is 0\.1"):
        profile_on_ray(
            pool().model_copy(update={"temperature": 0.1}), QUESTIONS, recording=tmp_path / "b.jsonl",
            replies=replies_here,
        )  # fmt: skip
    with pytest.raises(RecordingError, match="the gold answer of question 'q0'"):
        profile_on_ray(pool(), [{**QUESTIONS[0], "gold": "9"}], recording=tmp_path / "b.jsonl", replies=replies_here)


def test_a_model_that_is_down_is_given_up_and_the_others_are_sampled(tmp_path):
    """Three failures without a success end a model, of which nothing is written; the error names it at the end."""
    models = {
        "down": {"function": f"{HERE}:down"}, "silent": {"function": f"{HERE}:silent"},
        "rules": {"function": f"{HERE}:reply"},
    }  # fmt: skip
    with pytest.raises(ProfilingError, match="refused"):
        profile_on_ray(pool(**models), QUESTIONS, recording=tmp_path / "a.jsonl", replies=replies_here)
    recording = Recording.load(tmp_path / "a.jsonl")
    assert {row.model for row in recording.rows} == {"rules"}
    assert len(recording.rows) == 16


def test_an_address_is_asked_as_a_client_asks_it_and_its_key_stays_out(tmp_path, monkeypatch):
    """The request has the model, the system prompt, the settings and the key; the file has the tokens, and no key."""
    monkeypatch.setenv("PHI_KEY", "sk-very-secret")
    with serving(["The answer is 4, says sk-very-secret."]) as server:
        config = pool(phi={"url": server.url, "model": "phi-4", "api_key_env": "PHI_KEY", "max_tokens": 9})
        config = config.model_copy(update={"system_prompt": "Few words."})
        recording = profile_on_ray(config, QUESTIONS[:2], recording=tmp_path / "a.jsonl", replies=replies_here)
        body = server.requests[0]
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("phi-4", 9, 0.7)
    assert next(message["content"] for message in body["messages"]) == "Few words."
    assert {row.answer for row in recording.rows} == {"4"}
    assert all(row.input_tokens and row.output_tokens for row in recording.rows)
    assert b"sk-very-secret" not in (tmp_path / "a.jsonl").read_bytes()
    assert server.url.encode() not in (tmp_path / "a.jsonl").read_bytes()


def test_a_row_of_the_vllm_processor_is_read_with_its_error(tmp_path):
    """A processor's rows, those that failed too, become samples; a count that is not there is none."""

    def processor(config, label, items):
        for number, item in enumerate(items):
            failed = {"__inference_error__": "OOM: too long", "generated_text": None, "time_taken_llm": -1}
            text = {"generated_text": "It is 4.", "num_input_tokens": 7, "num_generated_tokens": 3,
                    "time_taken_llm": 0.5, "__inference_error__": ""}  # fmt: skip
            yield {**item, **(failed if number == 1 else text)}

    config = pool(qwen={"vllm": "Qwen/Qwen2.5-0.5B", "engine": {"max_model_len": 512}, "temperature": 0.2})
    recording = profile_on_ray(config, QUESTIONS[:1], recording=tmp_path / "a.jsonl", replies=processor)
    good, bad = recording.rows
    assert (good.answer, good.input_tokens, good.output_tokens, good.latency_s) == ("4", 7, 3, 0.5)
    assert (bad.answer, bad.error, bad.input_tokens) == (None, "OOM: too long", None)
    assert recording.settings["models"]["qwen"] == {
        "model": "Qwen/Qwen2.5-0.5B", "temperature": 0.2, "engine": {"max_model_len": 512},
    }  # fmt: skip
    assert replies_of(replies_of({"place": 0, "index": 1})) == replies_of({"place": 0, "index": 1})


def test_the_vllm_processor_is_configured_by_the_pool():
    """Engine, accelerator, copies and batches are the file's; a request has the messages and the sampling settings."""
    config = pool(
        a={"vllm": "x/y", "engine": {"tensor_parallel_size": 2}, "accelerator": "H100", "actors": 4, "max_tokens": 5},
        b={"vllm": "x/z"},
    )
    assert config_of(config, "a") == {
        "model_source": "x/y", "engine_kwargs": {"tensor_parallel_size": 2}, "concurrency": 4, "batch_size": 3,
        "should_continue_on_error": True, "accelerator_type": "H100",
    }  # fmt: skip
    assert "accelerator_type" not in config_of(config, "b")
    assert requests_of(config, "a")({"question": "1 + 1?"}) == {
        "messages": [{"role": "user", "content": "1 + 1?"}], "sampling_params": {"temperature": 0.7, "max_tokens": 5},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("samples = 2\n", "models"),
        ("[models.a]\n", "write one of vllm = "),
        ('[models.a]\nvllm = "x"\nurl = "http://h/v1"\n', "write one of vllm = "),
        ('[models.a]\nurl = "http://h/v1"\n', "url needs a model"),
        ('[models.a]\nfunction = "m:f"\naccelerator = "H100"\n', "engine and accelerator are for vllm"),
        ('[models.a]\nurl = "http://h/v1"\nmodel = "m"\napi_key = "sk-secret"\n', "api_key would put a key into"),
        ('[models.a]\nfunction = "no function"\n', "function"),
        ("[models", "is not TOML"),
    ],
)
def test_a_wrong_pool_file_is_a_sentence(tmp_path, text, sentence):
    """What cannot be used is named with the form to write, and no key is quoted."""
    (tmp_path / "pool.toml").write_text(text)
    with pytest.raises(ConfigError, match=sentence) as raised:
        load_pool(tmp_path / "pool.toml")
    assert "sk-secret" not in str(raised.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_pool(tmp_path / "nowhere.toml")


def test_without_ray_the_extra_is_named(tmp_path, monkeypatch):
    """A profile on Ray without Ray is an error that names the extra, before the file is made."""
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ArgumentError, match=r'pip install "slmmux\[ray\]"'):
        profile_on_ray(pool(), QUESTIONS, recording=tmp_path / "a.jsonl")
    assert not (tmp_path / "a.jsonl").exists()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "_ray_replies", lambda: replies_here)
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, QUESTIONS)))
    (tmp_path / "pool.toml").write_text(f'samples = 2\n[models.rules]\nfunction = "{HERE}:reply"\n')
    return tmp_path


def test_the_command_records_a_pool(folder):
    """`--engine ray` writes the recording, counts what failed, and keeps to the tolerated share."""
    command = ["profile", "questions.jsonl", "--engine", "ray", "--config", "pool.toml", "--out", "a.jsonl", "--json"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["models"]["rules"]["samples"] == 16
    assert "4 of 16 samples failed" in result.stderr
    assert CliRunner().invoke(app, [*command, "--tolerate", "0.1"]).exit_code == 1
    assert len(Recording.load("a.jsonl").rows) == 16


def test_the_command_takes_a_benchmarks_prompt_and_extractor(folder):
    """With --preset the extractor and the system prompt are the benchmark's, unless the file has a prompt."""
    command = ["profile", "questions.jsonl", "--preset", "gsm8k", "--engine", "ray", "--config", "pool.toml"]
    assert CliRunner().invoke(app, [*command, "--out", "a.jsonl"]).exit_code == 0
    settings = Recording.load("a.jsonl").settings
    assert settings["extract"] == "number"
    (folder / "own.toml").write_text('system_prompt = "Own."\n' + (folder / "pool.toml").read_text())
    command[-1] = "own.toml"
    assert CliRunner().invoke(app, [*command, "--out", "b.jsonl"]).exit_code == 0
    assert Recording.load("b.jsonl").settings["system_prompt"] == "Own."


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--engine", "spark", "--out", "a.jsonl"], "--engine"),
        (["--engine", "ray", "--out", "a.jsonl"], "--engine needs --config POOL.TOML"),
        (["--engine", "ray", "--config", "pool.toml", "--store", "store.db"], "--engine writes a recording"),
        (
            ["--engine", "ray", "--config", "pool.toml", "--out", "a.jsonl", "--samples", "3"],
            "--samples is not for --engine; write it in the pool.toml",
        ),
    ],
)
def test_a_wrong_command_is_a_sentence(folder, options, sentence):
    """What another engine does not take is said, and nothing is written."""
    result = CliRunner().invoke(app, ["profile", "questions.jsonl", *options])
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.split())
    assert not (folder / "a.jsonl").exists()
