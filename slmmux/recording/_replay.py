"""The live race fed from a recording: every recorded question decided as the mux would have, without a call.

Nothing here reads `gold`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from slmmux._decision.groups import Group, classes, neighbourhoods
from slmmux._decision.race import Plan, Race, Wait, check_samples
from slmmux._decision.rules import RuleLike, rule_at
from slmmux._decision.types import Answer, Decision, Draw
from slmmux._errors import ArgumentError, NoAnswerError
from slmmux.recording._recording import Recording
from slmmux.recording._row import RECORDED, Row, answer_of, as_recorded

__all__ = ["group_of", "planned_samples", "read_answers", "replay"]

_GROUPS: dict[str, Group] = {"math": classes, "embedding": neighbourhoods}  # by how the samples were compared


def replay(
    recording: Recording,
    models: Sequence[str],
    samples: int | Mapping[str, int] | None = None,
    *,
    plan: Plan = "parallel",
    wait: Wait = "settled",
    same: Callable[[Any, Any], bool] | None = None,
    rule: RuleLike = "self-consistency",
) -> dict[str, Decision[Row | None]]:
    """Decide every recorded question as the live mux would have, without a call.

    Args:
        recording: Where the samples are.
        models: The members by rank, best first.
        samples: k, or k by label: the first k by `sample_index`, those missing counting as failed. `None`: as many
            as were recorded of the member for any question.
        plan: As for `Race`.
        wait: As for `Race`; "exhausted" gives the exact confidence.
        same: Whether two answers are equal. Without it they are compared as recorded: by their keys, by the verdicts
            kept with them, or else as they stand. Where it is not transitive an answer joins the first class, in index
            order, whose first answer it equals.
        rule: "self-consistency" (Algorithm 1), "pooled" (one vote of all samples), or one that was learned; a rule by
            question reads the recorded questions. With `same`, answers of different members are one where the first of
            their classes are equal as recorded.

    Returns:
        The decision by question id. Where every sample failed its answer and reply are `None` and its confidence is 0.

    Raises:
        ArgumentError: No or unknown or repeated models, or a k that was not recorded.

    Example:
        >>> rows = [Row(question_id="q1", model=m, sample_index=0, answer=a) for m, a in (("qwen", "4"), ("phi", None))]
        >>> replay(Recording.of(rows), models=["phi", "qwen"])["q1"].winner.model
        'qwen'
    """
    planned = planned_samples(recording, models, samples)
    group = None if same else group_of(recording)
    return {
        question: _replay_one(by_model, planned, plan, wait, same, group, rule)
        for question, by_model in recording.by_question.items()
    }


def _replay_one(  # noqa: PLR0917 - replay's own arguments
    by_model: Mapping[str, Sequence[Row]],
    planned: Mapping[str, int],
    plan: Plan,
    wait: Wait,
    same: Callable[[Any, Any], bool] | None,
    group: Group | None,
    rule: RuleLike,
) -> Decision[Row | None]:
    taken = {model: by_model.get(model, ())[:k] for model, k in planned.items()}
    answers = {
        (row.model, row.sample_index): answer for rows in taken.values() for row, answer in read_answers(rows, same)
    }
    rows = {Draw(model, i): row for model, recorded in taken.items() for i, row in enumerate(recorded)}
    race = Race[Row | None](
        planned,
        lambda row: answers.get((row.model, row.sample_index)) if row else None,
        plan=plan,
        wait=wait,
        group=group,
        rule=rule_at(rule, planned, lambda: _question(taken)),
    )
    try:
        while (decision := race.decision) is None:
            for draw in race.ask():
                if (row := rows.get(draw)) is None:
                    race.fail(draw, LookupError("not recorded"))
                elif row.error is not None:
                    race.fail(draw, RuntimeError(row.error))
                elif group is None:
                    race.tell(draw, row)
                else:
                    race.tell(draw, row, (race.read(row), _alike(row, race, rows)))
    except NoAnswerError:
        return race.without_reply  # a table of questions must not end at the one that every call failed on
    return decision


def _question(taken: Mapping[str, Sequence[Row]]) -> str:
    return next((row.question for rows in taken.values() for row in rows if row.question is not None), "")


def group_of(recording: Recording) -> Group | None:
    """Return how a member's answers are grouped where their equality was no key; `None` where it was one."""
    return _GROUPS.get(recording.settings.get("agreement", ""))


def _alike(row: Row, race: Race[Row | None], rows: Mapping[Draw, Row]) -> dict[int, float]:
    """Return which of the samples told before agree; a verdict was kept with whichever of the two came in later."""
    answer, alike = race.read(row), {}
    for index, other in race.answers(row.model).items():
        kept = (row.alike or {}).get(index) or (rows[Draw(row.model, index)].alike or {}).get(row.sample_index)
        if how := 1.0 if other == answer else kept:
            alike[index] = how
    return alike if answer else {}


def read_answers(rows: Sequence[Row], same: Callable[[Any, Any], bool] | None) -> Iterator[tuple[Row, Answer]]:
    """Give each answer of one member, in index order; with `same`, under the key of its class."""
    named: dict[str, str] = {}  # an answer as recorded: its class, named by the class's first answer
    firsts: dict[str, Any] = {}
    for row in rows:
        answer = answer_of(row)
        if answer is not None and same is not None:
            key = as_recorded(row.answer)
            if key not in named:
                named[key] = next((c for c, first in firsts.items() if same(first, row.answer)), key)
                firsts.setdefault(named[key], row.answer)
            answer = Answer(row.answer, RECORDED, named[key])
        if answer is not None:
            yield row, answer


def planned_samples(
    recording: Recording, models: Sequence[str], samples: int | Mapping[str, int] | None
) -> dict[str, int]:
    labels = [models] if isinstance(models, str) else list(models)
    if not labels:
        raise ArgumentError("no models: name at least one model of the recording, best first")
    for i, label in enumerate(labels):
        if label not in recording.models:
            near = get_close_matches(str(label), recording.models, n=1, cutoff=0.5)
            there = f"did you mean {near[0]!r}?" if near else f"recorded are {', '.join(map(repr, recording.models))}"
            raise ArgumentError(f"no model {label!r} in this recording; {there}")
        if label in labels[:i]:
            raise ArgumentError(f"model {label!r} is listed twice; name each member once, best first")
    recorded = {m: max(len(by_model.get(m, ())) for by_model in recording.by_question.values()) for m in labels}
    if isinstance(samples, Mapping):
        if strange := [m for m in samples if m not in recorded]:
            raise ArgumentError(
                f"samples names {strange[0]!r}, which is not among models; leave it out or add it there"
            )
        if silent := [m for m in recorded if m not in samples]:
            raise ArgumentError(f"samples names no k for {silent[0]!r}; give one for each of models")
        planned = {m: samples[m] for m in recorded}
    else:
        planned = recorded if samples is None else dict.fromkeys(recorded, samples)
    check_samples(planned)
    for label, k in planned.items():
        if k > recorded[label]:
            raise ArgumentError(
                f"samples={k} for {label!r}, but only {recorded[label]} were recorded of it; take at most that many"
            )
    return planned
