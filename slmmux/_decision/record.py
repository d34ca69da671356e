"""The record of a decision: what `response_metadata["slmmux"]` and `raw["slmmux"]` hold, JSON only."""

from collections.abc import Mapping
from typing import Any

from slmmux._decision.types import Decision

__all__ = ["USAGE", "record"]

USAGE = ("input_tokens", "output_tokens", "total_tokens")


def record(
    decision: Decision[Any],
    *,
    plan: str,
    extractor: str,
    usage: Mapping[str, int],
    equality: str = "canonical",
    rule: str = "self-consistency",
) -> dict[str, Any]:
    """Return a decision as plain JSON values.

    Args:
        decision: What a race decided.
        plan: The plan it ran under.
        extractor: The extractor asked for; where an answer was read, the reading that won stands in its place.
        usage: Tokens of every reply that came back, each request counted once.
        equality: How answers were compared.
        rule: What decided among the answers.

    Returns:
        The record. `probability` is `None` unless a learned rule gave one; under `wait="settled"` `confidence` is a
        lower bound and `decided_by` provisional. `outcome` is "answered" until something
        is made of the probability (`_asking`).

    Example:
        >>> from slmmux import Race
        >>> from slmmux._decision.types import Answer, Draw
        >>> race = Race({"qwen": 1}, read=lambda text: Answer(text, "text", text))
        >>> [race.tell(draw, "yes") for draw in race.ask()]
        [None]
        >>> made = record(race.decision, plan="parallel", extractor="auto", usage={})
        >>> made["model"], made["confidence"], made["votes"][0]["answers"]
        ('qwen', 1.0, [['yes', 1]])
    """
    winner = decision.winner
    planned = sum(v.of for v in decision.votes)
    return {
        "model": winner.model,
        "answer": winner.answer,
        "confidence": winner.confidence,
        "probability": decision.probability,
        "rule": rule,
        "outcome": "answered",
        "withheld": None,
        "escalation": None,
        "decided_by": decision.decided_by,
        "reason": decision.reason,
        "votes": [
            {
                "model": v.model,
                "answer": v.answer,
                "count": v.count,
                "of": v.of,
                "abstained": v.abstained,
                "failed": v.failed,
                "unused": v.unused,
                "answers": [list(each) for each in v.answers],
            }
            for v in decision.votes
        ],
        "samples": {"planned": planned, "used": planned - len(decision.unused)},
        "usage": {name: int(usage.get(name, 0)) for name in USAGE},
        "seconds": decision.seconds,
        "plan": plan,
        "extractor": winner.kind or extractor,
        "equality": equality,
    }
