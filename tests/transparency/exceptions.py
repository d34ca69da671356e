"""Where a mux of one may part from its member: a short list, each entry with its reason from the protocol."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from .difference import ABSENT, Difference

__all__ = ["EXCEPTIONS", "Allowed"]


@dataclass(frozen=True)
class Allowed:
    """One entry.

    Attributes:
        name: What differs, in a few words.
        reason: Why it must.
        place: A pattern of the places where it may differ; the whole place must match.
        holds: What must hold of the two values there: (alone, mux).
        framework: The framework it is for; `None`: both.
    """

    name: str
    reason: str
    place: str
    holds: Callable[[Any, Any], bool]
    framework: Literal["langchain", "llamaindex"] | None = None

    def allows(self, difference: Difference, framework: str) -> bool:
        """Return whether the entry allows a difference."""
        if self.framework not in {None, framework} or not re.fullmatch(self.place, difference.place):
            return False
        return self.holds(difference.alone, difference.mux)


def _added(alone: Any, _: Any) -> bool:
    return alone is ABSENT


def _quoted(alone: Any, mux: Any) -> bool:
    return isinstance(alone, str) and isinstance(mux, str) and alone in mux


def _ours(alone: Any, mux: Any) -> bool:
    return alone is ABSENT and (str(mux).startswith("slmmux") or mux == "nostream")


EXCEPTIONS: tuple[Allowed, ...] = (
    Allowed(
        "the record on the message",
        "The record has to travel with the message, and `response_metadata` is where a message carries what its "
        "provider says beside the reply; no integration sends it back.",
        r".*\.response_metadata\.slmmux",
        _added,
        "langchain",
    ),
    Allowed(
        "what describes the LLM in the mux's own events",
        "The mux's own event describes the mux; the member's, below it, the member.",
        r"calls\.[^.]*\.events\.heard\[\d+\]\.model_dict.*",
        lambda _, __: True,
        "llamaindex",
    ),
    Allowed(
        "the classes of an error",
        "An error is also a `NoAnswerError`, which lists every cause; each class that catches the member's error "
        "catches it too.",
        r".*error\.classes",
        lambda alone, mux: set(alone.split(", ")) <= set(mux.split(", ")),
    ),
    Allowed(
        "the text of an error",
        "The sentence says which member failed and on how many samples, and quotes the member's own text whole.",
        r".*error\.(text|fields\.message)",
        _quoted,
    ),
    Allowed(
        "the tags of the member's run",
        "The member's call is a run below the mux's, marked so that a listener can tell it from the mux's own: "
        "`slmmux:sample`, and LangGraph's own mark `nostream`, without which every sample would reach a page.",
        r".*\.run\.tags\[.*\]",
        _ours,
        "langchain",
    ),
    Allowed(
        "the name of the member's run",
        "A trace of several samples is readable only if each says which member and which sample it is.",
        r".*\.run\.name",
        lambda alone, mux: alone is None and mux == "member[0]",
        "langchain",
    ),
    Allowed(
        "the name of the mux's run",
        "An event stream calls a run by its class, and the mux's own run is a mux's.",
        r"calls\.[^.]*\.value\[\d+\]\.name",
        lambda _, mux: mux == "SLMMuxChatModel",
        "langchain",
    ),
    Allowed(
        "the ids in the member's run",
        "The member's call is a run of its own, with an id of its own, and its message's id is made of it.",
        r".*\.member\[\d+\]\..*\.id",
        lambda alone, mux: isinstance(alone, str) and mux == alone.replace("<run 1>", "<run of the sample>"),
        "langchain",
    ),
    Allowed(
        "the labels of the member's run",
        "A trace of several samples is readable only if each says which member and which sample it is.",
        r".*\.run\.metadata\.slmmux.*",
        _added,
        "langchain",
    ),
    Allowed(
        "the tags of the member's events",
        "A trace of several samples is readable only if each says which member and which sample it is.",
        r".*\.member\[.*\]\.tags\.slmmux_.*",
        _added,
        "llamaindex",
    ),
    Allowed(
        "the usage in the mux's own run",
        "The member's run below carries it: listeners add up the usage of all runs and would count it twice. What "
        "`generate()` returns is what listeners are given.",
        r"(.*\.run\.outcome|calls\.generate\.value)(\..*|\[.*)(usage_metadata|token_usage)(\..*)?|.*\.run\.outcome\.llm_output",
        lambda _, mux: mux is ABSENT or mux is None,
        "langchain",
    ),
)
