# ruff: noqa: INP001 - a script, not a package
"""Write docs/integrations.md: what each integration was tested with, and where a mux of one may differ from its member.

python docs/integrations.py
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.transparency.cells import AGENT_CELLS, CELLS  # noqa: E402 - the tests are no package of ours
from tests.transparency.exceptions import EXCEPTIONS, FOLDED  # noqa: E402
from tests.transparency.table import Integration  # noqa: E402

PAGE = Path(__file__).with_suffix(".md")
FRAMEWORKS = {"langchain": "LangChain", "llamaindex": "LlamaIndex"}

HEAD = """# Integrations

A mux of one member with `samples=1` is its member: requests on the wire, messages, events, errors and side effects are
equal, but for the list below. A differential test runs each integration twice against a server that speaks its
provider's protocol on loopback, alone and in a mux, in every situation of a table: text, tools over three turns,
parallel calls, structured output, streams, images and documents, reasoning, refusals, replies that are cut off or
empty or break off in the middle, provider tools, errors, options of a call, wrappers of runnables, histories of every
kind, token counting, copying and pickling.

`python docs/integrations.py` writes this page from the table. `pytest -m "full or not full" tests/transparency` runs
the table; `python -m tests.transparency NAME` prints where a cell's two sides differ.
"""


AGENTS = """## Agents, engines and middleware

The same comparison of what frameworks build on a model, with the commonest four members of each; deep agents without
ChatAnthropic, for this reason: middleware that asks a model for its class knows no mux. Deep agents add
`AnthropicPromptCachingMiddleware` by themselves, and it marks nothing for a mux. Set the mark on the member instead,
and the mux sends it with each request:
`SLMMuxChatModel(models=[ChatAnthropic(...).bind(cache_control={"type": "ephemeral"})])`. Not compared are
`AutoModeMiddleware` and `ModelRouterMiddleware`, which ask a decision model of their own, and middleware of one
provider (OpenAI's moderation, Anthropic's own tools).
"""


def versions() -> dict[str, str]:
    """Return the version of each package that the tests run with: that of the lock."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    locked = versions()
    for framework, title in FRAMEWORKS.items():
        parts.append(
            f"## {title}\n\n| Integration | Package | Situations | What it is not in |\n| --- | --- | --- | --- |"
        )
        parts.extend(row(each, locked) for each in integrations(framework))
        parts.append("")
    parts.append(AGENTS)
    packages = {"langchain": ("langchain", "langgraph", "deepagents"), "llamaindex": ("llama-index-core",)}
    for framework, title in FRAMEWORKS.items():
        names = dict.fromkeys(c.situation.name for c in AGENT_CELLS if c.integration.framework == framework)
        tested = ", ".join(f"{name} {locked[name]}" for name in packages[framework])
        listed = "; ".join(name.removeprefix("agent: ") for name in names)
        parts.append(f"- **{title}** ({tested}): {listed}.")
    parts.append("")
    parts.append("## What differs\n\nEach entry has its reason in the protocol or the framework.\n")
    for framework, title in FRAMEWORKS.items():
        parts.append(f"- **The trace** ({title}). {FOLDED[framework]}")
    for entry in EXCEPTIONS:
        scope = entry.integration or FRAMEWORKS.get(str(entry.framework), "both frameworks")
        parts.append(f"- **{entry.name[0].upper()}{entry.name[1:]}** ({scope}). {entry.reason}")
    return "\n".join(parts) + "\n"


def integrations(framework: str) -> list[Integration]:
    """Return a framework's rows of the table, in order."""
    rows = {cell.integration.name: cell.integration for cell in CELLS if cell.integration.framework == framework}
    return list(rows.values())


def row(integration: Integration, locked: dict[str, str]) -> str:
    """Return one line of a table: how many situations are compared, and why the others do not apply."""
    names = {c.situation.name for c in CELLS if c.integration is integration}
    reasons: dict[str, list[str]] = defaultdict(list)
    for situation, reason in integration.without.items():
        if situation in names:
            reasons[reason].append(situation)
    compared = len(names) - sum(map(len, reasons.values()))
    listed = "; ".join(f"{', '.join(each)}: {reason}" for reason, each in reasons.items())
    package = f"{integration.package} {locked[integration.package]}"
    return f"| {integration.name} | {package} | {compared} | {re.sub(r'[|]', '', listed)} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
