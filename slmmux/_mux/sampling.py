"""Several samples in one request: which draws share one, and what is remembered of a server that does not do it."""

import logging
from collections.abc import Callable, Sequence

from slmmux._decision.types import Draw
from slmmux._mux.members import Member

__all__ = ["group_draws", "refuses_several", "remember_single"]

_log = logging.getLogger("slmmux")
_REFUSED = {400, 422}  # the status codes of servers that do not know `n`


def group_draws(draws: Sequence[Draw], takes_several: Callable[[str], bool]) -> list[tuple[Draw, ...]]:
    """Put the draws of a member that takes several in one request; every other draw is a request of its own.

    Args:
        draws: What is to be asked for.
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


def refuses_several(error: BaseException) -> bool:
    """Return whether a request failed because it asked for several samples, or may have."""
    return isinstance(error, TypeError | NotImplementedError) or getattr(error, "status_code", None) in _REFUSED


def remember_single(member: Member, reason: str) -> None:
    """Ask a member for one sample a request from now on."""
    member.takes_several = False
    _log.info("%s %s: its samples are asked for one by one from now on", member.label, reason)
