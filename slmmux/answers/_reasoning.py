r"""A reply without the blocks in which the model thought aloud."""

import re

from slmmux.answers._pattern import pattern

__all__ = ["strip_reasoning"]

# No white space but blanks inside a tag: the parts kept are joined by a newline, so that cutting makes no new tag.
_TAG = pattern(r"<(/?)(?:think|thinking|thought|reasoning)[ \t]{0,8}>|\[(/?)THINK\]", re.IGNORECASE)
# What comes after an end of turn is no reply. (</s> also ends what is struck out, so it counts only at the very end.)
_END = pattern(r"<\|(?:im_end|endoftext|eot_id|end)\|>|</s>(?=\s*+\Z)|<end_of_turn>|<eos>")


def strip_reasoning(text: str) -> str:
    r"""Return a reply without its reasoning blocks, trimmed.

    | in the reply | what is left |
    |---|---|
    | `<think>a</think> b` | b |
    | `a <think>b` (cut off while thinking) | a |
    | `a</think> b` (the chat template ate the opening tag) | b |
    | `<think>a <think>b</think> c</think> d` | d |

    `<thinking>`, `<thought>`, `<reasoning>` and `[THINK]` count as well. A reply ends where an end-of-turn
    token stands.

    Example:
        >>> strip_reasoning("<think>4? no, 5</think>\nThe answer is 5.")
        'The answer is 5.'
    """
    text = _END.split(text, maxsplit=1)[0]
    kept: list[str] = []
    thinking = False
    end = 0
    for tag in _TAG.finditer(text):
        closes = "/" in (tag[1], tag[2])
        if closes and not thinking:
            kept.clear()  # no opener, or a nested one: all before was reasoning
        elif not closes and not thinking:
            kept.append(text[end : tag.start()])
        thinking = not closes
        end = tag.end()
    if not thinking:
        kept.append(text[end:])
    return "\n".join(kept).strip()
