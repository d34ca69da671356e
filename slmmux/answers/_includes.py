"""Whether a reply plainly says the gold answer: as whole words, and numbers by value."""

import re
import unicodedata
from fractions import Fraction
from itertools import islice
from typing import Any

from slmmux._decision.types import Answer
from slmmux.answers._canonical import canonical
from slmmux.answers._choice import choice_in
from slmmux.answers._gold import right
from slmmux.answers._mathematics.numeral import Numeral, numeral_at, numerals
from slmmux.answers._number import announced_number
from slmmux.answers._pattern import pattern
from slmmux.answers._reader import reader
from slmmux.answers._replies.reply import reply_of
from slmmux.answers._words.announced import announced
from slmmux.answers._words.number_words import words_at
from slmmux.answers._words.options import Options
from slmmux.answers._words.scripts import plain

__all__ = ["includes"]

_WORD = pattern(r"[^\W_]+")
_WITHOUT_BLANKS = pattern(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]")
_ABBREVIATION = pattern(r"(?<!\w)(?:[^\W\d_]\.){2,12}")
_ARTICLES = {"the", "a", "an"}
_LETTER = pattern(r"\W{0,3}[A-Za-z]\W{0,3}")
_DENIES = {
    "not",
    "never",
    "nor",
    "neither",
    "t",
    "isn",
    "wasn",
    "aren",
    "rather",
    "confused",
    "mistaken",
    "unlike",
    "instead",
    "nicht",
    "kein",
    "keine",
    "pas",
    "non",
    "не",
}
_ASSURES = {"doubt", "question", "less", "more", "other"}  # no doubt
_IS = {"is", "was", "isn", "wasn", "are", "ist", "war", "est", "es", "è"}
_UNSURE = pattern(
    r"\b(?:(?:do|does|did|can|could)(?:n['’]t|\snot|not)\s(?:know|say|tell|remember|determine|confirm)|not\s(?:sure|certain)|unsure|no\s(?:idea|way))\b",
    re.IGNORECASE,
)
_SENTENCE = pattern(r"(?<=[^\W_]{3})[.!?]\s|\n")
_BESIDE = 12  # characters beside a number that can withhold it
_DENIED_BEFORE = pattern(r"\b(?:or|oder|ou|not|never|nicht|pas|não)\s[\"“*]{0,2}\Z|n['’]t\s(?:be\s)?\Z", re.IGNORECASE)
_OR_AFTER = pattern(r"[\"”*,]{0,2}\s(?:or|oder|ou)\s[\"“*]{0,2}[-0-9]", re.IGNORECASE)
_NEAR = 3  # words before the gold answer that can deny it
_SHORT = 300  # characters of a reply all of whose numbers count: a longer one works something out
_MOST_NUMBERS = 50


def includes(reply: str, gold: Any, question: str = "", *, answer: Answer | None = None) -> bool:
    """Return whether a reply plainly says the gold answer.

    Its words stand in the reply as whole words, in order, without regard to case, accents, punctuation or an article in
    front; a gold answer that is a number is said by any number of that value, in digits or in words, or by the announced
    one where one is announced; a letter by the choice. What the question itself says counts only where it is the whole
    answer, and an answer that is denied, or offered with another ("Bern or Basel"), is not said.

    Args:
        reply: The whole reply.
        gold: The gold answer, or a list of accepted ones.
        question: What was asked, if that is known.
        answer: The answer that was read in the reply; None reads it by `auto`.

    Example:
        >>> includes("The capital of Ghana is Accra.", "accra"), includes("It is not Accra.", "Accra")
        (True, False)
        >>> includes("A week has seven days.", 7), includes("17 days", "7"), includes("Nile or Amazon", ["Nile", "River Nile"])
        (True, False, False)
    """
    if isinstance(gold, list):
        return any(includes(reply, accepted, question, answer=answer) for accepted in gold if accepted is not None)
    if gold is None:
        return False
    text = reply_of(reply, question)
    if not text:
        return False
    answer = answer or reader("auto", question=question)(text)
    if answer is not None and right(answer, gold, question=question):
        return True
    gold_text = gold if isinstance(gold, str) else canonical(gold)
    if isinstance(gold, (bool, dict)):
        return False
    if _LETTER.fullmatch(gold_text) and gold_text.strip("\n .()[]*").isalpha():
        letter = choice_in(text, question)
        return letter is not None and letter == gold_text.strip("\n .()[]*").upper()
    value = _value(gold_text)
    if value is not None:
        return _says_number(text, value, question)
    options = Options(plain(question))
    if options.letters and (letter := choice_in(text, question)) is not None:
        return letter == options.letter_of(gold_text)
    return _says_words(text, gold_text, question)


def _value(gold_text: str) -> Fraction | None:
    """Return the value of a gold answer that is a number and nothing else."""
    bare = plain(gold_text).strip().strip("$.").replace("\\$", "").strip()
    number = numeral_at(bare, 0)
    return number.value if number and number.end == len(bare) else None


def _says_number(text: str, value: Fraction, question: str) -> bool:
    for stretch in announced(plain(text)):
        number = announced_number(stretch)
        if number is not None:
            return number.value == value
    if any(number.value == value for number in _numbers(plain(question), len(question))):
        return False  # said by the question already
    last, numbers = _last_lines(plain(text), _SHORT), _numbers(plain(text), _SHORT)
    return any(number.value == value and not _withheld(last, number) for number in numbers)


def _withheld(text: str, number: Numeral) -> bool:
    """Return whether a number is denied, or offered with another: not 4, 4 or 5."""
    before, after = text[max(number.start - _BESIDE, 0) : number.start], text[number.end : number.end + _BESIDE]
    return bool(_DENIED_BEFORE.search(before) or _OR_AFTER.match(after))


def _last_lines(text: str, longest: int) -> str:
    """Return a short text, or the end of a long one's last line."""
    return text if len(text) <= longest else text.rstrip().rsplit("\n", 1)[-1][-longest:]


def _numbers(text: str, longest: int) -> list[Numeral]:
    """Return the numbers of a short text, or of a long one's last line, in digits and in words."""
    text = _last_lines(text, longest)
    numbers = list(islice(numerals(text), _MOST_NUMBERS))
    for word in islice(_WORD.finditer(text), 4 * _MOST_NUMBERS):
        spelled = words_at(text, word.start())
        if spelled:
            numbers.append(Numeral(word.start(), spelled[1], spelled[0], doubtful=False))
    return numbers


def _says_words(text: str, gold: str, question: str) -> bool:
    gold_words = _words(gold)
    while len(gold_words) > 1 and gold_words[0] in _ARTICLES:
        gold_words.pop(0)
    if not gold_words:
        return False
    if _WITHOUT_BLANKS.search(gold):
        bare = _folded(gold).strip()
        return bare in _folded(text) and bare not in _folded(question)
    if _places(_words(question), gold_words):
        return False
    words = [word for sentence in _SENTENCE.split(text) if not _UNSURE.search(sentence) for word in _words(sentence)]
    return any(not _denied(words, place, len(gold_words)) for place in _places(words, gold_words))


def _places(words: list[str], gold_words: list[str]) -> list[int]:
    """Return where a row of words stands in another."""
    text_of_words, sought = f" {' '.join(words)} ", f" {' '.join(gold_words)} "
    places: list[int] = []
    at = text_of_words.find(sought)
    while at >= 0:
        places.append(text_of_words.count(" ", 0, at + 1) - 1)
        at = text_of_words.find(sought, at + 1)
        if len(places) >= _MOST_NUMBERS:
            break
    return places


def _denied(words: list[str], place: int, length: int) -> bool:
    before = words[max(place - _NEAR, 0) : place]
    after = words[place + length : place + length + _NEAR]
    denied_after = after[:1] != [] and after[0] in _IS and after[1:2] != [] and after[1] in _DENIES
    denied_after = denied_after and after[2:] not in (["only"], ["just"], ["merely"])
    takes_back = after[:1] == ["no"] and not {*after[1:2]} & _ASSURES  # Accra? No, Kumasi.
    return bool(_DENIES & set(before)) or takes_back or denied_after or before[-1:] == ["or"] or after[:1] == ["or"]


def _words(text: str) -> list[str]:
    return _WORD.findall(_folded(text))


def _folded(text: str) -> str:
    """Return a text without case and accents; apostrophes and hyphens part words as blanks do."""
    text = _ABBREVIATION.sub(lambda short: short[0].replace(".", ""), text[: 1 << 16])
    folded = unicodedata.normalize("NFKD", text).casefold() if not text.isascii() else text.casefold()
    return re.sub(r"[\u0300-\u036f]", "", folded)
