r"""The sentence that asks, at the end of what was said before it."""

from slmmux.answers._pattern import pattern

__all__ = ["asking_sentence"]

_ENDS = pattern(r"[.!?:]\s++|\n\s*+")


def asking_sentence(question: str) -> str:
    """Return the last sentence of a question that ends in a question mark; all of any other question.

    Example:
        >>> asking_sentence("Ann has 3.5 pies. How many are left?"), asking_sentence("Add: 3 and 4")
        ('How many are left?', 'Add: 3 and 4')
    """
    question = question.strip()
    if not question.endswith("?"):
        return question
    start = 0
    for end in _ENDS.finditer(question):
        start = end.end()
    return question[start:]
