"""Labels are data: `slmmux ask` shows members whose labels nobody expects."""

import json

import pytest
from typer.testing import CliRunner

from slmmux.cli import app

from ..langchain.openai_server import serving

LABELS = ["two  spaces", "tab\tx", " lead", "trail ", "new\nline", "\u3000", "\x1b[31mred", "[red]x[/red]", "a" * 300]


@pytest.mark.parametrize("framework", ["langchain", "llamaindex"])
def test_ask_shows_members_with_odd_labels(tmp_path, framework):
    """White space of any kind, markup, escapes and length in a label change nothing but how it looks."""
    with serving(["4"]) as server:
        text = "samples = 2\n"
        for label in LABELS:
            text += f'[models.{json.dumps(label)}]\nurl = {json.dumps(server.url)}\nmodel = "m"\n'
        (tmp_path / "mux.toml").write_text(text)
        result = CliRunner().invoke(
            app, ["ask", "2 + 2?", "--config", str(tmp_path / "mux.toml"), "--framework", framework]
        )
    assert result.exit_code == 0, result.output
    assert "two spaces" in result.stdout
    assert "\x1b[31m" not in result.stdout
