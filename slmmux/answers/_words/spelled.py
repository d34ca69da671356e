"""Numbers below a thousand as seven languages spell them, each by its own rule, and how they are joined with thousands.

Knows no replies: `number_words` says where a number may stand.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

from slmmux.answers._pattern import pattern

__all__ = ["spelled_at"]

_LATIN = pattern(r"[^\W\d_]+(?:(?:[ -]|['’])[^\W\d_]+){0,9}")
_KOREAN = pattern(r"[영공일이삼사오육칠팔구십백천만]{1,12}(?!\w(?<!개)(?<!명)(?<!입)(?<!이)(?<!원))")
_MOST_CHARACTERS = 120
_BELOW_TWENTY = {
    "de": "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn "
    "achtzehn neunzehn",
    "fr": "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept dix-huit "
    "dix-neuf",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete "
    "dieciocho diecinueve",
    "pt": "zero um dois três quatro cinco seis sete oito nove dez onze doze treze catorze quinze dezesseis dezessete dezoito "
    "dezenove",
    "it": "zero uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici sedici "
    "diciassette diciotto diciannove",
    "ru": "ноль один два три четыре пять шесть семь восемь девять десять одиннадцать двенадцать тринадцать четырнадцать "
    "пятнадцать шестнадцать семнадцать восемнадцать девятнадцать",
}
_TENS = {
    "de": "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig",
    "fr": "vingt trente quarante cinquante soixante soixante quatre-vingt quatre-vingt",
    "es": "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
    "pt": "vinte trinta quarenta cinquenta sessenta setenta oitenta noventa",
    "it": "venti trenta quaranta cinquanta sessanta settanta ottanta novanta",
    "ru": "двадцать тридцать сорок пятьдесят шестьдесят семьдесят восемьдесят девяносто",
}
_HUNDREDS = {
    "de": "hundert zweihundert dreihundert vierhundert fünfhundert sechshundert siebenhundert achthundert neunhundert",
    "fr": "cent deux-cent trois-cent quatre-cent cinq-cent six-cent sept-cent huit-cent neuf-cent",
    "es": "ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos novecientos",
    "pt": "cento duzentos trezentos quatrocentos quinhentos seiscentos setecentos oitocentos novecentos",
    "it": "cento duecento trecento quattrocento cinquecento seicento settecento ottocento novecento",
    "ru": "сто двести триста четыреста пятьсот шестьсот семьсот восемьсот девятьсот",
}
_THOUSAND = {"de": "tausend", "fr": "mille", "es": "mil", "pt": "mil", "it": "mila|mille", "ru": "тысяча|тысячи|тысяч"}
# Other forms of one number, after the regular ones.
_ALSO = {
    "de": {"eins": 1, "eine": 1, "einer": 1, "einhundert": 100},
    "fr": {"une": 1, "quatre-vingts": 80},
    "es": {"cien": 100, "una": 1, "veintiún": 21, "veintiuna": 21},
    "pt": {"cem": 100, "uma": 1, "duas": 2, "dezasseis": 16, "dezassete": 17, "dezanove": 19, "quatorze": 14},
    "it": {"ventitré": 23, "trentatré": 33, "una": 1},
    "ru": {"одна": 1, "две": 2, "одно": 1},
}
_KOREAN_DIGITS = {sign: number for number, sign in enumerate("영일이삼사오육칠팔구")} | {"공": 0}
_KOREAN_UNITS = {"십": 10, "백": 100, "천": 1000}


def spelled_at(text: str, start: int) -> tuple[int, int] | None:
    """Return the number that is spelled from `start` on in another language than English, and where it ends.

    Example:
        >>> spelled_at("zweihundertfünfzig", 0), spelled_at("quatre-vingt-dix-sept pommes", 0), spelled_at("treinta y dos", 0)
        ((250, 18), (97, 21), (32, 13))
    """
    korean = _KOREAN.match(text, start, start + _MOST_CHARACTERS)
    if korean:
        return _korean(korean[0]), korean.end()
    words = _LATIN.match(text, start, start + _MOST_CHARACTERS)
    if words is None:
        return None
    # The longest beginning that is a number: the things that are counted come after it.
    ends = [part.end() for part in re.finditer(r"[^\W\d_]+", words[0])]
    for end in reversed(ends):
        value = _value(_folded(words[0][:end]))
        if value is not None:
            return value, start + end
    return None


def _value(words: str) -> int | None:
    for language, below in _tables().items():
        if words in below:
            return below[words]
        for name in _THOUSAND[language].split("|"):
            before, thousand, after = words.partition(_folded(name))
            if not thousand or (language not in {"de", "it"} and before[-1:].isalpha()):
                continue
            many, rest = below.get(before.strip()), below.get(after.strip().removeprefix("e ").removeprefix("y "))
            if (many or not before) and (rest is not None or not after):
                return (many or 1) * 1000 + (rest or 0)
    return None


@cache
def _tables() -> dict[str, dict[str, int]]:
    """Return the numbers below a thousand by their words, language by language."""
    return {
        language: {_folded(word): number for number in range(1000) for word in _spellings(language, number)}
        | {_folded(word): number for word, number in _ALSO[language].items()}
        for language in _BELOW_TWENTY
    }


def _spellings(language: str, number: int) -> Iterator[str]:
    if number < 100:  # noqa: PLR2004
        yield from _below_hundred(language, number)
        return
    hundred = _HUNDREDS[language].split()[number // 100 - 1]
    rest = number % 100
    if not rest:
        yield hundred
        yield hundred + "s"
        return
    joint = {"de": ("", "und"), "it": ("", " "), "pt": (" e ",)}.get(language, (" ",))
    for below in _below_hundred(language, rest):
        yield from (hundred + between + below for between in joint)


def _below_hundred(language: str, number: int) -> Iterator[str]:
    """Yield how a number below a hundred is spelled: each language joins tens and ones its own way."""
    ones = _BELOW_TWENTY[language].split()
    if number < 20:  # noqa: PLR2004
        yield ones[number]
        return
    tens, one = _TENS[language].split()[number // 10 - 2], number % 10
    if language == "fr" and number // 10 in (7, 9):  # sixty-ten, four-twenty-ten
        one += 10
    if not one:
        yield tens
    elif language == "de":
        yield f"{ones[one]}und{tens}"
    elif language == "fr":
        yield f"{tens} {ones[one]}"
        if one in (1, 11):
            yield f"{tens} et {ones[one]}"
    elif language == "es":
        yield f"{tens} y {ones[one]}"
        if number < 30:  # noqa: PLR2004
            yield "veinti" + ones[one]
    elif language == "pt":
        yield f"{tens} e {ones[one]}"
    elif language == "it":
        yield (tens[:-1] if one in (1, 8) else tens) + ones[one]
    else:
        yield f"{tens} {ones[one]}"


def _folded(words: str) -> str:
    """Return words without accents, hyphens and capitals: models write them with and without."""
    bare = unicodedata.normalize("NFD", words.casefold().replace("-", " ")).replace("ß", "ss")
    return re.sub("[\u0300-\u036f]", "", bare)


def _korean(text: str) -> int:
    total = group = digit = 0
    for sign in text:
        if sign in _KOREAN_DIGITS:
            digit = _KOREAN_DIGITS[sign]
        elif sign in _KOREAN_UNITS:
            group, digit = group + (digit or 1) * _KOREAN_UNITS[sign], 0
        else:
            total, group, digit = (group + digit or 1) * 10**4, 0, 0
    return total + group + digit
