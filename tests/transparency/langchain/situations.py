"""The columns of LangChain: what people do with a chat model, and what its server replies."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.runnables import ConfigurableField, RunnableLambda
from langchain_core.tools import tool
from pydantic import BaseModel, Field

from tests.servers.replies import PNG, Break, Call, Fault, Reply

from ..plain import plain
from ..table import Desk, Integration, Situation

__all__ = ["SITUATIONS"]

_PDF = "JVBERi0xLjQKJSVFT0YK"
_QUESTION = [SystemMessage("Be brief."), HumanMessage("Capital of Norway?")]


class City(BaseModel):
    """A city."""

    name: str = Field(description="its name")
    people: int


@tool
def weather(city: str, day: str = "today") -> str:
    """Return the weather of a city."""
    return f"7 degrees in {city} {day}"


_SAID = (Reply("Oslo is the capital."),)
_CITY = {"name": "Oslo", "people": 700000}
_CITY_TEXT = '{"name": "Oslo", "people": 700000}'


def _ask(desk: Desk) -> list[Any]:
    return desk.pass_in("question", copy.deepcopy(_QUESTION))


def _text(desk: Desk) -> None:
    desk.call("messages", lambda **c: desk.model.invoke(_ask(desk), **c))
    desk.call("a text", lambda **c: desk.model.invoke("Capital of Norway?", **c))
    desk.call("dicts", lambda **c: desk.model.invoke([{"role": "user", "content": "Capital of Norway?"}], **c))
    desk.call("generate", lambda **_: desk.model.generate([_ask(desk)]).generations)


async def _text_async(desk: Desk) -> None:
    await desk.acall("agenerate", lambda **_: desk.model.agenerate([_ask(desk), _ask(desk)]))
    await desk.acall("messages", lambda **c: desk.model.ainvoke(_ask(desk), **c))
    await desk.acall("a text", lambda **c: desk.model.ainvoke("Capital of Norway?", **c))


def _batch(desk: Desk) -> None:
    def act(config: dict[str, Any], **more: Any) -> Any:
        return desk.model.batch(["Norway?", "Sweden?"], {**config, "max_concurrency": 1}, **more)

    desk.call("batch", act)
    desk.call("as completed", lambda config: sorted(desk.model.batch_as_completed(["Norway?"], config)))


def _stream(desk: Desk) -> None:
    desk.call("stream", lambda **c: list(desk.model.stream(_ask(desk), **c)))
    bound = desk.model.bind_tools([weather])
    desk.call("stream with tools bound", lambda **c: list(bound.stream(_ask(desk), **c)))


async def _astream(desk: Desk) -> None:
    await desk.acall("astream", lambda **c: desk.model.astream(_ask(desk), **c))


def _stream_calls(desk: Desk) -> None:
    bound = desk.model.bind_tools([weather])
    desk.call("stream", lambda **c: list(bound.stream("Weather in Oslo and Bergen?", **c)))


async def _events_v2(desk: Desk) -> None:
    def act(config: dict[str, Any]) -> Any:
        return desk.model.astream_events(_ask(desk), config, version="v2")

    note = await desk.acall("events", act)
    desk.calls["events"]["value"] = _without_ours(note or [])


def _without_ours(events: list[Any]) -> Any:
    """Return events without those of the member's run below a mux's, but for chunks, which a page would show."""
    ours = {e["run_id"] for e in events if e["name"] == "SLMMuxChatModel"}
    below = [e for e in events if ours & set(e.get("parent_ids", []))]
    kept = [e for e in events if e not in below or e["event"] == "on_chat_model_stream"]
    return [{**plain(e), "metadata": {k: v for k, v in e["metadata"].items() if not k.startswith("ls_")}} for e in kept]


async def _events_v3(desk: Desk) -> None:
    async def act(config: dict[str, Any]) -> Any:
        stream = await desk.model.astream_events(_ask(desk), config, version="v3")
        return [event async for event in stream]

    await desk.acall("events", act)
    desk.call("sync", lambda config: list(desk.model.stream_events(_ask(desk), config, version="v3")))


def _loop(desk: Desk, *, asked: str = "Weather in Oslo?", turns: int = 3) -> None:
    bound = desk.model.bind_tools([weather])
    history: list[Any] = [HumanMessage(asked)]
    for turn in range(1, turns + 1):
        message = desk.call(f"turn {turn}", lambda **c: bound.invoke(history, **c))
        if not isinstance(message, AIMessage):
            return
        history.append(message)
        history += [weather.invoke({**call, "type": "tool_call"}) for call in message.tool_calls]
    desk.pass_in("history", history)


_LOOP = (
    Reply(calls=(Call("weather", {"city": "Oslo"}, "call_1"),)),
    Reply("And now Bergen.", calls=(Call("weather", {"city": "Bergen", "day": "tomorrow"}, "call_2"),)),
    Reply("It is 7 degrees in both."),
)
_PARALLEL = (
    Reply(calls=(Call("weather", {"city": "Oslo"}, "call_1"), Call("weather", {"city": "Bergen"}, "call_2"))),
    Reply("It is 7 degrees in both."),
)


def _forced(desk: Desk) -> None:
    for choice in ("any", "weather", "auto"):
        bound = desk.call(f"bind {choice}", lambda **_: desk.model.bind_tools([weather], tool_choice=choice) and None)
        del bound
        desk.call(
            f"choice {choice}",
            lambda **c: desk.model.bind_tools([weather], tool_choice=choice).invoke("Weather in Oslo?", **c),
        )


def _structured(method: str | None) -> Callable[[Desk], None]:
    def run(desk: Desk) -> None:
        options = {} if method is None else {"method": method}
        for name, schema in (("a class", City), ("a JSON schema", City.model_json_schema())):
            for raw in (False, True):
                desk.call(
                    f"{name}{', with raw' if raw else ''}",
                    lambda **c: desk.model.with_structured_output(schema, include_raw=raw, **options).invoke(
                        "Capital of Norway?", **c
                    ),
                )
        desk.call(
            "streamed",
            lambda **c: list(desk.model.with_structured_output(City, **options).stream("Capital of Norway?", **c)),
        )
        for strict in (True, False):
            desk.call(
                f"strict {strict}",
                lambda **c: desk.model.with_structured_output(City, strict=strict, **options).invoke("Norway?", **c),
            )
        if method == "json_mode":
            desk.call("any JSON", lambda **c: desk.model.with_structured_output(None, **options).invoke("?", **c))

    return run


def _structured_script(method: str | None) -> Callable[[Integration], tuple[Reply, ...]]:
    def script(integration: Integration) -> tuple[Reply, ...]:
        called = (method or integration.forms["default_method"]) == "function_calling"
        return (Reply(calls=(Call("City", _CITY),)) if called else Reply(_CITY_TEXT),)

    return script


def _unparsable(desk: Desk) -> None:
    for method in ("function_calling", "json_schema"):
        for raw in (False, True):
            desk.call(
                f"{method}{', with raw' if raw else ''}",
                lambda **c: desk.model.with_structured_output(City, include_raw=raw, method=method).invoke("?", **c),
            )


_BLOCK_IMAGE = {"type": "image", "base64": PNG, "mime_type": "image/png"}
_URL_IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
_BLOCK_FILE = {"type": "file", "base64": _PDF, "mime_type": "application/pdf", "filename": "a.pdf"}


def _inputs(desk: Desk) -> None:
    for name, block in (("an image", _BLOCK_IMAGE), ("an image's URL", _URL_IMAGE), ("a document", _BLOCK_FILE)):
        message = desk.pass_in(name, HumanMessage([{"type": "text", "text": "What is it?"}, copy.deepcopy(block)]))
        desk.call(name, lambda **c: desk.model.invoke([message], **c))


def _two_turns(desk: Desk) -> None:
    history: list[Any] = [HumanMessage("Capital of Norway?")]
    first = desk.call("first", lambda **c: desk.model.invoke(history, **c))
    if isinstance(first, AIMessage):
        desk.call("second", lambda **c: desk.model.invoke([*history, first, HumanMessage("Sure?")], **c))
    desk.call("streamed", lambda **c: list(desk.model.stream(history, **c)))


def _search(desk: Desk) -> None:
    bound = desk.model.bind_tools([desk.integration.forms["search"]])
    history: list[Any] = [HumanMessage("Capital of Norway?")]
    first = desk.call("first", lambda **c: bound.invoke(history, **c))
    if isinstance(first, AIMessage):
        desk.call("second", lambda **c: bound.invoke([*history, first, HumanMessage("Sure?")], **c))
    mixed = desk.model.bind_tools([weather, desk.integration.forms["search"]])
    desk.call("beside a tool", lambda **c: mixed.invoke(history, **c))
    desk.call("streamed", lambda **c: list(bound.stream(history, **c)))


def _extras(desk: Desk) -> None:
    marked = weather.model_copy(update={"extras": desk.integration.forms["extras"]})
    desk.call("invoke", lambda **c: desk.model.bind_tools([marked]).invoke("Weather?", **c))


def _shown(desk: Desk) -> None:
    bound = desk.model.bind_tools([weather])
    desk.call("invoke", lambda **c: bound.invoke("Weather in Oslo?", **c))
    desk.call("stream", lambda **c: list(bound.stream("Weather in Oslo?", **c)))


async def _fault(desk: Desk) -> None:
    desk.call("invoke", lambda **c: desk.model.invoke(_ask(desk), **c))
    desk.call("stream", lambda **c: list(desk.model.stream(_ask(desk), **c)))
    await desk.acall("ainvoke", lambda **c: desk.model.ainvoke(_ask(desk), **c))
    await desk.acall("astream", lambda **c: desk.model.astream(_ask(desk), **c))


_BREAKS: tuple[Break, ...] = ("error", "ends", "closes", "nothing")


async def _broken_off(desk: Desk) -> None:
    """Each reply breaks off in the middle; what came before is compared as well."""
    for how in _BREAKS:
        desk.call(f"stream, {how}", lambda **c: desk.model.stream(_ask(desk), **c))
        await desk.acall(f"astream, {how}", lambda **c: desk.model.astream(_ask(desk), **c))
    desk.call("invoke", lambda **c: desk.model.invoke(_ask(desk), **c))
    await desk.acall("ainvoke", lambda **c: desk.model.ainvoke(_ask(desk), **c))
    bound = desk.model.bind_tools([weather])
    desk.call("a call in a stream", lambda **c: bound.stream("Weather in Oslo?", **c))


def _broken_off_script() -> tuple[Reply, ...]:
    long = "Oslo is the capital of Norway."
    streamed = tuple(Reply(long, breaks=how) for how in _BREAKS for _ in ("stream", "astream"))
    call = Reply(calls=(Call("weather", {"city": "Oslo", "day": "tomorrow"}),), breaks="closes")
    return (*streamed, Reply(long, breaks="closes"), Reply(long, breaks="ends"), call)


def _in_runnables(desk: Desk) -> None:
    """The wrappers that LangChain puts around any runnable, and chains of it."""
    model = desk.model
    desk.call("with_retry", lambda **c: model.with_retry(wait_exponential_jitter=False).invoke(_ask(desk), **c))
    desk.call("with_fallbacks", lambda **c: model.with_fallbacks([desk.other()]).invoke(_ask(desk), **c))
    desk.call("streamed", lambda **c: list(model.with_fallbacks([desk.other()]).stream(_ask(desk), **c)))
    tools = model.with_fallbacks([desk.other()]).bind_tools([weather])
    desk.call("tools of both", lambda **c: tools.invoke(_ask(desk), **c))
    twice = model.bind(stop=["x"]).with_config(tags=["a"]).bind(stop=["y"])
    desk.call("bound twice", lambda **c: twice.invoke(_ask(desk), **c))
    choice = model.configurable_alternatives(ConfigurableField(id="which"), default_key="one", other=desk.other())
    for key in ("one", "other"):
        desk.call(
            f"alternative {key}",
            lambda config: choice.invoke(_ask(desk), {**config, "configurable": {"which": key}}),
        )
    chain = RunnableLambda(lambda text: text) | model | (lambda message: message.text)
    desk.call("a chain", lambda **c: chain.invoke("Norway?", **c))
    desk.call("map", lambda config: model.map().invoke(["Norway?"], config))


def _messages(desk: Desk) -> None:
    """Histories with what people put into them."""
    asked = HumanMessage("Weather in Oslo?")
    called = AIMessage("", tool_calls=[{"name": "weather", "args": {"city": "Oslo"}, "id": "call_1"}])
    bound = desk.model.bind_tools([weather])
    for name, reply in (
        (
            "an image from a tool",
            ToolMessage([{"type": "text", "text": "See."}, _BLOCK_IMAGE], tool_call_id="call_1", artifact={"n": 1}),
        ),
        ("an error of a tool", ToolMessage("No such city.", tool_call_id="call_1", status="error")),
    ):
        desk.call(name, lambda **c: bound.invoke([asked, called, reply], **c))
    invalid = {"name": "weather", "args": "{bad", "id": "call_1", "error": "not JSON"}
    histories: dict[str, list[Any]] = {
        "a document before": [HumanMessage([{"type": "text", "text": "What?"}, _BLOCK_FILE]), AIMessage("A."), asked],
        "an invalid call": [asked, AIMessage("", invalid_tool_calls=[invalid]), HumanMessage("Again.")],
        "what another model said": [
            asked,
            AIMessage("Cold.", id="x", response_metadata={"model_name": "other"}, additional_kwargs={"refusal": None}),
            HumanMessage("Sure?", additional_kwargs={"k": 1}),
        ],
        "thoughts in standard form": [
            asked,
            AIMessage([{"type": "reasoning", "reasoning": "Hm."}, {"type": "text", "text": "Cold."}]),
            asked,
        ],
        "a chunk": [asked, AIMessageChunk("Cold."), asked],
        "a model's turn last": [asked, AIMessage("It is")],
        "two system messages": [SystemMessage("Be brief."), SystemMessage("Be kind."), asked],
        "pairs": [("system", "Be brief."), ("human", "Norway?")],
        "nothing": [],
    }
    for name, history in histories.items():
        desk.call(name, lambda **c: desk.model.invoke(history, **c))


_OPTIONS = {"temperature": 0.1, "max_tokens": 20, "seed": 7, "top_p": 0.5, "stop": ["\n"], "user": "ann"}


def _options(desk: Desk) -> None:
    own = desk.integration.forms.get("options", {})
    for name, value in _OPTIONS.items():
        act: Callable[..., Any] = lambda **c: desk.model.invoke("Capital?", **{name: value}, **c)  # noqa: E731
        if name not in own or (own[name] is not None and not desk.member):
            desk.call(name, act)
        elif own[name] is not None:
            model = desk.other(**own[name])
            desk.call(name, lambda **c: model.invoke("Capital?", **c))
        else:
            desk.refused(name, act)
    bound = desk.model.bind(stop=["."])
    desk.call("bound", lambda **c: bound.invoke("Capital?", **c))


def _count(desk: Desk) -> None:
    desk.call("a text", lambda **_: desk.model.get_num_tokens("Capital of Norway?"))
    desk.call("messages", lambda **_: desk.model.get_num_tokens_from_messages(_ask(desk)))
    desk.call("ids", lambda **_: desk.model.get_token_ids("Capital of Norway?"))


def _copies(desk: Desk) -> None:
    for name, copied in (
        ("copy.copy", copy.copy),
        ("copy.deepcopy", copy.deepcopy),
        ("model_copy", lambda model: model.model_copy()),
    ):
        kept: list[Any] = []
        desk.call(f"{name} is made", lambda **_: kept.append(copied(desk.model)))
        if kept:
            desk.call(name, lambda **c: kept[0].invoke("Capital?", **c))
    tagged = desk.model.with_config(tags=["mine"], metadata={"who": "me"}, run_name="ours")
    desk.call("with_config", lambda **c: tagged.invoke("Capital?", **c))


def _configured(desk: Desk) -> None:
    field = ConfigurableField(id="temperature")

    def act(config: dict[str, Any]) -> Any:
        return desk.model.configurable_fields(temperature=field).invoke(
            "Capital?", {**config, "configurable": {"temperature": 0.2}}
        )

    desk.call("configured", act)


def _pickled(desk: Desk) -> None:
    kept: list[Any] = []
    desk.call("pickled", lambda **_: kept.append(pickle.loads(pickle.dumps(desk.model))))
    if kept:
        desk.call("invoke", lambda **c: kept[0].invoke("Capital?", **c))


def _history(desk: Desk) -> None:
    """A conversation that the member alone began, and messages that somebody wrote."""
    begun = [HumanMessage("Weather in Oslo?")]
    member = desk.model if desk.member else desk.integration.build(desk.url)
    message = member.bind_tools([weather]).invoke(begun)
    replies = [ToolMessage("7 degrees", tool_call_id=call["id"]) for call in message.tool_calls]
    bound = desk.model.bind_tools([weather])
    desk.call("begun by the member alone", lambda **c: bound.invoke([*begun, message, *replies], **c))
    written = [
        HumanMessage("Hi.", name="ann"),
        AIMessage([{"type": "text", "text": "Hello."}, {"type": "text", "text": "What is it?"}]),
        HumanMessage([{"type": "text", "text": "Norway."}]),
    ]
    desk.call("written", lambda **c: desk.model.invoke(written, **c))


_CUT_CALL = (Reply(calls=(Call("weather", '{"city": "Os'),), cut=True),)
_BROKEN_CALL = (Reply(calls=(Call("weather", "city=Oslo"),)),)
_FAULTS = {
    "400": "bad_request",
    "401": "authentication",
    "429": "rate_limit",
    "500": "server",
    "context overflow": "overflow",
}

SITUATIONS = (
    Situation("text", _text, _SAID),
    Situation("text async", _text_async, _SAID),
    Situation("batch", _batch, _SAID),
    Situation("stream", _stream, _SAID),
    Situation("astream", _astream, _SAID),
    Situation("stream of tool calls", _stream_calls, _PARALLEL),
    Situation("astream_events v2", _events_v2, _SAID),
    Situation("astream_events v3", _events_v3, _SAID),
    Situation("tools over three turns", _loop, _LOOP),
    Situation("parallel tool calls", lambda desk: _loop(desk, turns=2), _PARALLEL),
    Situation("forced tool call", _forced, _LOOP[:1]),
    Situation("structured default", _structured(None), _structured_script(None)),
    Situation("structured function_calling", _structured("function_calling"), _structured_script("function_calling")),
    Situation("structured json_schema", _structured("json_schema"), _structured_script("json_schema")),
    Situation("structured json_mode", _structured("json_mode"), _structured_script("json_mode")),
    Situation("structured, not parsed", _unparsable, (Reply("I do not know."),)),
    Situation("images and documents in", _inputs, _SAID),
    Situation("images out", _two_turns, (Reply("Here.", image=PNG), Reply("Yes."), Reply("Here.", image=PNG))),
    Situation("audio out", _two_turns, (Reply(audio=True), Reply("Yes."), Reply("Oslo."))),
    Situation("reasoning", _two_turns, (Reply("Oslo.", reasoning="I must think."),), "thinking"),
    Situation(
        "reasoning with tools",
        _loop,
        tuple(Reply(reply.text, reasoning="I must look.", calls=reply.calls, refusal=reply.refusal) for reply in _LOOP),
        "thinking",
    ),
    Situation("refusal", _two_turns, (Reply(refusal="I can not help with that."),)),
    Situation("cut-off text", _shown, (Reply("Oslo is the", cut=True),)),
    Situation("cut-off tool call", _shown, _CUT_CALL),
    Situation("empty reply", _shown, (Reply(""),)),
    Situation("invalid tool call", _shown, _BROKEN_CALL),
    Situation("provider tools", _search, (Reply("Oslo is the capital.", searched=True),)),
    Situation("tool extras", _extras, _SAID),
    *(Situation(name, _fault, (Fault(kind),)) for name, kind in _FAULTS.items()),
    Situation("broken off", _broken_off, _broken_off_script()),
    Situation("in other runnables", _in_runnables, _SAID),
    Situation("messages of every kind", _messages, _SAID),
    Situation("call-time options", _options, _SAID),
    Situation("token counting", _count, _SAID, "count"),
    Situation("copying", _copies, _SAID),
    Situation("configurable_fields", _configured, _SAID),
    Situation("pickling", _pickled, _SAID),
    Situation("a history of others", _history, (_LOOP[0], *_SAID)),
)
