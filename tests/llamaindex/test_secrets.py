"""No secret of a member leaves: not in a repr, a dump, an event or an error; and a dump is made whole again."""

import copy
import json
import logging
import pickle
import traceback
from typing import Any

import pytest
from llama_index.core.callbacks import CallbackManager
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.llms.structured_llm import StructuredLLM
from llama_index.core.prompts import PromptTemplate
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel, SecretStr

from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux.testing import ScriptedLLM
from slmmux import NoAnswerError

from ..langchain.openai_server import Refused, call, serving
from .support import user

KEY = "sk-hidden-0123456789"
HEADER = "header-secret-13579"
EXTRA = "extra-secret-24680"
HIDDEN = "secretstr-97531"
SECRETS = (KEY, HEADER, EXTRA, HIDDEN)

NOWHERE = "http://127.0.0.1:9/v1"


class Total(BaseModel):
    """A number."""

    value: int


class Careful(ScriptedLLM):
    """A member with its key in a SecretStr."""

    token: SecretStr = SecretStr(HIDDEN)


def careless(url: str = NOWHERE, **options: Any) -> OpenAILike:
    """Return a member with secrets in plain fields, as OpenAI's LLM keeps them."""
    return OpenAILike(
        **{
            "model": "m",
            "api_base": url,
            "api_key": KEY,
            "default_headers": {"Authorization": f"Bearer {HEADER}"},
            "additional_kwargs": {"extra_body": {"hf_token": EXTRA}},
            "is_chat_model": True,
            "is_function_calling_model": True,
            "max_retries": 0,
            **options,
        }
    )


def clean(*texts: object) -> bool:
    return not any(secret in f"{text} {text!r}" for secret in SECRETS for text in texts)


class Payloads(BaseCallbackHandler):
    """Every legacy callback's payload."""

    def __init__(self) -> None:
        super().__init__([], [])
        self.payloads: list[Any] = []

    def on_event_start(self, event_type: Any, payload: Any = None, event_id: str = "", **kwargs: Any) -> str:
        self.payloads.append(payload)
        return event_id

    def on_event_end(self, event_type: Any, payload: Any = None, event_id: str = "", **kwargs: Any) -> None:
        self.payloads.append(payload)

    def start_trace(self, trace_id: str | None = None) -> None: ...

    def end_trace(self, trace_id: str | None = None, trace_map: Any = None) -> None: ...


# Every way to ask; a stream is read to its end.
async def _achat(mux):
    return await mux.achat(user("q"))


async def _stream(mux):
    return list(mux.stream_chat(user("q")))


async def _astream(mux):
    return [chunk async for chunk in await mux.astream_chat(user("q"))]


async def _structured(mux):
    return mux.structured_predict(Total, PromptTemplate("q"))


async def _astructured(mux):
    return await mux.astructured_predict(Total, PromptTemplate("q"))


async def _chat(mux):
    return mux.chat(user("q"))


async def _complete(mux):
    return mux.complete("q")


async def _stream_structured(mux):
    return list(mux.stream_structured_predict(Total, PromptTemplate("q")))


async def _astream_structured(mux):
    return [value async for value in await mux.astream_structured_predict(Total, PromptTemplate("q"))]


PLAIN = [_chat, _achat, _complete, _stream, _astream]
STRUCTURED = [_structured, _astructured, _stream_structured, _astream_structured]


def of_the_mux(seen) -> list[Any]:
    """Return the events that no member reports of itself."""
    return [event for event in seen[0].events if "slmmux_member" not in event.tags]


def whole(event: Any) -> list[object]:
    """Return everything an event would show: its fields, and its dump."""
    return [event, *vars(event).values(), event.model_dump()]


def carried(error: BaseException | None) -> list[BaseException]:
    """Return an error and every other that hangs on it: causes, contexts, the samples' errors."""
    found: list[BaseException] = []
    ahead = [error]
    while ahead:
        error = ahead.pop()
        if error is None or error in found:
            continue
        found.append(error)
        ahead += [error.__cause__, error.__context__, getattr(error, "cause", None), *getattr(error, "errors", ())]
    return found


# --- what the mux shows ---------------------------------------------------------------------------------------------


def test_no_secret_in_repr_dump_or_payload():
    """The mux shows and dumps itself without any of its members' secrets, and so do its copies."""
    models = {"open": careless(), "careful": Careful(script=["4"])}
    one = SLMMuxLLM(models=models, samples=2, temperature=0.5, max_retries=1)
    for mux in (one, copy.copy(one), one.model_copy(update={"samples": 3})):
        for text in (
            mux, mux.to_dict(), mux.to_json(), mux.model_dump(), mux.model_dump_json(), mux.model_dump(include={"models"}),
            mux.model_dump(mode="json", exclude_unset=True), mux.to_payload(), mux.metadata,
        ):  # fmt: skip
            assert clean(text)
        assert clean(mux.json(), mux.dict())


def test_no_member_in_a_dump():
    """A dump is JSON of the options and of what tells the members apart, whatever is asked to be included."""
    mux = SLMMuxLLM(models={"open": careless()}, samples=2)
    dumped = json.loads(mux.to_json())["members"]["open"]
    assert dumped["class"] == careless().class_name()
    assert not set(dumped) & {"api_key", "api_base", "default_headers"}
    assert "models" not in {**mux.to_dict(), **mux.model_dump(include={"models"})}


@pytest.mark.parametrize("ask", [*PLAIN, *STRUCTURED])
async def test_no_secret_in_a_call(ask, seen):
    """Neither an event nor a legacy payload of the mux, nor its response, holds a secret of a member that was asked."""
    told = Payloads()
    with serving([call("Total", {"value": 4}) if ask in STRUCTURED else "4"]) as server:
        models = {"open": careless(server.url), "open2": careless(server.url)}
        mux = SLMMuxLLM(models=models, samples=2, wait="exhausted", callback_manager=CallbackManager([told]))
        answer = await ask(mux)
        assert any(KEY in value or HEADER in value for headers in server.headers for value in headers.values())
    assert clean(answer)
    events = of_the_mux(seen)
    assert {type(event).__name__ for event in events} & {"LLMChatEndEvent", "LLMCompletionEndEvent"}
    assert all(clean(*whole(event)) for event in events)
    assert told.payloads
    assert clean(*told.payloads)


# --- errors ---------------------------------------------------------------------------------------------------------

# How a server, or an SDK, quotes what it was sent.
QUOTED = f"401 for key {KEY}, header Bearer {HEADER}, body {EXTRA} and token {HIDDEN}"


@pytest.mark.parametrize("ask", [*PLAIN, *STRUCTURED])
async def test_known_secrets_are_struck_out_of_errors(ask, seen, caplog):
    """An error that quotes a key reaches the caller, the mux's events, spans and payloads, and our log without it."""
    caplog.set_level(logging.DEBUG)
    told = Payloads()
    inner = ValueError(f"bad token {HIDDEN}")
    fault = ConnectionError("refused")
    fault.__cause__ = inner
    with serving(lambda *_: Refused(401, QUOTED.replace(HIDDEN, ""))) as server:
        models = {"open": careless(server.url), "careful": Careful(script=[fault])}
        mux = SLMMuxLLM(models=models, samples=2, callback_manager=CallbackManager([told]))
        with pytest.raises(NoAnswerError) as caught:
            await ask(mux)
    error = caught.value
    assert {e.model for e in error.errors} == {"open", "careful"}
    assert "**********" in str(error)
    assert "ConnectionError: refused" in str(error)
    assert clean(*carried(error), *(e.args for e in carried(error)), *(vars(e) for e in carried(error)))
    assert clean("".join(traceback.format_exception(error)))
    for failed in error.errors:
        assert failed.cause.__cause__ is failed.cause.__context__ is None  # the original hangs on nothing
    events = of_the_mux(seen)
    assert [event for event in events if type(event).__name__ == "SpanDropEvent"]
    assert all(clean(*whole(event)) for event in events)
    assert told.payloads
    assert clean(*told.payloads)
    dropped = [e for id_, e in seen[1].dropped.items() if id_.startswith("SLMMuxLLM.")]
    assert dropped
    assert all(clean(*carried(e)) for e in dropped)
    assert clean(*(r.getMessage() for r in caplog.records if "slmmux" in r.name))


@pytest.mark.parametrize("ask", STRUCTURED)
async def test_no_secret_in_why_a_reply_could_not_be_read(ask):
    """Where replies came and none could be parsed, what a member's parser raised is handed on without the key it quotes."""
    with serving([call("Total", {"value": KEY})]) as server:
        mux = SLMMuxLLM(models={"open": careless(server.url)}, samples=2)
        with pytest.raises(Exception, match=r"(?s)value.*\*{10}") as caught:
            await ask(mux)
    assert clean(*carried(caught.value), "".join(traceback.format_exception(caught.value)))


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda inner: StructuredLLM(llm=inner, output_cls=Total),
        lambda inner: SLMMuxLLM(models={"inner": inner}),
    ],
    ids=["structured", "a mux"],
)
def test_no_secret_of_an_llm_inside_a_member(wrapped):
    """A member that wraps another LLM keeps that one's secrets as well."""
    with serving(lambda *_: Refused(401, QUOTED.replace(HIDDEN, ""))) as server:
        mux = SLMMuxLLM(models={"outer": wrapped(careless(server.url))}, samples=2)
        with pytest.raises(NoAnswerError, match="401") as caught:
            mux.chat(user("q"))
    assert clean(*carried(caught.value), "".join(traceback.format_exception(caught.value)))


def test_an_error_without_a_secret_is_left_as_it_is():
    """Errors that quote no secret keep their class, so that a caller can tell them apart."""
    with pytest.raises(NoAnswerError) as caught:
        SLMMuxLLM(models={"a": Careful(script=[TimeoutError("slow")])}).complete("q")
    assert [type(e.cause) for e in caught.value.errors] == [TimeoutError] * 3


# --- out of a dump --------------------------------------------------------------------------------------------------


def first_word(text: str) -> str | None:
    return text.split(maxsplit=1)[0] if text else None


OPTIONS = {
    "samples": {"a": 2, "b": 1},
    "temperature": {"a": 0.7},
    "accuracies": {"a": 0.5, "b": 0.5},
    "wait": "exhausted",
    "plan": "cascade",
    "max_concurrency": 3,
    "timeout": 30,
    "deadline": 60,
    "max_tokens": 9,
    "stop": ["x"],
    "system_prompt": "Be brief.",
}


def llms(*names: str) -> dict[str, Any]:
    return {name: ScriptedLLM(script=[f"{name} says"], model=name) for name in names}


def again_from_dict(mux, given):
    return SLMMuxLLM.from_dict(mux.to_dict(), llms=given)


def again_from_list(mux, given):
    return SLMMuxLLM.from_dict(mux.to_dict(), llms=list(given.values()))


def again_from_json(mux, given):
    return SLMMuxLLM.from_json(mux.to_json(), llms=given)


def again_from_pickle(mux, given):
    return pickle.loads(pickle.dumps(mux))


def asked(mux) -> tuple[Any, ...]:
    record = mux.complete("q").raw["slmmux"] | {"seconds": None}
    return mux.to_dict(), mux.k, mux.metadata, record


@pytest.mark.parametrize("order", ["ab", "ba"])
@pytest.mark.parametrize("again", [again_from_dict, again_from_list, again_from_json, again_from_pickle])
@pytest.mark.parametrize("options", [OPTIONS, {"wait": "exhausted"}])
def test_a_dump_is_made_whole(again, order, options):
    """A mux of a dump or pickle has all options and decides alike; the rank is kept, however the LLMs are passed."""
    mux = SLMMuxLLM(models=llms("a", "b"), **options)
    made = again(mux, llms(*order))
    assert asked(made) == asked(mux)
    assert (made.max_tokens, made.stop, made.system_prompt) == tuple(
        options.get(name) for name in ("max_tokens", "stop", "system_prompt")
    )


def test_options_given_anew_come_first():
    """An option given to `from_dict` comes before the dump's, which is left as it was."""
    dump = SLMMuxLLM(models=llms("a"), samples=5, extract=first_word).to_dict()
    before = copy.deepcopy(dump)
    made = SLMMuxLLM.from_dict(dump, llms=llms("a"), samples=2, extract=first_word)
    assert (made.samples, made.complete("q").raw["slmmux"]["answer"]) == (2, "a")
    assert dump == before


def test_a_pickle_keeps_a_callable_extractor():
    """A module-level extractor goes with the pickle, and reads as before."""
    made = again_from_pickle(SLMMuxLLM(models=llms("a"), extract=first_word), llms("a"))
    assert made.extract is first_word
    assert made.complete("q").raw["slmmux"]["answer"] == "a"


def test_an_extractor_that_cannot_be_pickled_is_not_dropped():
    """A mux whose extractor cannot be pickled is not pickled: without it, it would answer differently."""
    mux = SLMMuxLLM(models=llms("a"), extract=lambda text: text)
    with pytest.raises((AttributeError, pickle.PicklingError), match="lambda"):
        pickle.dumps(mux)


async def test_a_mux_out_of_a_pickle_works_like_any_other():
    """It takes prompts, schemas, copies and further pickles, in sync and async calls."""
    made = again_from_pickle(SLMMuxLLM(models=llms("a", "b"), wait="exhausted"), llms("a", "b"))
    assert made.predict(PromptTemplate("q")) == "a says"
    assert (await made.achat(user("q"))).message.content == "a says"
    assert copy.copy(made).complete("q").text == "a says"
    assert asked(again_from_pickle(made, llms("a", "b"))) == asked(made)


def test_a_deep_copy_is_a_mux_of_its_own():
    """copy.deepcopy makes a mux with members, threads and slots of its own, which still answers."""
    mux = SLMMuxLLM(models=llms("a"))
    copied = copy.deepcopy(mux)
    assert copied.complete("q").text == mux.complete("q").text
    assert copied._pool is not mux._pool
    assert copied.models["a"] is not mux.models["a"]
