"""The record of a decision: what `response_metadata["slmmux"]` and `raw["slmmux"]` hold, JSON only."""

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from slmmux._decision.types import Decision

__all__ = ["USAGE", "compact", "record"]

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
        lower bound and `decided_by` provisional. `lost` names the members that failed on every sample asked of them.
        `outcome` is "answered" until something is made of the probability (`_asking`).

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
        "lost": [v.model for v in decision.votes if v.failed and v.failed == v.of - v.unused],
        "samples": {"planned": planned, "used": planned - len(decision.unused)},
        "usage": {name: int(usage.get(name, 0)) for name in USAGE},
        "seconds": decision.seconds,
        "plan": plan,
        "extractor": winner.kind or extractor,
        "equality": equality,
    }


_BYTES = 2000  # that a compact record of three members and five samples may take, whatever their replies' length
_SAMPLES = 15
_LENGTHS = (160, 80, 40, 20, 10)  # characters that a long answer is shortened to, tried in this order


def compact(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record whose long answers are shortened, so that it stays small beside the message that carries it.

    A shortened answer ends with its length, and the record then has `"shortened": True`: such an answer is for people
    to look at, and never the whole of what a member said.

    Args:
        record: A whole record.

    Example:
        >>> votes = [{"model": "qwen", "answer": "word " * 900, "answers": [["word " * 900, 5]]}]
        >>> whole = {"answer": "word " * 900, "withheld": None, "escalation": None, "votes": votes}
        >>> whole["samples"] = {"planned": 5}
        >>> compact(whole)["answer"][-18:], len(str(compact(whole))) < 2000
        ('(4,500 characters)', True)
    """
    most = _BYTES * max(1.0, record["samples"]["planned"] / _SAMPLES)
    if _size(record) <= most:
        return dict(record)
    small: dict[str, Any] = {}
    for length in _LENGTHS:
        small = {**deepcopy(dict(record)), "shortened": True, "answer": _short(record["answer"], length)}
        if small["withheld"] is not None:
            small["withheld"]["answer"] = _short(small["withheld"]["answer"], length)
        if small["escalation"] is not None:
            small["escalation"]["error"] = _short(small["escalation"]["error"], 4 * length)
        for vote in small["votes"]:
            vote["answer"] = _short(vote["answer"], length)
            vote["answers"] = [[_short(answer, length), count] for answer, count in vote["answers"]]
        if _size(small) <= most:
            break
    return small


def _size(record: Mapping[str, Any]) -> int:
    return len(json.dumps(record, ensure_ascii=False, default=str).encode("utf-8", "replace"))


def _short(value: Any, length: int) -> Any:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return value if len(text) <= length + 24 else f"{text[:length]}… ({len(text):,} characters)"
