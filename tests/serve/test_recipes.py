"""The recipes of the guide: what they say fits this package and itself; the one of Ray Serve is run.

Neither Docker nor Kubernetes is needed here, so that their own programs have not read these files.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
import yaml
from typer.testing import CliRunner

from slmmux.cli import app as commands

from ..langchain.openai_server import serving as serving_member
from .support import app, serving

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "serve.md").read_text()
PORT, FOLDER, KEY = 8000, "/etc/slmmux", "SLMMUX_KEY"


def block(language, beginning=""):
    """Return the block of the guide that begins in some way."""
    (found,) = re.findall(rf"^```{language}\n({re.escape(beginning)}.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    return found


def write_config(folder, url):
    file = folder / "mux.toml"
    file.write_text(f'samples = 2\n[models.a]\nurl = "{url}"\nmodel = "m"\n')
    return file


def test_the_container_runs_a_command_that_exists(tmp_path, monkeypatch):
    """Its Python is new enough, its extra exists, and the command line is accepted, with the key that it names."""
    steps = [line.split(maxsplit=1) for line in block("dockerfile").splitlines()]
    assert [name for name, _ in steps] == ["FROM", "RUN", "COPY", "USER", "EXPOSE", "CMD"]
    recipe = dict(steps)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    python = re.fullmatch(r"python:3\.(\d+)-slim", recipe["FROM"])
    assert int(python[1]) >= int(project["requires-python"].removeprefix(">=3."))
    (extra,) = re.findall(r'"slmmux\[(\w+)\]"$', recipe["RUN"])
    assert extra in project["optional-dependencies"]
    assert recipe["COPY"].split() == ["mux.toml", f"{FOLDER}/mux.toml"]
    assert int(recipe["EXPOSE"]) == PORT
    program, *arguments = json.loads(recipe["CMD"])
    assert program in project["scripts"]
    starts = []
    monkeypatch.setattr("slmmux.cli._serve._run", lambda _, *where, **__: starts.append(where))
    with serving_member(["4"]) as member:
        file = write_config(tmp_path, member.url)
        arguments = [each.replace(f"{FOLDER}/mux.toml", str(file)) for each in arguments]
        assert CliRunner().invoke(commands, arguments, env={KEY: "secret"}).exit_code == 0
        refused = CliRunner().invoke(commands, arguments, env={KEY: None})
    assert starts == [("0.0.0.0", PORT, ["mux"])]
    assert (refused.exit_code, KEY in refused.output) == (2, True)


def test_the_services_of_compose_know_each_other():
    """The port is the server's, the key is the one that the container reads, and members are those it waits for."""
    services = yaml.safe_load(block("yaml", "services:"))["services"]
    own = services["mux"]
    assert own["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    assert own["environment"] == {KEY: f"${{{KEY}}}"}
    assert set(own["depends_on"]) == set(services) - {"mux"}
    assert all(f"http://{name}:8080/v1" in GUIDE for name in own["depends_on"])
    for name in own["depends_on"]:
        command = services[name]["command"]
        (mounted,) = (volume.split(":")[1] for volume in services[name]["volumes"])
        assert command[command.index("--model") + 1].startswith(f"{mounted}/")


def test_the_deployment_probes_addresses_that_answer_without_a_key():
    """Labels, mounts and the port fit each other; both probes get 200 from a server that asks everybody for a key."""
    deployment = yaml.safe_load(block("yaml", "apiVersion:"))
    assert (deployment["apiVersion"], deployment["kind"]) == ("apps/v1", "Deployment")
    pod = deployment["spec"]["template"]
    assert deployment["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"]
    (container,) = pod["spec"]["containers"]
    assert container["ports"] == [{"containerPort": PORT}]
    assert [variable["name"] for variable in container["env"]] == [KEY]
    volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
    assert {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]} == dict.fromkeys(volumes, FOLDER)
    with serving(app(api_key="secret")) as url:
        for probe in ("livenessProbe", "readinessProbe"):
            target = container[probe]["httpGet"]
            assert target["port"] == PORT
            assert httpx.get(url + target["path"]).status_code == 200
        assert httpx.get(f"{url}/v1/models").status_code == 401


ASK = """
import json, urllib.request
from ray import serve
def ask(**more):
    body = {"model": "mux", "messages": [{"role": "user", "content": "2 + 2?"}], **more}
    data, kind = json.dumps(body).encode(), {"content-type": "application/json"}
    address = "http://127.0.0.1:8000/v1/chat/completions"
    with urllib.request.urlopen(urllib.request.Request(address, data, kind), timeout=100) as reply:
        return reply.read().decode()
print("WHOLE", ask())
print("STREAMED", ask(stream=True).replace("\\n", " "))
serve.shutdown()
"""


@pytest.mark.full
def test_ray_serve_runs_the_server(tmp_path):
    """The block of the guide, on a Ray of this machine: a question is answered whole and as a stream."""
    if not all(map(find_spec, ("ray", "grpc", "fastapi"))):  # not by an import, whose warnings are Ray's own
        pytest.skip('Ray Serve is not installed: pip install "ray[serve]"')
    with serving_member(["4"]) as member:
        file = write_config(tmp_path, member.url)
        script = block("text", "from ray import serve").replace(f"{FOLDER}/mux.toml", str(file)) + ASK
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            # A busy machine starts Ray's processes late, and Ray gives up early.
            "RAY_raylet_start_wait_time_s": "200",
            "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "200",
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=280,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    whole = json.loads(re.search(r"^WHOLE (.*)$", done.stdout, re.MULTILINE)[1])
    assert (whole["choices"][0]["message"]["content"], whole["slmmux"]["model"]) == ("4", "a")
    assert re.search(r'^STREAMED data: .*"content":"4".*data: \[DONE\]', done.stdout, re.MULTILINE)
