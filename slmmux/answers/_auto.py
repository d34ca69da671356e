r"""The reading of a reply that nobody said how to read: one fixed order, the same for every reply."""

from slmmux._decision.types import Answer
from slmmux.answers._announced import announced
from slmmux.answers._boxed import boxed, boxed_key
from slmmux.answers._choice import announced_letter, plain_letter
from slmmux.answers._json import plain_json
from slmmux.answers._number import announced_number, plain_number
from slmmux.answers._numeral import Numeral, decimal
from slmmux.answers._reply import reply_of
from slmmux.answers._text import text_key

__all__ = ["auto", "read_auto"]


def auto(text: str) -> str | None:
    r"""Return what a reply says, read in a fixed order: a box, a marked number or choice, JSON, the whole text.

    | reply | read as | answer |
    |---|---|---|
    | `... so \boxed{\frac{1}{2}}` | boxed | `\frac{1}{2}` |
    | `Answer: 42 apples`, `#### 42`, `42`, `**$42.**`, `6 * 7 = 42` | number | `42` |
    | `Answer: B. Paris`, `The answer is (b)`, `B`, `(B)`, `B) Paris` | choice | `B` |
    | `{"city": "Canberra"}`, alone, fenced, or an object at the end | json | `{"city":"Canberra"}` |
    | anything else: `Canberra`, `There are 7 days.`, `I think C` | text | the whole reply |

    A number or a letter counts only where it is announced, or is the whole reply: prose is full of both. Stricter
    than `number` and `choice`, which know what they look for.

    Returns:
        None when nothing is left without the reasoning.

    Example:
        >>> auto("Let me add.\nThe answer is **42** apples."), auto("Canberra.")
        ('42', 'Canberra.')
    """
    answer = read_auto(text)
    return None if answer is None else str(answer.value)


def read_auto(text: str) -> Answer | None:
    """Return what a reply says, with the reading that it came from."""
    text = reply_of(text)
    box = boxed(text)
    if box:
        return Answer(box, "boxed", boxed_key(box))
    found = plain_json(text)
    whole = found is not None and text[0] in "[{`"  # what a string inside JSON says is not announced
    marked = None if whole else _marked(text)
    if marked:
        return marked
    if found:
        return Answer(found, "json", found)
    return Answer(text, "text", text_key(text)) if text else None


def _marked(text: str) -> Answer | None:
    """Return the last announced number or letter, else the one that is the whole reply."""
    for stretch in announced(text):
        answer = _number(announced_number(stretch)) or _letter(announced_letter(stretch, sure=True))
        if answer:
            return answer
    return _number(plain_number(text)) or _letter(plain_letter(text))


def _number(found: Numeral | None) -> Answer | None:
    if found is None or found.value is None or found.doubtful:
        return None
    shown = decimal(found.value)
    return Answer(shown, "number", shown)


def _letter(letter: str | None) -> Answer | None:
    return Answer(letter, "choice", letter) if letter else None
