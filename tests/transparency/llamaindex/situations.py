"""The columns of LlamaIndex: what people do with an LLM, and what its server replies."""

import asyncio
import base64
import copy
import pickle
from collections.abc import Callable
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    DocumentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, Field

from tests.servers.replies import PNG, Break, Call, Fault, Reply

from ..plain import plain
from ..table import Desk, Integration, Situation

__all__ = ["SITUATIONS"]


class City(BaseModel):
    """A city."""

    name: str = Field(description="its name")
    people: int


def weather(city: str, day: str = "today") -> str:
    """Return the weather of a city."""
    return f"7 degrees in {city} {day}"


_TOOL = FunctionTool.from_defaults(weather)
_SAID = (Reply("Oslo is the capital."),)
_PROMPT = "Capital of {country}?"
_CITY = {"name": "Oslo", "people": 700000}
_CITY_TEXT = '{"name": "Oslo", "people": 700000}'


def _ask(desk: Desk) -> list[ChatMessage]:
    question = [
        ChatMessage(role=MessageRole.SYSTEM, content="Be brief."),
        ChatMessage(role=MessageRole.USER, content="Capital of Norway?"),
    ]
    return desk.pass_in("question", question)


def _text(desk: Desk) -> None:
    desk.call("chat", lambda: desk.model.chat(_ask(desk)))
    desk.call("complete", lambda: desk.model.complete("Capital of Norway?"))


async def _text_async(desk: Desk) -> None:
    await desk.acall("achat", lambda: desk.model.achat(_ask(desk)))
    await desk.acall("acomplete", lambda: desk.model.acomplete("Capital of Norway?"))


def _predict(desk: Desk) -> None:
    desk.call("predict", lambda: desk.model.predict(PromptTemplate(_PROMPT), country="Norway"))
    desk.call("stream", lambda: list(desk.model.stream(PromptTemplate(_PROMPT), country="Norway")))


async def _predict_async(desk: Desk) -> None:
    async def streamed() -> Any:
        return await desk.model.astream(PromptTemplate(_PROMPT), country="Norway")

    await desk.acall("apredict", lambda: desk.model.apredict(PromptTemplate(_PROMPT), country="Norway"))
    await desk.acall("astream", streamed)


def _stream(desk: Desk) -> None:
    # Each chunk is copied as it comes: some LLMs hand out one object and change it.
    desk.call("stream_chat", lambda: [c.model_copy(deep=True) for c in desk.model.stream_chat(_ask(desk))])
    desk.call("stream_complete", lambda: [c.model_copy() for c in desk.model.stream_complete("Capital of Norway?")])


async def _stream_async(desk: Desk) -> None:
    await desk.acall("astream_chat", lambda: desk.model.astream_chat(_ask(desk)))
    await desk.acall("astream_complete", lambda: desk.model.astream_complete("Capital of Norway?"))


def _stream_calls(desk: Desk) -> None:
    def act() -> Any:
        return list(desk.model.stream_chat_with_tools([_TOOL], user_msg="Weather in Oslo and Bergen?"))

    chunks = desk.call("stream_chat_with_tools", act)
    if chunks:
        desk.call(
            "selections", lambda: desk.model.get_tool_calls_from_response(chunks[-1], error_on_no_tool_call=False)
        )


def _loop(desk: Desk, *, turns: int = 3) -> None:
    history = [ChatMessage(role=MessageRole.USER, content="Weather in Oslo?")]
    for turn in range(1, turns + 1):
        response = desk.call(
            f"turn {turn}", lambda: desk.model.chat_with_tools([_TOOL], chat_history=history, verbose=False)
        )
        if not isinstance(response, ChatResponse):
            return
        history.append(response.message)
        selections = desk.call(
            f"selections {turn}",
            lambda: desk.model.get_tool_calls_from_response(response, error_on_no_tool_call=False),
        )
        for selection in selections or []:
            output = str(_TOOL.call(**selection.tool_kwargs))
            more = {"tool_call_id": selection.tool_id, "name": selection.tool_name}
            history.append(ChatMessage(role=MessageRole.TOOL, content=output, additional_kwargs=more))
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
    for required in (True, False):
        desk.call(
            f"required {required}",
            lambda: desk.model.chat_with_tools([_TOOL], user_msg="Weather in Oslo?", tool_required=required),
        )
    desk.call("predict_and_call", lambda: desk.model.predict_and_call([_TOOL], user_msg="Weather in Oslo?"))


def _structured(desk: Desk) -> None:
    prompt = PromptTemplate(_PROMPT)
    desk.call("structured_predict", lambda: desk.model.structured_predict(City, prompt, country="Norway"))
    desk.call(
        "stream_structured_predict",
        lambda: list(desk.model.stream_structured_predict(City, prompt, country="Norway")),
    )
    structured = desk.model.as_structured_llm(City)
    desk.call("as_structured_llm", lambda: structured.complete("Capital of Norway?"))


async def _structured_async(desk: Desk) -> None:
    prompt = PromptTemplate(_PROMPT)

    async def streamed() -> Any:
        return await desk.model.astream_structured_predict(City, prompt, country="Norway")

    await desk.acall("astructured_predict", lambda: desk.model.astructured_predict(City, prompt, country="Norway"))
    await desk.acall("astream_structured_predict", streamed)


def _structured_script(integration: Integration) -> tuple[Reply, ...]:
    called = integration.forms["structured"] == "call"
    return (Reply(calls=(Call("City", _CITY),)) if called else Reply(_CITY_TEXT),)


def _inputs(desk: Desk) -> None:
    image = ImageBlock(image=PNG.encode(), image_mimetype="image/png")
    document = DocumentBlock(
        data=base64.b64encode(b"%PDF-1.4\n%%EOF\n"), title="a.pdf", document_mimetype="application/pdf"
    )
    for name, block in (("an image", image), ("a document", document)):
        message = ChatMessage(role=MessageRole.USER, blocks=[TextBlock(text="What is it?"), block])
        desk.pass_in(name, message)
        desk.call(name, lambda: desk.model.chat([message]))


def _two_turns(desk: Desk) -> None:
    history = [ChatMessage(role=MessageRole.USER, content="Capital of Norway?")]
    first = desk.call("first", lambda: desk.model.chat(history))
    if isinstance(first, ChatResponse):
        sure = ChatMessage(role=MessageRole.USER, content="Sure?")
        desk.call("second", lambda: desk.model.chat([*history, first.message, sure]))
    desk.call("streamed", lambda: [c.model_copy(deep=True) for c in desk.model.stream_chat(history)])


def _shown(desk: Desk) -> None:
    for name, act in (
        ("chat_with_tools", lambda: desk.model.chat_with_tools([_TOOL], user_msg="Weather in Oslo?")),
        (
            "stream_chat_with_tools",
            lambda: [c.model_copy(deep=True) for c in desk.model.stream_chat_with_tools([_TOOL], user_msg="Weather?")],
        ),
    ):
        value = desk.call(name, act)
        response = value[-1] if isinstance(value, list) and value else value
        if isinstance(response, ChatResponse):
            desk.call(
                f"selections of {name}",
                lambda: desk.model.get_tool_calls_from_response(response, error_on_no_tool_call=False),
            )


def _fault(desk: Desk) -> None:
    desk.call("chat", lambda: desk.model.chat(_ask(desk)))
    desk.call("complete", lambda: desk.model.complete("Capital of Norway?"))
    desk.call("stream_chat", lambda: list(desk.model.stream_chat(_ask(desk))))
    asyncio.run(_fault_async(desk))  # apart: some classes' sync calls need a thread without a loop


async def _fault_async(desk: Desk) -> None:
    await desk.acall("achat", lambda: desk.model.achat(_ask(desk)))
    await desk.acall("astream_chat", lambda: desk.model.astream_chat(_ask(desk)))


_BREAKS: tuple[Break, ...] = ("error", "ends", "closes", "nothing")


def _copied(stream: Any) -> Any:
    """Yield a copy of each chunk as it comes: some LLMs hand out one object and change it."""
    for chunk in stream:
        yield chunk.model_copy(deep=True)


def _broken_off(desk: Desk) -> None:
    """Each reply breaks off in the middle; what came before is compared as well."""
    for how in _BREAKS:
        desk.call(f"stream_chat, {how}", lambda: _copied(desk.model.stream_chat(_ask(desk))))
    desk.call("chat", lambda: desk.model.chat(_ask(desk)))
    asyncio.run(_broken_off_async(desk))


async def _broken_off_async(desk: Desk) -> None:
    for how in _BREAKS:
        await desk.acall(f"astream_chat, {how}", lambda: desk.model.astream_chat(_ask(desk)))
    await desk.acall("achat", lambda: desk.model.achat(_ask(desk)))


def _broken_off_script() -> tuple[Reply, ...]:
    long = "Oslo is the capital of Norway."
    each = tuple(Reply(long, breaks=how) for how in _BREAKS)
    return (*each, Reply(long, breaks="closes"), *each, Reply(long, breaks="ends"))


def _messages(desk: Desk) -> None:
    """Histories with what people put into them."""
    asked = ChatMessage(role=MessageRole.USER, content="Weather in Oslo?")
    image = ImageBlock(image=PNG.encode(), image_mimetype="image/png")
    more = {"tool_call_id": "call_1", "name": "weather"}
    block = ToolCallBlock(tool_name="weather", tool_kwargs={"city": "Oslo"}, tool_call_id="call_1")
    called = ChatMessage(role=MessageRole.ASSISTANT, blocks=[block])
    seen = ChatMessage(role=MessageRole.TOOL, blocks=[TextBlock(text="See."), image], additional_kwargs=more)
    said = ChatMessage(role=MessageRole.ASSISTANT, content="Cold.")
    histories = {
        "a model's turn last": [asked, said],
        "an empty turn": [asked, ChatMessage(role=MessageRole.ASSISTANT, content=None), asked],
        "thoughts": [
            asked,
            ChatMessage(role=MessageRole.ASSISTANT, blocks=[ThinkingBlock(content="Hm."), TextBlock(text="Cold.")]),
            asked,
        ],
        "a name": [ChatMessage(role=MessageRole.USER, content="Hi.", additional_kwargs={"name": "ann"})],
        "nothing": [],
    }
    for name, history in histories.items():
        desk.call(name, lambda: desk.model.chat(history))
    if desk.model.metadata.is_function_calling_model:
        desk.call(
            "an image from a tool", lambda: desk.model.chat_with_tools([_TOOL], chat_history=[asked, called, seen])
        )


async def _gathered(desk: Desk) -> None:
    """Several questions at once on one event loop."""

    async def replies() -> Any:
        return await asyncio.gather(*(desk.model.achat(_ask(desk)) for _ in range(3)))

    desk.calls["gathered"] = {"value": plain(await replies())}


_OPTIONS = {"temperature": 0.1, "max_tokens": 20, "seed": 7, "top_p": 0.5, "stop": ["\n"], "user": "ann"}


def _options(desk: Desk) -> None:
    own = desk.integration.forms.get("options", {})
    for name, value in _OPTIONS.items():
        act: Callable[[], Any] = lambda: desk.model.complete("Capital?", **{name: value})  # noqa: E731
        if name not in own or (own[name] is not None and not desk.member):
            desk.call(name, act)
        elif own[name] is not None:
            model = desk.other(**own[name])
            desk.call(name, lambda: model.complete("Capital?"), model)
        else:
            desk.refused(name, act)


def _metadata(desk: Desk) -> None:
    desk.call("metadata", lambda: desk.model.metadata)


def _prompts(desk: Desk) -> None:
    """A member with a system prompt, a wrapper of queries and an output parser of its own."""
    model = desk.other(system_prompt="Be brief.")
    desk.call("system_prompt, predict", lambda: model.predict(PromptTemplate(_PROMPT), country="Norway"), model)
    desk.call("system_prompt, chat", lambda: model.chat([ChatMessage(content="Capital?")]), model)
    desk.call("system_prompt, complete", lambda: model.complete("Capital?"), model)
    wrapped = desk.other(query_wrapper_prompt=PromptTemplate("<<{query_str}>>"))
    desk.call("query_wrapper_prompt", lambda: wrapped.predict(PromptTemplate(_PROMPT), country="Norway"), wrapped)


def _copies(desk: Desk) -> None:
    made: dict[str, Any] = {}
    for name, copied in (
        ("copy.copy", copy.copy),
        ("copy.deepcopy", copy.deepcopy),
        ("model_copy", lambda model: model.model_copy()),
    ):
        desk.call(f"{name} is made", lambda: made.update({name: copied(desk.model)}))
    for name, model in made.items():  # asked when all are made: an LLM that was asked has clients, which are not copied
        desk.call(name, lambda: model.complete("Capital?"), model)


def _pickled(desk: Desk) -> None:
    kept: list[Any] = []
    desk.call("pickled", lambda: kept.append(pickle.loads(pickle.dumps(desk.model))))
    if kept:
        desk.call("complete", lambda: kept[0].complete("Capital?"), kept[0])


def _history(desk: Desk) -> None:
    """A conversation that the member alone began, and messages that somebody wrote."""
    begun = [ChatMessage(role=MessageRole.USER, content="Weather in Oslo?")]
    member = desk.model if desk.member else desk.integration.build(desk.url)
    response = member.chat_with_tools([_TOOL], chat_history=begun)
    calls = member.get_tool_calls_from_response(response, error_on_no_tool_call=False)
    replies = [
        ChatMessage(
            role=MessageRole.TOOL,
            content="7 degrees",
            additional_kwargs={"tool_call_id": call.tool_id, "name": call.tool_name},
        )
        for call in calls
    ]
    desk.call(
        "begun by the member alone",
        lambda: desk.model.chat_with_tools([_TOOL], chat_history=[*begun, response.message, *replies]),
    )
    written = [
        ChatMessage(role=MessageRole.USER, content="Hi."),
        ChatMessage(role=MessageRole.ASSISTANT, blocks=[TextBlock(text="Hello."), TextBlock(text="What is it?")]),
        ChatMessage(role=MessageRole.USER, blocks=[TextBlock(text="Norway.")]),
    ]
    desk.call("written", lambda: desk.model.chat(written))


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
    Situation("predict", _predict, _SAID),
    Situation("predict async", _predict_async, _SAID),
    Situation("prompts of its own", _prompts, _SAID),
    Situation("stream", _stream, _SAID),
    Situation("stream async", _stream_async, _SAID),
    Situation("stream of tool calls", _stream_calls, _PARALLEL),
    Situation("tools over three turns", _loop, _LOOP),
    Situation("parallel tool calls", lambda desk: _loop(desk, turns=2), _PARALLEL),
    Situation("forced tool call", _forced, _LOOP[:1]),
    Situation("structured", _structured, _structured_script),
    Situation("structured async", _structured_async, _structured_script),
    Situation("structured by schema", _structured, (Reply(_CITY_TEXT),), "schema"),
    Situation("structured, not parsed", _structured, (Reply("I do not know."),)),
    Situation("images and documents in", _inputs, _SAID),
    Situation("images out", _two_turns, (Reply("Here.", image=PNG), Reply("Yes."), Reply("Here.", image=PNG))),
    Situation("audio out", _two_turns, (Reply(audio=True), Reply("Yes."), Reply("Oslo."))),
    Situation("reasoning", _two_turns, (Reply("Oslo.", reasoning="I must think."),), "thinking"),
    Situation(
        "reasoning with tools",
        _loop,
        tuple(Reply(reply.text, reasoning="I must look.", calls=reply.calls) for reply in _LOOP),
        "thinking",
    ),
    Situation("refusal", _two_turns, (Reply(refusal="I can not help with that."),)),
    Situation("cut-off text", _shown, (Reply("Oslo is the", cut=True),)),
    Situation("cut-off tool call", _shown, _CUT_CALL),
    Situation("empty reply", _shown, (Reply(""),)),
    Situation("invalid tool call", _shown, _BROKEN_CALL),
    Situation("provider tools", _two_turns, (Reply("Oslo is the capital.", searched=True),), "search"),
    *(Situation(name, _fault, (Fault(kind),)) for name, kind in _FAULTS.items()),
    Situation("broken off", _broken_off, _broken_off_script()),
    Situation("messages of every kind", _messages, _SAID),
    Situation("several at once", _gathered, _SAID),
    Situation("call-time options", _options, _SAID),
    Situation("metadata", _metadata, _SAID),
    Situation("copying", _copies, _SAID),
    Situation("pickling", _pickled, _SAID),
    Situation("a history of others", _history, (_LOOP[0], *_SAID)),
)
