"""Several samples in one request: which draws share a request, and which servers return only one sample for each."""

import logging
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from slmmux._decision.passing import status_of
from slmmux._decision.retries import OnceMoreError
from slmmux._decision.types import Draw
from slmmux._mux.members import Member

__all__ = ["OnceMoreError", "Remedy", "group_draws", "remedy_for", "remember_single"]

_log = logging.getLogger("slmmux")
_REFUSALS = {400, 422}  # the status codes of servers that do not know `n`
_SERVER_FAULT = 500


def group_draws(draws: Sequence[Draw], takes_several: Callable[[str], bool]) -> list[tuple[Draw, ...]]:
    """Put the draws of a member that takes several in one request; every other draw is a request of its own.

    Args:
        draws: The draws to request.
        takes_several: Whether one request of the member with this label can bring several samples.

    Example:
        >>> draws = [Draw("qwen", 0), Draw("qwen", 1), Draw("phi", 0), Draw("phi", 1)]
        >>> [len(group) for group in group_draws(draws, lambda label: label == "qwen")]
        [2, 1, 1]
    """
    groups: dict[object, list[Draw]] = {}
    for draw in draws:
        groups.setdefault(draw.model if takes_several(draw.model) else draw, []).append(draw)
    return [tuple(group) for group in groups.values()]


Remedy: TypeAlias = Literal["singly", "probe", "none"]


def remedy_for(error: BaseException, draws: Sequence[Draw]) -> Remedy:
    """Return how the draws of a failed request get a second try.

    "singly": each is asked for by itself, once: the class knows no `n`, or the server failed on the request as a whole
    (a 5xx, or a body that cannot be read), as llama.cpp does if one completion of several cannot be parsed. "probe":
    the first is asked for by itself, because a 400 may mean the `n` or the question; only if that succeeds, the server
    is known to refuse several. The driver makes this second call (`OnceMoreError`), within the budget, and it waits for
    the rate limiter as any other. "none": one sample alone would fail too (a key, a limit, a prompt that is too long).
    """
    if len(draws) == 1 or _is_overflow(error):
        return "none"
    status = status_of(error)
    if isinstance(error, TypeError | NotImplementedError) or (isinstance(error, ValueError) and status is None):
        return "singly"
    if status is not None and status >= _SERVER_FAULT:
        return "singly"
    return "probe" if status in _REFUSALS else "none"


def _is_overflow(error: BaseException) -> bool:
    # By name: the core knows no framework, and each has a class of its own for it.
    names = {cls.__name__ for cls in type(error).__mro__}
    return "ContextOverflowError" in names or getattr(error, "code", None) == "context_length_exceeded"


def remember_single(member: Member, reason: str) -> None:
    """Ask a member for one sample a request from now on."""
    member.memory.single = True
    _log.info("%s %s: its samples are asked for one by one from now on", member.label, reason)
