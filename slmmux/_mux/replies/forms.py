r"""Replies in the forms that frameworks' own prompts ask for: read as the framework will read them.

Judges, selectors, rerankers and SQL engines parse a reply their own way. Which form is wanted stands in the prompt, and
goes before any extractor: what counts in `... [RESULT] 4` is the 4, whatever is said before.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from slmmux import answers
from slmmux._decision.types import Answer
from slmmux._mux.replies.decisive import decisive, fields_of
from slmmux.answers._pattern import pattern
from slmmux.answers._replies.reply import reply_of

__all__ = ["form_of"]

Form = Callable[[str], Answer | None]

_VERDICT = pattern(r"\[\[\s*([A-Za-z]|[0-9]{1,3}(?:\.[0-9]{1,3})?)\s*\]\]")
_RESULT = pattern(r"\[RESULT\]\s*+([0-9]{1,3}(?:\.[0-9]{1,3})?)")
# No line break among the signs: a word that is looked for through many blank lines takes quadratic time.
_YES_OR_NO = pattern(r"(?:\A\s*+|[\n:])[ \t\r*_\"'-]*+(YES|NO)\b", re.IGNORECASE)
_ANY_YES_OR_NO = pattern(r"\b(YES|NO)\b")
_SCORE = pattern(
    r"\A[\s*_]*+(?:(?:final\s)?score\s*+[:=]\s*+)?[*_]*+([0-9]{1,3}(?:\.[0-9]{1,3})?)(?:\s?/\s?[0-9]{1,3})?[ \t*_.]*+$",
    re.IGNORECASE | re.MULTILINE,
)
_RELEVANCE = pattern(
    r"^[^\n,:]{0,20}:\s*+([0-9]{1,6})\s*+,[^\n,:]{0,20}:\s*+([0-9]{1,4}(?:\.[0-9]{1,3})?)", re.MULTILINE
)
_NUMBER = pattern(r"[0-9]{1,6}")
_CHOSEN = pattern(r"\bANSWER\s*+:\s*+\W{0,3}([0-9]{1,6}(?:\s*+,\s*+[0-9]{1,6})*+)", re.IGNORECASE)
_GRADE = pattern(r"\bgrade:\s*+[*_]{0,3}(incorrect|correct)\b", re.IGNORECASE)
_ANY_GRADE = pattern(r"\b(INCORRECT|CORRECT)\b")
_Y_OR_N = pattern(r"^[ \t*\"']*+([YN])[ \t\r*\"'.]*+$", re.MULTILINE)
_LABEL = pattern(r"\A[\s*_]*+(?:JSONPath|KEYWORDS)[*_]*+:[\s*_]*+", re.IGNORECASE)
_SQL_ENDS = pattern(r"\bSQLResult\s*:|\bAnswer\s*:|```|;\s*(?:\n\s*\n|\Z)", re.IGNORECASE)
_SQL_FENCE = pattern(r"\A\s*+```(?:\w{1,12})?\s*+")
_SQL_BEGINS = pattern(r"\b(?:WITH|SELECT|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
_STRING = pattern(r"'(?:[^']++|'')*+'|\"[^\"]*+\"", whole=True)
_AROUND_SIGNS = pattern(r" ?([(),=<>*]) ?")
_EXECUTED = pattern(r"<execute>((?:[^<]++|<(?!/execute>))*+)</execute>", whole=True)
_MOST_CHARACTERS = 20_000  # of a prompt, its end
_MOST_RELEVANT = 100


def form_of(prompt: str) -> Form | None:
    """Return how replies to a prompt are read whose form the prompt sets; `None` if it sets none.

    Args:
        prompt: All that was asked, the system prompt included.

    Example:
        >>> form_of("... strictly in this format: '[[A]]' if A is better, '[[B]]' if B is.")("A is terse. [[B]]").value
        'B'
        >>> form_of("What is the capital of Ghana?")
    """
    prompt = prompt[-_MOST_CHARACTERS:]
    form = next((form for asks, form in _FORMS if asks(prompt)), None)
    return None if form is None else lambda text: form(reply_of(text))


def _verdict(reply: str) -> Answer | None:
    verdicts = _VERDICT.findall(reply)
    if not verdicts:
        return None
    letter = verdicts[-1].upper()
    return Answer(letter, "choice" if letter.isalpha() else "number", answers.number(letter) or letter)


def _result(reply: str) -> Answer | None:
    return _number([match[1] for match in _RESULT.finditer(reply)][-1:])


def _score(reply: str) -> Answer | None:
    return _number([match[1] for match in _SCORE.finditer(reply)][:1])


def _number(numerals: list[str]) -> Answer | None:
    number = answers.number(numerals[0]) if numerals else None
    return None if number is None else Answer(number, "number", number)


def _yes_or_no(reply: str) -> Answer | None:
    matches = [*_YES_OR_NO.finditer(reply)] or [*_ANY_YES_OR_NO.finditer(reply)]
    words = {each[1].upper() for each in matches}
    if not words:
        return None
    word = matches[0][1].upper() if matches[0].start() == 0 else matches[-1][1].upper()
    return Answer(word, "text", word.lower())


def _relevance(reply: str) -> Answer | None:
    pairs = _RELEVANCE.findall(reply)[:_MOST_RELEVANT]
    if not pairs:
        return None
    # Which documents, and in what order, is acted on; how relevant each is, is a guess that never agrees.
    documents = [int(number) for number, _ in pairs]
    return Answer(
        "\n".join(f"Doc: {n}, Relevance: {score}" for n, score in pairs), "json", answers.canonical(documents)
    )


def _ranking(reply: str) -> Answer | None:
    """Return the order of the passages: every number in the reply, each once, as the reranker takes them."""
    places = [*dict.fromkeys(int(number) for number in _NUMBER.findall(reply)[:_MOST_RELEVANT])]
    return Answer(" > ".join(f"[{place}]" for place in places), "json", answers.canonical(places)) if places else None


def _chosen(reply: str) -> Answer | None:
    """Return the numbers of the summaries that a tree index is told to go on with."""
    match = _CHOSEN.search(reply)
    numbers = _NUMBER.findall(match[1]) if match else _NUMBER.findall(reply)[:1]
    text = ", ".join(str(int(number)) for number in numbers)
    return Answer(text, "number", text) if numbers else None


def _keywords(reply: str) -> Answer | None:
    label = _LABEL.match(reply)
    listed = reply[label.end() :].split(",") if label else []
    words = sorted({word.strip(" .*_\n").lower() for word in listed} - {""})
    return Answer(", ".join(words), "text", ", ".join(words)) if words else None


def _json_path(reply: str) -> Answer | None:
    path = _LABEL.sub("", reply).strip("` \n").split("\n", 1)[0].strip("` ")
    return Answer(path, "text", path) if path.startswith("$") else None


def _grade(reply: str) -> Answer | None:
    grades = _GRADE.findall(reply)[:1] or _ANY_GRADE.findall(reply)[-1:]
    return Answer(grades[0].upper(), "text", grades[0].lower()) if grades else None


def _y_or_n(reply: str) -> Answer | None:
    letters = _Y_OR_N.findall(reply)
    return Answer(letters[-1], "text", letters[-1].lower()) if letters else None


def _selection(reply: str) -> Answer | None:
    text = answers.json(reply)
    if text is None:
        return None
    value = json.loads(text)
    selections = decisive(value if isinstance(value, list) else [value])
    compared = [_with_number(item) for item in selections]
    return Answer(text, "json", answers.canonical(compared), fields_of(compared))


def _with_number(item: Any) -> Any:
    """Return a selection with its choice as a number: "1" is what the selector takes for 1."""
    choice = item.get("choice") if isinstance(item, dict) else None
    return {**item, "choice": int(choice)} if isinstance(choice, str) and choice.strip().isdecimal() else item


def _sql(reply: str) -> Answer | None:
    begin = reply.find("SQLQuery:")
    source = _SQL_FENCE.sub("", reply[begin + len("SQLQuery:") :] if begin >= 0 else reply)
    first = _SQL_BEGINS.search(source)
    if first is None:
        return None
    source = source[first.start() :]
    end = _SQL_ENDS.search(source)
    source = (source[: end.start()] if end else source).strip().rstrip(";").strip()
    return Answer(source, "code", f"sql:{_without_layout(source)}") if source else None


def _without_layout(source: str) -> str:
    """Return SQL in one line and in small letters, its strings as they are."""
    parts: list[str] = []
    at = 0
    for string in _STRING.finditer(source):
        parts += [_tight(source[at : string.start()]), string[0]]
        at = string.end()
    return "".join([*parts, _tight(source[at:])])


def _tight(source: str) -> str:
    return _AROUND_SIGNS.sub(r"\1", " ".join(f"-{source.lower()}-".split())[1:-1])


def _executed(reply: str) -> Answer | None:
    sources = [match[1].strip("\n") for match in _EXECUTED.finditer(reply)]
    if not sources:  # the turn ends with what it says
        return None
    program = answers.reader("code")("```python\n" + "\n\n".join(sources) + "\n```")
    return program or Answer("\n\n".join(sources), "code", "\n\n".join(sources))


def _asks(*words: str) -> Callable[[str], bool]:
    return lambda prompt: all(word in prompt for word in words)


_FORMS: list[tuple[Callable[[str], bool], Form]] = [
    (lambda prompt: "[[A]]" in prompt or "[[rating]]" in prompt or "[[5]]" in prompt, _verdict),
    (_asks("[RESULT]"), _result),
    (_asks("Doc: ", "Relevance: "), _relevance),
    (_asks("JSON", "choice: ", "reason: "), _selection),
    (_asks("[] > []"), _ranking),
    (_asks("'ANSWER: <number"), _chosen),
    (_asks("'KEYWORDS: <"), _keywords),
    (_asks("'JSONPath: <"), _json_path),
    (_asks("GRADE: CORRECT or INCORRECT"), _grade),
    (_asks('"Y" or "N"'), _y_or_n),
    (_asks("SQLQuery:"), _sql),
    (_asks("<execute>", "</execute>"), _executed),
    (_asks("in a line with only the score"), _score),
    (lambda prompt: bool(re.search(r"\bYES ?(?:/|or) ?NO\b|\b[Aa]nswer (?:- )?YES\b", prompt)), _yes_or_no),
]
