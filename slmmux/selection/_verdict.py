"""The verdict of a selection: a sentence that says whether to mux, by what was held out."""

from collections.abc import Mapping

from slmmux.selection._contest import Rule
from slmmux.selection._selection import Subset

__all__ = ["verdict_of"]

_FEW = 30  # questions below which an interval promises too much


def verdict_of(best: Subset, by_size: Mapping[int, Subset], single: Subset, asked: Rule, questions: int) -> str:
    """Say what to do about the best mux: by what was held out, and never by what was not."""
    alone = f"model {single.models[0]}"
    muxes = [subset for size, subset in by_size.items() if size > 1]
    if not muxes:
        return f"no mux was looked at: ask for sizes of two and more; {alone} is the best single one"
    mux = best if len(best.models) > 1 else max(muxes, key=lambda subset: subset.objective)
    names = " + ".join(mux.models)
    if mux.held_out is None:
        return (
            f"nothing can be said yet: too few questions, or too many subsets, to hold any out; in-sample {names} has "
            f"{100 * mux.accuracy:.1f} % and {alone} alone {100 * single.accuracy:.1f} %"
        )
    seen, deciding = mux.held_out, ""
    if mux.contest is not None:
        seen, deciding = mux.contest[mux.rule], f' with rule="{mux.rule}"'
    # Of so few a bootstrap knows only those it was given, and its interval is too sure of itself.
    few = f", on {questions} questions only: record more before you rely on it" if questions < _FEW else ""
    interval = f"95 % interval {100 * seen.low:+z.1f} to {100 * seen.high:+z.1f}, held out{few}"
    figures = (
        f"{100 * seen.accuracy:.1f} % against {100 * seen.single:.1f} %, {100 * seen.gain:+z.1f} points, {interval}"
    )
    after = _fitted(mux, asked, muxed=seen.gain > 0)
    if seen.gain <= 0:
        how = f"{'better' if seen.high < 0 else 'as good or better'}{f' than {names}{deciding}' if deciding else ''}"
        return f"do not mux: {alone} alone is {how} ({figures}){after}"
    if seen.low <= 0:
        return f"mux {names}{deciding} if it costs you nothing: it may be better than {alone} alone ({figures}){after}"
    return f"mux {names}{deciding}: better than {alone} alone ({figures}){after}"


def _fitted(mux: Subset, asked: Rule, *, muxed: bool) -> str:
    """Say what became of the rule asked for, where another is served."""
    if mux.contest is None or mux.rule == asked:
        return ""
    served = f'rule="{mux.rule}" {"is" if muxed else "would be"} served'
    if asked in mux.contest:
        return f'; rule="{asked}" did not help ({100 * mux.contest[asked].accuracy:.1f} %), so {served}'
    return f'; too few questions tell right from wrong to fit rule="{asked}", so {served}'
