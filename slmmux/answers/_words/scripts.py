"""Letters, digits and signs of other scripts, where they say what an ASCII one says."""

import unicodedata

from slmmux.answers._pieces import translated

__all__ = ["plain"]

_SIGNS = {
    "【": "[",
    "】": "]",
    "〔": "(",
    "〕": ")",
    "〖": "[",
    "〗": "]",
    "٪": "%",
    "٫": ".",
    "٬": ",",
    "﹪": "%",
    "∶": ":",
}
_FULL_WIDTH = range(0xFF01, 0xFF5F)  # the whole of ASCII once more, as wide as a Chinese sign


class _Signs(dict[int, int]):
    """What each sign becomes; worked out when it is first met."""

    def __missing__(self, sign: int) -> int:
        character = chr(sign)
        if character in _SIGNS:
            became = ord(_SIGNS[character])
        elif sign in _FULL_WIDTH:
            became = sign - _FULL_WIDTH.start + 0x21
        else:
            digit = unicodedata.decimal(character, None)
            became = sign if digit is None else 0x30 + digit
        self[sign] = became
        return became


_BECAME = _Signs()


def plain(text: str) -> str:
    """Return a text of the same length with digits, full-width signs and their kin as ASCII writes them.

    Example:
        >>> plain("答案：（Ｂ） ٤٢")
        '答案:(B) 42'
    """
    return text if text.isascii() else translated(text, _BECAME)
