r"""The reading of a reply that nobody said how to read: one fixed order, the same for every reply."""

import re
from collections.abc import Iterator

from slmmux._decision.types import Answer
from slmmux.answers._content import content_of
from slmmux.answers._json import plain_json, undressed_json
from slmmux.answers._mathematics.numeral import Numeral, canonical_text, decimal
from slmmux.answers._mathematics.units import units_asked
from slmmux.answers._number import announced_number, balanced, plain_number
from slmmux.answers._pattern import pattern
from slmmux.answers._replies.reply import reply_of
from slmmux.answers._text import text_key
from slmmux.answers._words.announced import announcements
from slmmux.answers._words.frames import asks_how_many, framed
from slmmux.answers._words.languages import COPULA, decimal_comma
from slmmux.answers._words.letter import announced_letter, plain_letter, says_several
from slmmux.answers._words.number_words import words_at
from slmmux.answers._words.options import Options
from slmmux.answers._words.scripts import plain

__all__ = ["auto", "auto_in"]

# Where what was announced ends and is explained: Lima. It ..., Lima, because ..., Lima (in Peru).
_EXPLAINED = pattern(
    r"(?<=[^\W_]{3})[.;!?](?=\s+[\"'(\[*_]*[A-Z])|(?<=[0-9)%°$}])[.;!?](?=\s+[A-Z])|,?\s(?:because|since|as|which|where|so)\b"
    r"|\s\((?=[a-z])|[。！？；]"
)
_LEAD = pattern(
    r"(?:(?:that|indeed|therefore|thus|simply|clearly|most likely|probably|actually|definitely|either)\b[\s,:]*)*+",
    re.IGNORECASE,
)
# An announcement that speaks of an answer given before: the answer is correct. Where none was given it is one itself.
_SPEAKS_OF_IT = pattern(
    r"(?:(?:in)?correct|right|wrong|verified|confirmed|consistent|valid|reasonable|clear|obvious|simple)\Z",
    re.IGNORECASE,
)
# An announcement of what comes later, or of nothing: the answer is as follows, the answer is not 4, answer: first we add.
_SAYS_NOTHING = pattern(
    r"(?:not|first|let|we|i|you|to|see|here|as|if|when|because|since|this|there|below|above|follows?|given|found|based"
    r"|obtained|calculated|depend\w*|in the (?:following|form)|step|using|by|it)\b(?!['’]?\s*$)|n['’]t\b|\.{3}|…",
    re.IGNORECASE,
)
_MOST_WORDS = 12  # of a text that is announced: a longer one works something out
_UNFINISHED = pattern(r"(?:[-+*/×÷^=(\[{,](?<!\+\+)|\\[a-z]*)\s*\Z")
_COPULA = pattern(rf"{COPULA}[\s。.!]*+\Z")
_AROUND = " \t\r\n*_`\"'“”.,;:!。、"
# What has nothing but mathematics in it: signs of it, and no words.
_FORMULA = pattern(
    r"[\\^_=+*/<>|√π∞≤≥±∓×÷≠∪∩∅²³⁰¹⁴-⁹-]|\b(?:sqrt|sin|cos|tan|log|exp)\(|\A\s*\$.*\$\s*\Z|\A[^\W\d_]\Z|[0-9],"
)
_WORDS = pattern(
    r"(?<!\\)(?<![A-Za-z])(?<!begin\{)(?<!end\{)(?!(?:sqrt|sin|cos|tan|log|exp|gcd|lcm|max|min|mod)\b ?[(0-9a-z_])[^\W\d_]{3,}"
    r"|(?<=[0-9)] )(?:is|are)\b|==|\n|```|[A-Za-z](?:\+\+|#)"
)
_LONGEST_FORMULA = 200


def auto(text: str) -> str | None:
    r"""Return what a reply says, read in a fixed order: the last announcement or box, the whole reply, JSON, the text.

    | reply | read as | answer |
    |---|---|---|
    | `... so \boxed{\frac{1}{2}}` | number | `\frac{1}{2}`, equal to 0.5 |
    | `Answer: 42 apples`, `#### 42`, `42`, `**$42.**`, `6 * 7 = 42`, `\boxed{42}` | number | `42` |
    | `Answer: B. Paris`, `The answer is (b)`, `B`, `(B)`, `B) Paris`, `\boxed{\text{(B)}}` | choice | `B` |
    | `The answer is x+1.`, `\boxed{x+1}`, `$x + 1$` | math | as written |
    | `{"city": "Canberra"}`, alone, fenced, or an object at the end | json | `{"city":"Canberra"}` |
    | `The answer is Canberra.`, `\boxed{\text{Canberra}}` | text | `Canberra` |
    | anything else: `Canberra`, `There are 7 days.`, `I think C` | text | the whole reply |

    The same content is one answer however it is dressed, and the kind is that of the content. A number or a letter
    counts only where it is announced, or is the whole reply: prose is full of both. Stricter than `number` and
    `choice`, which know what they look for. Where the question is known (see `reader`), a sentence that repeats it
    says only what it adds.

    Returns:
        None when nothing is left without the reasoning.

    Example:
        >>> auto("Let me add.\nThe answer is **42** apples."), auto("Canberra.")
        ('42', 'Canberra.')
    """
    answer = auto_in(reply_of(text))
    return None if answer is None else str(answer.value)


def auto_in(reply: str, question: str = "") -> Answer | None:
    """Return the answer of a reply that is already one turn without reasoning; see `auto`."""
    if not reply:
        return None
    structure = plain_json(reply)
    if structure and reply[0] in "[{`":  # what a string inside JSON says is not announced
        return Answer(structure, "json", structure)
    facts = _QuestionFacts(question)
    return (
        next(_announced(reply, facts), None)
        or _plain(reply, facts)
        or (Answer(structure, "json", structure) if structure else None)
        or _sentence(reply, facts)
        or Answer(reply, "text", text_key(reply))
    )


class _QuestionFacts:
    """What of a question tells how a reply to it is read."""

    def __init__(self, question: str) -> None:
        self.options = Options(plain(question))
        # The options are no part of what is asked: a sentence that names one says it.
        self.question = question[: self.options.start] if self.options.letters else question
        self.units = units_asked(question) if question else set()
        self.how_many = bool(question) and asks_how_many(question)


def _announced(reply: str, facts: _QuestionFacts) -> Iterator[Answer]:
    comma = decimal_comma(reply)
    of_itself: list[Answer] = []
    for stretch, boxed in announcements(plain(reply)):
        letter = announced_letter(stretch, sure=True)
        if letter and (not facts.options.letters or letter in facts.options.letters):
            yield Answer(letter, "choice", letter)
        elif structure := undressed_json(stretch):
            yield Answer(stretch if boxed else structure, "json", structure)
        elif boxed:
            yield _content(stretch, facts, boxed=True)
        elif statement := _statement(stretch):
            sized = _content(statement, facts, boxed=False)
            number = None if _is_sized(statement, sized) else _number(announced_number(stretch), comma=comma)
            if number or sized.kind == "number":
                yield number or sized
            elif _SPEAKS_OF_IT.match(statement):
                of_itself.append(sized)
            elif (
                not _SAYS_NOTHING.match(statement)
                and len(statement.split()) <= _MOST_WORDS
                and not says_several(stretch)
            ):
                yield _sentence(statement, facts) or sized
    yield from of_itself[:1]


def _is_sized(text: str, answer: Answer) -> bool:
    """Return whether a number in a writing is not all that it says: 3 cm, or three o'clock."""
    return (answer.kind == "number" and " " in answer.key) or content_of(text).kind == "moment"


def _statement(stretch: str) -> str:
    """Return what of an announced line is the answer."""
    lead = _LEAD.match(stretch)
    statement = _EXPLAINED.split(stretch[lead.end() if lead else 0 :], maxsplit=1)[0]
    statement = _COPULA.sub("", statement).strip(_AROUND)
    return "" if _UNFINISHED.search(statement) or not balanced(statement) else statement


def _plain(reply: str, facts: _QuestionFacts) -> Answer | None:
    """Return the answer that a reply is, where it is nothing else: a number, a letter, a formula, an option's text."""
    content = content_of(reply) if len(reply) <= _LONGEST_FORMULA else None
    structure = undressed_json(reply)
    if structure:
        return Answer(structure, "json", structure)
    if content and content.kind == "number" and content.quantity and content.quantity.unit:  # €5 is not 5
        return _content(reply, facts, boxed=False)
    number = _number(plain_number(reply), comma=False)
    if number:
        return number
    letter = plain_letter(reply)
    if letter and (not facts.options.letters or letter in facts.options.letters):
        return Answer(letter, "choice", letter)
    if content is None:
        return None
    letter = facts.options.letter_of(plain(reply)) if facts.options.letters and "\n" not in reply else None
    if letter:
        return Answer(letter, "choice", letter)
    if content.kind == "number" and content.quantity:  # 120 degrees
        return _content(reply, facts, boxed=False)
    if content.kind == "math" and balanced(reply) and _FORMULA.search(reply) and not _WORDS.search(reply):
        return Answer(reply, "math", content.key)
    return None


def _sentence(text: str, facts: _QuestionFacts) -> Answer | None:
    """Return what a text says beyond the question that it repeats."""
    if facts.how_many:
        words = words_at(text, 0)
        if words and not text[words[1] :].strip(_AROUND):
            number = decimal(words[0])
            return Answer(number, "number", number)
    statement = framed(text, facts.question) if facts.question else None
    return (
        _sentence(statement, facts) or _content(statement, facts, boxed=False)
        if statement and statement != text
        else None
    )


def _content(text: str, facts: _QuestionFacts, *, boxed: bool) -> Answer:
    """Return the answer that a writing is, compared by what it says; what was in a box is shown as written."""
    letter = facts.options.letter_of(text) if facts.options.letters else None
    if letter:
        return Answer(letter, "choice", letter)
    content = content_of(text)
    if content.kind == "number" and content.quantity:
        sized = content.quantity
        key = decimal(sized.value) if (sized.unit, sized.size) in facts.units else content.key
        return Answer(text if boxed else decimal(sized.value), "number", key)
    return Answer(text, "math" if content.kind == "math" else "text", content.key)


def _number(numeral: Numeral | None, *, comma: bool) -> Answer | None:
    if numeral is None or numeral.value is None or (numeral.doubtful and not comma):
        return None
    number = canonical_text(numeral)
    return Answer(number, "number", str(number))
