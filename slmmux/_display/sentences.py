"""The sentences below an explanation: who speaks and why, the cost, and whether the mux abstained or escalated."""

from collections.abc import Iterator, Mapping
from typing import Any

from slmmux._display.text import LONGEST, line, shorten

__all__ = ["advice", "members_choice", "sentences"]


def members_choice(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the members' own model and answer, returned or withheld; both are `None` if no member replied.

    Example:
        >>> withheld = {"model": "a", "answer": "4"}
        >>> members_choice({"model": "large", "answer": "5", "outcome": "escalated", "withheld": withheld})
        {'model': 'a', 'answer': '4'}
    """
    withheld = record.get("withheld")
    if isinstance(withheld, Mapping):
        return {"model": withheld.get("model"), "answer": withheld.get("answer")}
    if record.get("outcome") == "escalated":
        return {"model": None, "answer": None}
    return {"model": record.get("model"), "answer": record.get("answer")}


def sentences(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the sentences for a record, or for a decision's facts under the same names."""
    return tuple(_sentences(record))


def _sentences(record: Mapping[str, Any]) -> Iterator[str]:
    cost = _cost(record)
    yield f"{_speech(record)}; {cost}" if cost else _speech(record)
    if record.get("equality") not in (None, "canonical"):
        by = line(record["equality"])
        yield f"Answers were compared by {by}, so answers of one vote can be worded differently."
    escalation = record.get("escalation")
    if isinstance(escalation, Mapping):
        model, usage = line(escalation.get("model")), escalation.get("usage")
        if escalation.get("error") is not None:
            yield f"{model} was asked as well, and failed: {shorten(line(escalation['error']), 200)}"
        else:
            tokens = f" ({_tokens(usage)} of these)" if isinstance(usage, Mapping) else ""
            yield f"{model} was asked instead{tokens}, and answered {_quoted(record.get('answer'))}."
    if record.get("outcome") == "abstained":
        yield "The mux abstains: the probability of this answer is too low to return it."
    if words := advice(record):
        yield words


def advice(record: Mapping[str, Any]) -> str | None:
    """Return what a low confidence means, in words; `None` if the confidence is not low.

    Example:
        >>> votes = [{"model": "a", "answer": "4", "count": 1, "of": 3, "unused": 0}]
        >>> advice({"model": "a", "confidence": 1 / 3, "votes": votes})
        'No two samples of any model agree: do not rely on this.'
    """
    if record.get("outcome") in ("abstained", "escalated") or record.get("model") is None:
        return None
    votes = record["votes"]
    if all(vote.get("count", 0) <= 1 for vote in votes) and any(_arrived(vote) > 1 for vote in votes):
        return "No two samples of any model agree: do not rely on this."
    return None


def _arrived(vote: Mapping[str, Any]) -> int:
    """Return how many samples of a member arrived; whoever is asked once cannot agree with itself."""
    arrived: int = vote.get("of", 0) - vote.get("unused", 0)
    return arrived


def _speech(record: Mapping[str, Any]) -> str:
    """Return the speaking member, its confidence, and how it won."""
    choice = members_choice(record)
    if choice["model"] is None:
        return "No member replied"
    model, answer = line(choice["model"]), choice["answer"]
    vote = next((row.get("answer") for row in record["votes"] if row.get("model") == choice["model"]), None)
    if record.get("outcome") in ("abstained", "escalated"):
        speech = f"{model} would have answered {_quoted(answer)}"
    elif line(answer) == line(vote):
        speech = f"{model} speaks"
    else:  # a rule that weighs all members together can choose an answer that is not the speaker's most frequent
        speech = f"{model} speaks for {_quoted(answer)}"
    reasons = [f"{name} {record[name]:.2f}" for name in ("confidence", "probability") if record.get(name) is not None]
    rule = record.get("rule")
    by_rule = "" if rule in (None, "self-consistency") else f" under the {line(rule)} rule"
    reasons.append(f"decided by {line(record.get('decided_by'))}{by_rule} ({line(record.get('reason'))})")
    return f"{speech}: {', '.join(reasons)}"


def _cost(record: Mapping[str, Any]) -> str:
    """Return samples, tokens and seconds, as far as the record has them."""
    cost = []
    if isinstance(samples := record.get("samples"), Mapping):
        cost.append(f"{line(samples.get('used'))} of {line(samples.get('planned'))} samples")
    if isinstance(usage := record.get("usage"), Mapping):
        cost.append(_tokens(usage))
        if isinstance(usage.get("cost"), int | float):
            cost.append(f"cost {usage['cost']:.3g}")
    if (seconds := record.get("seconds")) is not None:
        cost.append(f"{seconds:.1f} s")
    return ", ".join(cost)


def _tokens(usage: Mapping[str, Any]) -> str:
    return f"{line(usage.get('input_tokens', 0))} + {line(usage.get('output_tokens', 0))} tokens"


def _quoted(answer: Any) -> str:
    return "nothing that could be read" if answer is None else f'"{shorten(line(answer), LONGEST)}"'
