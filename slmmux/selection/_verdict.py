"""The verdict of a selection: whether to mux, as far as the held-out interval of the gain supports it."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, log10, sqrt
from statistics import NormalDist
from typing import Final, Literal, TypeAlias

from slmmux.selection._contest import Rule
from slmmux.selection._selection import Subset

__all__ = ["CANNOT_TELL", "DO_NOT_MUX", "MUX", "Recommendation", "Verdict", "verdict_of"]

Recommendation: TypeAlias = Literal["mux", "do not mux", "cannot tell yet"]

MUX: Final = "mux"
DO_NOT_MUX: Final = "do not mux"
CANNOT_TELL: Final = "cannot tell yet"

_Z = 1.959964  # 95 %
_NORMAL = NormalDist()
_TOLD = 0.8  # the share of all cases in which as many more questions tell
_MOST_QUESTIONS = 100_000  # beyond it the gain is too near the border for any recording to tell


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict in words and in fields.

    Attributes:
        sentence: It begins with the words of the recommendation.
        recommendation: "mux", "do not mux" or "cannot tell yet".
        more_questions: About how many more questions would tell; `None` if it is told, or no number would.
    """

    sentence: str
    recommendation: Recommendation
    more_questions: int | None = None


def verdict_of(
    best: Subset, by_size: Mapping[int, Subset], single: Subset, rule: Rule, *, questions: int, worth: float
) -> Verdict:
    """Return whether to use the best mux: decided by what was held out, and never by in-sample figures.

    "mux": the whole interval of the gain is above 0. "do not mux": all of it is below `worth`. Otherwise it cannot be
    told yet; `_more_questions` says how many more would tell.

    Args:
        best: The best subset.
        by_size: The best subset of each size.
        single: The best single model.
        rule: The rule that was asked for.
        questions: The number of questions.
        worth: The smallest gain worth the cost of a mux.
    """
    alone = f"model {single.models[0]}"
    muxes = [subset for size, subset in by_size.items() if size > 1]
    if not muxes:
        return Verdict(
            f"{CANNOT_TELL}: no mux was looked at; ask for sizes of two and more ({alone} is the best single model)",
            CANNOT_TELL,
        )
    mux = best if len(best.models) > 1 else max(muxes, key=lambda subset: subset.objective)
    names = " + ".join(mux.models)
    estimate, deciding = mux.held_out, ""
    if mux.contest is not None:
        estimate, deciding = mux.contest[mux.rule], f' with rule="{mux.rule}"'
    if estimate is None:
        return Verdict(
            f"{CANNOT_TELL}: too few questions to hold any out; in-sample {names} has "
            f"{100 * mux.accuracy:.1f} % and {alone} alone {100 * single.accuracy:.1f} %",
            CANNOT_TELL,
        )
    figures = (
        f"{100 * estimate.accuracy:.1f} % against {100 * estimate.single:.1f} %, {100 * estimate.gain:+z.1f} points"
    )
    after = _unfitted(mux, rule)
    if (interval := estimate.interval) is None:
        return Verdict(
            f"{CANNOT_TELL}: {names}{deciding} has {figures} for {alone} alone, held out, without an interval; ask for "
            f"one with n_resamples=50{after}",
            CANNOT_TELL,
        )
    low, high = interval
    figures += f", 95 % interval {100 * low:+z.1f} to {100 * high:+z.1f}, held out"
    if high < worth:
        points = f"{100 * worth:g} point" + ("" if round(100 * worth, 9) == 1 else "s")
        how = "better" if high < 0 else f"better, or less than {points} worse,"
        return Verdict(f"{DO_NOT_MUX}: {alone} alone is {how} than {names}{deciding} ({figures}){after}", DO_NOT_MUX)
    if low > 0:
        return Verdict(f"{MUX} {names}{deciding}: better than {alone} alone ({figures}){after}", MUX)
    more = _more_questions(estimate.gain, (high - low) / 2, questions, worth)
    tell = "more questions than can be recorded" if more is None else f"about {more:,} more questions"
    return Verdict(
        f"{CANNOT_TELL} whether {names}{deciding} is better than {alone} alone: {tell} would ({figures}){after}",
        CANNOT_TELL,
        more,
    )


def _more_questions(gain: float, half: float, questions: int, worth: float) -> int | None:
    """Return about how many more questions would tell in 80 % of all cases; `None` if more than 100,000.

    Of the true gain is known what the interval says: it lies around the estimate g with a standard error s = half /
    1.96. So with N questions in all, these among them, the estimate will be normal around g with variance s^2 - s_N^2,
    and it tells where it is above 1.96 s_N ("mux") or below worth - 1.96 s_N ("do not mux"). s_N^2 falls with N, apart
    from the part of it that `each_held_out` adds for what was not seen, 2 / (n + 2)^2: that falls with N^2, and is all
    there is where the mux and the single model never differed.
    """
    now = (half / _Z) ** 2
    unseen = min(now, 2 / (questions + 2) ** 2)

    def chance(more: int) -> float:
        total = questions + more
        then = (now - unseen) * questions / total + unseen * ((questions + 2) / (total + 2)) ** 2
        deviation, reach = sqrt(now - then), _Z * sqrt(then)
        if 2 * reach <= worth:
            return 1.0
        return _NORMAL.cdf((gain - reach) / deviation) + _NORMAL.cdf((worth - reach - gain) / deviation)

    more = 1 + bisect_left(range(1, _MOST_QUESTIONS + 1), _TOLD, key=chance)
    if more > _MOST_QUESTIONS:
        return None
    step = 10 ** max(0, ceil(log10(more)) - 2)  # two digits: it is an estimate
    return int(ceil(more / step) * step)


def _unfitted(mux: Subset, rule: Rule) -> str:
    """Return a clause for a rule that was asked for and could not be fitted."""
    if mux.contest is None or mux.rule == rule:
        return ""
    return f'; too few questions tell right from wrong to fit rule="{rule}", so rule="{mux.rule}" decides'
