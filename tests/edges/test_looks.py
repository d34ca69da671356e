"""Explanations, the report and the pictures fit a phone and are self-contained."""

import importlib.util
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from llama_index.core.llms import ChatMessage

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux.testing import ScriptedLLM
from slmmux import Recording, explain
from slmmux.report import report

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
PHONE = 360


def load():
    spec = importlib.util.spec_from_file_location("docs_pictures", ROOT / "docs" / "pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = load()
in_chromium = pytest.mark.skipif(script.browser() is None, reason="Chromium is not here")


@pytest.fixture(scope="module")
def recording():
    return Recording.load(script.SAMPLES)


@pytest.fixture(scope="module")
def few(recording):
    """Two models on sixty questions, ten of each kind, so that a page is made quickly."""
    ids = [q for i, q in enumerate(recording.questions) if i % 56 < 10]
    return Recording.of(
        [row for row in recording.rows if row.question_id in set(ids) and row.model in script.MODELS],
        recording.settings,
    )


LONG = "<b>" + "unbroken" * 40
ROW = {"abstained": 1, "failed": 1, "unused": 1}
WIDE = {
    "model": LONG, "answer": LONG, "confidence": 0.6, "decided_by": "confidence", "reason": "settled",
    "rule": LONG, "samples": {"planned": 17, "used": 15},
    "votes": [
        {"model": LONG, "answer": LONG, "count": 6, "of": 12, **ROW, "answers": [[LONG, 6], *([f"{i}{LONG}", 1] for i in range(3))]},
        {"model": "short", "answer": "4", "count": 2, "of": 5, **ROW},
    ],
}  # fmt: skip


@in_chromium
def test_an_explanation_fits_a_phone(recording):
    """At 360 pixels an explanation fits, for any length of labels and answers."""
    for explanation in (explain(script.decision(recording)), explain(WIDE)):
        width, height = script.size(script.page("q", explanation), PHONE)
        assert width == PHONE
        assert height > 100


@in_chromium
def test_a_page_that_is_too_wide_is_measured_so():
    """The measurement notices a page that does not fit."""
    assert script.size('<!DOCTYPE html><div style="width:500px">x</div>', PHONE)[0] > PHONE


@in_chromium
def test_the_page_of_a_recording_fits_a_phone(few):
    """At 360 pixels the report is as wide as the phone, and its tables scroll."""
    assert script.size(report(few, repeats=1), PHONE)[0] == PHONE


@pytest.mark.full
@in_chromium
def test_the_tables_of_a_recording_fit_a_laptop(few):
    """At 1,100 pixels no table of the report's page has to be scrolled."""
    page = report(few, repeats=1).replace("overflow-x: auto", "overflow-x: visible")
    assert script.size(page, 1100)[0] == 1100


# A dark notebook: light text, and rules of its own for tables.
NOTEBOOK = """<!DOCTYPE html><style>body {{ color: #d4d4d4; background: #1e1e1e }}
.out td, .out th {{ text-align: right; color: #d4d4d4; background: #1e1e1e; max-width: 9px }}
.out tbody tr:nth-child(odd) {{ background: #252526 }}</style>
<div class="out">{explanation}</div><script>
const said = [...document.querySelectorAll(".slmmux-explained *:not(style)")]
  .map(e => getComputedStyle(e)).map(s => `${{s.color}}/${{s.backgroundColor}}/${{s.textAlign}}`)
document.title = [...new Set(said)].join("|")</script>"""


@in_chromium
def test_in_a_dark_notebook_text_has_the_notebooks_colour(recording):
    """All text but chips has the notebook's colour without a background, and its rules for tables have no effect."""
    source = NOTEBOOK.format(explanation=explain(script.decision(recording))._repr_html_())
    (title,) = re.findall(r"<title>(.*?)</title>", script.browse(source, "--dump-dom"))
    looks = {tuple(look.split("/")) for look in title.split("|")}
    plain = {(ink, ground) for ink, ground, _ in looks if ground == "rgba(0, 0, 0, 0)"}
    assert plain == {("rgb(212, 212, 212)", "rgba(0, 0, 0, 0)")}
    assert {ink for ink, ground, _ in looks if ground != "rgba(0, 0, 0, 0)"} == {"rgb(255, 255, 255)"}
    assert {align for *_, align in looks} <= {"left", "start"}


def test_results_of_the_frameworks_are_explained():
    """A LangChain message, LlamaIndex chats and completions and structured outputs carry the record."""
    chat = SLMMuxChatModel(
        models={"a": ScriptedChatModel(script=["4"]), "b": ScriptedChatModel(script=["5"])}, samples=2
    )
    llm = SLMMuxLLM(models={"a": ScriptedLLM(script=["4"]), "b": ScriptedLLM(script=["5"])}, samples=2)
    results = [
        (chat.invoke("2 + 2?"), "response_metadata"), (llm.complete("2 + 2?"), "raw"),
        (llm.chat([ChatMessage("2 + 2?")]), "raw"),
    ]  # fmt: skip
    for result, holder in results:
        record = getattr(result, holder)["slmmux"]
        assert explain(result) == explain(record) == explain({"raw": result, "parsed": None})
        assert explain(result).sentences[0].startswith("a speaks: confidence 1.00, decided by ")
        assert [member.model for member in explain(result).members] == ["a", "b"]
    with pytest.raises(ValueError, match="a value of type AIMessage without a record"):
        explain(ScriptedChatModel(script=["4"]).invoke("2 + 2?"))


def test_the_drawn_terminal_fetches_nothing(recording):
    """The SVG in the docs is well-formed, refers to nothing outside, and has the text that the script makes today."""
    source = (PICTURES / "ask.svg").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\s\"')]+", source)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@font-face|@import|url\((?!#)|<script|href", source)

    def text_of(svg):
        return " ".join("".join(ET.fromstring(svg).itertext()).partition("}\n\n")[2].split())

    assert text_of(source) == text_of(script.terminal(recording))
    assert script.MODELS[1] in text_of(source)


def test_the_pictures_are_small():
    """Each picture exists in light and dark and is below 150 kB."""
    names = {path.name for path in PICTURES.iterdir()}
    assert names == {"ask.svg", *(f"{what}-{look}.png" for what in ("decision", "report") for look in script.LOOKS)}
    for path in PICTURES.iterdir():
        assert path.stat().st_size < 150_000
