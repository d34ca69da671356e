"""A chat model that is really several: the shared core."""

from typing import TYPE_CHECKING, Any

from slmmux import answers
from slmmux._decision.pool import Pool
from slmmux._decision.types import Answer, Decision, Draw, Sample, Vote
from slmmux._decision.vote import choose, vote
from slmmux._errors import (
    AbstainedError,
    ArgumentError,
    ConfigError,
    ExtractorError,
    MemberError,
    MemberRestsError,
    NoAnswerError,
    ProfilingError,
    RecordingError,
    SampleError,
    SampleTimeoutError,
    SLMMuxError,
)

if TYPE_CHECKING:
    from slmmux._decision.budget import Budget
    from slmmux._decision.drive import adrive, drive
    from slmmux._decision.race import Race
    from slmmux._decision.rules import LearnedRule, WeightedRule
    from slmmux._display.explain import Explanation, explain
    from slmmux._mux.observe import observe_samples
    from slmmux.profiling import aprofile, profile
    from slmmux.recording import Recording, Row
    from slmmux.recording._replay import replay
    from slmmux.selection import Selection, select_complementary

    __version__: str

__all__ = [
    "AbstainedError",
    "Answer",
    "ArgumentError",
    "Budget",
    "ConfigError",
    "Decision",
    "Draw",
    "Explanation",
    "ExtractorError",
    "LearnedRule",
    "MemberError",
    "MemberRestsError",
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
    "observe_samples",
    "profile",
    "replay",
    "select_complementary",
    "vote",
]


# The offline half brings pydantic and numpy with it, few programs show a decision, run a race or make a rule of their
# own, and these are most of the time that importing takes: they load when they are used.
_LAZY = {
    "Budget": "slmmux._decision.budget",
    "Explanation": "slmmux._display.explain",
    "LearnedRule": "slmmux._decision.rules",
    "Race": "slmmux._decision.race",
    "Recording": "slmmux.recording",
    "Row": "slmmux.recording",
    "Selection": "slmmux.selection",
    "WeightedRule": "slmmux._decision.rules",
    "adrive": "slmmux._decision.drive",
    "aprofile": "slmmux.profiling",
    "drive": "slmmux._decision.drive",
    "explain": "slmmux._display.explain",
    "observe_samples": "slmmux._mux.observe",
    "profile": "slmmux.profiling",
    "replay": "slmmux.recording._replay",
    "select_complementary": "slmmux.selection",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415

        return version("slmmux")
    if name in _LAZY:
        from importlib import import_module  # noqa: PLC0415

        value = getattr(import_module(_LAZY[name]), name)
        value.__module__ = __name__
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _decision_html(decision: Decision[Any]) -> str:
    """Show a decision in a notebook, with all its samples."""
    from slmmux._display.explain import explain  # noqa: PLC0415 - only a notebook needs it

    return explain(decision)._repr_html_()


# Here and not in the class: the decision is the innermost noun, and how it is shown lies outside it.
Decision._repr_html_ = _decision_html  # type: ignore[attr-defined]

# Tracebacks, reprs and pickles name the path that people import, not the file where a thing is defined.
for _name in set(__all__) - _LAZY.keys() - {"answers"}:
    globals()[_name].__module__ = __name__
