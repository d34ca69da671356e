r"""A reply without the blocks in which the model thought aloud."""

import re

from slmmux.answers._pattern import pattern
from slmmux.answers._replies.turn import one_turn

__all__ = ["strip_reasoning"]

# No white space but blanks inside a tag: the parts kept are joined by a newline, so that cutting makes no new tag.
_NAME = (
    r"(?:[a-z]{1,9}[:_-]){0,2}(?:think(?:ing)?|thoughts?|reason(?:ing|s)?|analysis|scratch[_-]?pad|reflections?|cot"
    r"|chain[_-]of[_-]thoughts?|monologue|rationale|deliberation|ponder(?:ing)?)(?:[_-](?:process|content|steps?|block|trace))?"
)
# Tags that an answer itself can have: they are left out only where something else is left.
_DRAFT = pattern(
    r"<(?P<closes>/?)(?P<name>plan(?:ning)?|working(?:s|_out)?|steps?|step_by_step|draft|notes?|calculations?)>",
    re.IGNORECASE,
)
_TAG = pattern(
    rf"""
    < (?P<angle> /? ) {_NAME} [\ \t]{{0,8}} >
  | \[ (?P<square> /? ) (?: THINK | REASONING ) \]
  | ◁ (?P<triangle> /? ) think ▷
  | <\| (?P<bar> /? ) (?: think(?:ing)? | thought | reasoning ) \|>
  | (?P<opens> <[|｜]begin[_▁]of[_▁]thought[|｜]> | <\|START_THINKING\|> | <unused94> | <\|inner_prefix\|> | <\|channel>thought\b )
  | (?P<closes> <[|｜]end[_▁]of[_▁]thought[|｜]> | <\|END_THINKING\|> | <unused95> | <\|inner_suffix\|> | <channel\|>
      | <\|begin_of_solution\|> | <\|START_RESPONSE\|> | \[BEGIN\ FINAL\ RESPONSE\] )      # all before it was reasoning
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Harmony's channels, as they are and with their marks decoded away.
_CHANNEL = pattern(r"<\|channel\|>[ ]*+(?P<name>\w++)[^<\n]{0,80}(?:<\|constrain\|>[^<\n]{0,40})?<\|message\|>")
_FINAL = "assistantfinal"
_DECODED = pattern(r"(?:analysis|commentary)(?=[^\W_]|[\"'“*])")
_DECODED_FINAL = pattern(r"\A(?:assistant)?final(?=[A-Z0-9*#\\$])")


def strip_reasoning(text: str) -> str:
    r"""Return a reply without its reasoning blocks, trimmed.

    | in the reply | what is left |
    |---|---|
    | `<think>a</think> b` | b |
    | `a <think>b` (cut off while thinking) | a |
    | `a</think> b` (the chat template ate the opening tag) | b |
    | `<think>a <think>b</think> c</think> d` | d |
    | `<\|channel\|>analysis<\|message\|>a<\|end\|>...<\|channel\|>final<\|message\|>b` | b |

    The tags that other families of models use count as well: `<thinking>`, `<thoughts>`, `<reasoning>`, `<analysis>`,
    `<scratch_pad>`, `<seed:think>`, `[THINK]`, `◁think▷`, `<|begin_of_thought|>` and their kin. A reply ends where an
    end-of-turn token stands.

    Example:
        >>> strip_reasoning("<think>4? no, 5</think>\nThe answer is 5.")
        'The answer is 5.'
    """
    reply = one_turn(_untagged(one_turn(_channel(text))))
    return _decoded(_without_drafts(reply).strip() or reply).strip()


def _channel(text: str) -> str:
    """Return what stands in the last final channel, all of a text without channels; nothing where none is final."""
    start = None
    for channel in _CHANNEL.finditer(text):
        if start is None or channel["name"] == "final":
            start = channel.end() if channel["name"] == "final" else len(text)
    return text if start is None else text[start:]


def _decoded(text: str) -> str:
    """Return the final channel of a text that has lost the channels' marks: analysisWe think.assistantfinalLima."""
    text = text.lstrip()
    if _DECODED.match(text):
        text = text[text.rfind(_FINAL) + len(_FINAL) :] if _FINAL in text else ""
        text = "" if _DECODED.match(text.lstrip()) else text
    return _DECODED_FINAL.sub("", text)


def _without_drafts(text: str) -> str:
    """Return a text without the drafts that it closes; a second opening tag inside one is part of it."""
    parts: list[str] = []
    opener: re.Match[str] | None = None
    end = 0
    for tag in _DRAFT.finditer(text):
        if opener is None:
            opener = None if tag["closes"] else tag
        elif tag["closes"] and tag["name"].lower() == opener["name"].lower():
            parts.append(text[end : opener.start()])
            end, opener = tag.end(), None
    return "".join([*parts, text[end:]])


def _untagged(text: str) -> str:
    parts: list[str] = []
    thinking = False
    end = 0
    for tag in _TAG.finditer(text):
        closes = tag["closes"] or "/" in (tag["angle"], tag["square"], tag["triangle"], tag["bar"])
        if closes and not thinking:
            parts.clear()  # no opener, or a nested one: all before was reasoning
        elif not closes and not thinking:
            parts.append(text[end : tag.start()])
        thinking = not closes
        end = tag.end()
    if not thinking:
        parts.append(text[end:])
    return "\n".join(parts)
