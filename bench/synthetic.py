"""A synthetic recording: members of known accuracy, each sample drawn independently, from one seed."""

import random

from slmmux import Recording, Row

__all__ = ["ACCURACIES", "synthetic"]

ACCURACIES = {"strong": 0.8, "middle": 0.7, "weak": 0.6}  # in rank order
WRONG = 5  # The number of different wrong answers to a question.


def synthetic(questions: int, samples: int = 5, seed: int = 0, *, members: int = 3) -> Recording:
    """Return a recording of members whose single samples are right with accuracies between 0.8 and 0.6.

    Args:
        questions: The number of questions.
        samples: k, the samples of each member.
        seed: The random seed.
        members: The number of members; their accuracies are spread evenly.
    """
    rng = random.Random(seed)
    if members == len(ACCURACIES):
        accuracies = ACCURACIES
    else:
        accuracies = {f"m{i}": 0.8 - 0.2 * i / (members - 1) for i in range(members)}
    return Recording.of(
        Row(
            question_id=f"q{question}",
            model=model,
            sample_index=index,
            answer="right" if rng.random() < accuracy else f"wrong {rng.randrange(WRONG)}",
        )
        for question in range(questions)
        for model, accuracy in accuracies.items()
        for index in range(samples)
    )
