"""What a pydantic class says of its keywords, as one sentence: those it drops, and those it cannot use."""

import difflib
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError

from slmmux._errors import ArgumentError, SLMMuxError
from slmmux._warn import warn

__all__ = ["argument_error", "warn_unknown"]


def warn_unknown(name: str, given: Mapping[str, Any], known: Collection[str]) -> None:
    """Warn of keywords that the frameworks' base classes would drop without a word."""
    for keyword in given:
        if keyword not in known and keyword != "api_key":
            near = difflib.get_close_matches(keyword, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(sorted(known))}"
            warn(f"{name} does not know {keyword!r} and ignores it{hint}")
    if given.get("api_key") is not None:
        warn(f"{name} uses no api_key: each member carries its own")


def argument_error(error: ValidationError) -> Exception:
    """Return the error of ours that pydantic wrapped, or its findings as one sentence without the values passed."""
    found: dict[str, list[str]] = {}
    for fault in error.errors(include_input=False, include_url=False):
        if isinstance(cause := fault.get("ctx", {}).get("error"), SLMMuxError):
            return cause
        found.setdefault(str(fault["loc"][0]) if fault["loc"] else "arguments", []).append(fault["msg"])
    return ArgumentError("; ".join(f"{name}: {' or '.join(dict.fromkeys(texts))}" for name, texts in found.items()))
