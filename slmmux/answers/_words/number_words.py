"""Numbers written in words, where a reply announces one."""

import re
from fractions import Fraction

from slmmux.answers._pattern import pattern
from slmmux.answers._words.spelled import spelled_at

__all__ = ["words_at"]

_SMALL = {
    word: number
    for number, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
} | {word: number for number, word in enumerate(["하나", "둘", "셋", "넷", "다섯", "여섯", "일곱", "여덟", "아홉"], 1)}
_SMALL |= {
    tens + one: 10 * place + number
    for place, tens in enumerate(["열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔"], 1)
    for number, one in enumerate(["", "하나", "둘", "셋", "넷", "다섯", "여섯", "일곱", "여덟", "아홉"])
}
_TENS = {
    word: 10 * (place + 2)
    for place, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"])
}
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_DIGITS = {sign: number for number, sign in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "兩": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_WORD = "|".join(sorted([*_SMALL, *_TENS, *_SCALES], key=len, reverse=True))
_WORDS = pattern(
    rf"(?P<sign>(?:minus|negative)\ )?+(?P<words>(?:a\ )?(?:{_WORD})(?:(?:\ and\ |-|\ )(?:{_WORD}))*+)"
    r"(?:(?P<percent>\ (?:percent|per\ cent|prozent)\b)|(?P<over>[ -](?:hal(?:f|ves)|(?:third|quarter|fourth|fifth|sixth|seventh|eighth|ninth|tenth)s?)\b)"
    r"|(?P<plus>\ and\ (?:a|one|three)[ -](?:half|quarters?|third)\b)|(?P<dozens>\ dozen\b))?+"
    r"(?!(?!입니다|이에요|예요|개|명)\w|-\w)"
    r"|(?P<part>a[ -](?:half|quarter|third)|half(?:\ an?)?)\b|(?P<dozen>a\ dozen)\b"
    r"|(?P<signs>[零一二三四五六七八九〇两兩十百千]{1,15}(?:[万萬][零一二三四五六七八九〇两兩十百千]{0,15})?)",
    re.IGNORECASE,
)
_PARTS = {"half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
    "ninth": 9, "tenth": 10}  # fmt: skip
_DOZEN = 12
_MOST = 10**15
_LONGEST = 1_000  # characters that are looked at: no number below the most takes as many


def words_at(text: str, start: int) -> tuple[Fraction, int] | None:
    """Return the number that is written in words from `start` on, and where it ends; None where there is none.

    Example:
        >>> words_at("one hundred and forty-two apples", 0), words_at("四十二。", 0)
        ((Fraction(142, 1), 25), (Fraction(42, 1), 3))
    """
    match = _WORDS.match(text, start, start + _LONGEST)
    if match is None:
        spelled = spelled_at(text, start)
        return (Fraction(spelled[0]), spelled[1]) if spelled else None
    if match["part"] or match["dozen"]:
        return (_part(match["part"]) if match["part"] else Fraction(_DOZEN)), match.end()
    value = _of_signs(match["signs"]) if match["signs"] else _of_words(match["words"].lower())
    if value is None or value > _MOST:
        return None
    exact = Fraction(value)
    if match["percent"]:
        exact /= 100
    elif match["over"]:
        if (value == 1) == match["over"].endswith("s"):  # twenty fifth is a place, two fifths are a part
            return None
        exact *= _part(match["over"])
    elif match["plus"]:
        exact += _part(match["plus"])
    elif match["dozens"]:
        exact *= _DOZEN
    return (-exact if match["sign"] else exact), match.end()


def _part(text: str) -> Fraction:
    """Return what a half, three quarters or a third is."""
    words = re.findall("[a-z]+", text.lower().removesuffix(" a").removesuffix(" an"))
    name = words[-1] if words[-1] in _PARTS else words[-1].removesuffix("s")
    return Fraction(3 if "three" in words else 1, _PARTS[name])


def _of_words(words: str) -> int | None:
    """Return what words add up to; None where they are several numbers: two three."""
    total = group = 0
    largest = _MOST  # the last scale: they only get smaller
    last = 10**16  # what the word before said: after twenty comes at most nine, after two comes no three
    for word in re.findall(_WORD, words):
        if word in _SCALES:
            scale = _SCALES[word]
            if scale == 100:  # noqa: PLR2004
                group = (group or 1) * 100
            elif scale >= largest:
                return None
            else:
                total, group, largest = total + (group or 1) * scale, 0, scale
            last = scale
            continue
        value = _TENS.get(word) or _SMALL.get(word, 0)
        if last < 20 or (last < 100 and value > 9):  # noqa: PLR2004
            return None
        group += value
        last = value
    return total + group


def _of_signs(signs: str) -> int:
    if len(signs) > 1 and not set(signs) & {*_UNITS, "万", "萬"}:
        return int("".join(str(_DIGITS[sign]) for sign in signs))  # 二〇二四
    total = group = digit = 0
    for sign in signs:
        if sign in _DIGITS:
            digit = _DIGITS[sign]
        elif sign in _UNITS:
            group += (digit or 1) * _UNITS[sign]
            digit = 0
        else:
            total, group, digit = (group + digit) * 10**4, 0, 0
    return total + group + digit
