"""One line of the results: what was measured, against which goal, and why where it missed."""

from dataclasses import dataclass

__all__ = ["Row"]


@dataclass(frozen=True, slots=True)
class Row:
    """A measured figure.

    Attributes:
        what: What was measured, over what.
        measured: The figure: a ratio, or a number of `unit`.
        goal: The most it should be; `None` for what is shown beside a goal.
        unit: "" for a ratio.
        note: How it was measured.
        why: Why it is more than its goal, shown where it is.
    """

    what: str
    measured: float
    goal: float | None = None
    unit: str = ""
    note: str = ""
    why: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the figure, as shown, is within its goal; `None` without one."""
        return None if self.goal is None else float(self.shown) <= self.goal

    @property
    def shown(self) -> str:
        """The figure with as many digits as it is worth."""
        return f"{self.measured:.2f}" if not self.unit else f"{self.measured:.1f}"

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """What, goal, measured, whether it is met, and what there is to say about it."""
        unit = f" {self.unit}" if self.unit else ""
        goal = "" if self.goal is None else f"at most {self.goal:g}{unit}"
        verdict = {None: "", True: "met", False: "missed"}[self.met]
        said = [self.note, self.why if self.met is False else ""]
        return self.what, goal, self.shown + unit, verdict, " ".join(part for part in said if part)
