"""The sentences below an explanation: who speaks and why, what it took, and whether the answer was given at all."""

from collections.abc import Iterator, Mapping
from typing import Any

from slmmux._display.text import LONGEST, cut, line

__all__ = ["sentences", "spoken"]


def spoken(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return model and answer that the members chose, given or withheld; both `None` where no member replied.

    Example:
        >>> spoken({"model": "large", "answer": "5", "outcome": "escalated", "withheld": {"model": "a", "answer": "4"}})
        {'model': 'a', 'answer': '4'}
    """
    withheld = record.get("withheld")
    if isinstance(withheld, Mapping):
        return {"model": withheld.get("model"), "answer": withheld.get("answer")}
    if record.get("outcome") == "escalated":
        return {"model": None, "answer": None}
    return {"model": record.get("model"), "answer": record.get("answer")}


def sentences(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is said of a record, or of a decision's facts under the same names."""
    return tuple(_sentences(record))


def _sentences(record: Mapping[str, Any]) -> Iterator[str]:
    took = _cost(record)
    yield f"{_speech(record)}; {took}" if took else _speech(record)
    if record.get("equality") not in (None, "canonical"):
        by = line(record["equality"])
        yield f"Answers were compared by {by}: those of one vote can be written in different ways."
    escalation = record.get("escalation")
    if isinstance(escalation, Mapping):
        model, usage = line(escalation.get("model")), escalation.get("usage")
        if escalation.get("error") is not None:
            yield f"{model} was asked as well, and failed: {cut(line(escalation['error']), 200)}"
        else:
            spent = f" ({_tokens(usage)} of these)" if isinstance(usage, Mapping) else ""
            yield f"{model} was asked instead{spent}, and said {_quoted(record.get('answer'))}."
    if record.get("outcome") == "abstained":
        yield "The mux abstains: it is not sure enough of this answer to give it."


def _speech(record: Mapping[str, Any]) -> str:
    """Return who speaks, how sure it is, and what decided."""
    members = spoken(record)
    if members["model"] is None:
        return "No member replied"
    model, answer = line(members["model"]), members["answer"]
    own = next((row.get("answer") for row in record["votes"] if row.get("model") == members["model"]), None)
    if record.get("outcome") in ("abstained", "escalated"):
        says = f"{model} would have said {_quoted(answer)}"
    elif line(answer) == line(own):
        says = f"{model} speaks"
    else:  # a rule that weighs all members together can choose an answer that is not the speaker's most frequent
        says = f"{model} speaks for {_quoted(answer)}"
    sure = [f"{name} {record[name]:.2f}" for name in ("confidence", "probability") if record.get(name) is not None]
    rule = record.get("rule")
    ruled = "" if rule in (None, "self-consistency") else f" under the {line(rule)} rule"
    sure.append(f"decided by {line(record.get('decided_by'))}{ruled} ({line(record.get('reason'))})")
    return f"{says}: {', '.join(sure)}"


def _cost(record: Mapping[str, Any]) -> str:
    """Return samples, tokens and seconds, those that are known."""
    took = []
    if isinstance(samples := record.get("samples"), Mapping):
        took.append(f"{line(samples.get('used'))} of {line(samples.get('planned'))} samples")
    if isinstance(usage := record.get("usage"), Mapping):
        took.append(_tokens(usage))
    if (seconds := record.get("seconds")) is not None:
        took.append(f"{seconds:.1f} s")
    return ", ".join(took)


def _tokens(usage: Mapping[str, Any]) -> str:
    return f"{line(usage.get('input_tokens', 0))} + {line(usage.get('output_tokens', 0))} tokens"


def _quoted(answer: Any) -> str:
    return "nothing that was read" if answer is None else f'"{cut(line(answer), LONGEST)}"'
