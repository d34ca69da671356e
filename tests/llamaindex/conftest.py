"""Every test looks at events of its own: handlers are taken off again, and no callbacks stay in `Settings`."""

from collections.abc import Iterator

import pytest
from llama_index.core import Settings
from llama_index_instrumentation import get_dispatcher

from .support import Events, Spans


@pytest.fixture
def seen() -> Iterator[tuple[Events, Spans]]:
    """Whatever LlamaIndex reports while the test runs: (events, spans)."""
    root = get_dispatcher()
    events, spans = Events(), Spans()
    before = list(root.event_handlers), list(root.span_handlers)
    root.event_handlers, root.span_handlers = [*before[0], events], [*before[1], spans]
    yield events, spans
    root.event_handlers, root.span_handlers = before


@pytest.fixture(autouse=True)
def _settings_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_llm", "_embed_model", "_callback_manager"):
        monkeypatch.setattr(Settings, name, None)
