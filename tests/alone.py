"""Run where nothing but the wheel is installed, with some of its extras: they do their work, those not there are named.

python -I alone.py [EXTRA ...]      "test" stands for all of them; openai_server.py is in langchain/ beside it
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from importlib.metadata import metadata, version
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "langchain"))
from openai_server import serving

SCRIPT = Path(sys.executable).with_name("slmmux")
SMALLEST = "smollm2-135m-instruct"


class SaidError(Exception):
    """What the command said was wrong."""


def command(*args, **env):
    """Run `slmmux`; whatever is wrong is one sentence on standard error, and then nothing is on standard output."""
    ran = subprocess.run([SCRIPT, *map(str, args)], env=os.environ | env, check=False, capture_output=True, text=True)
    if ran.returncode:
        assert (ran.returncode, ran.stdout) == (1, ""), ran
        assert re.fullmatch(r"error: [^\n]+\n", ran.stderr), ran.stderr
        raise SaidError(ran.stderr)
    return ran.stdout


def core(folder):
    """Without any extra: the decision, recordings, replay, selection, scaling, and the commands over them."""
    import slmmux
    from slmmux.scaling import scaling

    assert Path(slmmux.__file__).is_relative_to(sys.prefix), slmmux.__file__
    race = slmmux.Race({"a": 3, "b": 3}, lambda text: slmmux.Answer(text, "text", text))
    said = slmmux.drive(
        race, lambda draws: ["4" if draw.model == "a" else str(draw.index) for draw in draws], pool=slmmux.Pool(6)
    )
    assert (said.winner.model, said.winner.answer) == ("a", "4")

    rows = [
        slmmux.Row(question_id=f"q{q}", question=f"{q}?", gold=str(q), model=m, sample_index=i, answer=a, text=a)
        for q in range(30)
        for m in "ab"
        for i in range(3)
        for a in [str(q) if (q % 2 == 0) == (m == "a") else f"{q}.{i}"]
    ]
    recording = slmmux.Recording.of(rows, {"extract": "text", "models": {"a": {}, "b": {}}})
    recording.save(folder / "samples.jsonl.gz")
    recording.save(folder / "samples.jsonl")
    recording = slmmux.Recording.load(folder / "samples.jsonl.gz")
    assert {d.winner.answer for d in slmmux.replay(recording, ["a", "b"]).values()} == set(map(str, range(30)))
    assert slmmux.select_complementary(recording).best.models == ("a", "b")
    assert scaling(recording, ["a", "b"], [3])[-1].accuracy == 1.0
    kept = slmmux.profile(
        {"a": str.strip},
        [{"question_id": "q", "question": " 4 "}],
        samples=1,
        recording=folder / "kept.jsonl",
    )
    assert kept.rows[0].answer == "4"

    assert 'slmmux ask "What is the capital of Norway?"' in command("--help")
    assert command("--version").strip() == version("slmmux")
    assert SMALLEST in {model["name"] for model in json.loads(command("models", "--json"))}
    selected = json.loads(command("select", folder / "samples.jsonl", "--json"))
    assert selected["ranking"][0]["models"] == ["a", "b"]
    assert "SLM-MUX" in command("scale", folder / "samples.jsonl")
    command("reread", folder / "samples.jsonl", "--extract", "number", "--out", folder / "anew.jsonl")
    assert "slmmux" in command(_SLMMUX_COMPLETE="source_bash")


def langchain(folder):
    """Its chat model answers, from an address."""
    from langchain_slmmux import SLMMuxChatModel

    assert SLMMuxChatModel.from_config(folder / "mux.toml").invoke("2 + 2?").text == "4"


def llamaindex(folder):
    """Its LLM answers, from an address."""
    from llamaindex_slmmux import SLMMuxLLM

    assert SLMMuxLLM.from_config(folder / "mux.toml").complete("2 + 2?").text == "4"


def asked(framework):
    """Ask on the command line."""

    def ask(folder):
        given = ["ask", "2 + 2?", "--config", folder / "mux.toml", "--framework", framework, "--json"]
        assert json.loads(command(*given))["answer"] == "4"

    return ask


def profiled(framework):
    """Record on the command line."""

    def profile(folder):
        (folder / "questions.jsonl").write_text('{"question_id": "q", "question": "2 + 2?", "gold": "4"}\n')
        out = folder / f"{framework}.jsonl"
        given = ["--config", folder / "mux.toml", "--framework", framework, "--out", out, "--json"]
        told = json.loads(command("profile", folder / "questions.jsonl", *given))
        assert told["models"]["a"]["samples"] == 5

    return profile


def mathematics(folder):
    """Answers that differ in form and not in value agree."""
    from slmmux import answers
    from slmmux._mux.agreement import agreement_of

    assert agreement_of("math").name == "math"
    assert answers.same(r"x^2 + 2x + 1", r"(x+1)^2")


def mathematics_reread(folder):
    """So they do on the command line."""
    out = folder / "math.jsonl"
    command("reread", folder / "samples.jsonl", "--agreement", "math", "--out", out)
    assert out.stat().st_size


def pictures(folder):
    """The report is a page with pictures in it."""
    command("report", folder / "samples.jsonl", "--out", folder / "report.html")
    assert "<svg" in (folder / "report.html").read_text("utf-8")


def weights(folder):
    """A model is fetched, or named as here."""
    from slmmux.local import fetch

    assert fetch(SMALLEST).is_file()


def pulled(folder):
    """So it is on the command line."""
    command("models", "pull", SMALLEST)


def served(folder):
    """A small model answers, in a process of its own."""
    from urllib.request import Request, urlopen

    from slmmux.local import serve

    server = serve(SMALLEST, parallel=1, context=256)
    body = {"model": server.model, "messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 4}
    headers = {"Authorization": f"Bearer {server.api_key}", "Content-Type": "application/json"}
    request = Request(f"{server.base_url}/chat/completions", json.dumps(body).encode(), headers)
    with urlopen(request, timeout=120) as reply:
        assert json.load(reply)["choices"][0]["message"]["content"]
    server.close()


def learned(folder):
    """Questions are compared by their texts."""
    from slmmux.by_question import vectors_of

    assert len(vectors_of(["2 + 2?", "the capital of Norway"]).rows) == 2


def columns(folder):
    """Parquet: a recording is written as columns, and is the same."""
    from slmmux import Recording

    recording = Recording.load(folder / "samples.jsonl")
    recording.save(folder / "samples.parquet")
    assert Recording.load(folder / "samples.parquet") == recording


def database(folder):
    """PostgreSQL: a server that is not there is a sentence."""
    from slmmux import ArgumentError
    from slmmux.store import Store, status

    store = Store("postgresql://me@127.0.0.1:1/campaign", patience=0)
    try:
        status(store)
    except ArgumentError as error:
        assert "cannot be reached" in str(error)  # noqa: PT017 - without pytest


def cluster(folder):
    """Ray: a pool is sampled by an actor on this machine."""
    (folder / "echo.jsonl").write_text('{"question_id": "q", "question": "4"}\n', encoding="utf-8")
    (folder / "pool.toml").write_text('samples = 2\n[models.echo]\nfunction = "builtins:str"\n', encoding="utf-8")
    options = ("--engine", "ray", "--config", folder / "pool.toml", "--out", folder / "echoes.jsonl", "--json")
    assert json.loads(command("profile", folder / "echo.jsonl", *options))["models"]["echo"]["samples"] == 2


def address(folder):
    """Programs are answered at an address."""
    from urllib.request import Request, urlopen

    line = [SCRIPT, "serve", folder / "mux.toml", "--port", "0"]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as process:
        first = process.stderr.readline()
        if not (url := re.search(r"at (http://\S+/v1);", first)):
            raise SaidError(first)
        body = {"model": "mux", "messages": [{"role": "user", "content": "2 + 2?"}]}
        headers = {"Content-Type": "application/json"}
        request = Request(f"{url[1]}/chat/completions", json.dumps(body).encode(), headers)
        try:
            with urlopen(request, timeout=120) as reply:
                assert json.load(reply)["choices"][0]["message"]["content"] == "4"
        finally:
            process.terminate()


def data_set(folder):
    """Questions are read from a data set."""
    from slmmux.profiling import read_questions

    (folder / "set").mkdir(exist_ok=True)
    (folder / "set" / "test.jsonl").write_text('{"question_id": "q", "question": "2 + 2?", "gold": "4"}\n')
    assert [question.gold for question in read_questions(f"hf:{folder / 'set'}")] == ["4"]


def price_table(folder):
    """The price of a member is looked up in LiteLLM's table."""
    from slmmux._mux.prices import prices_of

    class Member:
        class model:  # noqa: N801 - as a member has it
            model_name = "gpt-4o-mini"

    assert prices_of("litellm", {"a": Member()}, optional=None, budget=None)["a"].input > 0


FEATURES = {
    "datasets": [data_set],
    "langchain": [langchain, asked("langchain"), profiled("langchain")],
    "llamaindex": [llamaindex, asked("llamaindex"), profiled("llamaindex")],
    "learned": [learned],
    "litellm": [price_table],
    "local": [weights, pulled, served],
    "math": [mathematics, mathematics_reread],
    "parquet": [columns],
    "plot": [pictures],
    "postgres": [database],
    "ray": [cluster],
    "serve": [address],
}


def named(extra, feature, folder):
    """Return the sentence that a feature without its extra ends with: it names the extra."""
    from slmmux import SLMMuxError

    try:
        feature(folder)
    except (SaidError, SLMMuxError, ImportError) as error:
        said = f"{type(error).__name__}: {error}".strip()
    else:
        said = "nothing: it works without"
    names = re.search(r'pip install "slmmux\[([\w,]+)\]"', said)
    assert names, f"{extra}, {feature.__name__}: {said}"
    assert extra in names[1].split(","), said
    return said


if __name__ == "__main__":
    own = {*metadata("slmmux").get_all("Provides-Extra")} - {"docs", "integrations", "test"}
    offered = sorted(own)
    here = [extra for extra in offered if extra not in {"litellm", "ray"}] if sys.argv[1:] == ["test"] else sys.argv[1:]
    assert set(here) <= set(offered), f"{here} are not all among {offered}"
    with serving(["4"]) as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "mux.toml").write_text(f'[models.a]\nurl = "{server.url}"\nmodel = "m"\n', encoding="utf-8")
        core(folder)
        if "local" not in here:  # with the weights here there would be nothing to fetch
            os.environ["SLMMUX_CACHE"] = str(folder / "cache")
        for extra in offered:
            for feature in FEATURES[extra]:
                if extra in here:
                    feature(folder)
                elif extra == "local" and find_spec("filelock"):
                    assert not find_spec("xllamacpp")  # another extra brought what fetching needs, and it would
                else:
                    print(f"  without {extra}: {named(extra, feature, folder)}")
    print(f"slmmux[{','.join(here)}]: the core, {', '.join(here) or 'and each extra named where it is needed'}")
