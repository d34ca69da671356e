"""The learned rule, fitted on validation questions, and the decisions of a rule on recorded ones."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slmmux._decision.rules import LearnedRule, WeightedRule, probability_of
from slmmux._errors import ArgumentError
from slmmux.learned._answer_table import AnswerTable
from slmmux.learned._learning import RIDGE, learn, places
from slmmux.recording._arrays import Arrays, Bools, Floats, Ints

__all__ = ["decisions", "evaluate", "fit", "right_votes"]


def fit(arrays: Arrays, questions: ArrayLike | None = None, ridge: float = RIDGE) -> LearnedRule | None:
    """Return the rule learned on some questions.

    A conditional logit (McFadden, 1974): on each question with right answers R among those given, these have the
    probability sum over R of exp S / sum over all given of exp S, and the weights minimise

        - sum over questions of log probability + ridge / 2 * |(w, u) - prior|^2 + ridge_b / 2 * |b|^2
        prior: w_i = 3 accuracy_i + 0.5, or w_i = max(0.3, logit(accuracy_i) + 1.5); u_i = 0

    by Newton's method. accuracy_i is the accuracy of member i's vote (self-consistency); one of t tied answers counts
    1/t. The second prior trusts a member that dominates. The weights b of answers themselves are offered for the common
    answers if at most 20 of them cover 70 % of the samples, and else for common answers that were never right; ridge_b
    is chosen from 0.2, 0.6, 2 and 6 by the log loss of a cross-validation in five parts. The second prior, and b, are
    left out unless that log loss is lower with them by more than the standard error of the difference.

    Being right is then regressed on z by a logistic (Platt, 1999, with his targets) over all questions with an answer,
    held to a = 0 and b = 1 by the same ridge; each question's z comes from weights learned on the other four fifths,
    and equal winners count in shares. Nothing is drawn at random, and the order of members, questions, samples and
    answers changes nothing.

    Args:
        arrays: The samples. Answers of different members must have been compared, which is not so if equality was no
            key.
        questions: The validation questions by their places in `arrays`; `None` means all.
        ridge: The penalty on the members' weights and on the calibration, above 0.

    Returns:
        The rule; `None` with fewer than `FEWEST` questions that have a right and a wrong answer: then use Algorithm 1.

    Raises:
        ArgumentError: If the ridge is not above 0.

    Example:
        >>> from slmmux import Recording, Row
        >>> from slmmux.learned import FEWEST
        >>> from slmmux.recording import arrays_of
        >>> recording = Recording.of(
        ...     Row(question_id=f"q{q:02}", model=model, sample_index=i, answer=answer, gold="4")
        ...     for q in range(20)
        ...     for model, answers in {"qwen": ["4", "4"], "phi": ["5", "4"]}.items()
        ...     for i, answer in enumerate(answers)
        ... )
        >>> rule = fit(arrays_of(recording))
        >>> rule.models, rule.weights[0] > rule.weights[1], rule.questions
        (('qwen', 'phi'), True, 20)
        >>> fit(arrays_of(recording), range(FEWEST - 1)) is None
        True
    """
    lesson = learn(arrays, places(arrays, questions), ridge)
    if lesson is None:
        return None
    return LearnedRule(
        lesson.models, lesson.weights, lesson.bonuses, lesson.calibration, lesson.questions, answers=lesson.answers
    )


def right_votes(arrays: Arrays, questions: ArrayLike) -> Floats:
    """Return [q, m] whether each member's vote is right: 1 or 0, and r/t if r of t tied answers are."""
    chosen = places(arrays, questions)
    question, right, ties = AnswerTable.of_arrays(arrays, range(len(arrays.models)), chosen).right_votes()
    shares = np.zeros((chosen.size, len(arrays.models)))
    shares[question] = right / ties.clip(min=1)
    return shares


def evaluate(arrays: Arrays, rule: WeightedRule, questions: ArrayLike | None = None) -> tuple[Bools, Floats]:
    """Return the rule's decisions on recorded questions: exactly those of its `decide`.

    Args:
        arrays: The samples; of more members than the rule weighs, in any order.
        rule: The rule.
        questions: Places in `arrays`; `None` means all.

    Returns:
        [q] whether the reply shown is right, and [q] its probability. Without any answer nothing is right, and the
        probability is 0; a rule without calibration gives NaN.

    Raises:
        ArgumentError: If a member that the rule weighs is not in the arrays.
    """
    return decisions(arrays, rule, rule.weights, places(arrays, questions))


def decisions(
    arrays: Arrays, rule: WeightedRule, weights: Sequence[int] | NDArray[Any], chosen: Ints
) -> tuple[Bools, Floats]:
    """Return the decisions of a rule on chosen questions with the weights of each: see `evaluate`.

    Args:
        arrays: The samples.
        rule: The rule that gives members, bonuses, answers and calibration.
        weights: [m] in millionths, or [q, m].
        chosen: [q] places.

    Raises:
        ArgumentError: If a member that the rule weighs is not in the arrays.
    """
    if absent := [label for label in rule.models if label not in arrays.models]:
        raise ArgumentError(
            f"the rule weighs {absent[0]!r}, of which there are no samples; there are {', '.join(arrays.models)}"
        )
    members = [arrays.models.index(label) for label in rule.models]
    table = AnswerTable.of_arrays(arrays, members, chosen)
    right = np.zeros(chosen.size, dtype=np.bool_)
    probability = np.full(chosen.size, np.nan if rule.calibration is None else 0.0)
    speaker = table.speakers(weights)
    for q, (row, *_), odds in table.decided(weights, rule.bonuses, dict(rule.answers)):
        member = int(speaker[row])
        right[q] = arrays.right[members[member], chosen[q], table.first[row, member]]
        if rule.calibration is not None:
            probability[q] = probability_of(odds, rule.calibration)
    return right, probability
