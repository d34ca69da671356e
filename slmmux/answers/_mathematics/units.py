r"""Quantities: a number with a unit that comes in several sizes, or with a currency.

A unit that is like no other (apples, degrees) says nothing of an answer's size, and is not one here.
"""

import re
from fractions import Fraction
from functools import cache
from typing import NamedTuple

from slmmux.answers._mathematics.numeral import decimal, numeral_at
from slmmux.answers._pattern import pattern

__all__ = ["Quantity", "agree", "quantity", "units_asked"]

_PREFIXES = {"n": -9, "µ": -6, "μ": -6, "u": -6, "m": -3, "c": -2, "d": -1, "": 0, "k": 3, "M": 6, "G": 9, "T": 12}
_WORD_PREFIXES = {"nano": -9, "micro": -6, "milli": -3, "centi": -2, "deci": -1, "": 0, "kilo": 3, "mega": 6, "giga": 9,
    "tera": 12}  # fmt: skip


@cache  # made when first used: it would be a tenth of the time that importing the package takes
def _sizes() -> dict[str, tuple[str, Fraction]]:
    """Return (dimension, size) of each unit, by how it is written."""
    sizes: dict[str, tuple[str, Fraction]] = {}
    for sign, words, dimension, prefixes, size in (
        ("m", "meter metre", "m", "nµμumcdk", 1),
        ("g", "gram gramme", "g", "µμumk", 1),
        ("s", "second sec", "s", "nµμum", 1),
        ("l", "liter litre", "l", "mcd", 1),
        ("L", "", "l", "mcd", 1),
        ("B", "byte", "byte", "kMGT", 1),
        ("bit", "", "bit", "kMG", 1),
        ("J", "joule", "J", "mkMG", 1),
        ("cal", "calorie", "cal", "k", 1),
        ("W", "watt", "W", "mkMG", 1),
        ("Wh", "", "Wh", "kM", 1),
        ("Pa", "pascal", "Pa", "kM", 1),
        ("V", "volt", "V", "mk", 1),
        ("A", "ampere amp", "A", "mµ", 1),
        ("Hz", "hertz", "Hz", "kMG", 1),
        ("N", "newton", "N", "mk", 1),
        ("eV", "", "eV", "kMG", 1),
        ("mol", "mole", "mol", "mk", 1),
    ):
        for prefix in ("", *prefixes):
            sizes[prefix + sign] = (dimension, Fraction(10) ** _PREFIXES[prefix] * size)
        for word in words.split():
            for prefix, power in _WORD_PREFIXES.items():
                sizes |= {prefix + word + end: (dimension, Fraction(10) ** power * size) for end in ("", "s")}
    more_units = {
        "in inch inches": ("m", "0.0254"), "ft foot feet": ("m", "0.3048"), "yd yard yards": ("m", "0.9144"),
        "mi mile miles": ("m", "1609.344"), "lb lbs pound pounds": ("g", "453.59237"), "oz ounce ounces": ("g", "28.349523125"),
        "t ton tons tonne tonnes": ("g", "1000000"), "min mins minute minutes Minuten": ("s", "60"),
        "h hr hrs hour hours Stunde Stunden": ("s", "3600"), "day days Tag Tage": ("s", "86400"),
        "week weeks": ("s", "604800"), "month months": ("month", "1"), "year years": ("month", "12"),
        "gallon gallons gal": ("gallon", "1"), "quart quarts": ("gallon", "0.25"), "mph": ("mph", "1"), "kph": ("km/h", "1"),
        "atm": ("atm", "1"), "bar": ("bar", "1"), "rad radian radians": ("rad", "1"), "°C celsius Celsius": ("°C", "1"), "°F fahrenheit Fahrenheit": ("°F", "1"),
        "K kelvin": ("K", "1"), "secs": ("s", "1"),
        "€ EUR euro euros": ("€", "1"), "£ GBP": ("£", "1"), "¥ JPY yen": ("¥", "1"), "₹ INR rupee rupees": ("₹", "1"),
        "₩ won": ("₩", "1"), "₽ ruble rubles": ("₽", "1"), "CHF": ("CHF", "1"), "yuan RMB CNY": ("yuan", "1"), "peso pesos": ("peso", "1"),
        "$ USD dollar dollars": ("$", "1"), "¢ cent cents": ("$", "0.01"), "₺": ("₺", "1"), "₫": ("₫", "1"),
    }  # fmt: skip
    for names, (dimension, size_of) in more_units.items():
        sizes |= {name: (dimension, Fraction(size_of)) for name in names.split()}
    return sizes


_POWER = r"(?:\^?\{?[23]\}?|²|³)?"
_UNIT = pattern(
    r"[\s~]*+(?:(?P<raised>square|cubic)\s)?(?P<unit>°?[A-Za-zµμ]{1,16}|[¢€£¥₹₩₽₺₫$])(?P<power>\^?\{?[23]\}?|²|³)?"
    r"(?:\s?(?P<per>/|per\s)\s?(?P<below>[A-Za-z]{1,12})(?P<power_below>\^?\{?[23]\}?)?)?[\s.]*+"
)
_PART = pattern(
    r"(?P<number>[0-9]{1,9}(?:\.[0-9]{1,9})?)\s?(?P<unit>[A-Za-z]{1,10})(?:,?\s(?:and\s)?(?=[0-9])|[\s.]*\Z)"
)
_MOST_PARTS = 4
_DEGREES = pattern(r"(?:°|degrees?) ?(?=[CF]\b|Celsius|Fahrenheit|celsius|fahrenheit)")
_MONEY = pattern(r"[^0-9]{0,4}?(?P<money>[$€£¥₹₩₽₺₫])")
_MONEY_NAMES = {"USD": "$", "US$": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "Rs.": "₹", "Rs": "₹", "CHF": "CHF", "CNY": "yuan",
    "A$": "A$", "AU$": "A$", "C$": "C$", "CA$": "C$", "HK$": "HK$", "NZ$": "NZ$", "S$": "S$"}  # fmt: skip
_NAMED_MONEY = pattern(
    r"(?P<name>" + "|".join(re.escape(name) for name in sorted(_MONEY_NAMES, key=len, reverse=True)) + r")\s?(?=[0-9])"
)
_DECADE = pattern(r"[12][0-9]{2}0s")
_POWERS = {"square": 2, "cubic": 3}
_REQUESTED = pattern(
    r"\b(?:how (?:many|much)|in|nearest|number of|wie viele|combien de|cuántos|quantos|quanti)\s(?:square\s|cubic\s)?"
    r"(?P<unit>[A-Za-z°€£¥$]{1,16})\b",
    re.IGNORECASE,
)
_WORD = pattern(r"[A-Za-z°µμ€£¥]{1,16}")
_MOST_WORDS = 2000  # of a question


class Quantity(NamedTuple):
    """A number with its unit.

    Attributes:
        value: The number as written.
        unit: What is counted: a dimension, as "m" or "m^2", or a currency; empty without one.
        size: How much of the dimension's base one is.
    """

    value: Fraction
    unit: str
    size: Fraction

    @property
    def key(self) -> str:
        """One text for one quantity: in the base unit; dollars and bare numbers as numbers."""
        if not self.unit or (self.unit == "$" and self.size == 1):
            return decimal(self.value)
        return f"{decimal(self.value * self.size)} {self.unit}"


def quantity(text: str) -> Quantity | None:
    """Return the quantity that a text is, with a unit that has a size; None for anything else, bare numbers included.

    Example:
        >>> quantity("3 cm").key, quantity("0.03 m").key, quantity("€5").key, quantity("$5").key, quantity("5 apples")
        ('0.03 m', '0.03 m', '5 €', '5', None)
    """
    text = _DEGREES.sub("°", text.strip())
    if _DECADE.fullmatch(text):  # no seconds
        return None
    named_money = _NAMED_MONEY.match(text)
    if named_money:
        number = numeral_at(text, named_money.end())
        is_all = number and number.value is not None and not text[number.end :].strip(" .")
        return Quantity(number.value, _MONEY_NAMES[named_money["name"]], Fraction(1)) if is_all else None  # type: ignore[union-attr, arg-type]
    number = numeral_at(text, 0)
    if number is None or number.value is None:
        return None
    money = _MONEY.match(text, 0, number.end)
    if money:
        rest = text[number.end :].strip(" .")
        is_money = rest in {"", "USD"} or _sizes().get(rest, ("", 0))[0] == money["money"]
        return Quantity(number.value, money["money"], Fraction(1)) if is_money else None
    match = _UNIT.fullmatch(text, number.end)
    if match is None:
        return _of_parts(text)
    if number.doubtful and len(match["unit"]) == 1 and match["unit"].isalpha():  # 3,4 m could be a list and a name
        return None
    size = _size(match["unit"], _POWERS.get(match["raised"] or "", 0) or _power(match["power"]))
    if size is None:
        return None
    if match["per"]:
        below = _size(match["below"], _power(match["power_below"]))
        if below is None:
            return None
        size = f"{size[0]}/{below[0]}", size[1] / below[1]
    return Quantity(number.value, *size)


def _of_parts(text: str) -> Quantity | None:
    """Return the quantity of which a text says the parts, from the largest to the smallest: 2 hours 30 minutes."""
    parts: list[tuple[Fraction, tuple[str, Fraction]]] = []
    at = 0
    while (part := _PART.match(text, at)) and len(parts) < _MOST_PARTS:
        size = _size(part["unit"], 1)
        if size is None or (parts and (size[0] != parts[-1][1][0] or size[1] >= parts[-1][1][1])):
            return None
        parts.append((Fraction(part["number"]), size))
        at = part.end()
    if at < len(text) or len(parts) < 2:  # noqa: PLR2004 - one is no sum
        return None
    smallest = parts[-1][1]
    return Quantity(sum((number * size for number, (_, size) in parts), Fraction()) / smallest[1], *smallest)


def units_asked(question: str) -> set[tuple[str, Fraction]]:
    """Return the units in which a question wants its answer: those it asks for, else the one size that it names.

    Example:
        >>> units_asked("How many meters are 300 cm?"), units_asked("A rope is 3 m long. How long are two?")
        ({('m', Fraction(1, 1))}, {('m', Fraction(1, 1))})
    """
    requested = {_sizes()[match["unit"]] for match in _REQUESTED.finditer(question) if match["unit"] in _sizes()}
    words = [word[0] for word, _ in zip(_WORD.finditer(question), range(_MOST_WORDS), strict=False)]
    mentioned = {_sizes()[word] for word in words if word in _sizes() and (len(word) > 1 or word in "mgslhL")}
    dimensions = [dimension for dimension, _ in mentioned]
    return requested | {
        (d, size) for d, size in mentioned if dimensions.count(d) == 1 and d not in {a for a, _ in requested}
    }


def agree(first: Quantity, second: Quantity) -> bool:
    """Return whether two quantities are one, a bare number counting as one of whatever unit the other has.

    Example:
        >>> three = quantity("3 m")
        >>> agree(three, quantity("300 cm")), agree(three, quantity("3 cm")), agree(three, Quantity(three.value, "", three.size))
        (True, False, True)
    """
    pounds = {(each.unit, each.size) for each in (first, second)}
    if pounds == {("£", Fraction(1)), _sizes()["pounds"]}:  # of money, in words
        return first.value == second.value
    if first.unit and second.unit:
        return first.unit == second.unit and first.value * first.size == second.value * second.size
    return first.value == second.value


def _size(unit: str, power: int) -> tuple[str, Fraction] | None:
    unit = unit if unit in _sizes() or len(unit) < len("°CC") else unit.removeprefix("°")  # °Celsius
    size = _sizes().get(unit) or _sizes().get(unit.lower() if len(unit) > 2 else "")  # noqa: PLR2004 - Pa is not pa
    if size is None or power == 1:
        return size
    return f"{size[0]}^{power}", size[1] ** power


def _power(exponent: str | None) -> int:
    return {"²": 2, "³": 3}.get(exponent or "", 0) or int((exponent or "1").strip("^{}"))
