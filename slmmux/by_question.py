"""The public path of rules by question; the code is in `slmmux.learned`."""

from slmmux.learned._by_question import ByQuestionRule, Vectors, evaluate_by_question, fit_by_question, vectors_of

__all__ = ["ByQuestionRule", "Vectors", "evaluate_by_question", "fit_by_question", "vectors_of"]
