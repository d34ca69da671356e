"""Every error that this package raises on purpose, and the sentences they share.

    SLMMuxError
    ├── ArgumentError (ValueError)        a value passed in cannot be used; says what to pass instead
    │   ├── ExtractorError                an unknown extractor, or an answer that cannot be compared
    │   ├── MemberError                   a member that is not a chat model, or lacks what the request needs
    │   ├── ConfigError                   a mux.toml that cannot be read; names file and line
    │   └── RecordingError                a recording that cannot be read; names file and line
    ├── SampleError                       one call failed: member, index, cause
    ├── SampleTimeoutError (TimeoutError) one call took longer than `timeout`
    ├── MemberRestsError                  a member was not asked, as its server seems to be down
    ├── NoAnswerError                     every call failed; carries every SampleError
    ├── AbstainedError                    a value was asked for, and the mux abstains
    └── ProfilingError                    a member of a profile fails at every request

`slmmux.local` adds a branch of its own below SLMMuxError, for weights and servers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = [
    "AbstainedError",
    "ArgumentError",
    "ConfigError",
    "ExtractorError",
    "MemberError",
    "MemberRestsError",
    "NoAnswerError",
    "ProfilingError",
    "RecordingError",
    "SLMMuxError",
    "SampleError",
    "SampleTimeoutError",
    "chain_of",
]


class SLMMuxError(Exception):
    """The root: `except SLMMuxError` catches every error that this package raises on purpose."""


class ArgumentError(SLMMuxError, ValueError):
    """A value passed in cannot be used."""


class ExtractorError(ArgumentError):
    """An unknown extractor, or an answer that cannot be compared."""


class MemberError(ArgumentError):
    """A member that is not a chat model, or lacks what the request needs."""


class ConfigError(ArgumentError):
    """A configuration file that cannot be read."""


class RecordingError(ArgumentError):
    """A recording that cannot be read."""


class SampleError(SLMMuxError):
    """One call failed.

    Attributes:
        model: The member's label.
        index: The sample's index.
        cause: The error that the call raised.
    """

    def __init__(self, model: str, index: int, cause: BaseException) -> None:
        super().__init__(model, index, cause)
        self.model = model
        self.index = index
        self.cause = cause

    def __reduce__(self) -> tuple[Any, ...]:
        return SampleError, (self.model, self.index, _portable(self.cause))

    def __str__(self) -> str:
        return f"{self.model}[{self.index}]: {quote(self.cause)}"


class SampleTimeoutError(SLMMuxError, TimeoutError):
    """One call took longer than `timeout`."""


class MemberRestsError(SLMMuxError, ConnectionError):
    """A member was not asked, because it failed on several questions in a row and rests; the message says how long."""


class NoAnswerError(SLMMuxError):
    """There is not a single reply: every call failed, or none replied before the deadline.

    Attributes:
        errors: One `SampleError` for each failed call, in rank and index order.
    """

    def __init__(self, errors: Iterable[SampleError], why: str = "every call failed") -> None:
        self.errors: tuple[SampleError, ...] = tuple(errors)
        self.why = why
        # Not super(): below this class may stand the one that all causes share, whose arguments are its own.
        Exception.__init__(self, self.errors, why)

    @classmethod
    def of(cls, errors: Iterable[SampleError], why: str = "every call failed") -> "NoAnswerError":
        """Return the error, which is also of the class that all its causes share.

        So a program that catches a rate limit, an overflow or a refused key of a single model catches the mux's too,
        and reads the same attributes off it. The first cause is its `__cause__`.

        Example:
            >>> errors = [SampleError("qwen", i, TimeoutError("too slow")) for i in range(2)]
            >>> isinstance(NoAnswerError.of(errors), TimeoutError)
            True
        """
        errors = tuple(errors)
        causes = [error.cause for error in errors]
        combined = _combined(cls, _shared_class(causes))
        error = combined(errors, why) if combined is cls else _built(combined, causes[0], errors, why)
        if combined is not cls:
            own = {"errors", "why"}
            vars(error).update({name: value for name, value in vars(causes[0]).items() if name not in own})
        if causes:
            error.__cause__ = causes[0]
        return error

    def __reduce__(self) -> tuple[Any, ...]:
        return NoAnswerError.of, (self.errors, self.why)

    def __str__(self) -> str:
        return f"no member replied: {self.why} ({len(self.errors)} failed){_causes(self.errors)}"


class AbstainedError(SLMMuxError):
    """The mux abstains, and the caller expects a value: a parsed object, say, cannot say "I do not know".

    Attributes:
        record: The record of the decision.
    """

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.record: dict[str, Any] = dict(record)
        super().__init__(self.record)

    def __str__(self) -> str:
        probability = self.record["probability"]
        certainty = "of unknown probability" if probability is None else f"right with probability {probability:.2f}"
        return f"the mux abstains: its answer is {certainty}, below abstain_below; `.record` has the withheld answer"


class ProfilingError(SLMMuxError):
    """A member failed at each of its first requests, so the others were not made and nothing was recorded.

    Attributes:
        errors: One `SampleError` for each failed sample.
    """

    def __init__(self, errors: Iterable[SampleError]) -> None:
        self.errors: tuple[SampleError, ...] = tuple(errors)
        super().__init__(self.errors)

    def __str__(self) -> str:
        models = ", ".join(dict.fromkeys(error.model for error in self.errors))
        return (
            f"{models} failed at every one of the first requests, so no others were made and nothing was recorded; "
            f"fix the cause and run the same command again:{_causes(self.errors)}"
        )


def stand_in(module: str, name: str, text: str, status_code: int | None = None) -> Exception:
    """Return an error that goes by the name of another, with its text and none of what hangs on it.

    Args:
        module: The module of the other's class.
        name: The name of the other's class.
        text: What it says.
        status_code: The status of HTTP, if it has one: whether a fault may pass is told by it.

    Example:
        >>> stand_in("openai", "RateLimitError", "slow down", 429)
        RateLimitError('slow down')
    """
    error: Exception = type(name, (_StandInError,), {"__module__": module})(text)
    if status_code is not None:
        vars(error)["status_code"] = status_code
    return error


def stand_in_for(error: BaseException, text: str, status_code: int | None = None) -> Exception:
    """Return an error that goes by the name and the status of another, and says a text in its place.

    Args:
        error: The other.
        text: What the error says.
        status_code: The other's status, if its class keeps it under another name than `status_code`.
    """
    cls, status = type(error), status_code or getattr(error, "status_code", None)
    return stand_in(cls.__module__, cls.__name__, text, status if isinstance(status, int) else None)


class _StandInError(RuntimeError):
    def __reduce__(self) -> tuple[Any, ...]:
        status = getattr(self, "status_code", None)
        return stand_in, (type(self).__module__, type(self).__name__, str(self), status)


def _portable(error: BaseException) -> BaseException:
    """Return an error that can be pickled and read again: itself, or a stand-in.

    Errors of clients are often made of more than their `args`, or hold a connection.
    """
    import pickle  # noqa: PLC0415 - few errors leave their process

    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - what was pickled in the same breath
    except Exception:  # noqa: BLE001 - whatever a class of somebody's does when it is pickled
        return stand_in_for(error, str(error))
    return error


_UNTELLING = {Exception, BaseException, SLMMuxError}  # classes that say nothing of what went wrong


def _shared_class(causes: Sequence[BaseException]) -> type[BaseException] | None:
    """Return the most specific class that all causes are of, or `None` if none of theirs says what went wrong."""
    if not causes:
        return None
    shared = (c for c in type(causes[0]).__mro__ if all(isinstance(cause, c) for cause in causes))
    first = next((c for c in shared if issubclass(c, BaseException)), None)
    return None if first in _UNTELLING else first


_COMBINED: dict[tuple[type, type | None], type[NoAnswerError]] = {}


def _combined(cls: type[NoAnswerError], shared: type[BaseException] | None) -> type[NoAnswerError]:
    """Return a subclass of both; the class itself if there is nothing to add or the two cannot be one."""
    if shared is None or issubclass(cls, shared):
        return cls
    if (cls, shared) not in _COMBINED:
        try:
            names = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
            _COMBINED[cls, shared] = type(cls.__name__, (cls, shared), names)
        except TypeError:  # two layouts that cannot be one
            _COMBINED[cls, shared] = cls
    return _COMBINED[cls, shared]


def _built(
    combined: type[NoAnswerError], cause: BaseException, errors: tuple[SampleError, ...], why: str
) -> NoAnswerError:
    """Return an error of a combined class, whose other half may have a way of its own to be built."""
    try:
        return combined(errors, why)
    except TypeError:  # pydantic's errors and groups are made of more than a text
        names = {"__module__": combined.__module__, "__qualname__": combined.__qualname__}
        bare = type(combined.__name__, (combined,), {**names, "__init__": lambda *_: None})
        make, arguments = cast("Any", cause.__reduce__())[:2]  # as a pickle of the cause would be read
        error: NoAnswerError = getattr(bare, make.__name__, bare)(*arguments)
        NoAnswerError.__init__(error, errors, why)
        return error


def _causes(errors: Iterable[SampleError]) -> str:
    """Return each cause once, with the members that it affected: ten equal refusals are one line."""
    affected: dict[str, list[str]] = {}
    for error in errors:
        models = affected.setdefault(quote(error.cause), [])
        if error.model not in models:
            models.append(error.model)
    return "".join(f"\n  {', '.join(models)}: {cause}" for cause, models in affected.items())


def quote(error: BaseException) -> str:
    """Return an error as `Type: text`, like the last line of a traceback.

    Example:
        >>> quote(KeyError("x"))
        "KeyError: 'x'"
    """
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, what it was raised from, and so on; each once, as a chain may be a ring.

    Example:
        >>> error = ValueError("x")
        >>> error.__cause__ = KeyError("y")
        >>> [*chain_of(error)]
        [ValueError('x'), KeyError('y')]
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def did_you_mean(word: object, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Return a question that names the nearest of the known words, or "" if none is near.

    Args:
        word: The unknown word.
        known: The known words.
        cutoff: The least similarity, from 0 to 1.

    Example:
        >>> did_you_mean("phy", ["qwen", "phi"]), did_you_mean("x", ["qwen", "phi"])
        ("did you mean 'phi'?", '')
        >>> did_you_mean("smollm2", ["smollm3-3b", "smollm2-135m-instruct"])
        "did you mean 'smollm2-135m-instruct'?"
    """
    from difflib import get_close_matches  # noqa: PLC0415 - 2 ms that only a fault costs

    names = list(known)
    longer = [name for name in names if str(word) and name.startswith(str(word))]  # a word that was not finished
    near = get_close_matches(str(word), longer or names, n=1, cutoff=0 if longer else cutoff)
    return f"did you mean {near[0]!r}?" if near else ""


def first_fault(error: "ValidationError", root: str = "") -> str:
    """Return the first fault of a pydantic error as `where.it.is: message`.

    The message never quotes the value, which may be a key somebody wrote where it does not belong.

    Args:
        error: What pydantic raised.
        root: The name of the place without a location, such as "the file".

    Example:
        >>> from pydantic import TypeAdapter, ValidationError
        >>> try:
        ...     TypeAdapter(dict[str, list[int]]).validate_python({"a": [1, "x"]})
        ... except ValidationError as error:
        ...     print(first_fault(error))
        a.1: Input should be a valid integer, unable to parse string as an integer
    """
    return fault_sentence(error.errors(include_url=False, include_context=False, include_input=False)[0], root)


def fault_sentence(fault: Mapping[str, Any], root: str = "") -> str:
    """Return one fault of a pydantic error as a sentence; `first_fault` has the arguments."""
    place = ".".join(map(str, fault["loc"])) or root
    # pydantic's own prefix for what a validator of ours raises
    message = str(fault["msg"]).removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
