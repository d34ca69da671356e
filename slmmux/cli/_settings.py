"""The settings of a command: those of a file or of the default pair, overridden by the command line."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from slmmux._decision.race import Plan
from slmmux._decision.rules import RuleName
from slmmux._errors import fault_sentence
from slmmux.cli._console import OptionError, one_of

if TYPE_CHECKING:
    from slmmux.config import Config


__all__ = ["settings_of"]


def settings_of(path: Path | None, *, samples: int | None, **options: Any) -> "Config":
    """Return the settings of a file, or of the default pair, overridden by the command line.

    Args:
        path: The file.
        samples: k of every member.
        options: Other settings by their names in the file; `None` leaves the file's. With a `selection` and no file,
            its members run on this machine.
    """
    from pydantic import ValidationError  # noqa: PLC0415

    from slmmux._mux.from_selection import with_selected_members  # noqa: PLC0415
    from slmmux.config import Config, default_config, load_config  # noqa: PLC0415

    selection: Path | None = options.pop("selection", None)
    values: dict[str, Any] = {}
    if path is not None or selection is None:
        settings = default_config() if path is None else load_config(path)
        values = settings.model_dump(exclude_unset=True)  # what is unset may be the selection's
    if selection is not None:
        values["selection"] = str(selection)
    if samples is not None:
        values["samples"] = samples
        for member in values.get("models", {}).values():
            member["samples"] = None
    if (system := options.pop("system", None)) is not None:
        values["system_prompt"] = system or None
    if (plan := options.get("plan")) is not None:
        one_of("plan", plan, get_args(Plan))
    if (rule := options.get("rule")) is not None:
        one_of("rule", rule, get_args(RuleName))
    values |= {name: value for name, value in options.items() if value is not None}
    try:
        return with_selected_members(Config.model_validate(values))
    except ValidationError as error:
        raise OptionError("; ".join(map(fault_sentence, error.errors()))) from None
