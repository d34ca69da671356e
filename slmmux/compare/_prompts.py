"""The prompts of the methods that let models read each other's replies.

The wording is ours; what each prompt has to contain is the papers'.
"""

from collections.abc import Sequence

__all__ = ["ASPECTS", "aggregate", "debate", "fuse", "pick", "verify"]

ASPECTS = (
    "the final answer is the one that the question asks for",
    "every step follows from the question and from the steps before it",
    "every calculation and every fact is right",
)
"""The aspects that a verifier is asked about, one at a time."""


def aggregate(question: str, replies: Sequence[str]) -> str:
    """Return the prompt of a layer of Mixture-of-Agents: write one better reply from several."""
    return (
        f"Several assistants replied to the question below. Some of the replies may be wrong or incomplete. Judge them "
        f"critically, and write one reply that is better than each of them.\n\n{_listed(replies)}\n\n"
        f"Question: {question}"
    )


def debate(question: str, replies: Sequence[str]) -> str:
    """Return the prompt of a round of debate: consider what the others replied, and answer again."""
    return (
        f"Other assistants answered the question below as follows. Use their replies as additional advice, check your "
        f"own answer against them, and answer the question again.\n\n{_listed(replies)}\n\nQuestion: {question}"
    )


def fuse(question: str, replies: Sequence[str]) -> str:
    """Return the prompt of a judge that writes the answer of a panel."""
    return (
        f"You are the judge of a panel. Say where the replies to the question below agree, where they differ and what "
        f"each of them misses; then write the final answer.\n\n{_listed(replies)}\n\nQuestion: {question}"
    )


def pick(question: str, replies: Sequence[str]) -> str:
    """Return the prompt of a judge that picks one reply by its number."""
    return (
        f"Which of the replies to the question below is best? Reply with its number only.\n\n{_listed(replies)}\n\n"
        f"Question: {question}\n\nThe number of the best reply:"
    )


def verify(question: str, reply: str, aspect: str) -> str:
    """Return the prompt of a verifier of one aspect of one reply."""
    return (
        f"Question: {question}\n\nReply:\n{reply}\n\nCheck one thing about this reply: whether {aspect}. "
        "Reply with True or False only."
    )


def _listed(replies: Sequence[str]) -> str:
    return "\n\n".join(f"Reply {number}:\n{reply}" for number, reply in enumerate(replies, 1))
