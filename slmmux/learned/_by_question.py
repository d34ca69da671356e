"""A learned rule whose weights also follow the question: members count for more near questions they were right on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from slmmux._decision.rules import WeightedRule
from slmmux._errors import ArgumentError
from slmmux.answers._embedding import direction, embedder

if TYPE_CHECKING:  # a selection is served without numpy until a question comes
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from slmmux.learned._space import Space
    from slmmux.recording._arrays import Arrays

__all__ = ["ByQuestionRule", "Vectors", "evaluate_by_question", "fit_by_question", "vectors_of"]

_LARGEST = 127  # the largest whole number in an embedding


@dataclass(frozen=True, slots=True)
class Vectors:
    """Questions in the form in which they are compared; their text cannot be recovered from it.

    Attributes:
        kind: "terms" for hashed words and character n-grams, "embedding" for a model's vectors.
        rows: For each question the buckets of its n-grams, each once; or its vector, scaled to whole numbers.
    """

    kind: Literal["terms", "embedding"]
    rows: tuple[tuple[int, ...], ...]

    def at(self, places: Iterable[int]) -> "Vectors":
        """Return the vectors of some questions."""
        return Vectors(self.kind, tuple(self.rows[place] for place in places))


def vectors_of(texts: Sequence[str], embedding: Any = None) -> Vectors:
    """Return texts as vectors: of their words and n-grams, or of an embedding.

    Args:
        texts: The questions' texts.
        embedding: A LangChain `Embeddings`, a LlamaIndex `BaseEmbedding`, or a function: text -> vector. Without it the
            vectors are of words and n-grams of four characters, hashed by scikit-learn (the extra `learned`). Each
            different text is embedded once.

    Raises:
        ArgumentError: If a question has no text, the extra is not installed, or the vectors cannot be compared.

    Example:
        >>> vectors_of(["short", "longer"], lambda text: [len(text), 10]).rows
        ((64, 127), (76, 127))
    """
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise ArgumentError(f"question {place} has no text but {text!r}; record the questions with their texts")
    if embedding is None:
        from slmmux.learned._space import hashed  # noqa: PLC0415

        return Vectors("terms", tuple(hashed(texts)))
    embed = embedder(embedding)
    vectors = {text: _in_whole_numbers(direction(embed, text)) for text in dict.fromkeys(texts)}
    return Vectors("embedding", tuple(vectors[text] for text in texts))


def _in_whole_numbers(vector: Sequence[float]) -> tuple[int, ...]:
    # Only the direction counts, and 127 steps keep a cosine to some thousandths.
    largest = max(abs(x) for x in vector)
    return tuple(round(_LARGEST * x / largest) for x in vector)


@dataclass(frozen=True)  # without slots: `cached_property` keeps the space of the vectors in the instance
class ByQuestionRule:
    """A weighted vote whose weights are those of a learned rule, moved by how members did near the question.

    At question q the weight of member i is

        w_i + v r_i(q),    r_i(q) = 6 * sum_j K(q, j) a_ij

    with K(q, j) the squared cosine of q and validation question j (tf-idf or an embedding), and a_ij the coefficients
    of a kernel ridge regression of member i's right votes on the questions. If nothing is near, r_i(q) = 0. Apart from
    that it is `WeightedRule`.

    Rules saved before coefficients existed have none: their r_i(q) is a mean over the 12 nearest questions, weighted by
    K(q, j). With x_ij = 1 if member i's vote was right on question j, and A_i the mean of x_ij:

        r_i(q) = 6 * sum_j K(q, j) (x_ij - A_i) / (0.3 + sum_j K(q, j))

    Attributes:
        models: The members, best validation accuracy first.
        weights: w of each member, in millionths.
        bonuses: u of each member, in millionths.
        lean: v, in millionths.
        vectors: The validation questions.
        rights: x_ij in millionths, a tuple per question; one of t tied votes counts 1/t.
        calibration: a and b.
        coefficients: a_ij in millionths, a tuple per question.
        answers: b of each answer that has one, as in `WeightedRule`.

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
    coefficients: tuple[tuple[int, ...], ...] = field(default=(), kw_only=True)
    answers: tuple[tuple[str, int], ...] = field(default=(), kw_only=True)

    @property
    def questions(self) -> int:
        """The number of validation questions that it was learned on."""
        return len(self.rights)

    def at(self, question: str, embed: Any = None) -> WeightedRule:
        """Return the rule for one question.

        Args:
            question: The question's text.
            embed: The embedding that the rule was fitted with; `None` if it was fitted on words and n-grams.

        Raises:
            ArgumentError: If the embedding is missing or not needed, or the extra `learned` is not installed.
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
        return self._with(tuple(int(each) for each in weights))

    def _with(self, weights: tuple[int, ...]) -> WeightedRule:
        return WeightedRule(self.models, weights, self.bonuses, self.calibration, answers=self.answers)

    @cached_property
    def _space(self) -> "Space":
        from slmmux.learned._space import space_of  # noqa: PLC0415

        return space_of(self.vectors.rows, embedded=self.vectors.kind == "embedding")

    def _weights(self, of: Vectors) -> "NDArray[Any]":
        """Return [q, m] the weights at some questions, in millionths."""
        import numpy as np  # noqa: PLC0415

        from slmmux.learned._kernel import advantage  # noqa: PLC0415
        from slmmux.learned._learning import leaned  # noqa: PLC0415
        from slmmux.learned._neighbours import nearest_advantage  # noqa: PLC0415

        kernel = self._space.squared_cosines(of.rows)
        if self.coefficients:
            near = advantage(kernel, np.array(self.coefficients))
        else:
            near = nearest_advantage(kernel, np.array(self.rights, dtype=np.float64))
        return leaned(self.weights, self.lean, near)


def fit_by_question(
    arrays: "Arrays", vectors: Vectors, questions: "ArrayLike | None" = None, ridge: float = 2.0
) -> ByQuestionRule | None:
    """Return the rule learned on some questions: `slmmux.learned.fit` with one feature more.

    The feature is g(y) = sum_i r_i(q) f_i(y); its weight v is learned with the others, with the prior 0. In training
    r_i(q) is learned without the question itself, and in cross-validation and calibration without its part. The penalty
    of the regression is chosen from 0.1, 0.3, 1 and 3 as that of answers is, with the same guard; if the feature does
    not help, v is 0. Document frequencies are those of the validation questions.

    Args:
        arrays: The samples.
        vectors: The vectors of all questions in `arrays`, in their order: `vectors_of(texts)`.
        questions: The validation questions by their places in `arrays`; `None` means all.
        ridge: As for `slmmux.learned.fit`.

    Returns:
        The rule; `None` with fewer than `slmmux.learned.FEWEST` questions that have a right and a wrong answer.

    Raises:
        ArgumentError: If there is not one vector per question, or the ridge is not above 0.

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
    from slmmux.learned._fit import right_votes  # noqa: PLC0415
    from slmmux.learned._kernel import PENALTIES, KernelRidge, positive  # noqa: PLC0415
    from slmmux.learned._learning import by_id, learn  # noqa: PLC0415
    from slmmux.learned._space import space_of  # noqa: PLC0415

    _check(arrays, vectors)
    chosen = by_id(arrays, questions)
    near = vectors.at(chosen)
    # In the order of the labels: the last bit of a product of matrices can depend on where a column stands.
    labels = sorted(arrays.models)
    rights = right_votes(arrays, chosen)[:, [arrays.models.index(label) for label in labels]]
    embedded = near.kind == "embedding"
    kernel = space_of(near.rows, embedded=embedded).squared_cosines(near.rows)
    if embedded:
        kernel = positive(kernel)
    ridges = [KernelRidge(kernel, rights, penalty) for penalty in PENALTIES]
    lesson = learn(arrays, chosen, ridge, ridges)
    if lesson is None:
        return None
    members = [labels.index(label) for label in lesson.models]
    coefficients = () if lesson.near is None else _rows(ridges[lesson.near].coefficients(members))
    return ByQuestionRule(
        lesson.models,
        lesson.weights,
        lesson.bonuses,
        lesson.lean,
        near,
        _rows((rights[:, members] * 10**6).round().astype(int)),
        lesson.calibration,
        coefficients=coefficients,
        answers=lesson.answers,
    )


def _rows(numbers: "NDArray[Any]") -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(row) for row in numbers.tolist())


def evaluate_by_question(
    arrays: "Arrays", vectors: Vectors, rule: ByQuestionRule, questions: "ArrayLike | None" = None
) -> "tuple[NDArray[np.bool_], NDArray[np.float64]]":
    """Return the rule's decisions on recorded questions: exactly those of `rule.at(question).decide`.

    Args:
        arrays: The samples; of more members than the rule weighs, in any order.
        vectors: The vectors of all questions in `arrays`, in their order.
        rule: The rule.
        questions: Places in `arrays`; `None` means all.

    Returns:
        As `slmmux.learned.evaluate`: [q] whether the reply shown is right, and [q] its probability.

    Raises:
        ArgumentError: If there is not one vector per question, or a member that the rule weighs is not in the arrays.
    """
    from slmmux.learned._fit import decisions  # noqa: PLC0415
    from slmmux.learned._learning import places  # noqa: PLC0415

    _check(arrays, vectors)
    chosen = places(arrays, questions)
    plain = rule._with(rule.weights)  # noqa: SLF001 - a function of the same class, in this file
    return decisions(arrays, plain, rule._weights(vectors.at(chosen)), chosen)  # noqa: SLF001


def _check(arrays: "Arrays", vectors: Vectors) -> None:
    if len(vectors.rows) != len(arrays.questions):
        raise ArgumentError(
            f"expected one vector per question, received {len(vectors.rows)} for {len(arrays.questions)} questions; "
            "give each question its own, in the order of the arrays"
        )
