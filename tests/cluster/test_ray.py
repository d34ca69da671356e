"""Ray itself: two actors on this machine, and its signatures, by which what needs a GPU is checked."""

import inspect
import json
import os
import signal
import subprocess
import sys

import pytest

from slmmux import Recording
from slmmux.cluster import PoolConfig
from slmmux.cluster._vllm import config_of, replies_of, requests_of

from ..langchain.openai_server import serving

pytestmark = pytest.mark.full
pytest.importorskip("ray", reason='Ray is not installed: pip install "slmmux[ray]"')

QUESTIONS = [{"question_id": f"q{i}", "question": f"{i} + {i % 3}?", "gold": str(i + i % 3)} for i in range(24)]


def profiled(folder, **environment):
    """Run the command in a process of its own, as Ray is started once a process."""
    command = "profile questions.jsonl --engine ray --config pool.toml --out samples.jsonl"
    return subprocess.run(
        [sys.executable, "-m", "slmmux.cli", *command.split()],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path]), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, QUESTIONS)))
    return tmp_path


def test_two_actors_ask_an_address_and_a_function(folder):
    """On a Ray of this machine two actors of each of two models give every sample once; a second run asks nothing."""
    with serving(["It is 4, sk-key-of-phi."]) as server:
        (folder / "pool.toml").write_text(
            'samples = 3\nactors = 2\nbatch = 5\nextract = "number"\n'
            '[models.rules]\nfunction = "tests.cluster.scripted:reply"\n'
            f'[models.phi]\nurl = "{server.url}"\nmodel = "phi-4"\napi_key_env = "PHI_KEY"\n'
        )
        result = profiled(folder, PHI_KEY="sk-key-of-phi")
        assert result.returncode == 0, result.stderr
        assert len(server.requests) == 3 * len(QUESTIONS)
        recording = Recording.load(folder / "samples.jsonl")
        samples = [(row.model, row.question_id, row.sample_index) for row in recording.rows]
        assert len(samples) == len({*samples}) == 2 * 3 * len(QUESTIONS)
        assert {row.answer for row in recording.rows if row.model == "phi"} == {"4"}
        assert all(row.answer == row.gold for row in recording.rows if row.model == "rules")
        assert b"sk-key" not in (folder / "samples.jsonl").read_bytes()
        before = (folder / "samples.jsonl").read_bytes()
        assert profiled(folder, PHI_KEY="sk-key-of-phi").returncode == 0
        assert (folder / "samples.jsonl").read_bytes() == before
        assert len(server.requests) == 3 * len(QUESTIONS)


def test_an_actor_that_is_killed_costs_its_batch(folder):
    """An actor's process that is killed in the middle is replaced: every sample comes, and each is there once."""
    (folder / "killed_once.py").write_text(
        "import os, pathlib, signal\n"
        f"flag = pathlib.Path({str(folder / 'flag')!r})\n"
        "def reply(question):\n"
        "    if question.startswith('9 ') and not flag.exists():\n"
        "        flag.touch()\n"
        f"        os.kill(os.getpid(), {int(signal.SIGKILL)})\n"
        "    return '7'\n"
    )
    (folder / "pool.toml").write_text(
        'samples = 2\nactors = 2\nbatch = 4\n[models.fragile]\nfunction = "killed_once:reply"\nconcurrency = 1\n'
    )
    result = profiled(folder, PYTHONPATH=os.pathsep.join([str(folder), *sys.path]))
    assert result.returncode == 0, result.stderr
    assert (folder / "flag").exists()
    rows = Recording.load(folder / "samples.jsonl").rows
    samples = [(row.question_id, row.sample_index) for row in rows]
    assert len(samples) == len({*samples}) == 2 * len(QUESTIONS)
    assert not any(row.error for row in rows)


def test_what_needs_a_gpu_fits_rays_own_signatures():
    """Ray's configuration of vLLM takes ours by its own fields, and its processor the two functions; none is unknown."""
    import ray.data
    from ray.data.llm import build_processor, vLLMEngineProcessorConfig

    pool = PoolConfig.model_validate(
        {"models": {"q": {"vllm": "x/y", "engine": {"tensor_parallel_size": 2}, "accelerator": "H100", "actors": 4}}}
    )
    arguments = config_of(pool, "q")
    assert arguments.keys() <= vLLMEngineProcessorConfig.model_fields.keys()
    config = vLLMEngineProcessorConfig(**arguments)
    assert (config.model_source, config.concurrency, config.accelerator_type) == ("x/y", 4, "H100")
    assert config.engine_kwargs["tensor_parallel_size"] == 2
    assert config.should_continue_on_error
    inspect.signature(build_processor).bind(config, preprocess=requests_of(pool, "q"), postprocess=replies_of)
    inspect.signature(ray.data.Dataset.map_batches).bind(
        None, object, fn_constructor_args=(), batch_size=1, batch_format="numpy", compute=None, num_cpus=0.5
    )
    inspect.signature(ray.data.ActorPoolStrategy).bind(size=2)
