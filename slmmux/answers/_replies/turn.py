r"""Where a model's turn begins and ends: the marks of chat templates.

Knows templates' marks; where a model goes on without one, with a question of its own making, is `_run_on`'s business.
"""

import re

from slmmux.answers._pattern import pattern

__all__ = ["one_turn"]

# What a template puts in front of a reply, where it came along.
_HEAD = pattern(
    r"""
    (?: \s*+ (?:
        <s> | <bos> | <\|begin_of_text\|> | <[|｜]begin[▁_]of[▁_]sentence[|｜]>
      | (?: <\|im_start\|> | <\|start\|> | <start_of_turn> | <\|turn> | <\|start_header_id\|> | <\|start_of_role\|> )
        (?: assistant | model | AI ) (?: <\|im_sep\|> | <\|end_header_id\|> | <\|end_of_role\|> | \s*\n )?+
      | <[|｜][Aa]ssistant[|｜]> | <\|CHATBOT_TOKEN\|> | \[/INST\] | <(?:response|final|output|result|solution|final[_-](?:answer|response))> | \#\#\#\ (?:Response|Assistant):
      | (?: assistant | Assistant | ASSISTANT | AI ) (?: [ ]*+ : | [ ]*+ (?=\n) )
    ) )*+
    """,
    re.VERBOSE,
)
# What comes after an end of turn is no reply, nor is what follows the head of another turn.
_END = pattern(
    r"""
    <[|｜] (?! end[_▁]of[_▁](?:thought|box|role) | end_header | end_thinking )
        (?: fim_[a-z]{1,9} | (?: assistant | role | message | msg | turn | text | response | sentence | model | hy )_(?: end | eos ) | im_(?:end|start|sep) | separator | e(?:nd|o) [a-z_▁]{0,24} | return | call | stop | start(?:_header_id|_of_role)?
          | user(?:_token)? | human | system(?:_token)? | assistant | chatbot_token ) [|｜]>
  | <end_of_(?:turn|utterance)> | <start_of_turn> | <eos> | <pad> | <EOT> | </assistant> | <turn\|> | <\|turn> | <extra_id_1>
  | \[/?INST\] | \[END\ FINAL\ RESPONSE\] | \[EOS\] | \[\|endofturn\|\] | \[e~\[
  | </(?:response|final|output|result|answer|solution|final[_-](?:answer|response))> (?= \s*+ \Z )
  | </s> (?= \s*+ (?: \Z | <s> | \[INST\] ) )                     # it also ends what is struck out
    """,
    re.VERBOSE | re.IGNORECASE,
)


def one_turn(text: str) -> str:
    r"""Return the first turn of a text, without the marks of its template.

    Example:
        >>> one_turn("<|im_start|>assistant\nLima<|im_end|>\n<|im_start|>user\nAnd Chile?")
        'Lima'
    """
    text = _without_head(text)
    end = _END.search(text)
    return _without_head(text[: end.start()] if end else text)


def _without_head(text: str) -> str:
    head = _HEAD.match(text)
    return text[head.end() :] if head else text
