# ruff: noqa: INP001 - a script, not a package
"""Draw docs/pictures/: a decision as a notebook shows it and as a terminal does, and the page of a recording.

python docs/pictures.py

Everything is replayed from cookbook/data/samples.jsonl.gz, so no model is called and the same recording gives the same
pictures. This needs Chromium, and matplotlib (with Pillow) for the page.
"""

import io
import re
import shutil
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

from rich.console import Console
from rich.text import Text

from slmmux import Decision, Explanation, Recording, Row, explain, replay
from slmmux._decision.record import record
from slmmux.report import report

ROOT = Path(__file__).parents[1]
PICTURES = Path(__file__).parent / "pictures"
SAMPLES = ROOT / "cookbook" / "data" / "samples.jsonl.gz"
MODELS = ("qwen-coder-0.5b", "gemma-270m")  # by rank
QUESTION = "capital-054"
LOOKS = {"light": 1, "dark": 0}  # Chromium's numbers for them.
MONOSPACE = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"

# Like rich's own drawing of a terminal, but with the reader's fonts instead of downloaded ones.
SVG = f"""\
<svg class="rich-terminal" viewBox="0 0 {{width}} {{height}}" xmlns="http://www.w3.org/2000/svg">
<style>
.{{unique_id}}-matrix {{{{ font-family: {MONOSPACE}; font-size: {{char_height}}px; line-height: {{line_height}}px }}}}
.{{unique_id}}-title {{{{ font-size: 18px; font-weight: bold; font-family: {MONOSPACE} }}}}
{{styles}}
</style>
<defs><clipPath id="{{unique_id}}-clip-terminal">
<rect x="0" y="0" width="{{terminal_width}}" height="{{terminal_height}}"/></clipPath>
{{lines}}</defs>
{{chrome}}
<g transform="translate({{terminal_x}}, {{terminal_y}})" clip-path="url(#{{unique_id}}-clip-terminal)">
{{backgrounds}}
<g class="{{unique_id}}-matrix">
{{matrix}}
</g></g></svg>
"""

PAGE = """\
<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>A decision</title><style>
:root {{ color-scheme: light dark; --ink: #1b1f24; --ground: #ffffff }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #e6edf3; --ground: #0d1117 }} }}
body {{ margin: 0; padding: 1rem; background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }}
h1 {{ font-size: 1rem; margin: 0 0 .5rem }}
</style></head><body><h1>{question}</h1>{explanation}</body></html>
"""


# --- contents ---------------------------------------------------------------------------------------------------


def decision(recording: Recording) -> Decision[Row | None]:
    """Return the two members' decision on the question."""
    return replay(recording, MODELS, wait="exhausted")[QUESTION]


def page(question: str, explanation: Explanation) -> str:
    """Return a page with an explanation, light or dark like the reader's system."""
    return PAGE.format(question=escape(question), explanation=explanation._repr_html_())


def terminal(recording: Recording) -> str:
    """Return the output of `slmmux ask` as SVG, without the seconds, which were not recorded."""
    outcome = decision(recording)
    rows = [sample.reply for sample in outcome.samples if sample.reply is not None]
    tokens = {name: sum(getattr(row, name) or 0 for row in rows) for name in ("input_tokens", "output_tokens")}
    question = str(rows[0].question)
    console = Console(
        record=True, width=84, file=io.StringIO(), force_terminal=True, color_system="truecolor", legacy_windows=False
    )
    console.print("instruction:", Text(recording.settings["system_prompt"]), style="dim")
    console.print(explain(record(outcome, plan="parallel", extractor="auto", usage=tokens)))
    console.print()
    console.print(Text(str(outcome.winner.answer), "bold"))
    return console.export_svg(title=f'slmmux ask "{question}"', code_format=SVG, unique_id="ask")


# --- Chromium --------------------------------------------------------------------------------------------------------


def browser() -> str | None:
    """Return the path of Chromium, or `None`."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def browse(source: str, *flags: str) -> str:
    """Open a page in Chromium and return its output."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "page.html"
        file.write_text(source, encoding="utf-8", errors="replace")
        command = [
            str(browser()), "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            f"--user-data-dir={folder}/profile", "--virtual-time-budget=5000", *flags, file.as_uri(),
        ]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout  # noqa: S603


def size(source: str, width: int) -> tuple[int, int]:
    """Return the width and height of a page in a window of this width.

    The page is measured in a frame, because a window of Chromium is never narrower than 500 pixels.
    """
    frame = (
        f'<!DOCTYPE html><body><iframe id="frame" style="border:0;width:{width}px;height:100px" '
        f'srcdoc="{escape(source)}"></iframe><script>frame.onload = () => {{'
        "const page = frame.contentDocument.documentElement;"
        "document.title = `${page.scrollWidth} x ${page.getBoundingClientRect().height}`}</script>"
    )
    printed = browse(frame, "--dump-dom", "--window-size=1600,1000")
    size_match = re.search(r"<title>(\d+) x ([\d.]+)</title>", printed)
    if size_match is None:
        raise RuntimeError("Chromium opened the page but did not report its size")
    return int(size_match[1]), -int(-float(size_match[2]) // 1)


def shoot(source: str, name: str, width: int, height: int, scale: float) -> None:
    """Write a picture of a page in light and one in dark."""
    from PIL import Image  # noqa: PLC0415 - only pictures need it

    for look, number in LOOKS.items():
        path = PICTURES / f"{name}-{look}.png"
        flags = (f"--window-size={width},{height}", f"--force-device-scale-factor={scale}")
        browse(source, f"--screenshot={path}", f"--blink-settings=preferredColorScheme={number}", *flags)
        with Image.open(path) as picture:  # A page has few colours, and a palette makes the file four times smaller.
            few = picture.convert("RGB").quantize(128, dither=Image.Dither.NONE)
        few.save(path, optimize=True)


def main() -> int:
    """Draw all pictures."""
    if browser() is None:
        print("Chromium was not found: install it, or add it to the PATH.", file=sys.stderr)  # noqa: T201
        return 1
    PICTURES.mkdir(exist_ok=True)
    recording = Recording.load(SAMPLES)
    (PICTURES / "ask.svg").write_text(terminal(recording), encoding="utf-8")
    question = next(row.question for row in recording.rows if row.question_id == QUESTION)
    source = page(str(question), explain(decision(recording)))
    shoot(source, "decision", 720, size(source, 720)[1], 2)
    shoot(report(recording), "report", 1200, 1080, 1.25)
    return 0


if __name__ == "__main__":
    sys.exit(main())
