r"""How numbers are written in a text, and the one way we write them.

Knows digits, signs, separators, fractions, powers, percent and what multiplies: hundred to trillion, k and bn; knows nothing of
replies. Every pattern is possessive or bounded, so a text takes time linear in its length, and nothing is computed
that has more than some hundred digits.
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from slmmux.answers._pattern import pattern

__all__ = ["Numeral", "Percentage", "canonical_text", "decimal", "last_numeral", "numeral_at", "numerals"]

_MOST_DIGITS = 300
_MOST_BITS = 1024  # of a power
# Words that multiply, and the languages' own; a Billion in German is a thousand times an English one, so it is left out.
_SCALES = {
    "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "lakh": 10**5, "crore": 10**7, "dozen": 12,
    "tausend": 10**3, "millionen": 10**6, "millions": 10**6, "millones": 10**6, "millón": 10**6, "milhões": 10**6,
    "milhão": 10**6, "milioni": 10**6, "milione": 10**6, "milliarde": 10**9, "milliarden": 10**9, "milliards": 10**9,
    "milliard": 10**9, "miliardi": 10**9, "billions": 10**9, "mio": 10**6, "mrd": 10**9, "тысяч": 10**3, "тыс": 10**3,
    "млн": 10**6, "миллионов": 10**6, "миллиона": 10**6, "миллион": 10**6, "млрд": 10**9, "миллиардов": 10**9,
}  # fmt: skip
_SUFFIXES = {"k": 10**3, "m": 10**6, "mn": 10**6, "mln": 10**6, "b": 10**9, "bn": 10**9, "t": 10**12, "tn": 10**12}
_SIGNS_OF_SCALE = {"百": 10**2, "千": 10**3, "천": 10**3, "万": 10**4, "萬": 10**4, "만": 10**4,
    "億": 10**8, "亿": 10**8, "억": 10**8}  # fmt: skip
_MONEY = "$€£¥₹₩₽₺₫₦₱฿"

# Digits with whatever may stand between digits. What it means is judged afterwards, by `_chain`: a pattern that
# judged would fail half-way through long junk, start again one character on, and so take quadratic time.
_CHAIN = r"[0-9]++(?:[.,'’_][0-9]++|[ \u00a0\u2009\u202f][0-9]{3}(?![0-9]))*+"
_NUMERAL = pattern(
    rf"""
    (?P<name> (?: [A-Za-z]-? | (?<![A-Za-z])[Ss]tep\ | (?: \^ | (?<=[A-Za-z0-9)}}\]|])_ )\{{?[-−]?
        | \\sqrt\ ?\{{? | sqrt\( | √ | (?<=[0-9)}}])/\ ? ) (?=[0-9]) )?+                  # x2, GPT-4, m^2, Step 3: none
    (?: (?<![A-Za-z0-9_)\]}}%.]) (?P<sign> [-−–+] | ±\ ? | \\pm\ ?                                  # 10-5 has no sign
        | [Nn]egative\ | (?: (?<=\bis\ ) | (?<=was\ ) | (?<=\bbe\ ) | (?<=:\ ) | \A ) [Mm]inus\ ) )?+
    (?: (?P<money> [{_MONEY}] )\ ? (?P<inner> [-−–] )?+ )?+
    (?:
        (?P<mixed> [0-9]{{1,15}}+ (?:\ |(?=\\)) )?+
        (?: \\frac\ ? \{{\ ?(?P<above> [-−]?{_CHAIN} )\ ?\}}\ ?\{{\ ?(?P<below> {_CHAIN} )\ ?\}}
          | (?P<over> [0-9]{{1,15}}+ )/(?P<under> [0-9]{{1,15}}+ )(?![/.,:-]?[0-9]) )
      | (?P<chain> {_CHAIN} | (?<![A-Za-z0-9.])\.[0-9]++ )
        (?P<joined> (?: (?: [-–:] | \ :\ ? | \ ?[-–—]\ ?(?=[{_MONEY}])[{_MONEY}] ){_CHAIN} )*+ )  # 10:30, 2024-03-15, 1 : 2
        (?P<slashed> (?: \ ?/\ ?{_CHAIN} )*+ )
        (?: [eE](?P<exponent> [-−+]?[0-9]++ )(?![A-Za-z0-9]) )?
        (?: \ ?(?: \\times | \\cdot | [×·x*] )\ ?10\ ?(?: \^ | \*\* )\ ?(?: \{{?(?P<tens> [-−+]?[0-9]++ )\}}? | \((?P<tens_in> [-−+]?[0-9]++ )\) ) )?
        (?: (?: \^ | \*\* )(?: \{{?(?P<power> [-−+]?[0-9]++ )\}}? | \((?P<power_in> [-−+]?[0-9]++ )\) ) )?
    )
    (?P<percent> \ ?[%％] | \ (?: per\ ?cent | Prozent | pour\ cent | por\ cien?to | per\ cento | процент(?:ов|а)? )\b )?
    (?: [\ -](?P<scale> (?i: {"|".join(sorted(_SCALES, key=len, reverse=True))} ) )\b
      | (?P<suffix> (?: (?(money) [kKmMbBT] | [kKM] ) | \ ?(?: mn | mln | bn | Bn | BN | tn ) ) ) (?![A-Za-z0-9/^°] | \ ?per\b)
      | \ ?(?P<sign_of_scale> [{"".join(_SIGNS_OF_SCALE)}] ) (?! [0-9] ) )?
    (?P<more> (?= \ ?(?: \^ | \\sqrt | √ | \\pi\b | π | /\ ?[0-9\\(] ) ) )?                     # 2^n, 4π: none
    """,
    re.VERBOSE,
)
_LONGEST = 4_000  # characters that are looked at: a number with so many digits is no answer
_PLAIN = pattern(r"[0-9]*\.?[0-9]+")
_GROUPED = pattern(r"[1-9][0-9]{0,2}(?:([,'’_ ])[0-9]{3})(?:\1[0-9]{3})*(?:\.[0-9]+)?")
_INDIAN = pattern(r"[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}(?:\.[0-9]+)?")
_CONTINENTAL = pattern(r"[1-9][0-9]{0,2}(?:([. ])[0-9]{3}(?:\1[0-9]{3})*,[0-9]+|(?:\.[0-9]{3}){2,})")
_COMMA = pattern(r"[0-9]+,[0-9]+")


class Numeral(NamedTuple):
    """A number as it stands in a text.

    Attributes:
        start: Where it starts.
        end: Where it ends, percent sign and scale included.
        value: Its exact value; None where that takes too many digits to be an answer.
        doubtful: It is read with a decimal comma (12,5), but could be a list.
        percent: It is written with a percent sign.
    """

    start: int
    end: int
    value: Fraction | None
    doubtful: bool
    percent: bool = False


class Percentage(str):
    """A number's canonical text that knows of the percent sign it was written with: a gold answer may leave it out."""

    __slots__ = ()


def numerals(text: str, start: int = 0) -> Iterator[Numeral]:
    """Yield every number of a text from `start` on, in order; names (x2, GPT-4), dates, times and ranges are none.

    Example:
        >>> [decimal(n.value) for n in numerals("3/4 of $1,200.50, at 10:30 on 2024-03-15, in 20 m^2")]
        ['0.75', '1200.5', '20']
    """
    for match in _NUMERAL.finditer(text, start):
        if numeral := _numeral(match):
            yield numeral


def last_numeral(text: str) -> Numeral | None:
    """Return the last number of a text, reading no more of them than that takes.

    In the midst of a text 300K is a temperature and 0.02M a solution, where nobody speaks of money.
    """
    starts = [match.start() for match in _NUMERAL.finditer(text)]
    matches = filter(None, (_NUMERAL.match(text, start, start + _LONGEST) for start in reversed(starts)))
    return next(filter(None, (_numeral(match, announced=False) for match in matches)), None)


def numeral_at(text: str, start: int) -> Numeral | None:
    """Return the number that starts at `start`, None where there is none."""
    match = _NUMERAL.match(text, start, start + _LONGEST)
    return _numeral(match) if match else None


def decimal(value: Fraction) -> str:
    """Return the canonical text of a number: a decimal where it ends, else a fraction in lowest terms.

    Example:
        >>> decimal(Fraction(-3, 4)), decimal(Fraction(42)), decimal(Fraction(1, 3))
        ('-0.75', '42', '1/3')
    """
    rest = value.denominator
    twos = fives = 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    places = max(twos, fives)
    if rest > 1 or not places:
        return str(value)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def canonical_text(number: Numeral | None) -> str | None:
    """Return the canonical text of a number; None where there is none, or one of too many digits.

    Example:
        >>> canonical_text(numeral_at("20%", 0)), type(canonical_text(numeral_at("20%", 0))).__name__
        ('0.2', 'Percentage')
    """
    if number is None or number.value is None:
        return None
    return Percentage(decimal(number.value)) if number.percent else decimal(number.value)


def _numeral(match: re.Match[str], *, announced: bool = True) -> Numeral | None:
    """Judge what was matched: a number, or something that only has digits."""
    if match["name"] or match["joined"] or match["more"] is not None or (match["sign"] or "+")[0] in "±\\":
        return None
    try:
        value: Fraction | None = _value(match, announced=announced)
    except OverflowError:
        value = None
    except (ValueError, ZeroDivisionError):
        return None
    chain = match["chain"] or ""
    doubtful = _COMMA.fullmatch(chain) and not _GROUPED.fullmatch(chain) and not match["percent"]
    return Numeral(match.start(), match.end(), value, bool(doubtful), bool(match["percent"]))


def _value(match: re.Match[str], *, announced: bool) -> Fraction:
    """Return the exact value.

    Raises:
        OverflowError: It takes too many digits.
        ValueError: It is no number: 1.2.3, 3/4/2024.
        ZeroDivisionError: It divides by zero.
    """
    if match["chain"]:
        value = _chain(match["chain"])
        powers = [match["exponent"], match["tens"] or match["tens_in"], match["power"] or match["power_in"]]
        if match["slashed"]:
            _, below = match["slashed"].split("/")  # ValueError where there are more
            if any(powers):
                raise ValueError
            value /= _chain(below.strip())
        value *= Fraction(10) ** (_power(powers[0]) + _power(powers[1]))
        if powers[2]:
            value = _raise(value, _power(powers[2]))
    else:
        above, below = match["above"] or match["over"], match["below"] or match["under"]
        value = _chain(above.lstrip("-−")) / _chain(below)
        value = Fraction(match["mixed"] or 0) + (value if above[0].isdigit() else -value)
    if match["percent"]:
        value /= 100
    if match["scale"]:
        value *= _SCALES[match["scale"].lower()]
    if match["suffix"] and (announced or match["money"] or match["suffix"] not in "KM"):
        value *= _SUFFIXES[match["suffix"].strip().lower()]
    if match["sign_of_scale"]:
        value *= _SIGNS_OF_SCALE[match["sign_of_scale"]]
    if len(decimal(value)) > _MOST_DIGITS:
        raise OverflowError
    signs = (match["sign"] or "") + (match["inner"] or "")
    return -value if signs.strip("+") else value


def _chain(digits: str) -> Fraction:
    """Return the value of digits and separators: 1,234.5 and 1 234,5 and 1.234,5 are the same."""
    if len(digits) > _MOST_DIGITS:
        raise OverflowError
    digits = re.sub(r"\s", " ", digits)
    if _PLAIN.fullmatch(digits):
        return Fraction(digits)
    if _GROUPED.fullmatch(digits) or _INDIAN.fullmatch(digits):
        return Fraction(re.sub(r"[^0-9.]", "", digits))
    if _CONTINENTAL.fullmatch(digits) or _COMMA.fullmatch(digits):
        return Fraction(re.sub(r"[. ]", "", digits).replace(",", "."))
    return _chain(digits[digits.rindex(" ") + 1 :])  # 2024 150 are two; ValueError where there is no blank


def _power(digits: str | None) -> int:
    power = int((digits or "0")[:6].replace("−", "-"))
    if abs(power) > _MOST_DIGITS:
        raise OverflowError
    return power


def _raise(base: Fraction, power: int) -> Fraction:
    if max(base.numerator, base.denominator).bit_length() * abs(power) > _MOST_BITS:
        raise OverflowError
    return base**power
