"""The live race fed from a recording: each question is decided as the live mux would decide it, without a call.

Nothing here reads `gold`.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from slmmux._decision.groups import Group, classes, neighbourhoods
from slmmux._decision.price import Price
from slmmux._decision.race import Plan, Race, Wait, check_samples
from slmmux._decision.rules import RuleLike, rule_at
from slmmux._decision.scored import by_scores
from slmmux._decision.types import Answer, Decision, Draw
from slmmux._errors import ArgumentError, NoAnswerError, did_you_mean
from slmmux.recording._prices import prices_of
from slmmux.recording._recording import Recording
from slmmux.recording._row import RECORDED, Row, answer_of, as_recorded

__all__ = [
    "check_recorded",
    "group_of",
    "planned_samples",
    "question_of",
    "read_answers",
    "recorded_confidences",
    "recorded_scores",
    "replay",
    "sample_costs",
]

_GROUPS: dict[str, Group] = {"math": classes, "embedding": neighbourhoods}  # by the recording's agreement


def replay(
    recording: Recording,
    models: Sequence[str],
    samples: int | Mapping[str, int] | None = None,
    *,
    plan: Plan = "parallel",
    wait: Wait = "settled",
    same: Callable[[Any, Any], bool] | None = None,
    rule: RuleLike = "self-consistency",
    confidence: str = "consistency",
) -> dict[str, Decision[Row | None]]:
    """Decide every recorded question as the live mux would, without a call.

    Args:
        recording: The recorded samples.
        models: The members by rank, best first.
        samples: k, or k by label: the first k samples by `sample_index`; missing ones count as failed. `None`: the
            largest number recorded of the member for any question.
        plan: As for `Race`. For "cheapest" a sample costs what the member's samples cost on average, by the recorded
            prices; without prices, their tokens; without tokens, all cost the same.
        wait: As for `Race`; "exhausted" gives the exact confidence.
        same: A function of two answers that returns whether they are equal. Without it, answers are compared by their
            recorded keys or by the pairwise verdicts recorded with them, or else as written. If `same` is not
            transitive, an answer joins the first class, in index order, whose first answer it equals.
        rule: "self-consistency" (Algorithm 1), "pooled" (one vote over all samples), or a learned rule; a rule by
            question reads the recorded questions. With `same`, classes of different members are one answer if their
            first answers are equal as recorded.
        confidence: The name of a recorded confidence by which the members are ranked instead of self-consistency; all
            samples are then waited for.

    Returns:
        The decision by question id. If every sample of a question failed, its answer and reply are `None` and its
        confidence is 0.

    Raises:
        ArgumentError: `models` is empty or names a model that is unknown or repeated, or k is more than was recorded; a
            confidence was not recorded, or does not go with another rule or equality.

    Example:
        >>> rows = [Row(question_id="q1", model=m, sample_index=0, answer=a) for m, a in (("qwen", "4"), ("phi", None))]
        >>> replay(Recording.of(rows), models=["phi", "qwen"])["q1"].winner.model
        'qwen'
    """
    planned = planned_samples(recording, models, samples)
    group = None if same else group_of(recording)
    if confidence != "consistency":
        check_recorded(recording, confidence)
        if rule != "self-consistency" or group is not None:
            raise ArgumentError(
                f"confidence={confidence!r} ranks members by scores, which goes with self-consistency and answers that "
                "have keys; leave out the rule, or the confidence"
            )
        wait = "exhausted"
    costs = sample_costs(recording, planned) if plan == "cheapest" else None
    decisions = {
        question: _replay_one(rows_by_model, planned, plan, wait, same, group, rule, costs)
        for question, rows_by_model in recording.in_bulk(planned)
    }
    if confidence == "consistency":
        return decisions
    return {
        question: by_scores(decision, recorded_scores(decision, confidence)) for question, decision in decisions.items()
    }


def check_recorded(recording: Recording, confidence: str) -> None:
    """Check that a recording has a confidence.

    Raises:
        ArgumentError: No sample has it.
    """
    names = recorded_confidences(recording)
    if confidence not in names:
        others = f"recorded are {', '.join(names)}" if names else "none was recorded"
        raise ArgumentError(
            f"confidence={confidence!r} is in no sample of this recording; {others}; profile with a mux that has "
            f"confidence={confidence!r}"
        )


def recorded_confidences(recording: Recording) -> tuple[str, ...]:
    """Return the names of the confidences that some sample of a recording has, sorted."""
    values = recording.columns.coded("confidences")
    used = {int(code) for code in values.codes.tolist() if code >= 0}
    return tuple(sorted({name for code in used for name in values.values[code]}))


def recorded_scores(decision: Decision[Row | None], confidence: str) -> dict[Draw, float]:
    """Return the recorded scores of a decision's samples."""
    scores = {}
    for sample in decision.samples:
        if sample.reply is not None and (score := (sample.reply.confidences or {}).get(confidence)) is not None:
            scores[sample.draw] = score
    return scores


def _replay_one(  # noqa: PLR0917 - replay's own arguments
    rows_by_model: Mapping[str, Sequence[Row]],
    planned: Mapping[str, int],
    plan: Plan,
    wait: Wait,
    same: Callable[[Any, Any], bool] | None,
    group: Group | None,
    rule: RuleLike,
    costs: Mapping[str, float] | None,
) -> Decision[Row | None]:
    answers = {
        (row.model, row.sample_index): answer
        for rows in rows_by_model.values()
        for row, answer in read_answers(rows, same)
    }
    row_of = {Draw(model, i): row for model, rows in rows_by_model.items() for i, row in enumerate(rows)}
    race = Race[Row | None](
        planned,
        lambda row: answers.get((row.model, row.sample_index)) if row else None,
        plan=plan,
        wait=wait,
        group=group,
        rule=rule_at(rule, planned, lambda: question_of(rows_by_model)),
        costs=costs,
    )
    try:
        while (decision := race.decision) is None:
            for draw in race.ask():
                if (row := row_of.get(draw)) is None:
                    race.fail(draw, LookupError("not recorded"))
                elif row.error is not None:
                    race.fail(draw, RuntimeError(row.error))
                elif group is None:
                    race.tell(draw, row)
                else:
                    race.tell(draw, row, (race.read(row), _alike(row, race, row_of)))
    except NoAnswerError:
        return race.without_reply  # One question on which every call failed must not end the replay of the others.
    return decision


def sample_costs(
    recording: Recording, models: Collection[str], prices: Mapping[str, Price] | None = None
) -> dict[str, float] | None:
    """Return the mean cost of a member's sample, by label; `None` if no tokens were recorded for one of them.

    Args:
        recording: The recorded samples.
        models: The members.
        prices: Their prices; `None` means those that were recorded, and tokens if these do not name every member.
    """
    from slmmux.recording._columns import NONE  # noqa: PLC0415 - numpy is slow to import

    prices = prices_of(recording.settings) if prices is None else prices
    columns = recording.columns
    codes = columns.coded("model").codes
    costs: dict[str, float] = {}
    for number, model in enumerate(columns.coded("model").values):
        if model not in models:
            continue
        inputs, outputs = (columns.numbers(name)[codes == number] for name in ("input_tokens", "output_tokens"))
        if not ((inputs != NONE).any() or (outputs != NONE).any()):
            return None
        tokens = [int(of[of != NONE].sum()) for of in (inputs, outputs)]
        usage: dict[str, Any] = dict(zip(("input_tokens", "output_tokens"), tokens, strict=True))
        costs[model] = (prices[model].cost(usage) if prices.keys() >= {*models} else sum(tokens)) / len(inputs)
    return costs


def question_of(by_model: Mapping[str, Sequence[Row]]) -> str:
    """Return the text of a question, or "" if no sample has it."""
    return next((row.question for rows in by_model.values() for row in rows if row.question), "")


def group_of(recording: Recording) -> Group | None:
    """Return the function that groups a member's answers, if they were compared in pairs; else `None`."""
    return _GROUPS.get(recording.settings.get("agreement", ""))


def _alike(row: Row, race: Race[Row | None], rows: Mapping[Draw, Row]) -> dict[int, float]:
    """Return which of the member's earlier samples agree with this one, and how closely.

    A live run records the verdict on a pair with the sample that arrived later, which may be either of the two.
    """
    answer, alike = race.read(row), {}
    for index, other in race.answers(row.model).items():
        verdict = (row.alike or {}).get(index) or (rows[Draw(row.model, index)].alike or {}).get(row.sample_index)
        if closeness := 1.0 if other == answer else verdict:
            alike[index] = closeness
    return alike if answer else {}


def read_answers(rows: Sequence[Row], same: Callable[[Any, Any], bool] | None) -> Iterator[tuple[Row, Answer]]:
    """Yield each answer of one member, in index order; with `same`, each answer gets the key of its class."""
    class_of: dict[str, str] = {}  # the recorded answer -> its class, class_of by the class's first answer
    firsts: dict[str, Any] = {}
    for row in rows:
        answer = answer_of(row)
        if answer is not None and same is not None:
            key = as_recorded(row.answer)
            if key not in class_of:
                class_of[key] = next((c for c, first in firsts.items() if same(first, row.answer)), key)
                firsts.setdefault(class_of[key], row.answer)
            answer = Answer(row.answer, RECORDED, class_of[key])
        if answer is not None:
            yield row, answer


def planned_samples(
    recording: Recording, models: Sequence[str], samples: int | Mapping[str, int] | None
) -> dict[str, int]:
    """Return k for each of the models, in their order, once both arguments fit the recording."""
    labels = [models] if isinstance(models, str) else list(models)
    if not labels:
        raise ArgumentError("models is empty; name at least one model of the recording, best first")
    for i, label in enumerate(labels):
        if label not in recording.models:
            near = did_you_mean(label, recording.models, cutoff=0.5)
            hint = near or f"its models are {', '.join(map(repr, recording.models))}"
            raise ArgumentError(f"no model {label!r} in this recording; {hint}")
        if label in labels[:i]:
            raise ArgumentError(f"model {label!r} is listed twice; name each member once, best first")
    largest = recording.most_samples(labels)
    if isinstance(samples, Mapping):
        if unknown := [m for m in samples if m not in largest]:
            raise ArgumentError(f"samples has {unknown[0]!r}, which models has not; leave it out, or add it to models")
        if absent := [m for m in largest if m not in samples]:
            raise ArgumentError(f"samples has no k for {absent[0]!r}; write one for each of models")
        planned = {m: samples[m] for m in largest}
    else:
        planned = largest if samples is None else dict.fromkeys(largest, samples)
    check_samples(planned)
    for label, k in planned.items():
        if k > largest[label]:
            raise ArgumentError(
                f"samples={k} for {label!r}, but only {largest[label]} were recorded; write at most {largest[label]}"
            )
    return planned
