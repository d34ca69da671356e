"""A learned rule whose weights also follow the question: members count for more near questions they were right on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from slmmux._decision.rules import WeightedRule
from slmmux._errors import ArgumentError
from slmmux.answers._embedding import direction, embedder

if TYPE_CHECKING:  # a selection is served without numpy until a question comes
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from slmmux.learned._neighbours import Space
    from slmmux.recording._arrays import Arrays

__all__ = ["ByQuestionRule", "Vectors", "evaluate_by_question", "fit_by_question", "vectors_of"]

_LARGEST = 127  # of an embedding's whole numbers


@dataclass(frozen=True, slots=True)
class Vectors:
    """Questions as what they are compared by; no text can be read off it.

    Attributes:
        kind: "terms": hashed words and character n-grams; "embedding": a model's vectors.
        rows: Of each question the buckets its n-grams fall into, each once; or its vector, scaled to whole numbers.
    """

    kind: Literal["terms", "embedding"]
    rows: tuple[tuple[int, ...], ...]

    def at(self, places: Iterable[int]) -> "Vectors":
        """Return those of some questions."""
        return Vectors(self.kind, tuple(self.rows[place] for place in places))


def vectors_of(texts: Sequence[str], embedding: Any = None) -> Vectors:
    """Return texts as vectors: by the words and n-grams they have in common, or as an embedding has them.

    Args:
        texts: Of the questions.
        embedding: A LangChain `Embeddings`, a LlamaIndex `BaseEmbedding`, or a function: text -> vector; `None`: words
            and n-grams of four characters, hashed by scikit-learn (the extra `learned`). A text is embedded once.

    Raises:
        ArgumentError: A text that is none, the extra is not installed, or no vectors that could be compared.

    Example:
        >>> vectors_of(["short", "longer"], lambda text: [len(text), 10]).rows
        ((64, 127), (76, 127))
    """
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise ArgumentError(f"question {place} has no text but {text!r}; record the questions with their texts")
    if embedding is None:
        from slmmux.learned._neighbours import hashed  # noqa: PLC0415

        return Vectors("terms", tuple(hashed(texts)))
    embed = embedder(embedding)
    found = {text: _whole(direction(embed, text)) for text in dict.fromkeys(texts)}
    return Vectors("embedding", tuple(found[text] for text in texts))


def _whole(vector: Sequence[float]) -> tuple[int, ...]:
    # Only the direction counts, and 127 steps keep a cosine to some thousandths.
    largest = max(abs(x) for x in vector)
    return tuple(round(_LARGEST * x / largest) for x in vector)


@dataclass(frozen=True)  # without slots: what is worked out of the vectors is kept beside them
class ByQuestionRule:
    """A weighted vote whose weights are those of a learned rule, moved by what members did near the question.

    At question q the weight of member i is

        w_i + v r_i(q),    r_i(q) = 6 * sum_j c_j^2 (x_ij - A_i) / (0.3 + sum_j c_j^2)

    over the 12 validation questions j nearest to q: c_j is their cosine (tf-idf or an embedding), x_ij is 1 where
    member i's vote was right (a share of it where tied), and A_i the mean of x_ij over all. Where nothing is near,
    r_i(q) = 0. The rest is `WeightedRule`'s.

    Attributes:
        models: The members, best validation accuracy first.
        weights: w of each, in millionths.
        bonuses: u of each, in millionths.
        lean: v, in millionths.
        vectors: The validation questions.
        rights: x_ij, a tuple for each question, in millionths.
        calibration: a and b.

    Example:
        >>> def angle(text):  # any embedding
        ...     return [1.0, 0.0] if "river" in text else [0.0, 1.0]
        >>> near = vectors_of(["Which river?", "Which sum?"], angle)
        >>> rule = ByQuestionRule(
        ...     ("qwen", "phi"), (2_000_000, 2_000_000), (0, 0), 500_000, near, ((1_000_000, 0), (0, 1_000_000))
        ... )
        >>> rule.at("Another river", angle).weights, rule.at("Another sum", angle).weights
        ((3153846, 846154), (846154, 3153846))
    """

    models: tuple[str, ...]
    weights: tuple[int, ...]
    bonuses: tuple[int, ...]
    lean: int
    vectors: Vectors
    rights: tuple[tuple[int, ...], ...]
    calibration: tuple[float, float] | None = None

    @property
    def questions(self) -> int:
        """How many validation questions it was learned on."""
        return len(self.rights)

    def at(self, question: str, embed: Any = None) -> WeightedRule:
        """Return the rule for one question.

        Args:
            question: Its text.
            embed: The embedding that the rule was fitted with; `None` where it was fitted on words and n-grams.

        Raises:
            ArgumentError: An embedding missing or given in vain, or the extra `learned` is not installed.
        """
        if self.vectors.kind == "embedding" and embed is None:
            raise ArgumentError(
                "this rule was fitted on embeddings and compares a question by its own; pass the same embedding, "
                "at(question, embed=...)"
            )
        if self.vectors.kind == "terms" and embed is not None:
            raise ArgumentError(
                f"this rule compares questions by their words, not by embeddings, received embed={embed!r}"
            )
        (weights,) = self._weights(vectors_of([question], embed))
        return WeightedRule(self.models, tuple(int(each) for each in weights), self.bonuses, self.calibration)

    @cached_property
    def _space(self) -> "Space":
        from slmmux.learned._neighbours import space_of  # noqa: PLC0415

        return space_of(self.vectors.rows, embedded=self.vectors.kind == "embedding")

    def _weights(self, of: Vectors) -> "NDArray[Any]":
        """Return [q, m] the weights at some questions, in millionths."""
        import numpy as np  # noqa: PLC0415

        from slmmux.learned._fit import leaned  # noqa: PLC0415
        from slmmux.learned._neighbours import Nearest  # noqa: PLC0415

        rights = np.array(self.rights, dtype=np.float64)
        nearest = Nearest(self._space.squared_cosines(of.rows), rights, own=False)
        return leaned(self.weights, self.lean, nearest.advantage(np.ones(len(rights), dtype=np.bool_)))


def fit_by_question(
    arrays: "Arrays", vectors: Vectors, questions: "ArrayLike | None" = None, ridge: float = 2.0
) -> ByQuestionRule | None:
    """Return the rule learned on some questions: `slmmux.learned.fit` with one feature more.

    The feature is g(y) = sum_i r_i(q) f_i(y), of which the weight v is learned with the others, its prior 0 and under
    the same penalty; a v of each member's own brought no more. r_i(q) rests on the other questions only, each left out
    of its own neighbours and mean; for the calibration it rests on the other four fifths, as the weights do. Document
    frequencies are those of the validation questions.

    Args:
        arrays: The samples.
        vectors: Of all questions in `arrays`, in their order: `vectors_of(texts)`.
        questions: The validation questions by their places in `arrays`; `None`: all.
        ridge: How strongly weights and calibration are held to their priors, above 0.

    Returns:
        The rule; `None` with fewer than `slmmux.learned.FEWEST` questions that teach.

    Raises:
        ArgumentError: Not one vector a question, or a ridge that is not above 0.

    Example:
        >>> from slmmux import Recording, Row
        >>> from slmmux.recording import arrays_of
        >>> recording = Recording.of(
        ...     Row(question_id=f"{q:02}", model=model, sample_index=0, answer="4" if q % 2 == knows else "5", gold="4")
        ...     for q in range(40)
        ...     for knows, model in enumerate(["qwen", "phi"])
        ... )
        >>> texts = ["Which river?" if q % 2 == 0 else "Which sum?" for q in range(40)]
        >>> def angle(text):
        ...     return [1.0, 0.0] if "river" in text else [0.0, 1.0]
        >>> rule = fit_by_question(arrays_of(recording), vectors_of(texts, angle))
        >>> rule.at("Another river", angle).decide({"qwen": {"4": (1, 0)}, "phi": {"5": (1, 0)}}, k=1)[:2]
        ('4', 'qwen')
        >>> rule.at("Another sum", angle).decide({"qwen": {"5": (1, 0)}, "phi": {"4": (1, 0)}}, k=1)[:2]
        ('4', 'phi')
    """
    import numpy as np  # noqa: PLC0415

    from slmmux.learned._fit import by_id, learn, right_votes  # noqa: PLC0415
    from slmmux.learned._neighbours import Nearest, space_of  # noqa: PLC0415

    _check(arrays, vectors)
    chosen = by_id(arrays, questions)
    near = vectors.at(chosen)
    rights = np.rint(right_votes(arrays, chosen) * 10**6)
    alike = space_of(near.rows, embedded=near.kind == "embedding").squared_cosines(near.rows)
    lesson = learn(arrays, chosen, ridge, Nearest(alike, rights, own=True).advantage)
    if lesson is None:
        return None
    members = [arrays.models.index(label) for label in lesson.models]
    kept = tuple(tuple(int(each) for each in row) for row in rights[:, members])
    return ByQuestionRule(lesson.models, lesson.weights, lesson.bonuses, lesson.lean, near, kept, lesson.calibration)


def evaluate_by_question(
    arrays: "Arrays", vectors: Vectors, rule: ByQuestionRule, questions: "ArrayLike | None" = None
) -> "tuple[NDArray[np.bool_], NDArray[np.float64]]":
    """Return what the rule decides on recorded questions: exactly what `rule.at(question).decide` does on each.

    Args:
        arrays: The samples; of more members than the rule weighs, in any order.
        vectors: Of all questions in `arrays`, in their order.
        rule: What decides.
        questions: Which, by their places in `arrays`; `None`: all.

    Returns:
        As `slmmux.learned.evaluate`: [q] whether the reply shown is right, and [q] the probability given to it.

    Raises:
        ArgumentError: Not one vector a question, or a member that the rule weighs is not in the arrays.
    """
    from slmmux.learned._fit import decisions, places  # noqa: PLC0415

    _check(arrays, vectors)
    chosen = places(arrays, questions)
    alike = WeightedRule(rule.models, rule.weights, rule.bonuses, rule.calibration)
    return decisions(arrays, alike, rule._weights(vectors.at(chosen)), chosen)  # noqa: SLF001


def _check(arrays: "Arrays", vectors: Vectors) -> None:
    if len(vectors.rows) != len(arrays.questions):
        raise ArgumentError(
            f"there are {len(vectors.rows)} vectors of {len(arrays.questions)} questions; give each question its own, "
            "in the order of the arrays"
        )
