"""Where a mux of one may part from its member: a short list, each entry with its reason from the protocol."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from .difference import ABSENT, Difference

__all__ = ["EXCEPTIONS", "FOLDED", "Allowed"]


@dataclass(frozen=True)
class Allowed:
    """One entry.

    Attributes:
        name: What differs, in a few words.
        reason: Why it must.
        place: A pattern of the places where it may differ; the whole place must match.
        holds: What must hold of the two values there: (alone, mux).
        framework: The framework it is for; `None`: both.
        integration: The integration it is for; `None`: all.
    """

    name: str
    reason: str
    place: str
    holds: Callable[[Any, Any], bool]
    framework: Literal["langchain", "llamaindex"] | None = None
    integration: str | None = None

    def allows(self, difference: Difference, framework: str, integration: str) -> bool:
        """Return whether the entry allows a difference."""
        if self.framework not in {None, framework} or self.integration not in {None, integration}:
            return False
        if not re.fullmatch(self.place, difference.place):
            return False
        return self.holds(difference.alone, difference.mux)


def _added(alone: Any, _: Any) -> bool:
    return alone is ABSENT


def _quoted(alone: Any, mux: Any) -> bool:
    return isinstance(alone, str) and isinstance(mux, str) and alone in mux


# What the watches of the two frameworks put together themselves, as it is no difference of a value but of a shape.
FOLDED = {
    "langchain": (
        "The mux is a chat model with a run of its own, and the member's run stands below it with its own name, the tags "
        "`slmmux:sample` and `nostream` (without the latter LangGraph would put every sample on a page) and labels that "
        "say which member and which sample it is: a trace of several samples is readable only so."
    ),
    "llamaindex": (
        "The mux is an LLM with spans and events of its own, and the member's stand within them, tagged `slmmux_member` "
        "and `slmmux_sample`: a trace of several samples is readable only so."
    ),
}

EXCEPTIONS: tuple[Allowed, ...] = (
    Allowed(
        "the record on the message",
        "The record has to travel with the message, and `response_metadata` is where a message carries what its "
        "provider says beside the reply; no integration sends it back.",
        r".*\.(response_metadata|value\[\d+\]\.metadata)\.slmmux",
        _added,
        "langchain",
    ),
    Allowed(
        "what describes the LLM in the mux's own events",
        "The mux's own event describes the mux; the member's, below it, the member.",
        r"calls\..*\.events\.heard\[\d+\]\.model_dict.*",
        lambda _, __: True,
        "llamaindex",
    ),
    Allowed(
        "events of a structured prediction",
        "LlamaIndex's base class reports a structured prediction, some classes pass over it; a mux always reports it.",
        r"calls\..*\.events\.structured\[\+\d+\]",
        _added,
        "llamaindex",
    ),
    Allowed(
        "the mux's own events over a member that completes texts",
        "A prompt stands in the mux's own events as its user wrote it, without the template of one member or the parser "
        "of another; a schema is asked for in a chat of the mux. The member's own events, below, are as alone.",
        r"calls\..*\.events\.((heard|callbacks)(\[|\.).*|tokens\..*|structured\[\d+\]\.template\.output_parser)",
        lambda _, __: True,
        "llamaindex",
        "CustomLLM",
    ),
    Allowed(
        "a prompt in the mux's own events",
        "Each member forms a prompt by its own settings, so the mux's own events show it as the user wrote it.",
        r"calls\.(system_prompt, predict|query_wrapper_prompt)\.events\.(heard|callbacks)\[\d+\]\."
        r"(messages\[\d+\]|system_prompt|query_wrapper_prompt)",
        lambda alone, mux: mux in (None, ABSENT) or alone is ABSENT,
        "llamaindex",
    ),
    Allowed(
        "a second call in the event of a reply that may have one",
        "LlamaIndex strikes calls out of a reply that may have one only, after the event of the class that asked; a mux "
        "has its reply from the member with that done.",
        r"calls\..*\.events\.(heard|callbacks)\[\d+\]\.response\.message\.blocks\[\d+\]",
        lambda alone, mux: mux is ABSENT and alone["<class>"] == "ToolCallBlock",
        "llamaindex",
    ),
    Allowed(
        "what a pickle leaves out, in the log",
        "LlamaIndex's components say in the log what of theirs does not pickle, and a mux says it of itself.",
        r"calls\.pickled\.logs\[\+?\d+\]",
        lambda alone, mux: "callback_manager" in f"{alone} {mux}",
        "llamaindex",
    ),
    Allowed(
        "the arguments in the mux's own events",
        "The mux's own event holds what the mux was called with; tools stand there in a form for all members, and the "
        "member's event below holds what the member was called with.",
        r"calls\..*\.events\.(heard|callbacks)\[\d+\]\.additional_kwargs(\..*)?",
        lambda _, __: True,
        "llamaindex",
    ),
    Allowed(
        "tokens of a completion that is a chat",
        "An LLM that answers a completion by its own chat reports both, and its tokens are counted twice; a mux's are "
        "counted once.",
        r"calls\..*\.events\.tokens\..*",
        lambda alone, mux: alone > mux > 0,
        "llamaindex",
    ),
    Allowed(
        "the classes of an error",
        "An error is also a `NoAnswerError`, which lists every cause; each class that catches the member's error "
        "catches it too.",
        r".*(error|exception)\.classes",
        lambda alone, mux: set(alone.split(", ")) <= set(mux.split(", ")),
    ),
    Allowed(
        "the text of an error",
        "The sentence says which member failed and on how many samples, and quotes the member's own text whole.",
        r".*(error|exception)\.(text|fields\.message)|.*\.drops\[\d+\]",
        _quoted,
    ),
    Allowed(
        "whether an overflow can be retried",
        "A server's own words for a prompt that is too long are the framework's overflow as well, which says this too.",
        r".*error\.fields\.is_retryable",
        lambda alone, mux: alone is ABSENT and mux is False,
        "langchain",
    ),
    Allowed(
        "a message that an error quotes",
        "A parser that quotes the message it cannot read quotes the record that stands on it, too.",
        r".*error\.text",
        lambda alone, mux: "'slmmux': {" in mux and alone[:200] == mux[:200],
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
        lambda alone, mux: isinstance(alone, str) and mux == re.sub(r"<run \d+>", "<run of the sample>", alone),
        "langchain",
    ),
    Allowed(
        "what describes the model in a streamed run",
        "A streamed mux of one has one run, the mux's own, so that its tokens are counted once: it describes the mux, "
        "and the member by LangSmith's parameters, by which calls are priced.",
        r".*\.member\[\d+\]\.(serialized|invocation_params)",
        lambda _, mux: mux is ABSENT,
        "langchain",
    ),
    Allowed(
        "tools in the options of the mux's own run",
        "Tools stand there in one form for all members; the member's own run has them in the member's.",
        r".*\.run\.options\.(tools(\..*|\[.*)|tool_choice)",
        lambda _, __: True,
        "langchain",
    ),
    Allowed(
        "settings of a call in what the member reports",
        "A setting of a call reaches a member through the field or the name by which its class has it, and is seen there.",
        r"calls\.(temperature|max_tokens|seed|top_p|user|stop)\..*\.member\[\d+\]\."
        r"(serialized\.(kwargs\..*|repr)|(invocation_params|additional_kwargs|model_dict)\..*)",
        lambda _, __: True,
    ),
    Allowed(
        "the chat of a schema",
        "A class may ask for a schema past its own chat, so that no handler hears of it and its tokens are not counted; "
        "a mux reports each question it is asked.",
        r"calls\.(a?structured_predict|as_structured_llm|a structured LLM|run)\.events\."
        r"((heard|callbacks|exceptions)\[\+\d+\]|tokens\..*)",
        lambda alone, mux: alone is ABSENT or (isinstance(alone, int) and alone < mux),
        "llamaindex",
    ),
    Allowed(
        "a warning that a client gives once",
        "Google's package says once in a process that a reply has more than text, and the member alone is asked first.",
        r"calls\..*\.logs\[.*",
        lambda alone, mux: mux is ABSENT and "there are non-text parts" in str(alone),
        "langchain",
    ),
    Allowed(
        "tokens that the member cannot count",
        "A member whose tokenizer has to be fetched or is not installed fails; a mux trims histories by the count, so it "
        "estimates and says so in the log.",
        r"calls\.(a text|messages|ids)\.(error|value|logs\[.*|warnings\[.*)",
        lambda alone, mux: ABSENT in (alone, mux),
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
        "the mark of the last chunk in a run's outcome",
        "LangChain sends an empty last chunk behind a stream and leaves it out of the run's outcome. The record travels "
        "with that chunk, so that no other is held back, and the outcome has both.",
        r".*\.(outcome\.generations\[0\]\[0\]\.message|data\.output)\.chunk_position",
        lambda alone, mux: alone is None and mux == "last",
        "langchain",
    ),
    Allowed(
        "the token of an empty last chunk",
        "Behind a reply in blocks LangChain reports its own empty chunk, whose content is an empty list, as an empty text. "
        "The mux's last chunk is reported as it is.",
        r".*\.tokens\[\d+\]\.token",
        lambda alone, mux: alone == "" and mux == [],
        "langchain",
    ),
    Allowed(
        "the usage in the mux's own run",
        "The member's run below carries it: listeners add up the usage of all runs and would count it twice.",
        r"(.*\.run\.outcome)(\..*|\[.*)(usage_metadata|token_usage)(\..*)?|.*\.run\.outcome\.llm_output",
        lambda _, mux: mux is ABSENT or mux is None,
        "langchain",
    ),
)
