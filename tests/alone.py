"""Run with one framework installed and not the other: its class answers, over a real address and by script.

python tests/alone.py langchain | llamaindex
"""

import importlib.util
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "langchain"))
from openai_server import serving

OTHER = {"langchain": "llama_index", "llamaindex": "langchain_core"}


def answer(framework: str, config: str) -> str:
    """Return what the mux of a configuration answers."""
    if framework == "langchain":
        from langchain_slmmux import SLMMuxChatModel

        return str(SLMMuxChatModel.from_config(config).invoke("2 + 2?").text)
    from llamaindex_slmmux import SLMMuxLLM

    return SLMMuxLLM.from_config(config).complete("2 + 2?").text


if __name__ == "__main__":
    framework = sys.argv[1]
    assert importlib.util.find_spec(OTHER[framework]) is None, f"{OTHER[framework]} is installed as well"
    with serving(["4"]) as server, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mux.toml"
        file.write_text(f'[models.a]\nurl = "{server.url}"\nmodel = "m"\n', encoding="utf-8")
        assert answer(framework, str(file)) == "4"
    print(f"{framework} alone: answered")
