r"""The three benchmarks of the paper, ready to profile: where the questions are, the prompt, the extractor, the score.

The prompts are this package's own; they ask for the form that the extractor reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from slmmux._errors import ArgumentError, did_you_mean

__all__ = ["PRESETS", "Preset", "preset_of"]


@dataclass(frozen=True, slots=True)
class Preset:
    """A benchmark.

    Attributes:
        questions: The data set on the Hugging Face hub, as `read_questions` takes it.
        system_prompt: The system prompt.
        extract: The extractor that reads the answers.
        score: The form of scoring.
    """

    questions: str
    system_prompt: str
    extract: str
    score: str


PRESETS: Mapping[str, Preset] = {
    "math500": Preset(
        questions="hf:HuggingFaceH4/MATH-500",
        system_prompt=(
            "You solve problems of mathematics. Think step by step, check your work, and end with the final answer "
            "alone in \\boxed{}."
        ),
        extract="boxed",
        score="math",
    ),
    "gpqa": Preset(
        questions="hf:Idavidrein/gpqa:gpqa_diamond:train",
        system_prompt=(
            "You answer difficult questions of natural science. Think step by step, and end with a line that has the "
            "letter of the right option alone, in this form: Answer: X"
        ),
        extract="choice",
        score="choice",
    ),
    "gsm8k": Preset(
        questions="hf:openai/gsm8k:main:test",
        system_prompt=(
            "You solve word problems of arithmetic. Think step by step, and end with a line that has the result alone, "
            "in this form: #### 7"
        ),
        extract="number",
        score="exact",
    ),
}


def preset_of(name: str) -> Preset:
    """Return a preset.

    Raises:
        ArgumentError: The preset does not exist.

    Example:
        >>> preset_of("gsm8k").extract
        'number'
    """
    if name not in PRESETS:
        hint = did_you_mean(name, PRESETS) or f"choose one of {', '.join(PRESETS)}"
        raise ArgumentError(f"there is no preset {name!r}; {hint}")
    return PRESETS[name]
