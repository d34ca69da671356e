"""The methods: how each makes one answer of several models' replies, and which calls that takes.

| name | what it does | source |
|---|---|---|
| `mux` | the model that agrees most with itself answers | SLM-MUX, arXiv 2510.05077, Algorithm 1 |
| `single` | one model's most frequent answer, for each member | self-consistency, arXiv 2203.11171 |
| `forest` | the most frequent answer of all samples together | Agent Forest, arXiv 2402.05120 |
| `moa` | layers of models rewrite all replies; one writes the last | Mixture-of-Agents, arXiv 2406.04692 |
| `debate` | every model answers again knowing the others' replies; then a vote | LLM-Debate, arXiv 2305.14325 |
| `verify` | models check aspects of one model's answers; most approvals win | MAV, arXiv 2502.20379 |
| `fuse` | a judge reads one reply of each model and writes the answer | a fusion endpoint |
| `best` | a judge picks one of a model's replies by its number | best-of-n |

Whoever writes, judges or generates alone is the first member: write the best one first.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from slmmux._decision.rules import RuleName
from slmmux._decision.types import Answer
from slmmux.compare import _prompts
from slmmux.compare._calls import Calls, Reply
from slmmux.profiling import Question
from slmmux.recording import Recording, Row
from slmmux.recording._arrays import sample_tokens
from slmmux.recording._replay import replay
from slmmux.recording._row import answer_of

__all__ = ["BY_NAME", "Method", "Outcome", "Samples", "single"]

_VERDICT = re.compile(r"\b(?:(true|yes)|(?:false|no))\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")

Replies: TypeAlias = dict[str, list[Reply]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a method answers to one question.

    Attributes:
        text: The reply; empty if there is none.
        answer: The answer read in it.
        stages: The calls it took, stage after stage; those of one stage can run at once.
    """

    text: str
    answer: Answer | None
    stages: tuple[tuple[Row, ...], ...] = field(repr=False)


@dataclass(frozen=True)
class Samples:
    """The samples that all methods start from.

    Attributes:
        calls: Makes further calls.
        recording: Every member's samples of every question.
        rounds: The rounds of a debate, the first answers included.
        layers: The layers of Mixture-of-Agents, the last one, which one model writes, included.
    """

    calls: Calls
    recording: Recording
    rounds: int
    layers: int

    def rows(self, question: Question, model: str) -> tuple[Row, ...]:
        """Return all of a member's samples of a question, failed ones included."""
        return tuple(self.recording.by_question[question.question_id][model])

    def replies(self, question: Question, model: str) -> list[Reply]:
        """Return a member's replies to a question, by the index of the sample."""
        return [Reply(row, answer_of(row)) for row in self.rows(question, model) if row.error is None]

    def firsts(self) -> Replies:
        """Return the first reply of each member, in rank order, by question; its tokens are those it takes alone."""
        return {
            question.question_id: [
                Reply(_alone(reply.row, self.rows(question, model)), reply.answer)
                for model in self.calls.models
                for reply in self.replies(question, model)[:1]
            ]
            for question in self.calls.questions
        }


def _alone(row: Row, rows: Sequence[Row]) -> Row:
    """Return a sample with its own tokens, where one request brought several."""
    if all(each.output_tokens is None for each in rows):
        return row
    inputs, outputs = sample_tokens(rows)[rows.index(row)]
    return replace(row, input_tokens=inputs, output_tokens=round(outputs))


Method: TypeAlias = Callable[[Samples], Mapping[str, Outcome]]


def single(samples: Samples, model: str) -> dict[str, Outcome]:
    """Return one member's most frequent answer to each question."""
    return _by_replay(samples, (model,), "self-consistency")


def _mux(samples: Samples) -> dict[str, Outcome]:
    return _by_replay(samples, samples.calls.models, "self-consistency")


def _forest(samples: Samples) -> dict[str, Outcome]:
    return _by_replay(samples, samples.calls.models, "pooled")


def _by_replay(samples: Samples, models: Sequence[str], rule: RuleName) -> dict[str, Outcome]:
    decisions = replay(samples.recording, models, wait="exhausted", rule=rule)
    outcomes = {}
    for key, decision in decisions.items():
        by_model = samples.recording.by_question[key]
        rows = tuple(row for model in models for row in by_model[model])
        reply = None if decision.reply is None else Reply(decision.reply, answer_of(decision.reply))
        outcomes[key] = _outcome(reply, rows)
    return outcomes


def _moa(samples: Samples) -> dict[str, Outcome]:
    replies = samples.firsts()
    stages = {key: [_rows(each)] for key, each in replies.items()}
    for layer in range(2, samples.layers + 1):
        writers = samples.calls.models[:1] if layer == samples.layers else samples.calls.models
        replies = _rewritten(samples, f"moa-{layer}", replies, writers, _prompts.aggregate)
        for key, each in replies.items():
            stages[key].append(_rows(each))
    return {key: _outcome(_first(replies.get(key)), *each) for key, each in stages.items()}


def _fuse(samples: Samples) -> dict[str, Outcome]:
    panel = samples.firsts()
    verdicts = _rewritten(samples, "fuse", panel, samples.calls.models[:1], _prompts.fuse)
    return {
        key: _outcome(_first(verdicts.get(key)), _rows(each), _rows(verdicts.get(key, ())))
        for key, each in panel.items()
    }


def _rewritten(
    samples: Samples, stage: str, replies: Replies, writers: Sequence[str], prompt: Callable[[str, Sequence[str]], str]
) -> Replies:
    """Return what writers make of all replies to each question; questions without a reply are left out."""
    prompts = {
        question.question_id: (question, prompt(question.question, [reply.text for reply in each]))
        for question in samples.calls.questions
        if (each := replies.get(question.question_id))
    }
    return samples.calls.ask(stage, prompts, writers)


def _debate(samples: Samples) -> dict[str, Outcome]:
    replies = samples.firsts()
    stages = {key: [_rows(each)] for key, each in replies.items()}
    for number in range(2, samples.rounds + 1):
        later: Replies = {key: [] for key in replies}
        for place, model in enumerate(samples.calls.models, 1):
            prompts = {
                question.question_id: (question, _prompts.debate(question.question, others))
                for question in samples.calls.questions
                if (others := [each.text for each in replies[question.question_id] if each.row.model != model])
            }
            for key, answers in samples.calls.ask(f"debate-{number}-{place}", prompts, (model,)).items():
                later[key] += answers
        replies = {key: each or replies[key] for key, each in later.items()}  # alone there is nobody to listen to
        for key, each in later.items():
            stages[key].append(_rows(each))
    return {key: _outcome(_plurality(replies[key]), *each) for key, each in stages.items()}


def _verify(samples: Samples) -> dict[str, Outcome]:
    generator = samples.calls.models[0]
    candidates: dict[str, list[Reply]] = {}
    prompts = {}
    for question in samples.calls.questions:
        candidates[question.question_id] = distinct = _distinct(samples.replies(question, generator))
        for c, reply in enumerate(distinct if len(distinct) > 1 else ()):  # one alone wins unseen
            for a, aspect in enumerate(_prompts.ASPECTS):
                prompt = _prompts.verify(question.question, reply.text, aspect)
                prompts[f"{question.question_id}/{c}/{a}"] = question, prompt
    checks = samples.calls.ask("verify", prompts, samples.calls.models)
    outcomes = {}
    for question in samples.calls.questions:
        key = question.question_id
        verdicts = [
            [reply for a in range(len(_prompts.ASPECTS)) for reply in checks.get(f"{key}/{c}/{a}", ())]
            for c in range(len(candidates[key]))
        ]
        approvals = [sum(map(_approves, each)) for each in verdicts]
        best = max(range(len(approvals)), key=approvals.__getitem__, default=None)  # of equal ones, the most frequent
        outcomes[key] = _outcome(
            None if best is None else candidates[key][best],
            samples.rows(question, generator),
            tuple(reply.row for each in verdicts for reply in each),
        )
    return outcomes


def _best(samples: Samples) -> dict[str, Outcome]:
    judge = samples.calls.models[0]
    candidates = {question.question_id: samples.replies(question, judge) for question in samples.calls.questions}
    several = {key: replies for key, replies in candidates.items() if len(replies) > 1}
    verdicts = _rewritten(samples, "best", several, (judge,), _prompts.pick)
    outcomes = {}
    for question in samples.calls.questions:
        key = question.question_id
        reply = _numbered(candidates[key], _first(verdicts.get(key)))
        outcomes[key] = _outcome(reply, samples.rows(question, judge), _rows(verdicts.get(key, ())))
    return outcomes


def _distinct(replies: Sequence[Reply]) -> list[Reply]:
    """Return the first reply of each answer, the most frequent answer first; without any answer, the first reply."""
    counts = Counter(reply.answer for reply in replies if reply.answer is not None)
    firsts = {reply.answer: reply for reply in reversed(replies)}
    return [firsts[answer] for answer, _ in counts.most_common()] or list(replies[:1])


def _plurality(replies: Sequence[Reply]) -> Reply | None:
    return _first(_distinct(replies))


def _approves(verdict: Reply) -> bool:
    words = list(_VERDICT.finditer(verdict.text))
    return bool(words) and words[-1][1] is not None


def _numbered(replies: Sequence[Reply], verdict: Reply | None) -> Reply | None:
    """Return the reply that a judge names by its number; the first one if it names none."""
    numbers = [int(match[0]) for match in _NUMBER.finditer(verdict.text)] if verdict is not None else []
    return next((replies[number - 1] for number in numbers if 1 <= number <= len(replies)), _first(replies))


def _first(replies: Sequence[Reply] | None) -> Reply | None:
    return replies[0] if replies else None


def _rows(replies: Sequence[Reply]) -> tuple[Row, ...]:
    return tuple(reply.row for reply in replies)


def _outcome(reply: Reply | None, *stages: tuple[Row, ...]) -> Outcome:
    text, answer = ("", None) if reply is None else (reply.text, reply.answer)
    return Outcome(text, answer, tuple(filter(None, stages)))


BY_NAME: dict[str, Method] = {
    "mux": _mux,
    "forest": _forest,
    "moa": _moa,
    "debate": _debate,
    "verify": _verify,
    "fuse": _fuse,
    "best": _best,
}
"""The methods that are one method each; "single" is one for every member."""
