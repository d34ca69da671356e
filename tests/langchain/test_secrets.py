"""No secret of a member leaves: not in a repr, a dump, a key, a trace or an error."""

import json
import logging
import traceback
from typing import Any

import pytest
from langchain_core.load import dumpd, dumps
from pydantic import SecretStr

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from slmmux import MemberError, NoAnswerError

from .support import AsyncSeen, Seen

SECRET = "sk-hidden-0123456789"
PLAIN = "plain-token-987654321"
HEADER = "header-secret-13579"


class Keyed(ScriptedChatModel):
    """A careless member: a key in a SecretStr, one in a plain field, one in headers, all in its parameters."""

    api_key: SecretStr = SecretStr(SECRET)
    access_token: str = PLAIN
    default_headers: dict[str, str] = {"Authorization": f"Bearer {HEADER}"}

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {
            "access_token": self.access_token,
            "headers": self.default_headers,
            "key": self.api_key.get_secret_value(),
        }


def clean(text: object) -> bool:
    return not any(secret in str(text) for secret in (SECRET, PLAIN, HEADER))


def mux(**options):
    return SLMMuxChatModel(models={"a": Keyed(**{"script": ["4"], **options})}, samples=2)


def test_no_secret_in_repr_str_dump_or_key():
    """The mux shows, dumps and keys itself without any of its members' secrets."""
    one = mux()
    for text in (
        repr(one), str(one), json.dumps(dumpd(one)), dumps(one), one.model_dump(), one.model_dump_json(), (one.asdict if hasattr(one, "asdict") else one.dict)(),
        one._get_llm_string(api_key="sk-other"), one._identifying_params, one.with_structured_output({"title": "x", "type": "object", "properties": {}}),
        one.bind_tools([]), one | one,
    ):  # fmt: skip
        assert clean(text)
    assert "sk-other" not in one._get_llm_string(api_key="sk-other")


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_no_secret_in_a_trace(way):
    """Neither the mux's run nor a sample's holds a secret in any of its fields."""
    seen = Seen() if way == "sync" else AsyncSeen()
    config = {"callbacks": [seen]}
    mux().invoke("q", config) if way == "sync" else await mux().ainvoke("q", config)
    assert len(seen.begun) == 3
    for run in seen.begun:
        assert clean(run.model_dump() if hasattr(run, "model_dump") else vars(run))


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_known_secrets_are_struck_out_of_errors(way, caplog):
    """An error that quotes a key reaches the caller, the trace and the log without it."""
    caplog.set_level(logging.DEBUG)
    inner = ValueError(f"bad header Bearer {HEADER}")
    fault = ConnectionError(f"401 for key {SECRET} and token {PLAIN}")
    fault.__cause__ = inner
    seen = Seen()
    config = {"callbacks": [seen]}
    with pytest.raises(NoAnswerError) as caught:
        mux(script=[fault]).invoke("q", config) if way == "sync" else await mux(script=[fault]).ainvoke("q", config)
    error = caught.value
    whole = "".join(traceback.format_exception(error))
    for text in (str(error), repr(error), whole, error.errors, *(repr(e.cause) for e in error.errors), caplog.text):
        assert clean(text)
    for failed in error.errors:
        assert failed.cause.__cause__ is failed.cause.__context__ is None  # the original hangs on nothing
    assert "ConnectionError: 401 for key **********" in str(error)
    assert all(clean(run.error) and clean(run.outputs) for run in seen.begun)


def test_no_secret_in_what_a_refusal_carries():
    """A member that quotes its key while it refuses tools is named without it, down the whole chain of causes."""

    class Refusing(Keyed):
        def bind_tools(self, tools, **kwargs):
            raise ValueError(f"no tools with key {SECRET}")

    one = SLMMuxChatModel(models={"a": Refusing(script=["4"])})
    for refuse in (lambda: one.bind_tools([]), lambda: one.with_structured_output({"title": "x", "type": "object"})):
        with pytest.raises(MemberError, match=r"key \*{10}") as caught:
            refuse()
        carried = [caught.value]
        for error in carried:
            assert clean(error)
            carried += [e for e in (error.__cause__, error.__context__) if e is not None and e not in carried]


def test_an_error_without_a_secret_is_left_as_it_is():
    """Errors that quote no secret keep their class, so that a caller can tell them apart."""
    with pytest.raises(NoAnswerError) as caught:
        mux(script=[TimeoutError("slow")]).invoke("q")
    assert all(type(e.cause) is TimeoutError for e in caught.value.errors)


def test_no_secret_in_construction_errors():
    """A mux that cannot be built says why without quoting its members' secrets."""
    with pytest.raises(ValueError, match="samples") as caught:
        SLMMuxChatModel(models={"a": Keyed(script=["4"])}, samples=0)
    assert clean("".join(traceback.format_exception(caught.value)))
