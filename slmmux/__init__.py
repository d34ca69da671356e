"""A chat model that is really several: the shared core."""

from typing import TYPE_CHECKING

from slmmux import answers
from slmmux._drive import adrive, drive
from slmmux._errors import (
    AbstainedError,
    ArgumentError,
    ConfigError,
    ExtractorError,
    MemberError,
    NoAnswerError,
    ProfilingError,
    RecordingError,
    SampleError,
    SampleTimeoutError,
    SLMMuxError,
)
from slmmux._pool import Pool
from slmmux._race import Race
from slmmux._rules import LearnedRule, WeightedRule
from slmmux._types import Answer, Decision, Draw, Sample, Vote
from slmmux._vote import choose, vote

if TYPE_CHECKING:
    from slmmux._explain import Explanation, explain
    from slmmux._replay import replay
    from slmmux.profiling import aprofile, profile
    from slmmux.recording import Recording, Row
    from slmmux.selection import Selection, select_complementary

__all__ = [
    "AbstainedError",
    "Answer",
    "ArgumentError",
    "ConfigError",
    "Decision",
    "Draw",
    "Explanation",
    "ExtractorError",
    "LearnedRule",
    "MemberError",
    "NoAnswerError",
    "Pool",
    "ProfilingError",
    "Race",
    "Recording",
    "RecordingError",
    "Row",
    "SLMMuxError",
    "Sample",
    "SampleError",
    "SampleTimeoutError",
    "Selection",
    "Vote",
    "WeightedRule",
    "adrive",
    "answers",
    "aprofile",
    "choose",
    "drive",
    "explain",
    "profile",
    "replay",
    "select_complementary",
    "vote",
]


# The offline half brings pydantic and numpy with it, and few want a decision shown: the rest does not wait for them.
_LAZY = {
    "Explanation": "slmmux._explain",
    "Recording": "slmmux.recording",
    "Row": "slmmux.recording",
    "Selection": "slmmux.selection",
    "aprofile": "slmmux.profiling",
    "explain": "slmmux._explain",
    "profile": "slmmux.profiling",
    "replay": "slmmux._replay",
    "select_complementary": "slmmux.selection",
}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        from importlib import import_module  # noqa: PLC0415

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
