"""The record of a decision, as `response_metadata["slmmux"]` and `raw["slmmux"]` hold it: plain JSON values."""

import json
from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

from slmmux._decision.types import Decision

__all__ = ["USAGE", "Escalation", "Outcome", "compact", "record"]

USAGE = ("input_tokens", "output_tokens", "total_tokens")

Outcome = Literal["answered", "abstained", "escalated"]


@dataclass(frozen=True, slots=True)
class Escalation:
    """The call of the bigger model, for the record.

    Attributes:
        model: The bigger model's name.
        usage: The tokens of its reply.
        answer: The answer in its reply.
        error: The reason why it did not reply; `None` if it did.
    """

    model: str
    usage: Mapping[str, Any]
    answer: Any = None
    error: str | None = None


def record(
    decision: Decision[Any],
    *,
    plan: str,
    extractor: str,
    usage: Mapping[str, Any],
    equality: str = "canonical",
    rule: str = "self-consistency",
    outcome: Outcome = "answered",
    escalation: Escalation | None = None,
    abandoned_usage: Mapping[str, Any] | None = None,
    calls: int | None = None,
    resting: Collection[str] = (),
    too_long: int = 0,
    confidence_by: str | None = None,
) -> dict[str, Any]:
    """Return a decision as plain JSON values.

    Args:
        decision: The members' decision; its reply is `None` if no member replied.
        plan: The plan of the race.
        extractor: The name of the extractor in use; the record has the one that read the winning answer, if any did.
        usage: The tokens of every reply that arrived, each request counted once.
        equality: How answers were compared.
        rule: The rule that decided among the answers.
        outcome: "answered", or what a threshold on the probability made of the decision.
        escalation: The call of the bigger model, if it was asked.
        abandoned_usage: The tokens of abandoned calls that have ended by now; `None` if none of them has.
        calls: The requests that were sent; `None` if nobody counted them.
        resting: The members that were not asked because their servers seem to be down.
        too_long: The number of replies that were too long to be read.
        confidence_by: The name of the confidence, if it is not self-consistency.

    Returns:
        The record. `model` and `answer` describe what the mux returns; `withheld` has the members' own, if the mux does
        not return those. `probability` is `None` without a learned rule. After an early stop `confidence` is a lower
        bound and `decided_by` is provisional. `lost` names the members that failed on every sample asked of
        them. `retried` counts the calls that were made again after a fault that passes, by member; it is left out if
        there were none. `calls` is left out if it is the sum of the samples used and the abandoned calls. `silent`
        names the members that brought nothing by the deadline although a call of theirs ran for half of it and more;
        it is left out if there were none.

    Example:
        >>> from slmmux import Race
        >>> from slmmux._decision.types import Answer, Draw
        >>> race = Race({"qwen": 1}, read=lambda text: Answer(text, "text", text))
        >>> [race.tell(draw, "yes") for draw in race.ask()]
        [None]
        >>> compact = record(race.decision, plan="parallel", extractor="auto", usage={})
        >>> compact["model"], compact["confidence"], compact["votes"][0]["answers"]
        ('qwen', 1.0, [['yes', 1]])
    """
    winner = decision.winner
    planned = sum(v.of for v in decision.votes)
    if escalation is not None and escalation.error is None:
        model, answer = escalation.model, escalation.answer
    else:
        model, answer = winner.model, winner.answer if outcome == "answered" else None
    late = sum(sample.is_unread for sample in decision.samples)
    is_sum = calls is None or calls == len(decision.samples) + len(decision.abandoned)
    unread = {"unread": {"too_long": too_long, "late": late}} if too_long or late else {}
    return {
        "model": model,
        "answer": answer,
        "confidence": winner.confidence,
        **({} if confidence_by is None else {"confidence_by": confidence_by}),
        "probability": decision.probability,
        "rule": rule,
        "outcome": outcome,
        "withheld": (
            None
            if outcome == "answered" or decision.reply is None
            else {"model": winner.model, "answer": winner.answer}
        ),
        "escalation": (
            None
            if escalation is None
            else {"model": escalation.model, "usage": dict(escalation.usage), "error": escalation.error}
        ),
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
                "answers": [list(pair) for pair in v.answers],
                **({} if v.score is None else {"score": round(v.score, _SCORE_DIGITS)}),
            }
            for v in decision.votes
        ],
        "lost": [v.model for v in decision.votes if v.failed and v.failed == v.of - v.unused],
        **({"silent": list(decision.silent)} if decision.silent else {}),
        "resting": list(resting),
        **unread,
        "samples": {"planned": planned, "used": len(decision.samples)},
        "usage": _counts(usage),
        "abandoned": {
            "calls": len(decision.abandoned),
            "usage": None if abandoned_usage is None else _counts(abandoned_usage),
        },
        **({} if is_sum else {"calls": calls}),
        **({"retried": dict(decision.retried)} if decision.retried else {}),
        "seconds": decision.seconds,
        "plan": plan,
        "extractor": winner.kind or extractor,
        "equality": equality,
        "voted_on": list(winner.fields) if winner.fields else None,
    }


def _counts(usage: Mapping[str, Any]) -> dict[str, Any]:
    cost = {"cost": round(usage["cost"], _DIGITS)} if usage.get("cost") is not None else {}
    return {**{name: int(usage.get(name, 0)) for name in USAGE}, **cost}


_SCORE_DIGITS = 6
_DIGITS = 12  # of a cost after the point: sums of floats end in digits that mean nothing
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
    texts = (record["answer"], *(answer for vote in record["votes"] for answer, _ in vote["answers"]))
    # A text of a megabyte is not written out only to see that it is too long: an event loop waits here.
    is_long = any(isinstance(text, str) and len(text) > most for text in texts)
    if not is_long and _size(record) <= most:
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
