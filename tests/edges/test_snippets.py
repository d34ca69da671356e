"""Every snippet of the README and the docs works: Python runs, commands exist, configurations load, JSON parses.

One mechanism serves all Markdown files. A snippet runs unchanged, in the order of its page, in a folder with the files and
models that a reader would have.
"""

import doctest
import gzip
import importlib.util
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import typer
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.messages import AIMessage
from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from typer.testing import CliRunner

from langchain_slmmux.testing import ScriptedChatModel
from llamaindex_slmmux.testing import ScriptedLLM
from slmmux import Recording, Row
from slmmux.cli import app
from slmmux.config import load_config

ROOT = Path(__file__).parents[2]
CHOOSING = {"choose.md", "confidence.md", "spend.md"}  # they choose models and rules, for half a minute each
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^( *)```([\w-]*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
# "text" is what a program prints, or a picture of words: nothing to try.
LOCK = "constraints.txt"
LANGUAGES = {"python", "pycon", "sh", "console", "toml", "json", "text", "yaml", "dockerfile"}
# Programs that are not ours: that they exist is their own business.
FOREIGN = {"export", "ollama", "git", "cffconvert"}


def name_of(page):
    return page.relative_to(ROOT).as_posix()


def blocks(page, *languages):
    """Return (language, text) of a page's code blocks, in order, without their indentation."""
    found = [(m[2], re.sub(rf"^{m[1]}", "", m[3], flags=re.MULTILINE)) for m in BLOCK.finditer(page.read_text("utf-8"))]
    return [(language, text) for language, text in found if not languages or language in languages]


def pages_with(*languages):
    pages = [page for page in PAGES if blocks(page, *languages)]
    marks = {page: [pytest.mark.full] if "pycon" in languages and page.name in CHOOSING else [] for page in pages}
    return [pytest.param(page, id=name_of(page), marks=marks[page]) for page in pages]


# --- the reader's world -----------------------------------------------------------------------------------------


def filled(schema):
    """Return a value for each property of a schema."""
    values = {"integer": 4, "number": 4.0, "boolean": True, "array": [], "object": {}}
    return {name: values.get(each.get("type"), "4") for name, each in schema.get("properties", {}).items()}


def lines_of(say):
    """Return a LangChain script: it says `say`, or calls the first tool that it receives, once."""

    def script(messages, turn, kwargs):
        if not (tools := kwargs.get("tools")) or messages[-1].type == "tool":
            return say
        function = tools[0]["function"]
        return AIMessage("", tool_calls=[{"name": function["name"], "args": filled(function["parameters"]), "id": "1"}])

    return script


def words_of(say):
    """Return the same script for LlamaIndex."""

    def script(messages, turn, kwargs):
        if not (tools := kwargs.get("tools")) or messages[-1].role == "tool":
            return say
        function = tools[0]["function"]
        block = ToolCallBlock(tool_call_id="1", tool_name=function["name"], tool_kwargs=filled(function["parameters"]))
        return ChatMessage(role="assistant", blocks=[block])

    return script


def chat_model(say):
    return lambda *_, **given: ScriptedChatModel(
        script=lines_of(say), model_name=given.get("model", "scripted"), stop=given.get("stop_sequences")
    )


def llm(say):
    return lambda *_, **given: ScriptedLLM(script=words_of(say), model=given.get("model", "scripted"))


def installed(monkeypatch, module, **names):
    """Put names into a module, which is created if it is not installed."""
    try:
        found = importlib.import_module(module)
    except ImportError:
        found = ModuleType(module)
        monkeypatch.setitem(sys.modules, module, found)
    for name, value in names.items():
        monkeypatch.setattr(found, name, value, raising=False)


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A folder with the files that the pages mention, and models that reply without a network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QWEN_KEY", "a key")
    rows = [
        Row(
            question_id=f"q{q}",
            question=f"What is {q} + 1?",
            model=model,
            sample_index=i,
            answer=str(q + 1) if q % 3 != ["phi", "qwen"].index(model) else str(q + i),
            text=str(q + 1),
            gold=str(q + 1),
        )
        for q in range(40)
        for model in ("qwen", "phi")
        for i in range(5)
    ]
    settings = {"extract": "number", "models": {"qwen": {}, "phi": {}}}
    Recording.of(rows, settings).save("samples.jsonl.gz")
    Path("samples.jsonl").write_bytes(gzip.decompress(Path("samples.jsonl.gz").read_bytes()))
    questions = [{"question_id": f"q{q}", "question": f"What is {q} + 1?", "gold": str(q + 1)} for q in range(4)]
    Path("questions.jsonl").write_text("".join(json.dumps(each) + "\n" for each in questions))
    Path("mux.toml").write_text(
        "".join(f'[models.{n}]\nurl = "http://localhost:11434/v1"\nmodel = "{n}"\n' for n in ("qwen", "phi"))
    )
    Path("cookbook").symlink_to(ROOT / "cookbook")
    installed(
        monkeypatch,
        "langchain_openai",
        ChatOpenAI=chat_model("4"),
        OpenAIEmbeddings=lambda *_, **__: DeterministicFakeEmbedding(size=8),
    )
    installed(monkeypatch, "langchain_ollama", ChatOllama=chat_model("5"))
    installed(monkeypatch, "llama_index.llms.openai_like", OpenAILike=llm("4"))
    installed(monkeypatch, "llama_index.llms.ollama", Ollama=llm("5"))
    monkeypatch.setattr("langchain_slmmux._from_config.member", lambda endpoint: chat_model("4")())
    monkeypatch.setattr("llamaindex_slmmux._from_config.member", lambda endpoint: llm("4")())
    return {
        "__name__": "__main__",
        "ChatOpenAI": chat_model("4"),
        "ChatOllama": chat_model("5"),
        "OpenAILike": llm("4"),
        "Ollama": llm("5"),
        "Settings": SimpleNamespace(),
        "ask": lambda model: "four" if model == "qwen" else "five",
    }


# --- Python -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", pages_with("python", "pycon"))
def test_python_runs(page, world):
    """Every Python snippet of a page runs unchanged, in order; interactive ones print what they show."""
    for number, (language, text) in enumerate(blocks(page, "python", "pycon"), 1):
        where = f"{name_of(page)}, Python block {number}"
        if language == "python":
            exec(compile(text, where, "exec", dont_inherit=True), world)
            continue
        test = doctest.DocTestParser().get_doctest(text, world, where, None, 0)
        said = []
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        result = doctest.DocTestRunner(optionflags=flags).run(test, out=said.append, clear_globs=False)
        world.update(test.globs)
        assert result.attempted, f"{where} has no prompt"
        assert not result.failed, "".join(said)


def test_the_readme_says_who_answers(world):
    """The records that the README's snippets show name the member that agrees with itself."""
    for _, text in blocks(ROOT / "README.md", "python"):
        exec(compile(text, "README.md", "exec", dont_inherit=True), world)
    for record in (world["message"].response_metadata["slmmux"], world["response"].raw["slmmux"]):
        assert (record["model"], record["answer"]) == ("qwen", "4")


# --- commands ---------------------------------------------------------------------------------------------------------


def calls_of(text, *, prompted):
    """Yield each command of a block, as its words."""
    text = text.replace("\\\n", " ")
    lines = [line[2:] for line in text.splitlines() if line.startswith("$ ")] if prompted else text.splitlines()
    for line in lines:
        words = shlex.split(line, comments=True)
        call = []
        for word in [*words, "&&"]:
            if word in {"&&", "|", "||"}:
                if call:
                    yield call
                call = []
            else:
                call.append(word)


def check(call):
    """Refuse a command whose program, subcommand or option does not exist."""
    program, *words = call
    program = Path(program).name if not program.startswith(".ci/") else program
    if program == "slmmux":
        check_ours(words)
    elif program in {"python", "python3"}:
        check_python(words)
    elif program == "pip":
        check_installed(words)
    elif program == "mkdocs":
        assert words[0] in {"build", "serve"}
        assert set(words[1:]) <= {"--strict"}
    elif program in {".ci/run", ".ci/full"}:
        assert (ROOT / program).is_file() or not (ROOT / ".ci").is_dir()
    else:
        assert program in FOREIGN, f"{program}: no test knows this program"


def check_ours(words):
    command, path = typer.main.get_command(app), "slmmux"
    while words and (below := getattr(command, "commands", {})) and not words[0].startswith("-"):
        assert words[0] in below, f"{path} has no command {words[0]!r}"
        command, path, words = below[words[0]], f"{path} {words[0]}", words[1:]
    if words != ["--version"]:
        command.make_context(path, list(words))  # raises a usage error


def check_python(words):
    if words[0] == "-m":
        module, *words = words[1:]
        assert importlib.util.find_spec(module), f"there is no module {module}"
        script = ["-m", module]
        if module.partition(".")[0] != "bench":
            return
    else:
        script, words = words[:1], words[1:]
        assert (ROOT / script[0]).is_file(), f"there is no {script[0]}"
    options = [word for word in words if word.startswith("-")]
    if options:
        sub = words[:1] if not words[0].startswith("-") else []
        shown = subprocess.run(
            [sys.executable, *script, *sub, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        assert not [option for option in options if option not in shown]


def check_installed(words):
    assert words[0] == "install"
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = pyproject["project"]["optional-dependencies"]
    for word in words[1:]:
        if named := re.fullmatch(r"(?:slmmux|\.)\[([\w,]+)\]", word):
            assert set(named[1].split(",")) <= set(extras), f"{word}: there is no such extra"
        else:
            assert word in {"--quiet", "--editable", "-e", ".", "slmmux", "--no-compile", "--constraint", LOCK}, word


@pytest.mark.parametrize("page", pages_with("sh", "console"))
def test_commands_exist(page):
    """Every command of a page names an existing program, subcommand, option and extra."""
    for language, text in blocks(page, "sh", "console"):
        for call in calls_of(text, prompted=language == "console"):
            check(call)


@pytest.mark.parametrize(
    "line",
    [
        "slmmux asks 'What?'",
        "slmmux ask 'What?' --sample 3",
        "slmmux profile questions.jsonl --outt samples.jsonl",
        "python -m bench.no",
        "python -m bench.accuracy record --outt x",
        "pip install 'slmmux[langchains]'",
        "curl localhost",
    ],
)
def test_an_unknown_command_is_noticed(line):
    """The check refuses unknown commands, options, scripts, extras and programs."""
    (call,) = calls_of(line, prompted=False)
    with pytest.raises(Exception, match=r"(?s)."):
        check(call)


@pytest.mark.parametrize("words", [["--help"], ["ask", "--help"]])
def test_the_commands_say_what_they_take(words):
    """`--help` works for the commands that the pages name."""
    assert CliRunner().invoke(app, words).exit_code == 0


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", pages_with("toml"))
def test_configurations_load(page, tmp_path):
    """Every mux.toml on the pages loads."""
    for _, text in blocks(page, "toml"):
        file = tmp_path / "mux.toml"
        file.write_text(text, encoding="utf-8")
        assert load_config(file).models


@pytest.mark.parametrize("page", pages_with("json"))
def test_json_parses(page):
    """Every JSON on the pages parses, as one value or one on each line."""
    for _, text in blocks(page, "json"):
        try:
            json.loads(text)
        except ValueError:
            assert all(json.loads(line) for line in text.splitlines())


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_block_is_left_out(page):
    """Each block has a language that one of these tests checks, so that none is left unchecked."""
    assert {language for language, _ in blocks(page)} <= LANGUAGES
    fences = re.findall(r"^ *```(?!`)", page.read_text("utf-8"), re.MULTILINE)
    assert len(fences) == 2 * len(blocks(page))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    """Each relative link or picture names an existing file."""
    text = BLOCK.sub("", page.read_text("utf-8"))
    pictures = re.findall(r"""(?:src|srcset)=["']([^"']+)""", text)
    for target in [*re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text), *pictures]:
        if re.match(r"https?://", target):
            continue
        file, _, _ = target.partition("#")
        assert not file or (page.parent / file).exists(), f"{target} leads nowhere"
