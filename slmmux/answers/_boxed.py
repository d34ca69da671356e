r"""The answer in a LaTeX box, as written."""

from slmmux.answers._content import content_of
from slmmux.answers._mathematics.boxes import boxes
from slmmux.answers._replies.reply import reply_of

__all__ = ["boxed", "boxed_in", "boxed_key"]


def boxed(text: str) -> str | None:
    r"""Return what the last well-formed box of a reply holds, as written and trimmed.

    | reply | answer |
    |---|---|
    | `\boxed{\frac{1}{2}}` | `\frac{1}{2}` |
    | `\boxed{4} ... no, \boxed{5}` | `5` |
    | `$\boxed 5$.` | `5` |
    | `\fbox{B}` | `B` |
    | `\boxed{\boxed{7}}` | `7` |
    | `\boxed{4}, so \boxed{\frac{1` (cut off) | `4` |
    | `\boxed{\frac{1` (cut off) | None |
    | `\boxed{}` | None |

    Example:
        >>> boxed(r"So $x = \boxed{ \frac{1}{2} }$.")
        '\\frac{1}{2}'
    """
    return boxed_in(reply_of(text))


def boxed_in(reply: str) -> str | None:
    """Return what the last box holds in a reply that is already one turn without reasoning; see `boxed`."""
    contents = [content for _, content in boxes(reply)]
    return contents[-1] if contents else None


def boxed_key(content: str) -> str:
    r"""Return what a box's content is compared by: its number where it is one, else its words or its LaTeX.

    Example:
        >>> boxed_key("0.50") == boxed_key(r"\frac{1}{2}") == boxed_key(r"50\%")
        True
    """
    return content_of(content).key
