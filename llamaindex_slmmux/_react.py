"""A ReAct agent's turn: a text that calls a tool, or gives the answer, after a thought that is like no other."""

from typing import Any

__all__ = ["react_step"]

_LONGEST = 50_000  # characters of a turn: the parser's patterns go over a text again and again


def react_step(text: str) -> tuple[str, list[dict[str, Any]]]:
    r"""Return what a turn says and the tool it calls; any other text as it is.

    Read by LlamaIndex's own parser, so that what is voted on is what the agent would do.

    Example:
        >>> react_step('Thought: add.\nAction: add\nAction Input: {"a": 1}')[1]
        [{'name': 'add', 'args': {'a': 1}}]
        >>> react_step("Thought: I know. \nAnswer: Oslo"), react_step("Oslo")
        (('Oslo', []), ('Oslo', []))
    """
    acts, concludes = "Action Input:" in text, "Thought:" in text and "Answer:" in text
    if not (acts or concludes) or len(text) > _LONGEST:
        return text, []
    # Imported here: it brings all of LlamaIndex's agents with it.
    from llama_index.core.agent.react.output_parser import ReActOutputParser  # noqa: PLC0415
    from llama_index.core.agent.react.types import ActionReasoningStep, ResponseReasoningStep  # noqa: PLC0415

    try:
        step = ReActOutputParser().parse(text)
    except ValueError:
        return text, []
    if isinstance(step, ActionReasoningStep):
        return text, [{"name": step.action, "args": step.action_input}]
    return (step.response if isinstance(step, ResponseReasoningStep) else text), []
