"""A chat model that is really several: the shared core."""

from typing import TYPE_CHECKING

from slmmux import answers
from slmmux._drive import adrive, drive
from slmmux._errors import (
    ArgumentError,
    ConfigError,
    ExtractorError,
    MemberError,
    NoAnswerError,
    RecordingError,
    SampleError,
    SampleTimeoutError,
    SLMMuxError,
)
from slmmux._pool import Pool
from slmmux._race import Race
from slmmux._types import Answer, Decision, Draw, Sample, Vote
from slmmux._vote import choose, vote

if TYPE_CHECKING:
    from slmmux.recording import Recording, replay

__all__ = [
    "Answer",
    "ArgumentError",
    "ConfigError",
    "Decision",
    "Draw",
    "ExtractorError",
    "MemberError",
    "NoAnswerError",
    "Pool",
    "Race",
    "Recording",
    "RecordingError",
    "SLMMuxError",
    "Sample",
    "SampleError",
    "SampleTimeoutError",
    "Vote",
    "adrive",
    "answers",
    "choose",
    "drive",
    "replay",
    "vote",
]


def __getattr__(name: str) -> object:
    # The offline half brings pydantic with it; the decision alone does not need to wait for that.
    if name in {"Recording", "replay"}:
        from slmmux import recording  # noqa: PLC0415

        return getattr(recording, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
