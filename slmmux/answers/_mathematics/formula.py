r"""A piece of mathematics in one spelling."""

import re

from slmmux.answers._pattern import pattern
from slmmux.answers._pieces import translated

__all__ = ["formula_key", "in_latex"]

_NAMES = {
    "π": "pi", "∞": "infty", "≤": "le", "≥": "ge", "≠": "ne", "≈": "approx", "±": "pm", "∓": "mp", "∅": "emptyset",
    "∪": "cup", "∩": "cap", "∈": "in", "∉": "notin", "⊂": "subset", "⊆": "subseteq", "→": "to", "∑": "sum", "∫": "int",
    "∂": "partial", "∇": "nabla", "√": "sqrt", "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "Δ": "Delta",
    "ε": "epsilon", "θ": "theta", "λ": "lambda", "μ": "mu", "µ": "mu", "ρ": "rho", "σ": "sigma", "Σ": "Sigma", "τ": "tau",
    "φ": "phi", "ω": "omega", "Ω": "Omega", "ℝ": "mathbb{R}", "ℤ": "mathbb{Z}", "ℕ": "mathbb{N}", "ℚ": "mathbb{Q}",
    "ℂ": "mathbb{C}", "¬": "neg", "∧": "land", "∨": "lor", "∀": "forall", "∃": "exists", "∠": "angle", "△": "triangle",
}  # fmt: skip
_LATEX = str.maketrans(
    {sign: f"\\{name} " for sign, name in _NAMES.items()} | {"−": "-", "×": "*", "·": "*", "⋅": "*", "÷": "/"}
)
_SIGNS = _LATEX | str.maketrans({"×": "\\times ", "·": "\\cdot ", "⋅": "\\cdot "})
_COMMAND = pattern(r"\\([A-Za-z]+)")
_SPELLINGS = {
    "leq": "le", "leqslant": "le", "geq": "ge", "geqslant": "ge", "neq": "ne", "varnothing": "emptyset", "empty": "emptyset",
    "rightarrow": "to", "longrightarrow": "to", "lbrace": "{", "rbrace": "}", "ldots": "dots", "cdots": "dots",
    "wedge": "land", "vee": "lor", "lnot": "neg", "mid": "|", "vert": "|", "lvert": "|", "rvert": "|", "varepsilon": "epsilon",
    "varphi": "phi", "lt": "<", "gt": ">", "Reals": "mathbb{R}",
}  # fmt: skip
_PRODUCT = {"cdot": "*", "times": "*", "div": "/"}
_ROOT = pattern(r"(?:\\sqrt|(?<![A-Za-z\\])sqrt) ?(?:([0-9]+|[A-Za-z])(?![A-Za-z])|\(([^()]*)\))")
_FRACTION = pattern(r"\\frac ?\{((?:[^{}]++|\{[^{}]*+\})*+)\} ?\{((?:[^{}]++|\{[^{}]*+\})*+)\}")
_SINGLE = pattern(r"([\^_]) ?\{ ?(-?[0-9A-Za-z]) ?\}")
_ONE_TOKEN = pattern(r"(?:[0-9.]+|[A-Za-z]|\\[A-Za-z]+(?:\{[^{}]*\})?)")
_PRODUCT_OF_TOKENS = pattern(r"[0-9.]*(?:[A-Za-z]|\\[A-Za-z]+ ?(?:\{[^{}]*\})?)*")
_ASSIGNED = pattern(
    r"(?:\\?[A-Za-z]+(?:_[0-9A-Za-z])?|[A-Za-z]\([A-Za-z]\)) ?= ?(?=[^=]+\Z)|\\?[A-Za-z]+ ?\\in(?![A-Za-z]) ?"
)
_AND = pattern(r",? ?(?:\band\b|&) ?")
_BLANK = pattern(r"(?<![A-Za-z0-9]) | (?![A-Za-z0-9])")
_BLANK_AFTER_COMMAND = pattern(r"(\\[A-Za-z]+) (?![A-Za-z])")
_MOST_LEVELS = 6  # of fractions in each other


def formula_key(tidy: str) -> str:
    r"""Return what mathematics that is already tidied (see `undress`) is compared by.

    Signs of Unicode as LaTeX has them, one name for each sign, fractions in a line, roots and exponents in one form,
    what is equal to a variable alone; no blanks but between words, no final full stop, `(B)` as `B`.

    Example:
        >>> formula_key("√2"), formula_key(r"\sqrt2"), formula_key(r"\frac{\pi}{4}"), formula_key("x = 5")
        ('\\sqrt{2}', '\\sqrt{2}', '\\pi/4', '5')
    """
    text = _COMMAND.sub(_command, translated(tidy, _LATEX).replace("**", "^"))
    for _ in range(2):
        text = _ROOT.sub(lambda root: rf"\sqrt{{{root[1] or root[2]}}}", text)
    text = _SINGLE.sub(r"\1\2", text)
    for _ in range(_MOST_LEVELS):
        text, replacements = _FRACTION.subn(_in_a_line, text)
        if not replacements:
            break
    text = _AND.sub(",", " ".join(text.split()))
    text = _BLANK_AFTER_COMMAND.sub(r"\1", _BLANK.sub("", text)).rstrip(".").removeprefix("+")
    return _ASSIGNED.sub("", text, count=1).removeprefix("+") if _ASSIGNED.match(text) else text


def in_latex(text: str) -> str:
    r"""Return a formula with signs of Unicode as LaTeX has them.

    Example:
        >>> in_latex("2π"), in_latex("a·b")
        ('2\\pi ', 'a\\cdot b')
    """
    return text if text.isascii() else text.translate(_SIGNS)


def _command(command: re.Match[str]) -> str:
    name = command[1]
    if name in _PRODUCT:
        return _PRODUCT[name]
    spelling = _SPELLINGS.get(name, name)
    return spelling if spelling in "|<>" else "\\" + spelling


def _in_a_line(fraction: re.Match[str]) -> str:
    above, below = fraction[1].strip(), fraction[2].strip()
    return f"{_operand(above, _PRODUCT_OF_TOKENS)}/{_operand(below, _ONE_TOKEN)}"


def _operand(text: str, simple: re.Pattern[str]) -> str:
    return text if simple.fullmatch(text) else f"({text})"
