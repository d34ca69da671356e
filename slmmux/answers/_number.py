r"""The number a reply ends in."""

import re
from fractions import Fraction

from slmmux.answers._json import answer_field
from slmmux.answers._mathematics.boxes import boxes
from slmmux.answers._mathematics.exact import exact_value
from slmmux.answers._mathematics.formula import formula_key
from slmmux.answers._mathematics.latex import undress, untext
from slmmux.answers._mathematics.numeral import Numeral, canonical_text, decimal, last_numeral, numeral_at, numerals
from slmmux.answers._pattern import pattern
from slmmux.answers._replies.reply import reply_of
from slmmux.answers._words.announced import announced
from slmmux.answers._words.courtesy import without_closing
from slmmux.answers._words.languages import COPULA
from slmmux.answers._words.number_words import words_at
from slmmux.answers._words.scripts import plain

__all__ = ["announced_number", "balanced", "number", "number_in", "plain_number"]

# What may stand between an announcement and its number; after anything else ("Answer: first we ...") it is not read.
_LEAD = pattern(
    r"(?:[\s*_`\"'“(\[{:=≈>]|\\approx(?![A-Za-z])"
    r"|(?:that|therefore|thus|then|simply|just|about|around|approximately|roughly|exactly|equal to|equals|now|the"
    r"|number|option|also|etwa|genau|environ|exactement|donc|aproximadamente|exactamente|circa|esattamente|約|约|大约"
    r"|примерно|около)\b)*+",
    re.IGNORECASE,
)
_CLAUSE_ENDS = pattern(
    r"[.?;](?=[\s*_]|$)|!(?!\s*+=)|\n|\(|[。！？；]"
    r"|\b(?:because|since|as|so|which|where|for|per(?! cent\b)|with|when|if|given|after|every|each|not|rather|instead)\b",
    re.IGNORECASE,
)
# An expression goes on, or a variable is attached: 2 + x, 5x, 3\sqrt{2}. A unit of two letters and more may be: 20kg.
_GOES_ON = pattern(
    r"\s*+(?:(?:[-+−*/×÷^=<>≤≥±]|\*\*)\s*+(?:[0-9\\(√$€£]|[A-Za-z]\b)|[-+−×÷=]\s*+$|\\(?!\\))"
    r"|[A-Za-zπ](?![A-Za-z])|\"\s*+[,}\]]|(?i:\s?[ap]\.?\s?m\b|\so['’]clock\b)"
)
_ASIDE = pattern(
    r"\b(?:out of|in|at|on|from|after|over|during|within|or (?:about|approximately|roughly|around))\b|≈|\\approx(?![A-Za-z])"
)
# Two numbers with what makes a range or a ratio of them: between 10 and 12, $20 - $30, 1 : 2, 3 to 5.
_RANGE = pattern(
    r"""
    [\s*_"'(\[:=≈]*+ (?:
        (?: (?: is | are | or ) \ )?+ (?: (?: somewhere | anywhere ) \ )?+
        (?: between | from | zwischen | von | entre | de | от | tra | fra ) \ [$€£]?[0-9][^\s]{0,20}
            (?: \ [A-Za-z%°]{1,12} )? \ (?: and | to | und | bis | et | à | y | a | e | до ) \ [$€£]?[0-9]
      | (?: at\ least | mindestens | au\ moins | al\ menos )\ [$€£]?[0-9][^\s]{0,20} \ (?: and | but | und | et | y ),?\ [^0-9\n]{0,30}[0-9]
      | [0-9][0-9.,]{0,20}+ \ ?[到至から에서]{1,2}\ ?[0-9]
      | [$€£]?[0-9][0-9.,]{0,20}+ (?: \ ?% | \ (?!(?:to|or|bis|oder|ou)\b)[A-Za-z]{1,12} )?+
            (?: \ ?[-–—]\ ?[$€£] | \ ?[~～]\ ? | \ (?: to | or | bis | oder | ou | o | или ) \ [$€£]?+ ) [0-9]
      | [0-9][0-9.,]{0,20}+ \ ?% \ ?[-–—]\ ? [0-9][0-9.,]{0,20}+ \ ?%
      | [$€£]?[0-9][0-9.,]{0,20}+ (?: [-–—] | \ ?:\ ? ) [$€£]?[0-9][0-9.,]*+ (?! \ ?[-+*/×÷^=] )
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Several numbers, of which none is the answer alone: 3, 4, 5; (2, 3); [3, 5]. Not 1,234.
_SEVERAL_NUMBERS = pattern(
    r"""
    [\s*_`"'$]*+ (?:
        (?: [(\[{] | \\\{ ) \s?[-−]?[0-9][0-9./]{0,20}+ (?: (?: ,\s | ,(?![0-9]{3}(?![0-9])) | ;\s? )\s?[-−]?[0-9][0-9./]{0,20}+ )++ \s?\\?[)\]}]
      | [-−]?[$€£]?[0-9](?:[0-9./]|,[0-9]){0,20}+ (?: (?: ,\ (?:and\ |or\ )?+ | ;\ ? | \ (?:and|or|&|und|et|y|o|e|ou|oder)\ | 、 )
            [-−]?[$€£]?[0-9](?:[0-9./]|,[0-9]){0,20}+ )++
    ) [\s*_`"'$.!]*+ \Z
    """,
    re.VERBOSE,
)
# Mathematics that is no number: x > 3, 3x, 8 ± 1. One word would explain it.
_SIGNS_AND_LETTERS = pattern(r"(?=[^\n]*[0-9])(?:\\[A-Za-z]+|(?<![A-Za-z])[A-Za-z](?![A-Za-z])|[^A-Za-z\n])++\Z")
_UNEQUAL = pattern(
    r"[<>≤≥≠±]|\\(?:l|g)(?:t|eq?)(?:slant)?(?![a-z])|\\(?:ne|neq|pm)(?![a-z])|[0-9]\s?[xyznπ](?![A-Za-z])"
)
_RATIO = pattern(r"\bratio\b[^.\n]{0,40}?[0-9]\ ?(?:to|:)\ ?\Z", re.IGNORECASE)
_CITATION = pattern(r"(?<=[\w.%)!?*°])[ ]?(?:\[[0-9]{1,2}\])++(?=[\s.,;]|\Z)")
# Two quantities that make one: 3 hours 20 minutes, 12 apples and 3 pears.
_TWO = pattern(
    r"[\s*_\"'(\[:=≈]*+[$€£]?[0-9][0-9.,]{0,20}+\s[^\W\d_]{2,12}(?:,|\s(?:and|und|et|y|e))?\s[$€£]?[0-9][0-9.,]{0,20}+\s[^\W\d_]{2,12}"
)
_RANGE_ENDS = pattern(
    r"[0-9]\ ?(?:[-–—]\ ?[$€£]|\ :\ ?)\Z|\bbetween\ [$€£]?[0-9][^\s]{0,20}\ and\ [$€£]?\Z"
    # 3 to 4 hours; and one quantity in two units: 1 hour 15 minutes
    r"|(?<![A-Za-z0-9])[$€£]?[0-9][0-9.,]{0,20}+%?\ (?:to|or)\ [$€£]?\Z"
    r"|[0-9]\ ?(?:h|hrs?|hours?|min(?:ute)?s?|days?|weeks?|months?|years?|feet|foot|ft|pounds?|lbs?|dollars?|stunden?|heures?|horas?)"
    r",?\ (?:(?:and|und|et|y|e)\ )?\Z"
    # x = 5 or x = -5; and a bound: more than 5
    r"|(?<![A-Za-z])[A-Za-z]\ ?=\ ?[-−]?[0-9./]{1,20},?\ (?:or|and)\ (?:[A-Za-z]\ ?=\ ?)?\Z"
    r"|(?:[≤≥]|[<>](?=\ )|\b(?:(?:more|less|fewer|greater|larger|smaller|higher|lower)\ than|weniger\ als|mehr\ als|plus\ de|moins\ de|m[áa]s\ de|menos\ de))\ ?[$€£]?\Z",
    re.IGNORECASE,
)
_OUT_OF = pattern(r"(?<=[0-9])\ out\ of\ [0-9][0-9,]{0,20}+(?![.,]?[0-9])", re.IGNORECASE)  # 7 out of 10
# A text that ends here has not come to its result: 3 * (4 +, multiply 4 by, \\boxed{12
_UNFINISHED = pattern(
    r"(?<!\+)(?:[-+−*/×÷=^({\[]|\\(?:times|cdot|div|frac|boxed)|\b(?:plus|minus|times|divided by|multiply [^\n]{1,30} by|equals))\s*\Z"
    r"|\\(?:boxed|frac)\s?\{[^{}\n]{0,100}\Z",
    re.IGNORECASE,
)
_ARITHMETIC = pattern(r"(?=[^\n]*(?:[+*×÷·⋅^]| [-−] ))[0-9][0-9.\s+*/×÷·⋅^()]*(?: [-−] [0-9.\s+*/×÷·⋅^()]+)*")
_STEP = pattern(r"[\s*_#]*+step\ [0-9]{1,3}[*_]*+:[\s*_]*+", re.IGNORECASE)
_SEVERAL = pattern(r"(?:,|\band\b)\s*+[A-Za-z]{1,20}\s?=")
_HOUR = pattern(r"\s?[ap]\.?\s?m\b|\so['’]clock\b", re.IGNORECASE)
_EQUALS = pattern(r"(?<![=<>!+\-*/:])=(?!=)")
_UNKNOWN = pattern(r"(?<![A-Za-z\\])[a-z](?![A-Za-z])\s*+[-+−*/^]")  # x^2 - 49 = 0 says no number yet
_UNIT = pattern(rf"[\s*_`$)\]°]*+(?:(?:[A-Za-z]{{2,30}}\s*+){{0,2}}|{COPULA})[\s*_`$)\].!。]*+")
_AFTER_WORDS = pattern(
    r"[\s*_`\"'”)]*+(?!(?:of|that|which|who|way|more|or|to)\b)(?:[^\W\d_]{1,30}\s*+){0,3}[\s*_`\"'”).!。]*+\Z"
)
_UNIT_OF_WORDS = pattern(r"[\s*_`\"'”)]*+(?:[^\W\d_]{1,30}\s*+)?[\s*_`\"'”).!。]*+\Z")
_ITEM = pattern(r"^[ \t*_#>-]{0,8}([0-9]{1,3})[.)](?=[*_]{0,3}[ \t]++\S)", re.MULTILINE)
# What a bracket in a sentence says only explains: 12 eggs (16 - 4). One number alone, or an operand, is more than that.
_EXPLAINS = pattern(
    r"(?<=[^\s=+\-*/×÷^(])(?<!\\times)(?<!\\cdot)(?:\*{1,2})? \((?!(?:[-+$€£]?[0-9./%]++,? ?)++\))[^()\\\n]{1,200}\)(?! ?[/*^=])"
)
_LONGEST_END = 150  # characters of a line that tell whether it is finished
_BEFORE = " \t\r\n*_`\"'“($"  # not [42], which is JSON, and not .5
_AFTER = " \t\r\n*_`\"'”)°$.!。"


def number(text: str) -> str | None:
    r"""Return the number a reply ends in, in canonical form.

    The last announced one (`####`, "the answer is", "Answer:", a box), else the last one of the text. Numbers that
    number a list, names (x2, GPT-4, m^2), dates, times, ranges and ratios are none, nor is what a bracket only
    explains. A number in words counts where it is announced, or is the whole reply.

    | written | read | because |
    |---|---|---|
    | `#### 1,234` | 1234 | commas between groups of three |
    | `42`, `42.0`, `042`, `４２`, `٤٢` | 42 | one number |
    | `$1,200.50` | 1200.5 | currency and final zeros say nothing |
    | `18 dollars`, `20kg` | 18, 20 | units are dropped |
    | `3/4`, `\frac{3}{4}`, `¾` | 0.75 | exact; `1/3` stays 1/3, as no decimal is |
    | `2 1/4` | 2.25 | a mixed number |
    | `50%`, `50 percent` | 0.5 | percent is part of the value, 50 is another number |
    | `1.5e3`, `1.5 \times 10^3`, `1.5 × 10³`, `2^{10}` | 1500, 1500, 1500, 1024 | |
    | `5 million`, `2.5k`, `$1.5M`, `$3bn`, `5万` | 5000000, 2500, 1500000, 3000000000, 50000 | what multiplies |
    | `-0` | 0 | |
    | `1.234,56`, `1 234,56` | 1234.56 | can be nothing else |
    | `1 234`, `1'234`, `12,34,567` | 1234, 1234, 1234567 | groups as written in France, Switzerland, India |
    | `1,234`, `1.234` | 1234, 1.234 | English reading: both could be the other |
    | `12,5`, `0,125` | 12.5, 0.125 | no group of three: a decimal comma (`auto`, `boxed` and `same` see a list) |
    | `The answer is forty-two.` | 42 | in words |
    | `2\sqrt{3}`, `4\pi`, `x^2`, `±3`, `1,2,3`, `3/0` | None | no single rational number |
    | `10-12`, `$20 - $30`, `between 10 and 12`, `1 : 2` | None | a range or a ratio |
    | more than 300 digits, `1e999999999` | None | a runaway reply, not an answer |

    Returns:
        "1234", "0.5", "-3" or "1/3": no separators, no trailing zeros, no unit, no signed zero; None without one.

    Example:
        >>> number("She has 16 - 3 - 4 = 9 eggs, at $2 each.\n#### 1,234")
        '1234'
        >>> number("The answer is 50%, since 2 of 4 are red.")
        '0.5'
    """
    return number_in(reply_of(text))


def number_in(reply: str) -> str | None:
    """Return the number of a reply that is already one turn without reasoning; see `number`."""
    field = answer_field(reply)
    if field is not None:
        return number_in(field)
    reply = plain(reply)
    for stretch in announced(reply):
        if (
            _RANGE.match(stretch, _skip_lead(stretch, 0))
            or _RANGE.match(stretch)
            or _TWO.match(stretch)
            or _SEVERAL_NUMBERS.match(stretch)
        ):
            return None
        numeral = announced_number(stretch)
        if numeral:
            return canonical_text(numeral)
        value = _worked_out(stretch)
        if value is not None:
            return decimal(value)
        if _is_no_number(stretch.strip("<> ")):
            return None
    if any(True for _ in boxes(reply)):  # what stands in the box is the answer, and it is no number: 9\pi, 7, -7
        return None
    numeral, _ = _all_of(reply)
    if numeral:
        return canonical_text(numeral)
    body = untext(undress(reply))
    words = words_at(body, 0)
    if words and _UNIT_OF_WORDS.match(body, words[1]):
        return decimal(words[0])
    if {"1", "2"} <= set(_ITEM.findall(body)):
        body = _ITEM.sub("", body)
    return _last(_CITATION.sub("", _EXPLAINS.sub("", _OUT_OF.sub("", without_closing(body))))) or _last(body)


def _worked_out(stretch: str) -> Fraction | None:
    """Return the value of an announced sum, product or power of numbers and nothing else: 7 ÷ 10."""
    tidy = untext(undress(stretch)).strip(_BEFORE + _AFTER)
    return exact_value(formula_key(tidy)) if _ARITHMETIC.fullmatch(tidy) else None


def _is_no_number(stretch: str) -> bool:
    """Return whether what is announced is mathematics that no number is: an inequality, a multiple of a variable."""
    tidy = untext(undress(stretch)).strip(_BEFORE + _AFTER)
    return _SIGNS_AND_LETTERS.match(tidy) is not None and _UNEQUAL.search(tidy) is not None


def _last(body: str) -> str | None:
    if _cut_off(body):
        return None
    numeral = last_numeral(body)
    if numeral is None:
        return None
    begin = max(numeral.start - 60, 0)
    ends = any(form.search(body, begin, numeral.start) for form in (_RANGE_ENDS, _RATIO)) or _HOUR.match(
        body, numeral.end
    )
    return None if ends else canonical_text(numeral)


def _cut_off(body: str) -> bool:
    """Return whether a text ends before its result: in the head of a step, or in a bracket: Total = (3 + 4."""
    line = body.rstrip().rsplit("\n", 1)[-1]
    if _STEP.fullmatch(line) or _UNFINISHED.search(line, max(len(line) - _LONGEST_END, 0)):
        return True
    working = line[line.rfind("=") :]
    return working.startswith("=") and working.count("(") > working.count(")")


def announced_number(stretch: str) -> Numeral | None:
    """Return the number right after an announcement, or right of the last equals sign in its clause.

    None where the clause says more than one number: `3 apples and 4 pears`, `2 + x`, `5x`.

    Example:
        >>> announced_number("16 - 7 = 9 eggs, as 3 + 4 = 7").value
        Fraction(9, 1)
    """
    clause = untext(undress(plain(stretch)))
    start = _skip_lead(clause, 0)
    ends = _CLAUSE_ENDS.search(clause, start)
    if ends:
        clause = clause[: ends.start()]
    if _SEVERAL.search(clause) or _RANGE.match(clause):
        return None
    start = _skip_lead(clause, max(start, clause.rfind("=") + 1))
    numeral = numeral_at(clause, start)
    if (numeral is None or _GOES_ON.match(clause, numeral.end)) and "=" in clause:
        first = numeral_at(clause, _skip_lead(clause, 0))  # 5 = 2 + 3
        if first and clause[first.end :].lstrip().startswith("="):
            return first
    if numeral is None:
        words = words_at(clause, start)
        return (
            Numeral(start, words[1], words[0], doubtful=False)
            if words and _AFTER_WORDS.match(clause, words[1])
            else None
        )
    aside = _ASIDE.search(clause, numeral.end)
    clause = clause[: aside.start()] if aside else clause
    return None if _GOES_ON.match(clause, numeral.end) or any(numerals(clause, numeral.end)) else numeral


def plain_number(text: str) -> Numeral | None:
    """Return the number that a reply is, or that its last line ends in after an equals sign.

    Example:
        >>> plain_number("**$42.**").value, plain_number("17 + 25 = 42 apples.").value, plain_number("42 apples")
        (Fraction(42, 1), Fraction(42, 1), None)
    """
    numeral, bare = _all_of(text)
    if numeral or "```" in text:  # x = 5 in a program is not what the program says
        return numeral
    line = bare.rsplit("\n", 1)[-1]
    equals = None
    for equals in _EQUALS.finditer(line):  # noqa: B007  # the last one
        pass
    if equals is None or _SEVERAL.search(line):
        return None
    if line.count("=") == 1 and _UNKNOWN.search(line, 0, equals.start()):
        return None
    if not balanced(line[equals.end() :]):
        return None  # cut off before anything was worked out
    numeral = numeral_at(line, _skip_lead(line, equals.end()))
    return numeral if numeral and _UNIT.fullmatch(line, numeral.end) else None


def balanced(text: str) -> bool:
    """Return whether a text closes as many brackets as it opens, or more.

    Example:
        >>> balanced("3 * (4 + 5)"), balanced("3 * (4")
        (True, False)
    """
    round_and_square = sum(map(text.count, "([")) <= sum(map(text.count, ")]"))  # [0, 1) is an interval
    return round_and_square and text.count("{") <= text.count("}")


def _all_of(text: str) -> tuple[Numeral | None, str]:
    """Return the number that a text is, if it is one, and the text without what stands around one."""
    bare = untext(undress(plain(text))).lstrip(_BEFORE).rstrip(_AFTER)
    numeral = numeral_at(bare, 0)
    return (numeral if numeral and numeral.end == len(bare) else None), bare


def _skip_lead(text: str, start: int) -> int:
    lead = _LEAD.match(text, start)
    return lead.end() if lead else start
