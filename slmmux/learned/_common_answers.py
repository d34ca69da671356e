"""Answers that say something by themselves: the few that cover most samples, and those that were never right."""

from collections.abc import Sequence
from math import log

import numpy as np
from numpy.typing import ArrayLike

from slmmux.learned._answer_table import AnswerTable
from slmmux.recording._arrays import Arrays

__all__ = ["common_answers", "never_right"]

_MOST = 20  # answers with a weight of their own
_COVER = 0.7  # the share of samples that they must cover together
_LEAST = 5  # questions on which an answer must have been given
_COMMON = 0.05  # the share of questions on which an answer is common
_NUMBER_MARKS = str.maketrans("", "", "+-.,/ %")
_CHANCE = 0.01  # that an answer as good as the others is never right


def common_answers(table: AnswerTable) -> tuple[str, ...]:
    """Return the answers that a rule may give a weight of their own, most frequent first.

    If at most 20 answers cover 70 % of the samples (letters of a choice, yes and no, kinds of kin), they are these.
    Over open answers a weight for each would only be learned by heart, so only those that were never right remain.
    """
    texts, number = np.unique(table.text, return_inverse=True)
    if not texts.size or not texts[-1]:  # the arrays hold no texts
        return ()
    samples = np.bincount(number, weights=table.count.sum(axis=1))
    questions = np.bincount(number)  # an answer has one row per question
    order = sorted(range(texts.size), key=lambda at: (-samples[at], texts[at]))[:_MOST]
    if samples[order].sum() < _COVER * samples.sum():
        return _never_right(table)
    return tuple(str(texts[at]) for at in order if questions[at] >= _LEAST and texts[at])


def never_right(
    arrays: Arrays, questions: ArrayLike | None = None, models: Sequence[str] | None = None
) -> tuple[str, ...]:
    """Return the answers that are common and never right: they are likely no answers, as "unknown" is.

    An answer counts as common on at least 5 % of the questions that have answers, and as never right if an answer that
    is right as often as the others would be so on that many questions with a probability below 1 %. Numbers and single
    letters are left out: they may never be right, but they are answers.

    Args:
        arrays: The samples.
        questions: Places in `arrays`; `None` means all.
        models: The members that are looked at; `None` means all.

    Returns:
        The texts, most frequent first.
    """
    places = np.arange(len(arrays.questions)) if questions is None else np.asarray(questions, dtype=np.int64)
    members = [arrays.models.index(model) for model in (arrays.models if models is None else models)]
    return tuple(text for text in _never_right(AnswerTable.of_arrays(arrays, members, places)) if not _is_answer(text))


def _is_answer(text: str) -> bool:
    return (len(text) == 1 and text.isalnum()) or text.translate(_NUMBER_MARKS).isdigit()


def _never_right(table: AnswerTable) -> tuple[str, ...]:
    if not table.question.size:
        return ()
    texts, number = np.unique(table.text, return_inverse=True)
    questions = np.bincount(number)
    rights = np.bincount(number, weights=table.right)
    samples = np.bincount(number, weights=table.count.sum(axis=1))
    answered = np.unique(table.question).size
    wrong = 1 - table.right.mean()
    # wrong ** questions < chance, as a count of questions; where every answer is wrong, none stands out.
    enough = log(_CHANCE) / log(wrong) if 0 < wrong < 1 else float("inf")
    common = (rights == 0) & (questions >= max(_COMMON * answered, enough, _LEAST)) & (texts != "")
    return tuple(str(texts[at]) for at in sorted(np.flatnonzero(common), key=lambda at: (-samples[at], texts[at])))
