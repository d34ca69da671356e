"""What the mux says about itself: what every member can do, and the least of their limits."""

import sys
from collections.abc import Mapping

from llama_index.core.base.llms.types import LLMMetadata, MessageRole

from llamaindex_slmmux._members import Member
from slmmux import MemberError

__all__ = ["metadata_of", "refuse_tools"]


def metadata_of(members: Mapping[str, Member]) -> LLMMetadata:
    """Return what holds for all members.

    Raises:
        MemberError: A FunctionAgent asks, and a member calls no functions.
    """
    of_members = [member.llm.metadata for member in members.values()]
    roles = {metadata.system_role for metadata in of_members}
    outputs = [metadata.num_output for metadata in of_members if metadata.num_output > 0]
    calls_functions = all(member.calls_functions for member in members.values())
    if not calls_functions and _asked_by_a_function_agent():
        refuse_tools(members, "FunctionAgent cannot use this mux")
    return LLMMetadata(
        context_window=min(metadata.context_window for metadata in of_members),
        num_output=min(outputs, default=-1),
        # Of completion-only members alone the mux is one too: prompts and programs choose their form by it.
        is_chat_model=any(metadata.is_chat_model for metadata in of_members),
        is_function_calling_model=calls_functions,
        # A mux of one goes by its member's name, which prices and tokenizers are looked up under.
        model_name=of_members[0].model_name if len(of_members) == 1 else "+".join(members),
        system_role=roles.pop() if len(roles) == 1 else MessageRole.SYSTEM,
    )


def refuse_tools(members: Mapping[str, Member], what: str) -> None:
    """Refuse tools where a member cannot have them.

    Raises:
        MemberError: Names the members.
    """
    without = [f"{label!r} ({type(m.llm).__name__})" for label, m in members.items() if not m.calls_functions]
    if without:
        raise MemberError(
            f"{what}: member {', '.join(without)} calls no functions; leave it out of the mux, use a ReActAgent, "
            "or, where the model can call functions, say so: OpenAILike(..., is_function_calling_model=True)"
        )


def _asked_by_a_function_agent() -> bool:
    """Return whether our caller's caller's caller is a FunctionAgent's step.

    The agent looks at one flag and then refuses in a sentence that names no member, and nothing of ours runs in
    between: the only place to say which member it is, is the answer to its question. Others who ask (AgentWorkflow
    picks a ReActAgent by the same flag) get the flag.
    """
    agents = sys.modules.get("llama_index.core.agent.workflow.function_agent")
    if agents is None:
        return False
    # This function, metadata_of, the property.
    asking = sys._getframe(3).f_locals.get("self")  # noqa: SLF001 - inspect.stack() reads every frame's source
    return isinstance(asking, agents.FunctionAgent)
