"""A regular expression that is compiled when it is first used: importing the package compiles none."""

import re
from typing import Any, cast

__all__ = ["pattern"]


def pattern(source: str, flags: int = 0) -> re.Pattern[str]:
    r"""Return what stands for a compiled pattern and compiles it at the first use.

    Args:
        source: The pattern's text.
        flags: Flags of `re`.

    Example:
        >>> number = pattern(r"[0-9]+")
        >>> number.findall("4 of 12")
        ['4', '12']
    """
    return cast("re.Pattern[str]", _Pattern(source, flags))


class _Pattern:
    def __init__(self, source: str, flags: int) -> None:
        self._made_of = source, flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # a copy is made before it has any attribute, and compiled patterns have none such
            raise AttributeError(name)
        # Asked once for each method that is used: kept on the instance, it is found there from then on. Two threads
        # that come at once both compile, which `re` itself settles; the outcome is the same.
        method = getattr(re.compile(*self._made_of), name)
        setattr(self, name, method)
        return method
