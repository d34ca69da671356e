r"""What of a reply is read: one turn, without reasoning, up to where it runs on into a question of its own making."""

from slmmux.answers._replies.reasoning import strip_reasoning
from slmmux.answers._replies.run_on import without_run_on

__all__ = ["MOST_CHARACTERS", "reply_of"]

MOST_CHARACTERS = 1 << 20  # of a reply: a longer one is a runaway, and is not read


def reply_of(text: str, question: str = "") -> str:
    r"""Return what of a reply is read, trimmed; nothing of one that is longer than a megabyte.

    Args:
        text: The reply.
        question: What was asked, where that is known.

    Example:
        >>> reply_of("<think>2 + 2?</think>4\n\nQ: And 3 + 3?\nA: 6")
        '4'
    """
    if len(text) > MOST_CHARACTERS:
        return ""
    return without_run_on(strip_reasoning(text), question)
