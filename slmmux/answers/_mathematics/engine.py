"""The process in which mathematics is compared: one pair a line, one verdict a line, gone when its parent is gone.

It is run as a script and imports nothing of this package. Parsing LaTeX and simplifying what it says can take for ever,
take all memory, or end in a crash: a process can simply be ended. It is told the import path in its first line.
"""

import json
import sys
from importlib import import_module
from typing import Any

__all__ = ["main"]

_MOST_MEMORY = 2 << 30  # bytes
_RELATIVE = 1e-9
_TINY = 1e-4  # below it the library's places are too few to tell numbers apart


def limit_memory() -> None:
    """Let a runaway computation fail instead of the machine."""
    try:
        import resource  # noqa: PLC0415 - there is none on Windows

        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    except (ImportError, ValueError, OSError):
        return


def equal(library: Any, latex: Any, a: str, b: str) -> bool:
    """Return whether two pieces of LaTeX say the same mathematics, whichever of them is taken for the gold answer."""
    # LaTeX only: the library's other reading evaluates what it reads as Python.
    first, second = (
        library.parse(f"${text}$", [latex()], parsing_timeout=None, fallback_mode="no_fallback", raise_on_error=False)
        for text in (a, b)
    )
    if not first or not second:
        return False
    if _apart(first, second):
        return False
    verify = library.verify
    return any(
        bool(verify(x, y, timeout_seconds=None, raise_on_error=False)) for x, y in ((first, second), (second, first))
    )


def _apart(first: Any, second: Any) -> bool:
    """Return whether both are numbers that differ: the library rounds to some places, and tiny ones become equal."""
    numbers = [
        next((each for each in expressions if getattr(each, "is_number", False)), None)
        for expressions in (first, second)
    ]
    if numbers[0] is None or numbers[1] is None:
        return False
    a, b = numbers[0].evalf(30), numbers[1].evalf(30)
    return bool(a.is_Float and b.is_Float and abs(a - b) > abs(a) * _RELATIVE and max(abs(a), abs(b)) < _TINY)


def main() -> None:
    """Compare until standard input ends."""
    import logging  # noqa: PLC0415 - slow to import, and of no use to `equal`

    sys.path[:] = json.loads(sys.stdin.readline())
    limit_memory()
    logging.disable(logging.CRITICAL)  # it warns of time-outs that are the parent's business
    library = import_module("math_verify")
    latex = library.LatexExtractionConfig
    equal(library, latex, "1", "1")  # what is slow the first time is done before the first question's limit runs
    print("ready", flush=True)  # noqa: T201 - its answer
    for line in sys.stdin:
        try:
            verdict = equal(library, latex, *json.loads(line))
        except Exception:  # noqa: BLE001 - what cannot be compared is not equal
            verdict = False
        print(json.dumps(verdict), flush=True)  # noqa: T201 - its answer


if __name__ == "__main__":
    main()
