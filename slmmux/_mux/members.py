"""What the members of every framework share: a label, secrets, and whether one request can bring several samples."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from slmmux._decision.retries import RETRIES
from slmmux._mux.limiter import no_limit
from slmmux._mux.options import warn_if_equal, warn_if_unused
from slmmux._mux.rest import Rest

__all__ = ["Member", "Memory", "most_retries_of", "name_of_model", "retries_itself", "retry_with", "warn_of_settings"]

M = TypeVar("M", bound="Member")

_ONCE = ("langchain_mistralai.", "llama_index.llms.mistralai.")  # have a field max_retries, and no use for it

# Where classes of either framework keep the name of their model, the most telling one first.
_NAME_ATTRIBUTES = ("model_name", "model", "model_id", "deployment_name")


@dataclass
class Memory:
    """What was learned of a member while it was asked: shared by all muxes that are configured from one.

    Attributes:
        single: Whether its server brings one sample a request, whatever its class can do.
        lost: Whether the user was told that all its samples failed.
        rest: Whether it rests, because its server seems to be down.
        estimated: Whether the user was told that its tokens are estimated.
        variants: Its copies with settings of a call, by those settings as JSON.
    """

    single: bool = False
    lost: bool = False
    estimated: bool = False
    variants: dict[str, Any] = field(default_factory=dict)
    rest: Rest = field(default_factory=Rest)


@dataclass(eq=False, kw_only=True)
class Member:
    """One wrapped model, ready to be sampled.

    Attributes:
        label: Its name in votes, records and traces.
        model: The framework's model that is called: the user's own, or a copy with settings applied.
        kwargs: Call arguments that come with each of its requests.
        secrets: Texts to strike out of errors and traces.
        can_several: Whether its class can bring several samples with one request.
        pace: Asks its rate limiter: returns 0 if a request may begin now, or the seconds after which to ask again.
        memory: What was learned of it while it was asked.
        most_retries: How often a call is made again, if its class makes none of its calls again by itself.
    """

    label: str
    model: Any
    kwargs: dict[str, Any] = field(default_factory=dict)
    secrets: tuple[str, ...] = field(repr=False)
    can_several: bool
    pace: Callable[[], float] = field(default=no_limit, repr=False)
    memory: Memory = field(default_factory=Memory, repr=False)
    most_retries: int = RETRIES

    @property
    def takes_several(self) -> bool:
        """Whether one request brings several samples, of its class and of its server."""
        return self.can_several and not self.memory.single

    @property
    def retries(self) -> int:
        """How often the mux makes a call again: never if the class does so itself, or calls would be multiplied."""
        return 0 if retries_itself(self.model) else self.most_retries


def name_of_model(model: object) -> str | None:
    """Return the name a model's own attributes give it, or `None` if none of them holds a text.

    Example:
        >>> from types import SimpleNamespace
        >>> name_of_model(SimpleNamespace(model_name=None, model="qwen"))
        'qwen'
    """
    names = (getattr(model, attribute, None) for attribute in _NAME_ATTRIBUTES)
    return next((name for name in names if isinstance(name, str) and name), None)


def retries_itself(model: object) -> bool:
    """Return whether a model's class makes calls again for what a server says, as its field `max_retries` promises.

    Mistral's classes have the field, and make such a call once.
    """
    has_field = "max_retries" in getattr(type(model), "model_fields", {})
    # By name: whoever has a member of such a class has its package.
    return has_field and not any(cls.__module__.startswith(_ONCE) for cls in type(model).__mro__)


def most_retries_of(model: object) -> int:
    """Return how often the mux makes a call of a model again: twice, and never more often than its user said.

    Example:
        >>> from types import SimpleNamespace
        >>> most_retries_of(SimpleNamespace()), most_retries_of(SimpleNamespace(max_retries=0))
        (2, 0)
    """
    own = getattr(model, "max_retries", None)
    return min(RETRIES, own) if isinstance(own, int) else RETRIES


def retry_with(client: Any, max_retries: int) -> Any:
    """Return a client of the OpenAI SDK's kind that retries so often; any other client is returned unchanged.

    Such clients take `max_retries` when they are built, and the copy of a member shares its original's client.
    """
    return client.with_options(max_retries=max_retries) if hasattr(client, "with_options") else client


def warn_of_settings(
    settings: Mapping[str, Any], samples: Mapping[str, int], members: Iterable[tuple[str, object, Mapping[str, Any]]]
) -> None:
    """Warn of settings that no member has, and of members whose k samples would all be equal.

    Args:
        settings: Standard settings for the members that have the field.
        samples: k by label.
        members: For each member its label, its model, and the call arguments that replace the model's settings.
    """
    members = list(members)
    settings = {name: value for name, value in settings.items() if name != "max_retries"}  # the mux retries itself
    warn_if_unused(settings, [type(model) for _, model, _ in members])
    for label, model, kwargs in members:
        warn_if_equal(
            label,
            samples[label],
            temperature=kwargs.get("temperature", getattr(model, "temperature", None)),
            seed=kwargs.get("seed", getattr(model, "seed", None)),
        )
