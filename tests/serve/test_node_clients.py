"""Programs in JavaScript: the `openai` package of npm and Vercel's AI SDK ask the server under Node.

`.ci/full` installs both and names their folder in SLMMUX_NODE; without it the test is skipped with that sentence.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .support import OSLO

SCRIPT = Path(__file__).with_name("node_clients.mjs")


@pytest.mark.full
def test_clients_of_javascript(url, tmp_path):
    """Whole and streamed texts, calls, objects, the newer form, and a refusal by name."""
    folder, node = os.environ.get("SLMMUX_NODE"), shutil.which("node")
    if folder is None or node is None:
        pytest.skip("SLMMUX_NODE does not name a folder with the npm packages, or Node is not here; .ci/full makes one")
    script = Path(folder) / SCRIPT.name  # Node looks for packages beside the script
    shutil.copy(SCRIPT, script)
    result = subprocess.run([node, script, url], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    results = json.loads(result.stdout)
    assert results == {
        "whole": [OSLO, "sure"],
        "streamed": [OSLO, True],
        "call": {"city": "Oslo"},
        "response": OSLO,
        "refusal": [400, "logprobs"],
        "sdk": OSLO,
        "sdkStreamed": OSLO,
        "sdkCall": {"city": "Oslo"},
        "sdkObject": {"city": "Oslo", "reason": results["sdkObject"]["reason"]},
    }
