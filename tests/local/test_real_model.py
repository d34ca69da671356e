"""A real small model behind a real server: SmolLM2-135M, where its weights are in the cache."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from slmmux.local import ServerError, serve

pytestmark = pytest.mark.real_model
NAME = "smollm2-135m-instruct"


@pytest.fixture(scope="module")
def _shared():
    servers = []
    yield servers
    for server in servers:
        server.close()


@pytest.fixture
def smol(_shared):
    server = serve(NAME, parallel=3, context=512)
    _shared.append(server)
    return server


@pytest.fixture
def ask(smol):
    def ask(**settings):
        body = {
            "model": smol.model,
            "messages": [{"role": "user", "content": "What is the capital of France?"}],
            "max_tokens": 12,
            **settings,
        }
        key = {"Authorization": f"Bearer {smol.api_key}"}
        return httpx.post(f"{smol.base_url}/chat/completions", headers=key, json=body, timeout=120).json()

    return ask


def test_it_answers(ask):
    """The model answers over HTTP, under its name; no path of this machine is in the response."""
    response = ask(temperature=0)
    assert response["choices"][0]["message"]["content"].strip()
    assert response["model"] == NAME
    assert "/" not in json.dumps({k: v for k, v in response.items() if k != "choices"})


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}], ids=["no key", "a wrong key"])
def test_without_its_key_it_refuses(smol, headers):
    """No key and a wrong key are both 401, for answers and for what it knows about itself."""
    for method, path in (("POST", "/chat/completions"), ("GET", "/models"), ("GET", "/../props")):
        assert httpx.request(method, smol.base_url + path, headers=headers, timeout=60).status_code == 401


def test_no_web_page_may_read_it(smol):
    """A page of another origin gets no permission, neither asked before nor in an answer."""
    headers = {"Origin": "http://elsewhere.example", "Authorization": f"Bearer {smol.api_key}"}
    before = {**headers, "Access-Control-Request-Method": "POST"}
    answers = [
        httpx.options(f"{smol.base_url}/chat/completions", headers=before, timeout=60),
        httpx.get(f"{smol.base_url}/models", headers=headers, timeout=60),
    ]
    for answer in answers:
        assert answer.headers.get("access-control-allow-origin", "") == ""
        assert answer.headers.get("access-control-allow-credentials", "false") == "false"


def test_it_listens_on_this_machine_only(smol):
    """The address is 127.0.0.1 and a port of its own."""
    assert smol.base_url.startswith("http://127.0.0.1:")
    assert smol.base_url.endswith("/v1")


def test_the_key_is_nowhere_to_be_seen(smol):
    """The key is in no repr and not in the list of processes."""
    assert len(smol.api_key) > 30
    assert smol.api_key not in repr(smol) + str(smol)
    process = Path("/proc", str(smol._process.pid))
    if process.exists():
        for name in ("cmdline", "environ"):
            assert smol.api_key.encode() not in (process / name).read_bytes()


def test_all_who_ask_for_it_share_it(smol):
    """Threads that ask at once get the same server; fewer slots do too, more slots another one."""
    servers = []
    threads = [threading.Thread(target=lambda: servers.append(serve(NAME, parallel=3, context=512))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert servers == [smol] * 4
    assert serve(NAME, parallel=1, context=512) is smol


def test_more_slots_are_another_server(smol):
    """Who needs more slots gets a server with them, who held the smaller one keeps it, and the larger is now shared."""
    larger = serve(NAME, parallel=3, context=256)
    largest = serve(NAME, parallel=4, context=256)
    try:
        assert larger is not largest
        assert larger.running
        assert serve(NAME, parallel=3, context=256) is largest
    finally:
        larger.close()
        largest.close()


def test_a_closed_server_is_started_anew():
    """After `close` its process is gone, and the next one who asks gets a new server."""
    first = serve(NAME, parallel=1, context=256)
    address = first.base_url
    first.close()
    first.close()
    assert not first.running
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/models", timeout=60)
    second = serve(NAME, parallel=1, context=256)
    try:
        assert second is not first
        assert second.running
    finally:
        second.close()


def test_a_server_that_died_is_replaced():
    """A server whose process was killed, as by a machine out of memory, is not shared again."""
    first = serve(NAME, parallel=1, context=128)
    os.kill(first._process.pid, signal.SIGKILL)
    first._process.wait()
    second = serve(NAME, parallel=1, context=128)
    assert second is not first
    second.close()


def test_n_counts_one_choice_and_single_draws_count_right(ask):
    """With `n` the usage counts one choice only, which is why members are asked once for each sample."""
    several = ask(n=3, logprobs=True)
    tokens = [len(choice["logprobs"]["content"]) for choice in several["choices"]]
    assert several["usage"]["completion_tokens"] in tokens
    assert several["usage"]["completion_tokens"] < sum(tokens)
    one = ask(logprobs=True)
    assert one["usage"]["completion_tokens"] == len(one["choices"][0]["logprobs"]["content"])


def test_a_schema_is_kept(ask):
    """`response_format` with a JSON schema gives JSON of that schema."""
    schema = {
        "type": "object",
        "properties": {"city": {"enum": ["Paris", "Rome"]}},
        "required": ["city"],
        "additionalProperties": False,
    }
    response = ask(
        max_tokens=40,
        response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": True}},
    )
    assert json.loads(response["choices"][0]["message"]["content"])["city"] in {"Paris", "Rome"}


def _python(code: str, **settings) -> subprocess.Popen:
    path = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        **settings,
    )


def test_a_program_ends_at_once_and_in_silence():
    """A program that served and never closed ends by itself, and llama.cpp wrote nothing to its terminal."""
    child = _python(f"from slmmux.local import serve; serve('{NAME}', parallel=1, context=256)")
    out, err = child.communicate(timeout=120)
    assert (child.returncode, out, err) == (0, "", "")


_SERVE_AND_WAIT = f"""
import sys
from slmmux.local import serve
print(serve('{NAME}', parallel=1, context=256)._process.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for a process that is not its child: Linux")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_is_gone_with_its_process(how):
    """However its process ends, killed outright included, the server ends with it."""
    child = _python(_SERVE_AND_WAIT, stdin=subprocess.PIPE)
    engine = os.pidfd_open(int(child.stdout.readline()))
    try:
        child.send_signal(how)
        child.communicate(timeout=60)
        assert select.select([engine], [], [], 60)[0]
    finally:
        os.close(engine)


_FORK = f"""
import os, sys
import httpx
from slmmux.local import ServerError, serve

def works(server):
    key = {{"Authorization": "Bearer " + server.api_key}}
    return httpx.get(server.base_url + "/models", headers=key, timeout=60).status_code == 200

inherited = serve('{NAME}', parallel=1, context=256)
child = os.fork()
if child == 0:
    code = 1
    try:
        inherited.base_url
    except ServerError as error:
        print(error, flush=True)
        inherited.close()
        own = serve('{NAME}', parallel=1, context=256)
        code = 0 if own is not inherited and works(own) and not inherited.running else 2
        own.close()
    finally:
        os._exit(code)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert inherited.running and works(inherited)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
def test_after_a_fork_the_child_has_its_own():
    """A forked child is refused the parent's server with a sentence, gets its own by asking, and cannot end the parent's."""
    child = _python(_FORK)
    out, err = child.communicate(timeout=120)
    assert (child.returncode, err) == (0, "")
    assert "of which this process is a fork" in out


_FORK_THEN_DIE = f"""
import os, sys
from slmmux.local import serve
server = serve('{NAME}', parallel=1, context=256)
if os.fork() == 0:
    sys.stdin.read()  # outlives its parent
    os._exit(0)
print(server._process.pid, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for a process that is not its child: Linux")
def test_a_forked_child_does_not_keep_the_server_alive():
    """The server ends with the process that started it, even while a fork of that process lives on."""
    child = _python(_FORK_THEN_DIE, stdin=subprocess.PIPE)
    line = child.stdout.readline()
    try:
        engine = os.pidfd_open(int(line))
    except ProcessLookupError:  # gone already
        engine = None
    try:
        assert engine is None or select.select([engine], [], [], 60)[0]
    finally:
        child.communicate(timeout=60)
        if engine is not None:
            os.close(engine)


def test_a_handle_of_another_process_refuses(smol, monkeypatch):
    """The key and the address of a server are refused where the process is not the one that started it."""
    pid = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)
    with pytest.raises(ServerError, match="call serve"):
        _ = smol.api_key
    assert not smol.running


_INTERRUPTED = f"""
import signal
import sys
import httpx
from slmmux.local import serve
server = serve('{NAME}', parallel=1, context=256)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell has it ignored
try:
    print("ready", flush=True)
    sys.stdin.read()
except KeyboardInterrupt:
    key = {{"Authorization": "Bearer " + server.api_key}}
    print(httpx.get(server.base_url + "/models", headers=key, timeout=60).status_code)
"""


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="there are no process groups on this platform")
def test_an_interruption_at_the_terminal_is_for_this_process_alone():
    """Ctrl-C reaches every process of a terminal's group; the server is not among them, so a program may go on."""
    child = _python(_INTERRUPTED, stdin=subprocess.PIPE, start_new_session=True)
    assert child.stdout.readline() == "ready\n"
    os.killpg(child.pid, signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out, err) == (0, "200\n", "")


@pytest.mark.full
def test_twenty_threads_share_four_slots():
    """Twenty threads over a real server of four slots, with a window of four: every call is answered, none is refused."""
    ended = subprocess.run(
        [sys.executable, "-m", "bench.soak", "--slots", "20"],
        check=True,
        cwd=Path.cwd(),
        capture_output=True,
        text=True,
    )
    assert "none failed" in ended.stdout
