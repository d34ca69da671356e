"""A mux that serves a selection: its arguments, its members in a `mux.toml`, a warning if a setting differs.

A file says where members run; the selection says which of them are asked, how often, and how their answers are read.
What the file sets itself comes first.
"""

from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

from slmmux._decision.rules import FITTED_RULES
from slmmux._errors import ArgumentError, ConfigError
from slmmux._mux.generation import generation_settings
from slmmux._mux.warn import warn
from slmmux.answers._reader import extractor_name
from slmmux.config import Config, MemberConfig

if TYPE_CHECKING:
    from slmmux.selection import Profiled, Selection, Subset

__all__ = ["load_selection", "selected_arguments", "with_selected_members"]

# Built in, so that a selection's file can name them; any other extractor is a function, which no file holds.
_EXTRACTORS = {"auto", "boxed", "choice", "code", "json", "number", "text"}


def selected_arguments(
    selection: "Selection | str | PathLike[str]", models: Mapping[str, Any], size: int | None, options: dict[str, Any]
) -> dict[str, Any]:
    """Return the arguments of a mux class.

    Args:
        selection: A selection, or the path of a saved one.
        models: The framework's models by the labels they were profiled under; of the whole pool, or more.
        size: Serve the best subset of this size; `None`: the best of all.
        options: Arguments of the mux class, which come first. Of `rule` the names of fitted rules mean the one in the
            selection; without it the rule that the selection serves decides.

    Raises:
        ArgumentError: A model of the subset is not among `models`, a size that was not looked at, an extractor that the
            file cannot hold, or a fitted rule that it does not hold.
    """
    selection_served = _load(selection) if isinstance(selection, str | PathLike) else selection
    subset = selection_served.of_size(size)
    if absent := [label for label in subset.models if label not in models]:
        raise ArgumentError(
            f"the selection is of {', '.join(map(repr, subset.models))}, and models= has no {absent[0]!r}; "
            "pass each under the label it was profiled under"
        )
    arguments: dict[str, Any] = {
        "models": {label: models[label] for label in subset.models},
        "samples": {label: selection_served.models[label].samples for label in subset.models},
        "accuracies": {label: selection_served.models[label].accuracy for label in subset.models},
        "agreement": selection_served.agreement,
        "system_prompt": selection_served.system_prompt,
        "no_answer": list(selection_served.no_answer),
        **options,
    }
    if (rule := _rule(subset, options.get("rule", subset.rule))) != "self-consistency":
        arguments["rule"] = rule
    if "extract" not in options and selection_served.extractor is not None:
        if selection_served.extractor not in _EXTRACTORS:
            raise ArgumentError(
                f"the pool was profiled with the extractor {selection_served.extractor!r}, which no file can hold; "
                "pass extract="
            )
        arguments["extract"] = selection_served.extractor
    for difference in _differences(selection_served, arguments):
        warn(f"{difference}; the selection's figures are of what was profiled")
    return arguments


def load_selection(path: str) -> "Selection":
    """Read the selection that a configuration names.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        return _load(path)
    except OSError as error:
        raise ConfigError(f"the selection {path} cannot be read: {error.strerror}; pass the path of one") from error
    except ArgumentError as error:
        raise ConfigError(str(error)) from error


def _load(path: str | PathLike[str]) -> "Selection":
    from slmmux.selection import Selection  # noqa: PLC0415 - it brings numpy, which a mux of its own does without

    return Selection.load(path)


def with_selected_members(config: Config) -> Config:
    """Return a configuration whose members are those of its selection; without a selection it is returned as it is.

    A member that the file does not have is served on this machine if it was profiled on one, under the name it had.

    Raises:
        ConfigError: The selection cannot be read, or a member of it is neither in the file nor local.
    """
    if config.selection is None:
        return config
    selection = load_selection(config.selection)
    members: dict[str, MemberConfig] = {}
    absent: list[str] = []
    for label in selection.best.models:
        profiled = selection.models[label]
        member = config.models.get(label) or _on_this_machine(profiled.settings)
        if member is None:
            absent.append(label)
        else:
            members[label] = member.model_copy(update=_as_profiled(config, member, profiled))
    if absent:
        raise ConfigError(
            f"the selection is of {' + '.join(selection.best.models)}, and nothing says where "
            f"{', '.join(map(repr, absent))} runs; write a [models.{absent[0]}] table with url and model"
        )
    changes: dict[str, Any] = {"models": members}
    if not _sets(config, "system_prompt"):
        changes["system_prompt"] = selection.system_prompt
    if not _sets(config, "temperature"):
        changes["temperature"] = None  # members without one were profiled at their server's own
    return config.model_copy(update=changes)


def _as_profiled(config: Config, member: MemberConfig, profiled: "Profiled") -> dict[str, Any]:
    """Return the settings that a member takes from its profile: those that neither it nor the file sets."""
    settings: dict[str, Any] = {}
    if member.samples is None and not _sets(config, "samples"):
        settings["samples"] = profiled.samples
    for name in ("temperature", "max_tokens"):
        if getattr(member, name) is None and not _sets(config, name):
            settings[name] = profiled.settings.get(name)
    if member.accuracy is None:
        settings["accuracy"] = profiled.accuracy
    return settings


def _on_this_machine(settings: Mapping[str, Any]) -> MemberConfig | None:
    # Imported here because it brings the local models with it.
    from slmmux.local import CATALOGUE, HUB_MODELS  # noqa: PLC0415

    name = settings.get("model")
    return MemberConfig(local=name) if name in CATALOGUE or name in HUB_MODELS else None


def _sets(config: Config, name: str) -> bool:
    return name in config.model_fields_set


def _rule(subset: "Subset", requested: Any) -> Any:
    """Return the rule: the fitted one if its name is requested, else the requested rule itself."""
    if not isinstance(requested, str) or requested not in FITTED_RULES:
        return requested
    if requested not in subset.fitted:
        raise ArgumentError(
            f"rule={requested!r} is the one fitted in the selection, and for {' + '.join(subset.models)} it has "
            f"{', '.join(map(repr, subset.fitted)) or 'none'}; make it with "
            f"select_complementary(..., rule={requested!r}), on more questions where it was"
        )
    return subset.fitted[requested]


def _differences(selection: "Selection", arguments: Mapping[str, Any]) -> list[str]:
    """Return what is served otherwise than it was profiled, as far as either says."""
    differences: list[str] = []
    overridden = arguments.get("temperature")
    for label, model in arguments["models"].items():
        profiled = selection.models[label].settings
        current = generation_settings(getattr(model, "bound", model), getattr(model, "kwargs", None))
        temperature = overridden.get(label) if isinstance(overridden, Mapping) else overridden
        for name, value in (("temperature", temperature), ("max_tokens", arguments.get("max_tokens"))):
            if value is not None:
                current[name] = value
        differences += [
            f"{label!r} was profiled with {name} {profiled.get(name)!r} and is served with {current.get(name)!r}"
            for name in sorted({*profiled, *current} if profiled else ())
            if profiled.get(name) != current.get(name)
        ]
    samples = arguments["samples"]
    for label in arguments["models"]:
        k, served_k = selection.models[label].samples, samples if isinstance(samples, int) else samples.get(label)
        if served_k != k:
            differences.append(f"{label!r} was profiled with {k} samples and is served with {served_k}")
    for name, in_profile, current_value in (
        ("extract", selection.extractor, extractor_name(arguments.get("extract", "auto"))),
        ("agreement", selection.agreement, arguments["agreement"]),
        ("system_prompt", selection.system_prompt, arguments["system_prompt"]),
    ):
        if in_profile is not None and current_value != in_profile:
            differences.append(f"the pool was profiled with {name} {in_profile!r} and is served with {current_value!r}")
    if {*selection.no_answer} != {*arguments["no_answer"]}:
        differences.append(
            f"the models were chosen with no_answer={list(selection.no_answer)} and are served with "
            f"{list(arguments['no_answer'])}"
        )
    return differences
