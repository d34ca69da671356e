r"""The answer in a LaTeX box, as written."""

from slmmux.answers._boxes import boxes
from slmmux.answers._latex import math_key
from slmmux.answers._reply import reply_of

__all__ = ["boxed", "boxed_key"]


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
    contents = [content for _, content in boxes(reply_of(text))]
    return contents[-1] if contents else None


def boxed_key(content: str) -> str:
    r"""Return what a box's content is compared by: its number where it is one, else its tidied LaTeX.

    Example:
        >>> boxed_key("0.50") == boxed_key(r"\frac{1}{2}") == boxed_key(r"50\%")
        True
    """
    return math_key(content)
