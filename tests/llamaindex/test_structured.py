"""Structured prediction is left to each member's own way, and what is voted on is the value."""

import json

import pytest
from llama_index.core.llms import ChatMessage
from llama_index.core.output_parsers import PydanticOutputParser
from llama_index.core.program import FunctionCallingProgram, LLMTextCompletionProgram
from llama_index.core.prompts import ChatPromptTemplate, PromptTemplate
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux.testing import ScriptedLLM
from slmmux import NoAnswerError

from ..langchain.openai_server import Refused, serving
from .support import CompletionOnly, calling, user


class City(BaseModel):
    """A city."""

    town: str
    people: float


BERN = City(town="Bern", people=1)
SAME = ['{"town": "Bern", "people": 1}', '{"people": 1.0, "town": "Bern"}', '{ "town":"Bern","people":1.00 }']
OTHERS = [json.dumps({"town": "Basel", "people": i}) for i in range(3)]
PROMPT = "Which city is the capital of {country}?"

predictions = pytest.mark.parametrize(
    "how",
    ["structured_predict", "astructured_predict", "stream_structured_predict", "astream_structured_predict"],
)


def functions(texts):
    """A member that calls functions: these texts are the arguments, those that are not JSON are said."""

    def script(messages, turn, kwargs):
        text = texts[turn % len(texts)]
        if isinstance(text, Exception):
            return text
        return calling(kwargs["tools"][0]["function"]["name"], **json.loads(text)) if text[0] == "{" else text

    return ScriptedLLM(script=script)


def texts_only(texts):
    """A member that chats, and calls no functions."""
    return ScriptedLLM(script=lambda messages, turn, kwargs: texts[turn % len(texts)], calls_functions=False)


def completions(texts):
    """A member that only completes texts."""
    return CompletionOnly(script=texts)


MEMBERS = {"functions": functions, "text": texts_only, "completion": completions}
kinds = pytest.mark.parametrize("member", MEMBERS.values(), ids=MEMBERS)


def mux_of(member, texts, **options):
    """A mux of a member that says these texts in turn, behind one that never says the same twice."""
    models = {"wavers": functions(OTHERS), "sure": member(texts)}
    return SLMMuxLLM(models=models, **{"samples": 3, "wait": "exhausted", **options})


async def predicted(llm, how, prompt=PROMPT, output_cls=City, **kwargs):
    """Predict in one of the four ways; of a stream, return the one value it is."""
    prompt = PromptTemplate(prompt) if isinstance(prompt, str) else prompt
    value = getattr(llm, how)(output_cls, prompt, **kwargs)
    if how.startswith("a"):
        value = await value
    if "stream" in how:
        (value,) = [item async for item in value] if how.startswith("a") else list(value)
    return value


def decided(seen):
    """Return the response of the mux's one call: a sample's event has a tag."""
    ends = seen[0].of("LLMChatEndEvent", "LLMCompletionEndEvent")
    (end,) = [event for event in ends if "slmmux_member" not in event.tags]
    return end.response


# --- every kind of member --------------------------------------------------------------------------------------------


@predictions
@kinds
async def test_the_value_is_voted_on(member, how, seen):
    """By each kind of member and in each way of asking, one value spelled three ways is one answer, and it wins."""
    value = await predicted(mux_of(member, SAME), how, country="Switzerland")
    assert (type(value), value) == (City, BERN)
    record = decided(seen).raw["slmmux"]
    assert (record["model"], record["votes"][1]["count"], record["votes"][0]["count"]) == ("sure", 3, 1)
    assert (record["extractor"], record["answer"]) == ("structured", {"town": "Bern", "people": 1})
    assert json.loads(decided(seen).message.content) == {"town": "Bern", "people": 1}


@predictions
async def test_native_structured_outputs_stay_native(how):
    """A member whose server takes a JSON schema is asked with it as response format."""

    def script(body, turn):
        return SAME[turn % 3]

    with serving(script) as server:
        member = OpenAILike(
            model="m", api_base=server.url, api_key="k", is_chat_model=True, should_use_structured_outputs=True
        )
        mux = SLMMuxLLM(models={"wavers": functions(OTHERS), "sure": member}, samples=3, wait="exhausted")
        assert await predicted(mux, how, country="Switzerland") == BERN
    assert len(server.requests) == 3
    for body in server.requests:
        assert body["response_format"]["type"] == "json_schema"
        assert set(body["response_format"]["json_schema"]["schema"]["properties"]) == {"town", "people"}
        assert body["messages"][-1]["content"] == "Which city is the capital of Switzerland?"
        assert "tools" not in body


# --- what counts -----------------------------------------------------------------------------------------------------


@kinds
@pytest.mark.parametrize("how", ["structured_predict", "astructured_predict"])
async def test_what_does_not_parse_abstains(member, how, seen):
    """A reply that is no value of the schema has no vote, and its member's others count."""
    texts = ["I do not know.", '{"town": "Bern"}', *SAME]
    samples = {"wavers": 3, "sure": 5}
    mux = mux_of(member, texts, samples=samples, max_concurrency=1)  # one after the other: each text is said once
    assert await predicted(mux, how, country="Switzerland") == BERN
    vote = decided(seen).raw["slmmux"]["votes"][1]
    assert (vote["count"], vote["of"], vote["abstained"], vote["failed"]) == (3, 5, 2, 0)


@pytest.mark.parametrize("how", ["structured_predict", "astructured_predict"])
async def test_a_call_that_fails_is_failed(how, seen):
    """A call that raises counts as failed and not as an abstention, and costs nobody else their vote."""
    mux = mux_of(functions, [RuntimeError("out of memory"), *SAME[:2]])
    assert await predicted(mux, how, country="Switzerland") == BERN
    vote = decided(seen).raw["slmmux"]["votes"][1]
    assert (vote["count"], vote["abstained"], vote["failed"]) == (2, 0, 1)


async def test_a_refused_request_is_failed(seen):
    """A server's refusal is a failed call as well, for a member that asks natively."""
    with serving(lambda body, turn: Refused(400, "no such model") if turn == 0 else SAME[0]) as server:
        member = OpenAILike(
            model="m",
            api_base=server.url,
            api_key="k",
            is_chat_model=True,
            should_use_structured_outputs=True,
            max_retries=0,
        )
        mux = SLMMuxLLM(models={"m": member}, samples=3, wait="exhausted")
        assert await predicted(mux, "astructured_predict", country="Switzerland") == BERN
    (vote,) = decided(seen).raw["slmmux"]["votes"]
    assert (vote["count"], vote["abstained"], vote["failed"]) == (2, 0, 1)


@predictions
async def test_where_nothing_parses_the_parsers_own_error_is_raised(how):
    """Replies that are all unreadable raise what the best-ranked member's parser says, as that member alone would."""
    alone = texts_only(["I do not know."])
    with pytest.raises(ValueError) as own:  # noqa: PT011 - compared below
        await predicted(alone, "structured_predict", country="Switzerland")
    mux = SLMMuxLLM(models={"a": texts_only(["I do not know."]), "b": functions(["Nor do I."])}, samples=2)
    with pytest.raises(ValueError) as found:  # noqa: PT011
        await predicted(mux, how, country="Switzerland")
    assert (type(found.value), str(found.value)) == (type(own.value), str(own.value))


@predictions
async def test_where_nobody_replies(how):
    """Calls that all fail raise NoAnswerError with each cause, and no parser's error."""
    models = {"a": functions([RuntimeError("out of memory")]), "b": texts_only([])}
    mux = SLMMuxLLM(models=models, samples=1)
    with pytest.raises(NoAnswerError, match=r"(?s)out of memory.*ZeroDivisionError") as found:
        await predicted(mux, how, country="Switzerland")
    assert len(found.value.errors) == 2


@pytest.mark.parametrize("how", ["structured_predict", "astructured_predict"])
async def test_the_usage_is_the_whole_cost(how, seen):
    """The tokens of every sample are counted, also of those that lost, abstained or came in the form of a tool call."""
    members = {"f": functions(OTHERS), "t": texts_only([*SAME[:2], "I do not know."])}
    mux = SLMMuxLLM(models=members, samples=3, wait="exhausted")
    await predicted(mux, how, country="Switzerland")
    usage = {"input_tokens": 60, "output_tokens": 12, "total_tokens": 72}
    assert decided(seen).raw["usage"] == decided(seen).raw["slmmux"]["usage"] == usage


# --- what goes in ----------------------------------------------------------------------------------------------------


@predictions
async def test_the_users_prompt_and_arguments_are_theirs(how):
    """The prompt and `llm_kwargs` reach the members, and neither is changed by what their programs do with them."""
    asked = []

    def script(messages, turn, kwargs):
        asked.append((messages[-1].content, kwargs.get("top_p"), kwargs.get("stop")))
        return SAME[turn % 3]

    text = ScriptedLLM(script=script, calls_functions=False)
    mux = SLMMuxLLM(models={"f": functions(SAME), "t": text}, samples=2, wait="exhausted")
    prompt, llm_kwargs = PromptTemplate(PROMPT), {"top_p": 0.7, "tool_required": False, "stop": ["\n\n"]}
    before = prompt.model_dump_json()
    await predicted(mux, how, prompt, llm_kwargs=llm_kwargs, country="Switzerland")
    assert prompt.output_parser is None
    assert prompt.model_dump_json() == before
    assert llm_kwargs == {"top_p": 0.7, "tool_required": False, "stop": ["\n\n"]}
    assert [(top_p, stop) for _, top_p, stop in asked] == [(0.7, ["\n\n"])] * 2
    # The text program writes the schema into the prompt it is given: once, and not once a sample.
    assert all(content.startswith("Which city is the capital of Switzerland?") for content, *_ in asked)
    assert [content.count('"properties"') for content, *_ in asked] == [1, 1]


@kinds
@pytest.mark.parametrize("how", ["structured_predict", "astructured_predict"])
async def test_the_system_prompt_reaches_every_member(member, how):
    """The mux's `system_prompt` stands once in what every member is asked, and a prompt's own takes its place."""
    wrapped = member(SAME)
    mux = SLMMuxLLM(models={"m": wrapped}, samples=1, system_prompt="You know cities.")
    await predicted(mux, how, country="Switzerland")
    own = ChatPromptTemplate(
        [ChatMessage(role="system", content="You are brief."), ChatMessage(role="user", content=PROMPT)]
    )
    await predicted(mux, how, own, country="Switzerland")
    if member is completions:
        first, second = wrapped.prompts
    else:
        first, second = ("\n".join(message.content for message in messages) for messages in wrapped.calls)
    assert (first.count("You know cities."), first.count("capital of Switzerland")) == (1, 1)
    assert (second.count("You know cities."), second.count("You are brief.")) == (0, 1)


@kinds
@pytest.mark.parametrize("instruction", [None, "Say {this}."])
async def test_braces_survive(member, instruction):
    """Braces in arguments and in the system prompt are text, and no holes to fill."""
    wrapped = member(SAME)
    mux = SLMMuxLLM(models={"m": wrapped}, samples=1, system_prompt=instruction)
    await predicted(mux, "astructured_predict", country='{"a": {b}} {country}')
    asked = wrapped.prompts[0] if member is completions else wrapped.calls[0][-1].content
    assert 'capital of {"a": {b}} {country}?' in asked
    if instruction:
        everything = asked if member is completions else wrapped.calls[0][0].content
        assert "Say {this}." in everything


# --- who asks --------------------------------------------------------------------------------------------------------


@kinds
@pytest.mark.parametrize("how", ["chat", "achat", "stream_chat", "astream_chat", "complete", "acomplete"])
@pytest.mark.filterwarnings("ignore:The `json` method is deprecated")
async def test_as_structured_llm(member, how):
    """`as_structured_llm` answers chats and completions with the voted value, as JSON text and as an object."""
    llm = mux_of(member, SAME).as_structured_llm(City)
    asked = "Which city?" if "complete" in how else user("Which city?")
    response = getattr(llm, how)(asked)
    if how.startswith("a"):
        response = await response
    if "stream" in how:
        (response,) = [part async for part in response] if how.startswith("a") else list(response)
    assert response.raw == BERN
    text = response.text if "complete" in how else response.message.content
    assert City.model_validate_json(text) == BERN


programs = pytest.mark.parametrize("how", ["__call__", "acall", "stream_call", "astream_call"])


async def ran(program, how):
    """Run a program in one of its ways; of a stream, return the last value."""
    made = getattr(program, how)(country="Switzerland")
    if how.startswith("a"):
        made = await made
    if "stream" in how:
        *_, made = [item async for item in made] if how.startswith("a") else list(made)
    return made


@programs
async def test_a_function_calling_program(how):
    """FunctionCallingProgram works on the mux, streamed too: the value and not a blank one."""
    program = FunctionCallingProgram.from_defaults(
        output_cls=City, prompt_template_str=PROMPT, llm=mux_of(functions, SAME)
    )
    made = await ran(program, how)
    assert (type(made), made) == (City, BERN)


@programs
async def test_a_text_completion_program(how):
    """LLMTextCompletionProgram works on the mux: texts that are the same JSON are one answer, and are parsed once."""
    others = texts_only(OTHERS)
    mux = SLMMuxLLM(models={"wavers": others, "sure": texts_only(SAME)}, samples=3)
    program = LLMTextCompletionProgram.from_defaults(
        output_parser=PydanticOutputParser(output_cls=City), prompt_template_str=PROMPT, llm=mux
    )
    made = await ran(program, how)
    assert (type(made), made) == (City, BERN)


@predictions
async def test_events_of_a_structured_prediction(how, seen):
    """The mux reports one structured prediction, begun and ended with the value; members report theirs with a tag."""
    await predicted(mux_of(functions, SAME), how, country="Switzerland")
    names = ("LLMStructuredPredictStartEvent", "LLMStructuredPredictEndEvent")
    own = [event for event in seen[0].of(*names) if "slmmux_member" not in event.tags]
    assert [type(event).__name__ for event in own] == list(names)
    assert own[1].output == BERN
    assert seen[1].unclosed == []
