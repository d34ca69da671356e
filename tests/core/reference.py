"""Algorithm 1 written out over complete samples, sharing nothing with the package it checks."""

from fractions import Fraction

ABSTAINED = None
FAILED = ConnectionError("refused")


def most_frequent(outcomes):
    """Return a member's (confidence, answer, index of the reply that carries it).

    `outcomes` are its k samples in index order: an answer, ABSTAINED or FAILED. Without any answer the first
    reply carries; without any reply the index is None.
    """
    k = len(outcomes)
    counts = {}
    for outcome in outcomes:
        if outcome is not ABSTAINED and outcome is not FAILED:
            counts[outcome] = counts.get(outcome, 0) + 1
    confidence, answer = Fraction(0), None
    for candidate, count in counts.items():  # in order of first index, so that an equal later one does not win
        if Fraction(count, k) > confidence:
            confidence, answer = Fraction(count, k), candidate
    index = None
    for i, outcome in enumerate(outcomes):
        if (answer is None and outcome is ABSTAINED) or (answer is not None and outcome == answer):
            index = i
            break
    return confidence, answer, index


def most_confident(votes):
    """Return (model, answer, index, decided_by) from {model: most_frequent(...)} in rank order; None without a reply."""
    winner = None
    for model, (confidence, _, _) in votes.items():
        if winner is None or confidence > votes[winner][0]:
            winner = model
    confidence, answer, index = votes[winner]
    if confidence == 0:
        for model, (_, _, first) in votes.items():
            if first is not None:
                return model, None, first, "rank"
        return None
    equals = [model for model in votes if votes[model][0] == confidence]
    return winner, answer, index, "confidence" if len(equals) == 1 else "tie-break"


def algorithm_1(table):
    """Return (model, answer, index, decided_by) for {model: outcomes} in rank order; None when nothing replied."""
    votes = {}
    for model, outcomes in table.items():
        votes[model] = most_frequent(outcomes)
    return most_confident(votes)
