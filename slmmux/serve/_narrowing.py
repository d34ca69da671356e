"""What one request may change of the mux that answers it: less of everything, never more.

The file is the operator's, the request a client's: a client may ask fewer samples, fewer members, a smaller budget, a
shorter deadline or a stricter threshold.
"""

import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from slmmux._decision.labels import by_label
from slmmux._decision.race import Plan, Wait
from slmmux._errors import ArgumentError
from slmmux._mux.base import Mux
from slmmux.serve._fields import Count, Flag, Form, Number
from slmmux.serve._refusal import RefusalError

__all__ = ["Narrowed", "Narrowing"]

_KEPT = 64  # narrowed copies that are kept, by their changes


class Narrowing(Form):
    """The field `slmmux` of a request.

    Attributes:
        samples: k, at most the file's; one number or {label: k}.
        members: The labels to ask, some of the file's.
        plan: The order of samples.
        wait: When sampling ends.
        abstain_below: The threshold, at least the file's.
        deadline: Seconds, at most the file's.
        budget: What the answer may cost, at most the file's.
        progress: Whether a stream also tells each sample as it arrives.
    """

    samples: Count | dict[str, Count] | None = None
    members: Annotated[list[str], Field(min_length=1)] | None = None
    plan: Plan | None = None
    wait: Wait | None = None
    abstain_below: Annotated[Number, Field(gt=0, le=1)] | None = None
    deadline: Annotated[Number, Field(gt=0)] | None = None
    budget: dict[Literal["calls", "tokens", "cost"], Annotated[Number, Field(gt=0, allow_inf_nan=False)]] | None = None
    progress: Flag = False


class Narrowed:
    """Copies of a mux that ask less.

    Args:
        mux: The mux as the operator set it up.
    """

    def __init__(self, mux: Mux) -> None:
        self._mux = mux
        self._copies: OrderedDict[str, Mux] = OrderedDict()

    def of(self, narrowing: Narrowing | None) -> Any:
        """Return the mux, or a copy that asks less; it shares the places for calls and what was learned of members.

        Raises:
            RefusalError: A change that would widen something, or that does not fit the mux.
        """
        changes = {} if narrowing is None else narrowing.model_dump(exclude_none=True, exclude={"progress"})
        if not changes:
            return self._mux
        key = json.dumps(changes, sort_keys=True)
        if key not in self._copies:
            try:
                self._copies[key] = self._mux.model_copy(update=self._options(changes))
            except ArgumentError as error:
                field = f"slmmux.{next(iter(changes))}" if len(changes) == 1 else "slmmux"
                raise RefusalError(400, str(error), param=field, code="invalid_value") from None
        self._copies.move_to_end(key)
        if len(self._copies) > _KEPT:
            self._copies.popitem(last=False)
        return self._copies[key]

    def _options(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of a copy."""
        mux = self._mux
        options: dict[str, Any] = {name: changes[name] for name in ("plan", "wait") if name in changes}
        labels = list(mux.k)
        if "members" in changes:
            labels = _known("members", changes["members"], labels)
            options |= self._without_others(labels)
        if "samples" in changes:
            options["samples"] = self._samples(changes["samples"], labels)
        if (p := changes.get("abstain_below")) is not None:
            if mux.abstain_below is not None and p < mux.abstain_below:
                raise _wider("abstain_below", p, "at least", mux.abstain_below)
            options["abstain_below"] = p
        if (seconds := changes.get("deadline")) is not None:
            if mux.deadline is not None and seconds > mux.deadline:
                raise _wider("deadline", seconds, "at most", mux.deadline)
            options["deadline"] = seconds
        if (budget := changes.get("budget")) is not None:
            for unit, most in (mux.budget or {}).items():
                if budget.get(unit, most) > most:
                    raise _wider(f"budget.{unit}", budget[unit], "at most", most)
            whole = {unit: value if unit == "cost" else int(value) for unit, value in budget.items()}
            options["budget"] = {**(mux.budget or {}), **whole}
        return options

    def _samples(self, samples: Any, labels: list[str]) -> dict[str, int]:
        if isinstance(samples, Mapping):
            _known("samples", samples, labels)
        own = {label: self._mux.k[label] for label in labels}
        asked = own | by_label("samples", samples, labels, partly=True)
        for label, k in asked.items():
            if k > own[label]:
                raise _wider("samples", k, "at most", own[label], of=f" for {label!r}")
        return asked

    def _without_others(self, labels: list[str]) -> dict[str, Any]:
        """Return the options that have to follow when some members are left out."""
        mux = self._mux
        models: Any = mux.models
        options: dict[str, Any] = {
            "models": models.subset(labels),
            "samples": {label: mux.k[label] for label in labels},
        }
        for name in ("accuracies", "temperature"):
            if isinstance(value := getattr(mux, name), Mapping):
                options[name] = {label: value[label] for label in labels if label in value}
        return options


def _known(field: str, labels: Any, members: list[str]) -> list[str]:
    """Return labels in the order of rank."""
    if unknown := [label for label in labels if label not in members]:
        raise RefusalError(
            400,
            f"slmmux.{field}: {unknown[0]!r} is no member; the members are {', '.join(map(repr, members))}",
            param=f"slmmux.{field}",
            code="invalid_value",
        )
    return [label for label in members if label in labels]


def _wider(field: str, value: float, bound: str, limit: float, of: str = "") -> RefusalError:
    return RefusalError(
        400,
        f"slmmux.{field} may only narrow what this server allows: expected {bound} {limit:g}{of}, received {value:g}",
        param=f"slmmux.{field}",
        code="invalid_value",
    )
