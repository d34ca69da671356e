"""What a failure of the mux becomes for a client: a status and a sentence that tells nothing of where members are."""

import logging
from collections import Counter
from collections.abc import Iterable

from slmmux._errors import ArgumentError, NoAnswerError
from slmmux._mux.secrets import strike as strike_secrets
from slmmux.serve._refusal import RefusalError

__all__ = ["Strike", "refusal_for"]

_log = logging.getLogger("slmmux.serve")

_CLIENTS_OWN = {400, 404, 413, 415, 422}  # statuses by which a member says that the request itself is wrong
_BUSY = 429


def refusal_for(error: BaseException, strike: "Strike") -> RefusalError:
    """Return the refusal that an error becomes.

    A member's own words are left out: they may quote its address, or a part of its key.

    Args:
        error: What the mux raised.
        strike: Strikes addresses and keys out of a sentence of ours.
    """
    while isinstance(error, BaseExceptionGroup):  # of the choices of one request, which fail alike
        error = error.exceptions[0]
    if isinstance(error, RefusalError):
        return error
    if isinstance(error, ArgumentError):
        return RefusalError(400, strike(str(error)), code="invalid_value")
    causes = [each.cause for each in error.errors] if isinstance(error, NoAnswerError) else [error]
    _log.warning("no answer: %s", _classes(causes))
    if causes and all(_is_overflow(cause) for cause in causes):
        sentence = "the messages are longer than the context of every member; send fewer or shorter ones"
        return RefusalError(400, sentence, param="messages", code="context_length_exceeded")
    statuses = {getattr(cause, "status_code", None) for cause in causes}
    if statuses and statuses <= _CLIENTS_OWN:
        return RefusalError(400, f"every member refused the request ({_classes(causes)})", code="refused_by_members")
    if statuses == {_BUSY}:
        return RefusalError(429, "every member is at its rate limit", code="members_busy", headers={"Retry-After": "1"})
    if isinstance(error, NoAnswerError):
        by_member = Counter(each.model for each in error.errors)
        tally = ", ".join(f"{label!r} failed on {count}" for label, count in by_member.items())
        if error.why.startswith("deadline"):
            return RefusalError(504, "no member replied before the deadline", code="deadline")
        sentence = f"no member replied: {tally or 'none was asked'}; {_classes(causes)}"
        return RefusalError(502, sentence, code="no_answer")
    if isinstance(error, OSError) or "openai" in {cls.__module__.partition(".")[0] for cls in type(error).__mro__}:
        return RefusalError(502, f"the member failed: {type(error).__name__}", code="no_answer")
    _log.error("a question failed: %s", type(error).__name__, exc_info=_log.isEnabledFor(logging.DEBUG) and error)
    return RefusalError(500, f"the server failed: {type(error).__name__}", code="internal_error")


class Strike:
    """Strikes what tells of members' places and keys out of a text.

    Args:
        secrets: The texts to strike.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = tuple(sorted({secret for secret in secrets if secret}, key=len, reverse=True))

    def __call__(self, text: str) -> str:
        struck: str = strike_secrets(text, self._secrets)
        return struck


def _classes(causes: Iterable[BaseException]) -> str:
    return ", ".join(f"{name} x {count}" for name, count in Counter(type(cause).__name__ for cause in causes).items())


def _is_overflow(cause: BaseException) -> bool:
    return any(cls.__name__ == "ContextOverflowError" for cls in type(cause).__mro__)
