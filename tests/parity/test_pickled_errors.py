"""Errors leave their process: every public one is read again from its pickle, with its causes."""

import inspect
import pickle

import httpx
import openai
import pytest

import slmmux
from slmmux import NoAnswerError, ProfilingError, SampleError, SLMMuxError
from slmmux._decision.passing import passes
from slmmux._mux.secrets import clean_error
from slmmux.local import _errors as local_errors

REQUEST = httpx.Request("POST", "http://127.0.0.1/v1")
CAUSES = [
    TimeoutError("slow"),
    ValueError("bad"),
    openai.APITimeoutError(REQUEST),
    openai.APIConnectionError(request=REQUEST),
    openai.RateLimitError("slow down", response=httpx.Response(429, request=REQUEST), body=None),
    openai.AuthenticationError("no key", response=httpx.Response(401, request=REQUEST), body=None),
    clean_error(ConnectionError("key sk-123456"), ("sk-123456",)),
]


def public_errors():
    named = {name: getattr(slmmux, name) for name in slmmux.__all__ if name.endswith("Error")}
    named |= {name: each for name, each in vars(local_errors).items() if inspect.isclass(each)}
    return {name: cls for name, cls in named.items() if issubclass(cls, SLMMuxError)}


def example(cls):
    """Return an error of a class, as the package raises it."""
    if issubclass(cls, SampleError):
        return cls("a", 0, TimeoutError("slow"))
    if issubclass(cls, NoAnswerError | ProfilingError):
        return cls([SampleError("a", 0, TimeoutError("slow"))])
    if cls is slmmux.AbstainedError:
        return cls({"probability": 0.5})
    return cls("a sentence")


@pytest.mark.parametrize("cls", [pytest.param(cls, id=name) for name, cls in public_errors().items()])
def test_every_public_error_is_read_from_its_pickle(cls):
    """Class, text and attributes survive."""
    error = example(cls)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again).__name__, str(again)) == (type(error).__name__, str(error))
    assert isinstance(again, cls)
    assert vars(again).keys() == vars(error).keys()


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: type(cause).__name__)
def test_a_cause_of_any_client_survives_by_name_text_and_fault(cause):
    """A client's error that cannot be pickled goes as a stand-in, of which a retry decides the same."""
    again = pickle.loads(pickle.dumps(NoAnswerError.of([SampleError("a", 1, cause)] * 2, "deadline reached")))
    assert str(again) == str(NoAnswerError.of([SampleError("a", 1, cause)] * 2, "deadline reached"))
    (first, second) = again.errors
    assert (first.model, second.index, again.why) == ("a", 1, "deadline reached")
    assert type(first.cause).__name__ == type(cause).__name__
    assert passes(first.cause) == passes(cause)


@pytest.mark.parametrize(
    "fault",
    [
        httpx.ConnectError,
        httpx.ConnectTimeout,
        httpx.ReadError,
        httpx.RemoteProtocolError,
        ConnectionResetError,
        ValueError,
    ],
    ids=lambda fault: fault.__name__,
)
def test_a_stand_in_is_retried_as_the_error_is(fault):
    """An error that quoted a secret loses its bases with it, but not the chance of another try."""
    error = fault("no answer from key-0123456789")
    clean = clean_error(error, ("key-0123456789",))
    assert clean is not error
    assert passes(clean) == passes(error)
