r"""When two answers of a member agree: by their canonical keys, as mathematics, or by what they mean.

Only the first is a key. The others compare pairs, which takes time or a call, so that a driver asks them and the race
is told the verdicts.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

from slmmux._decision.drive import Compare
from slmmux._decision.groups import Group, classes, neighbourhoods
from slmmux._decision.types import Answer
from slmmux._errors import ArgumentError
from slmmux.answers import same
from slmmux.answers._embedding import Embed, direction, embedder
from slmmux.answers._mathematics.comparison import need_mathematics

__all__ = ["Agreement", "AgreementName", "agreement_of"]

AgreementName = Literal["canonical", "math", "embedding"]

_EXACT = {"choice", "json", "structured", "tool_calls"}  # their keys say all there is to say
_MATHEMATICAL = {"boxed", "math", "number"}  # x = 5 and 5 are one answer
_PROSE = {"code", "text"}
_MOST_KEPT = 10_000  # vectors


@dataclass(frozen=True)
class Agreement:
    """One way to tell whether answers agree.

    Attributes:
        name: What the record calls it.
        compare: Compares an answer with earlier ones of its member: (answer, {index: answer}) -> {index: similarity} of
            those that agree; `None` if answers are compared by their keys.
        group: How answers that agree are grouped; None: by keys.
        identity: Its part of a cache key.
    """

    name: AgreementName
    compare: Compare | None = None
    group: Group | None = None
    identity: str = ""

    def __deepcopy__(self, memo: object) -> "Agreement":
        return self  # a copied mux compares as its original does, over the same clients


def agreement_of(name: str, embedding: Any = None, tau: float = 0.9) -> Agreement:
    """Return a way to tell whether answers agree.

    Args:
        name: "canonical", "math" or "embedding".
        embedding: For "embedding": a LangChain `Embeddings`, a LlamaIndex `BaseEmbedding`, or a function:
            text -> vector.
        tau: For "embedding": the least cosine similarity of neighbours, above 0 and at most 1.

    Raises:
        ArgumentError: The name is unknown, an embedding is missing or not used, tau is one that nothing or everything
            would pass, or the extra `math` is not installed.
    """
    if not 0 < tau <= 1:
        raise ArgumentError(f"tau must be above 0 and at most 1, received {tau!r}; 0.9 is the default")
    if name == "embedding":
        if embedding is None:
            raise ArgumentError('agreement="embedding" needs embedding=, for example OpenAIEmbeddings(...)')
        return Agreement("embedding", _Meaning(embedder(embedding), tau), neighbourhoods, f"{tau} {uuid4().hex}")
    if embedding is not None:
        raise ArgumentError(f'embedding= is used by agreement="embedding" alone, received agreement={name!r}')
    if name == "math":
        need_mathematics()
        return Agreement("math", _mathematics, classes)
    if name == "canonical":
        return Agreement("canonical")
    raise ArgumentError(f"agreement={name!r} does not exist; choose one of 'canonical', 'math', 'embedding'")


def _mathematics(answer: Answer, earlier: Mapping[int, Answer]) -> dict[int, float]:
    """Agree where the answers are the same by `answers.same`, canonical form or mathematics."""

    def agrees(candidate: Answer) -> bool:
        if answer == candidate or answer.kind in _EXACT or {answer.kind, candidate.kind} == {"number"}:
            return answer == candidate
        if answer.kind != candidate.kind and not {answer.kind, candidate.kind} <= _MATHEMATICAL:
            return False
        one, two = (a.key if a.kind == "number" else a.value for a in (answer, candidate))  # shown without its unit
        return isinstance(one, str) and isinstance(two, str) and same(one, two)

    return {index: 1.0 for index, candidate in earlier.items() if agrees(candidate)}


class _Meaning:
    """Agree where the cosine similarity of two replies' vectors is at least tau; what is exact stays exact."""

    def __init__(self, embed: Embed, tau: float) -> None:
        self._embed = embed
        self._tau = tau
        self._vectors: dict[str, list[float]] = {}

    def __call__(self, answer: Answer, earlier: Mapping[int, Answer]) -> dict[int, float]:
        alike: dict[int, float] = {}
        for index, candidate in earlier.items():
            if answer == candidate:
                alike[index] = 1.0
            elif answer.kind == candidate.kind and answer.kind in _PROSE:
                similarity = _cosine(self._vector(answer), self._vector(candidate))
                if similarity >= self._tau:
                    alike[index] = similarity
        return alike

    def _vector(self, answer: Answer) -> list[float]:
        text = str(answer.value)
        if text not in self._vectors:
            if len(self._vectors) >= _MOST_KEPT:
                self._vectors.clear()
            self._vectors[text] = direction(self._embed, text)
        return self._vectors[text]


def _cosine(a: list[float], b: list[float]) -> float:
    if len(a) != len(b):
        raise ArgumentError(
            f"the embedding gives vectors of {len(a)} and of {len(b)} numbers, which cannot be compared"
        )
    return math.fsum(x * y for x, y in zip(a, b, strict=True))
