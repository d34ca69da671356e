r"""What a sentence says beyond the question that it repeats: "The capital of Ghana is Accra." says Accra.

Without a model: words are compared by their beginnings, and a sentence that does not fit says itself.
"""

import re
from collections.abc import Iterator
from itertools import islice

from slmmux.answers._mathematics.numeral import numerals
from slmmux.answers._mathematics.units import quantity
from slmmux.answers._pattern import pattern
from slmmux.answers._words.courtesy import without_closing, without_opening
from slmmux.answers._words.number_words import words_at
from slmmux.answers._words.sentences import asking_sentence

__all__ = ["asks_how_many", "framed"]

_LONGEST_QUESTION = 2000  # characters, the last ones
_LONGEST = 300  # characters of a sentence that is looked at
_MOST_WORDS = 12  # of what it says beyond the question
_MOST_SPLITS = 8
_MOST_SENTENCES = 3
_FEW_WORDS = 4
_WORD = pattern(r"[^\W_]+(?:['’.,-][^\W_]+)*")
_EMPTY = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "in",
        "on",
        "at",
        "to",
        "for",
        "by",
        "with",
        "and",
        "or",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "being",
        "it",
        "its",
        "this",
        "that",
        "these",
        "those",
        "there",
        "here",
        "what",
        "which",
        "who",
        "whom",
        "whose",
        "when",
        "where",
        "why",
        "how",
        "do",
        "does",
        "did",
        "can",
        "could",
        "will",
        "would",
        "should",
        "has",
        "have",
        "had",
        "you",
        "your",
        "i",
        "we",
        "my",
        "our",
        "us",
        "me",
        "they",
        "them",
        "their",
        "he",
        "she",
        "his",
        "her",
        "please",
        "tell",
        "give",
        "name",
        "answer",
        "question",
        "called",
        "known",
        "named",
        "as",
        "from",
        "so",
        "then",
        "therefore",
        "thus",
        "hence",
        "exactly",
        "approximately",
        "about",
        "only",
        "also",
        "many",
        "much",
        "s",
        "full",
        "der",
        "die",
        "das",
        "den",
        "dem",
        "des",
        "ein",
        "eine",
        "einer",
        "ist",
        "sind",
        "war",
        "von",
        "in",
        "und",
        "wie",
        "was",
        "wer",
        "wo",
        "welche",
        "welcher",
        "welches",
        "le",
        "la",
        "les",
        "un",
        "une",
        "des",
        "du",
        "de",
        "est",
        "sont",
        "était",
        "et",
        "quel",
        "quelle",
        "quels",
        "quelles",
        "où",
        "qui",
        "que",
        "el",
        "los",
        "las",
        "una",
        "es",
        "son",
        "era",
        "y",
        "cuál",
        "cuáles",
        "qué",
        "quién",
        "dónde",
        "o",
        "os",
        "as",
        "um",
        "uma",
        "é",
        "são",
        "do",
        "da",
        "e",
        "qual",
        "quais",
        "quem",
        "onde",
        "il",
        "lo",
        "gli",
        "è",
        "sono",
        "di",
        "del",
        "della",
        "quale",
        "quali",
        "chi",
        "dove",
    ]
)
_COPULA = pattern(
    r"\s(?:is|are|was|were|equals?|means|=|ist|sind|war|est|sont|était|es|son|era|é|são|è|sono|это|has|have|called|named"
    r"|known\ as|gives?|makes?|yields?|produces?|creates?|becomes?|results\ in|turns\ into|ergibt|—|–)(?=\s)|'s(?=\s)|:(?=\s)",
    re.IGNORECASE,
)
_CJK = pattern(r"[是为為は]|[은는이가](?=\s)")
_CJK_TEXT = pattern(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_CJK_END = pattern(r"(?:です|である|だ|となります|입니다|이다|이에요|예요)?[。.！!\s]*\Z")
_SENTENCE = pattern(r"(?<=[^\W_]{3})[.!](?=\s+[A-Z*\"])|[\n]|(?<=[0-9)%])\.(?=\s+[A-Z*\"])")
_TAKES_BACK = pattern(r"\b(?:however|but|wait|actually|no,|instead|correction|sorry|unless|although)\b", re.IGNORECASE)
_YES_OR_NO = pattern(
    r"(?:is|are|am|was(?!\ (?:ist|sind|war|bedeutet|macht)\b)|were|do|does|did|can|could|will|would|should|has|have|had|must|may)\b",
    re.IGNORECASE,
)
_SAYS_YES_OR_NO = pattern(r"[\s*_\"]*+(yes|no|true|false)\b(?=[\s*_]*(?:[.,!;:—–-]|$))", re.IGNORECASE)
_PRONOUN = pattern(
    r"[\s*_]*+(?:(?:it|that|this|he|she|they|the (?:output|result|answer|value|total|sum|difference|product))(?:['’]s| is| was| are| were| will be| would be| must be| should be)(?: called| named)?"
    r"|(?:es|das|sie|er) (?:ist|war|wäre)|c['’](?:est|était)|(?:esta? )?es|é|è|si tratta di|это)\s+(?:the |an? |der |die |das |la |le |el |il |o |a )?"
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
# Before an answer, and of it nothing: written by Jane Austen, called Accra, the city of Accra.
_LED = pattern(
    r"(?:(?:\w{3,12} )?(?:by|von|par) (?:the (?:[A-Z][a-z]{2,12} )?(?:[a-z]{3,12} ){1,3})?(?=[\"“A-ZÀ-Ý])|(?:also |commonly |often )?(?:called|named|known as|as) |(?:the )?(?:city|town|island|year|planet|gas) of )",
)
_WHEN = pattern(
    r"(?:(?:it|he|she|they)\ )?(?:[a-z]{3,14}\ ){1,2}(?:in|on|during)\ (?=(?:the\ year\ )?[0-9]|[a-z]{3,9}\ [0-9])|(?:(?:it |that )?(?:took place|happened|occurred|was|is|started|began|ended|located|situated|based|found) ){0,2}(?:in the year |in |on |during |im jahr |en |em |nel )",
    re.IGNORECASE,
)
_ASKS_WHEN = pattern(
    r"\b(?:when|year|where|country|city|century|wann|wo|quand|où|cuándo|dónde|quando|onde|dove|когда|где)\b",
    re.IGNORECASE,
)
_ADDS = pattern(
    r",[\"”’']?\ (?:which|who|where|an?|the|and\ its?|and\ it['’]s|in|on|at|with|standing|rising|but|as|known|though|since|because|(?:and\ )?not|rather\ than|nicht|et\ non"
    r"|pas)\ .*|,?\ (?:located|situated|lying)\ .*|;.*",
    re.DOTALL,
)
# An answer in quotes is all of it, whatever is explained behind: "cold" in the context of weather. Of two it is none.
_QUOTED = pattern(r"[\s*_]*+(?:the word )?[\"“](?P<said>[^\"“”\n]{1,60}?)[.,;]?[\"”](?!\s(?:or|and)\b)")
_DATED = pattern(
    r"(?<=[^\W\d_])\ (?:in|between|around|from|during|circa)\ (?:the\ )?[0-9].*",
    re.DOTALL,
)
_SPEAKS_OF_ITSELF = pattern(
    r"[\s*_]*(?:i|we|sorry|as an ai|unfortunately|ich|je|yo|eu|я)\b(?!['’]?(?:d| think| believe)\b)", re.IGNORECASE
)
_NEGATED = pattern(r"\b(?:not|no|never|nicht|kein\w*|pas|não|non|не)\b|n['’]t\b", re.IGNORECASE)
_DATE_AT_END = pattern(r"(?<=[^\W\d_]) (?:in|around|since|circa) (?:the (?:year|early|late|mid) )?[0-9]{3,4}s?\.?\s*\Z")
# A name, and what is said of it by the way: Kampala, which lies on a lake; Cervantes (1547-1616).
_BY_THE_WAY = pattern(
    r"(?P<said>[A-ZÀ-Þ][\w'’.-]{0,30}(?: [\w'’.-]{1,30}){0,4}?)(?:, (?:which|who|where|located|situated|the|an?) [^.!?\n]{3,200}| \([^()\n]{3,100}\))[.!]?"
)
_IN_THE_YEAR = pattern(r"(?<=\bin )(?:the )?year (?=[0-9])", re.IGNORECASE)
_DIGITS = pattern(r"[0-9]+(?:[.,:/-][0-9]+)*")
_ASKS_YEAR = pattern(
    r"\b(?:what|which) year\b|\bwelchem Jahr\b|\bquelle année\b|\b(?:qué año|que ano|che anno)\b", re.IGNORECASE
)
_YEAR = pattern(r"\b[12][0-9]{3}\b(?!\s?(?:BC|AD|CE|[AB]\.))")
_REST_OF_A_QUANTITY = pattern(r"\s?(?:°\s?[CF]\b|[%°]|[^\W\d_]{1,12}\b)")
_AROUND = " \t*_`\"'“”„«».,;:!?()"
# Articles, and verbs that join what was asked to its answer.
_LEADING = frozenset(
    [
        "the",
        "a",
        "an",
        "is",
        "are",
        "was",
        "were",
        "der",
        "die",
        "das",
        "ist",
        "le",
        "la",
        "les",
        "est",
        "el",
        "los",
        "las",
        "es",
        "o",
        "os",
        "é",
        "il",
        "lo",
        "è",
    ]
)


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
        >>> question = "What is the capital of Ghana?"
        >>> framed("Ghana's capital is Accra.", question), framed("Accra is the capital city of Ghana.", question)
        ('Accra', 'Accra')
        >>> framed("I do not know.", question)
    """
    question = question[-_LONGEST_QUESTION:]
    if not question.strip():
        return None
    text = without_opening(without_closing(text)).strip()
    if _YES_OR_NO.match(asking_sentence(question)):
        yes_or_no = _SAYS_YES_OR_NO.match(text)
        return yes_or_no[1] if yes_or_no else None
    if _SPEAKS_OF_ITSELF.match(text):
        return None
    if _ASKS_YEAR.search(question) and (year := _only_year(text)):
        return year
    wants_place = _ASKS_WHEN.search(question) is not None
    if wants_place and len(text) < _LONGEST and not _SENTENCE.search(text) and _WHEN.match(text):
        return _placed(text)
    end = 0
    for sentence in _SENTENCE.split(text[: 2 * _LONGEST], maxsplit=_MOST_SENTENCES)[:_MOST_SENTENCES]:
        end += len(sentence)
        if len(sentence) > _LONGEST or sentence.rstrip(_AROUND.replace("?", "")).endswith("?"):  # it asks
            return None
        addition = _framed_sentence(sentence, question)
        if addition is not None and not wants_place:
            addition = _DATED.sub("", addition) or addition
        if addition is not None:
            # A sentence later on can take it back.
            return None if _TAKES_BACK.search(text, end) else _placed(addition) if wants_place else addition
    return None


def _placed(addition: str) -> str | None:
    """Return a time or a place without what leads to one: in 1969, located in France."""
    lead = _WHEN.match(addition)
    bare = addition[lead.end() :].strip(_AROUND) if lead else addition
    return bare if bare and (not lead or len(bare.split()) <= _FEW_WORDS) else None


def _framed_sentence(sentence: str, question: str) -> str | None:
    """Return what one sentence says beyond the question."""
    if _CJK_TEXT.search(sentence):
        return _framed_without_blanks(sentence, question)
    sentence = _IN_THE_YEAR.sub("", sentence)
    pronoun = _PRONOUN.fullmatch(_ADDS.sub("", sentence))
    if pronoun:
        return _without_lead(pronoun["said"])
    by_the_way = _BY_THE_WAY.fullmatch(sentence.strip())
    if by_the_way and not _COPULA.search(f" {by_the_way['said']} "):
        name = by_the_way["said"]
        if not {_stem(word) for word in _words(name)} & ({_stem(word) for word in _words(question)} - {""}):
            return name
    # What is not the answer is said as the answer is: Nairobi is not the capital of Kenya.
    denies = _NEGATED.search(_ADDS.sub("", sentence)) is not None and not _NEGATED.search(question)
    question_stems = {_stem(word) for word in _words(question)} - {""}
    if not _ASKS_WHEN.search(question) and not _DIGITS.search(question):
        sentence = _DATE_AT_END.sub("", sentence)
    how_many = asks_how_many(question)
    if how_many and (number := _only_number(sentence)):
        return number
    for first, second, equals in _splits(sentence):
        ways = [(first, second)] if equals else [(first, second), (second, first)]
        for frame, addition in ways:
            # One of the question's own numbers is chosen: 77 is the largest of them. It would be taken for its frame.
            bare = addition.strip(_AROUND)
            if _DIGITS.fullmatch(bare) and not _DIGITS.search(frame) and _repeats(frame, question_stems):
                return bare
        for frame, addition in ways:
            if (
                _repeats(frame, question_stems)
                and not (denies and _NEGATED.search(frame))
                and (answer := _beyond(addition, question_stems))
                and (not how_many or _counts(answer))
            ):
                return answer
    answer = None if denies else _residue(sentence, question_stems)
    return answer if answer and (not how_many or _counts(answer)) else None


def _counts(addition: str) -> bool:
    """Return whether a text begins with a number, in digits or in words."""
    return addition[:1].isdigit() or addition[:1] in "-−$€£¥\\" or words_at(addition, 0) is not None


def _only_number(sentence: str) -> str | None:
    """Return the number of a short sentence that has one: what else should answer how many?"""
    if len(sentence) > _LONGEST // 2 or _NEGATED.search(sentence) or "=" in sentence:
        return None
    numbers = list(islice(numerals(sentence), 2))
    if len(numbers) != 1 or len(_DIGITS.findall(sentence)) > 1:
        return None
    digits = sentence[numbers[0].start : numbers[0].end]
    rest = _REST_OF_A_QUANTITY.match(sentence, numbers[0].end)
    return digits + rest[0] if rest and quantity(digits + rest[0]) else digits


def _only_year(text: str) -> str | None:
    """Return the year of a short text that has no other number."""
    if len(text) > _LONGEST // 2 or _NEGATED.search(text):
        return None
    numbers = _DIGITS.findall(text)
    return numbers[0] if len(numbers) == 1 and _YEAR.search(text) else None


def _framed_without_blanks(sentence: str, question: str) -> str | None:
    statement = _CJK_END.sub("", sentence)
    for split in islice(_CJK.finditer(statement), _MOST_SPLITS):
        first, second = (
            part.strip(_AROUND + "，、「」。") for part in (statement[: split.start()], statement[split.end() :])
        )
        for frame, addition in ((first, second), (second, first)):
            if len(frame) > 1 and frame in question:
                return addition or None
    bare = statement.strip(_AROUND + "，、「」。").removeprefix("是")
    return bare if bare and statement != sentence and not _CJK.search(bare) else None


def _splits(sentence: str) -> Iterator[tuple[str, str, bool]]:
    """Yield (what stands before, what stands after, whether it is an equation) for each verb that can join them."""
    splits = list(islice(_COPULA.finditer(sentence), _MOST_SPLITS))
    for split in sorted(splits, key=lambda verb: verb[0] in {"'s", "’s", ":"}):  # Ghana's capital *is* Accra
        yield sentence[: split.start()], sentence[split.end() :], "=" in split[0]


def _repeats(frame: str, question_stems: set[str]) -> bool:
    """Return whether a part of a sentence says again what was asked: most of its words, and at least one."""
    words = [_stem(word) for word in _words(frame)]
    words = [word for word in words if word]
    again = sum(word in question_stems for word in words)
    return again > 0 and 2 * again >= len(words)


def _beyond(addition: str, question_stems: set[str]) -> str | None:
    """Return a part of a sentence without articles and the question's words around it; None where such are inside."""
    quoted = _QUOTED.match(addition)
    if quoted:
        addition = quoted["said"]
    addition = _without_lead(_ADDS.sub("", addition).lstrip(_AROUND))
    words = list(_WORD.finditer(addition))
    while words and (words[0][0].lower() in _LEADING or _stem(words[0][0]) in question_stems):
        words.pop(0)
    while words and (_stem(words[-1][0]) in question_stems or (len(words) > 1 and not _stem(words[-1][0]))):
        words.pop()
    if not words or len(words) > _MOST_WORDS or not any(_stem(word[0]) for word in words):
        return None
    if any(_stem(word[0]) in question_stems for word in words):
        return None
    start, end = words[0].start(), words[-1].end()
    while start and addition[start - 1] in "-−+$€£¥(\\{":
        start -= 1
    closing = re.match(r"[%°)}\]\\$^0-9{²³]*", addition[end:])
    return addition[start : end + (closing.end() if closing else 0)].strip(' \t*_`"“”.,;:!?')


def _without_lead(addition: str) -> str:
    led = _LED.match(addition)
    return addition[led.end() :] if led else addition


def _residue(sentence: str, question_stems: set[str]) -> str | None:
    """Return the one stretch of a sentence that the question has not, where the rest of it is the question's."""
    words = list(_WORD.finditer(sentence))
    new = [place for place, word in enumerate(words) if (stem := _stem(word[0])) and stem not in question_stems]
    again = sum(_stem(word[0]) in question_stems for word in words)
    if new and words[new[0]][0][:1].isupper() and len(new) > 1:
        # A noun for what was asked about stands before its name: ... wrote the novel Pride and Prejudice.
        new = [
            place
            for place in new
            if place == new[0]
            or place - 1 in new
            or not (words[place][0].islower() and place + 1 < len(words) and words[place + 1][0][:1].isupper())
        ]
    if not new or again < 1 or len(new) > _MOST_WORDS:
        return None
    inside = words[new[0] : new[-1] + 1]
    if any(_stem(word[0]) in question_stems for word in inside) or (
        again < len(new) and len(words) > len(new) + again + 3
    ):
        return None
    return _beyond(
        sentence[inside[0].start() :] if new[-1] == len(words) - 1 else sentence[inside[0].start() : inside[-1].end()],
        question_stems,
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
        if word.endswith(ending) and len(word) >= len(ending) + 3:
            return word.removesuffix(ending)
    return word
