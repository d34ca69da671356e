# ruff: noqa: RUF001 - words of other languages
r"""What a sentence says beyond the question that it repeats: "The capital of Ghana is Accra." says Accra.

Without a model: words are compared by their beginnings, and a sentence that does not fit says itself.
"""

import re
from collections.abc import Iterator
from itertools import islice

from slmmux.answers._courtesy import without_closing, without_opening
from slmmux.answers._pattern import pattern

__all__ = ["asks_how_many", "framed"]

_LONGEST_QUESTION = 2000  # characters, the last ones
_LONGEST = 300  # characters of a sentence that is looked at
_MOST_WORDS = 12  # of what it says beyond the question
_MOST_SPLITS = 8
_WORD = pattern(r"[^\W_]+(?:['’.,-][^\W_]+)*")
_EMPTY = frozenset(
    "a an the of in on at to for by with and or is are was were be been being it its this that these those there here "
    "what which who whom whose when where why how do does did can could will would should has have had you your i we my "
    "our us me please tell give name answer question called known named as from so then therefore thus hence exactly "
    "approximately about only also many much s full "
    "der die das den dem des ein eine einer ist sind war von in und wie was wer wo welche welcher welches "
    "le la les un une des du de est sont était et quel quelle quels quelles où qui que "
    "el los las una es son era y cuál cuáles qué quién dónde "
    "o os as um uma é são do da e qual quais quem onde "
    "il lo gli è sono di del della quale quali chi dove".split()
)
_COPULA = pattern(
    r"\s(?:is|are|was|were|equals?|means|=|ist|sind|war|est|sont|était|es|son|era|é|são|è|sono|это|has|have|called|named"
    r"|known\ as|—|–)(?=\s)|'s(?=\s)|:(?=\s)",
    re.IGNORECASE,
)
_CJK = pattern(r"[是为為は]|[은는이가](?=\s)")
_CJK_TEXT = pattern(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_CJK_END = pattern(r"(?:です|である|だ|となります|입니다|이다|이에요|예요)?[。.！!\s]*\Z")
_SENTENCE = pattern(r"(?<=[^\W_]{3})[.!](?=\s+[A-Z*\"])|[\n]|(?<=[0-9)%])\.(?=\s+[A-Z*\"])")
_TAKES_BACK = pattern(r"\b(?:however|but|wait|actually|no,|instead|correction|sorry|unless|although)\b", re.IGNORECASE)
_YES_OR_NO = pattern(
    r"(?:is|are|am|was|were|do|does|did|can|could|will|would|should|has|have|had|must|may)\b", re.IGNORECASE
)
_SAYS_YES_OR_NO = pattern(r"[\s*_\"]*+(yes|no|true|false)\b(?=[\s*_]*(?:[.,!;:—–-]|$))", re.IGNORECASE)
_LAST_SENTENCE = pattern(r"[.!?\n:]\s+(?=[^.!?\n]*\?\s*\Z)")
_PRONOUN = pattern(
    r"[\s*_]*+(?:it|that|this|he|she|they)(?:['’]s| is| was| are| were)(?: called| named)?\s+(?:the |an? )?"
    r"(?P<said>(?!not\b|an?\b|the\b)[^\s.!?]+(?:[ ][^\s.!?]+){0,3})[\s*_.!]*+",
    re.IGNORECASE,
)
_HOW_MANY = pattern(
    r"\b(?:how (?:many|much|old|long|far|tall|high|deep|wide|fast|heavy|often|large|big)|what (?:number|percent\w*|fraction"
    r"|sum|total)|(?:find|calculate|compute|what is) (?:the )?(?:sum|number|total|product|value|result|area|volume|average)"
    r"|wie ?viele?|wie (?:alt|lang|hoch|weit)|combien|cu[áa]nt[oa]s?|quant[oaie]s?|сколько)\b|多少|几个?|幾つ|いくつ|何[人個本年]|몇|얼마"
    r"|[0-9)]\s*[-+*/×÷−]\s*[0-9(]",
    re.IGNORECASE,
)
_AROUND = " \t*_`\"'“”„«».,;:!?()"
# Articles, and verbs that join what was asked to its answer.
_LEADING = frozenset("the a an is are was were der die das ist le la les est el los las es o os é il lo è".split())


def asks_how_many(question: str) -> bool:
    """Return whether a question wants a number.

    Example:
        >>> asks_how_many("How many days are in a week?"), asks_how_many("Who wrote Hamlet?")
        (True, False)
    """
    return _HOW_MANY.search(question[-_LONGEST_QUESTION:]) is not None


def framed(text: str, question: str) -> str | None:
    """Return what a reply says beyond the question; None where it does not repeat it.

    Example:
        >>> asked = "What is the capital of Ghana?"
        >>> framed("Ghana's capital is Accra.", asked), framed("Accra is the capital city of Ghana.", asked)
        ('Accra', 'Accra')
        >>> framed("I do not know.", asked)
    """
    question = question[-_LONGEST_QUESTION:]
    if not question.strip():
        return None
    text = without_opening(without_closing(text)).strip()
    yes_or_no = _SAYS_YES_OR_NO.match(text)
    if yes_or_no and _YES_OR_NO.match(_LAST_SENTENCE.split(question.strip())[-1].strip()):
        return yes_or_no[1]
    sentence, *rest = _SENTENCE.split(text[: 2 * _LONGEST], maxsplit=1)
    if len(sentence) > _LONGEST or (rest and _TAKES_BACK.search(text, len(sentence))):
        return None
    if _CJK_TEXT.search(sentence):
        return _framed_without_blanks(sentence, question)
    pronoun = _PRONOUN.fullmatch(sentence)
    if pronoun:
        return pronoun["said"]
    asked = {_stem(word) for word in _words(question)} - {""}
    for one, other in _splits(sentence):
        for frame, said in ((one, other), (other, one)):
            if _repeats(frame, asked) and (answer := _beyond(said, asked)):
                return answer
    return _residue(sentence, asked)


def _framed_without_blanks(sentence: str, question: str) -> str | None:
    for split in islice(_CJK.finditer(sentence), _MOST_SPLITS):
        frame = sentence[: split.start()].strip(_AROUND + "，、「」")
        if len(frame) > 1 and frame in question:
            said = _CJK_END.sub("", sentence[split.end() :]).strip(_AROUND + "，、「」。")
            return said or None
    return None


def _splits(sentence: str) -> Iterator[tuple[str, str]]:
    for split in islice(_COPULA.finditer(sentence), _MOST_SPLITS):
        yield sentence[: split.start()], sentence[split.end() :]


def _repeats(frame: str, asked: set[str]) -> bool:
    """Return whether a part of a sentence says again what was asked: most of its words, and at least one."""
    words = [_stem(word) for word in _words(frame)]
    words = [word for word in words if word]
    again = sum(word in asked for word in words)
    return again > 0 and 2 * again >= len(words)


def _beyond(said: str, asked: set[str]) -> str | None:
    """Return a part of a sentence without articles and the question's words around it; None where such are inside."""
    words = list(_WORD.finditer(said))
    while words and (words[0][0].lower() in _LEADING or _stem(words[0][0]) in asked):
        words.pop(0)
    while words and (_stem(words[-1][0]) in asked or (len(words) > 1 and not _stem(words[-1][0]))):
        words.pop()
    if not words or len(words) > _MOST_WORDS or not any(_stem(word[0]) for word in words):
        return None
    if any(_stem(word[0]) in asked for word in words):
        return None
    start, end = words[0].start(), words[-1].end()
    while start and said[start - 1] in "-−+$€£¥(\\{":
        start -= 1
    closing = re.match(r"[%°)}\]\\$^0-9{²³]*", said[end:])
    return said[start : end + (closing.end() if closing else 0)].strip(' \t*_`"“”.,;:!?')


def _residue(sentence: str, asked: set[str]) -> str | None:
    """Return the one stretch of a sentence that the question has not, where the rest of it is the question's."""
    words = list(_WORD.finditer(sentence))
    new = [place for place, word in enumerate(words) if (stem := _stem(word[0])) and stem not in asked]
    again = sum(_stem(word[0]) in asked for word in words)
    if not new or again < 1 or len(new) > _MOST_WORDS:
        return None
    inside = words[new[0] : new[-1] + 1]
    if any(_stem(word[0]) in asked for word in inside) or (again < len(new) and len(words) > len(new) + again + 3):
        return None
    return _beyond(
        sentence[inside[0].start() :] if new[-1] == len(words) - 1 else sentence[inside[0].start() : inside[-1].end()],
        asked,
    )


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _stem(word: str) -> str:
    """Return what a word is compared by: its beginning, nothing for one that says nothing."""
    word = word.lower().removesuffix("'s").removesuffix("’s")
    if word in _EMPTY:
        return ""
    if word[:1].isdigit():
        return word.replace(",", "")
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) > len(ending) + 3:
            return word.removesuffix(ending)
    return word
