"""One line of the results: a measured value, its goal, and the reason if it misses the goal."""

from dataclasses import dataclass

__all__ = ["Row"]


@dataclass(frozen=True, slots=True)
class Row:
    """A measured figure.

    Attributes:
        what: A description: the quantity, and the quantity that it is divided by.
        measured: The value: a ratio, or a number with a unit.
        goal: The largest value that meets the goal; `None` for a value that is only there for comparison.
        unit: The unit; "" for a ratio.
        note: A remark on the measurement.
        why: The reason for missing the goal, printed only if it is missed.
    """

    what: str
    measured: float
    goal: float | None = None
    unit: str = ""
    note: str = ""
    why: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the value as printed meets the goal; `None` without a goal."""
        return None if self.goal is None else float(self.shown) <= self.goal

    @property
    def shown(self) -> str:
        """The value with as many digits as are significant."""
        return f"{self.measured:.2f}" if not self.unit else f"{self.measured:.1f}"

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """The cells of the table: description, goal, value, verdict and remarks."""
        unit = f" {self.unit}" if self.unit else ""
        goal = "" if self.goal is None else f"at most {self.goal:g}{unit}"
        verdict = {None: "", True: "met", False: "missed"}[self.met]
        remarks = [self.note, self.why if self.met is False else ""]
        return self.what, goal, self.shown + unit, verdict, " ".join(part for part in remarks if part)
