"""What a server is told to reply, in words that every protocol can put into its own."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

__all__ = ["PNG", "Break", "Call", "Fault", "Reply"]

# By an error in the protocol's own form; by an end as though all had come; by a connection that closes before what was
# promised came; by one that closes before anything came.
Break: TypeAlias = Literal["error", "ends", "closes", "nothing"]

# The smallest picture there is: one transparent pixel.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


@dataclass(frozen=True)
class Call:
    """A tool call.

    Attributes:
        name: The tool's name.
        args: The arguments; a text that is not JSON is a call no client can read, where the protocol carries text.
        id: The call's id, where the protocol has ids.
    """

    name: str
    args: dict[str, Any] | str
    id: str = "call_1"


@dataclass(frozen=True)
class Reply:
    """A model's reply.

    Attributes:
        text: The text.
        reasoning: The thoughts before it, signed where the protocol signs them.
        calls: The tool calls.
        refusal: The refusal, in the protocol's own place.
        cut: Whether the reply ended at the limit of tokens.
        image: A picture, base64, where the protocol can carry one.
        searched: Whether the provider searched the web by itself, and cites what it found.
        audio: Whether the reply is spoken, with its transcript.
        breaks: How the reply breaks off in the middle, if it does.
    """

    text: str = ""
    reasoning: str = ""
    calls: tuple[Call, ...] = ()
    refusal: str = ""
    cut: bool = False
    image: str = ""
    searched: bool = False
    audio: bool = False
    breaks: Break | None = None

    def pieces(self) -> list[str]:
        """Return the text as a stream would bring it."""
        words = self.text.split(" ")
        return [word if i == 0 else f" {word}" for i, word in enumerate(words)] if self.text else []


@dataclass(frozen=True)
class Fault:
    """A reply that is an error; each protocol words it as its provider does."""

    kind: Literal["bad_request", "authentication", "rate_limit", "server", "overflow"]

    @property
    def status(self) -> int:
        """The status of HTTP."""
        return {"bad_request": 400, "authentication": 401, "rate_limit": 429, "server": 500, "overflow": 400}[self.kind]
