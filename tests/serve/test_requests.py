"""What a request may say: unsupported fields are refused by name, and `slmmux` narrows what the file allows."""

import json

import httpx
import pytest
from langchain_core.messages import AIMessage
from openai.types.chat.completion_create_params import CompletionCreateParamsBase, CompletionCreateParamsStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsBase, ResponseCreateParamsStreaming

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from tests.lengths import AT_LENGTH

from .support import QUESTION, WEATHER, app, mux, serving

ASKED = {"model": "mux", "messages": QUESTION}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}}
IMAGE_ADDRESS = "messages[0].content[0].image_url.url"
INPUT_IMAGE = {"type": "input_image", "image_url": "https://example.org/cat.png"}


def post(url, body, path="chat/completions", **options):
    return httpx.post(f"{url}/v1/{path}", json=body, timeout=30, **options)


def fault(response):
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    return error


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"store": True}, "store"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"reasoning_effort": "high"}, "reasoning_effort"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "function", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": ["x"]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
        (
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]},
            "messages[0].content[0].file.file_data",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].custom"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "x"}}}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "allowed_tools", "allowed_tools": {}}}, "tool_choice.type"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"n": 9}, "n"),
        ({"n": "2"}, "n"),
        ({"n": True}, "n"),
        ({"seed": 2**63}, "seed"),
        ({"temperature": "0.5"}, "temperature"),
        ({"parallel_tool_calls": "no"}, "parallel_tool_calls"),
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "grammar"}}, "response_format.type"),
        ({"slmmux": {"sample": 3}}, "slmmux.sample"),
        ({"slmmux": "x"}, "slmmux"),
        ({"stop": [""]}, "stop[0]"),
        ({"prediction": {"type": "content", "content": ""}}, "prediction"),
        ({"messages": [*QUESTION, {"role": "tool", "content": "x", "tool_call_id": "a"}]}, "messages[1].tool_call_id"),
        ({"messages": [{"role": "system", "content": [IMAGE]}]}, "messages[0].content[0].image_url"),
        ({"messages": [{"role": "user", "content": [IMAGE | {"image_url": "x"}]}]}, "messages[0].content[0].image_url"),
        *(
            ({"messages": [{"role": "user", "content": [IMAGE | {"image_url": {"url": address}}]}]}, IMAGE_ADDRESS)
            for address in ("", "cat.png", "file:///etc/passwd", "data:")
        ),
        *(
            ({"tools": [{"type": "function", "function": {"name": "x", "parameters": schema}}]}, field)
            for schema, field in (
                ({"type": "array"}, "tools[0].function.parameters.type"),
                ({"type": "nonsense"}, "tools[0].function.parameters.type"),
                ("x", "tools[0].function.parameters"),
            )
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": ["x"]}}}},
            "response_format.json_schema.schema.type",
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_not_supported_is_refused_by_name(url, change, field, stream):
    """Whole or streamed, the answer is 400 in OpenAI's shape, with the field."""
    assert fault(post(url, ASKED | {"stream": stream} | change))["param"] == field


def test_options_of_a_stream_need_a_stream(url):
    """Without a stream there is no last chunk for the tokens."""
    assert fault(post(url, ASKED | {"stream_options": {"include_usage": True}}))["param"] == "stream_options"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"store": True}, "store"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"include": ["reasoning.encrypted_content"]}, "include"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "x"}]}]},
            "input[0].content[0].type",
        ),
        ({"stream": "yes"}, "stream"),
        ({"tool_choice": "none", "tools": [{"type": "function", "name": ""}]}, "tools[0].name"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"text": {"format": {"type": "text", "name": "x"}}}, "text.format.name"),
        ({"text": {"format": {"type": "json_object", "strict": True}}}, "text.format.strict"),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"background": True}, "background"),
        ({"truncation": "auto"}, "truncation"),
        ({"input": [{"type": "function_call_output", "call_id": "a", "output": "x"}]}, "input[0].call_id"),
        ({"input": [{"role": "system", "content": [INPUT_IMAGE]}]}, "input[0].content[0].type"),
        ({"input": [{"role": "assistant", "content": [INPUT_IMAGE]}]}, "input[0].content[0].type"),
        ({"input": [{"role": "user", "content": [{"type": "refusal", "refusal": "x"}]}]}, "input[0].content[0].type"),
        ({"input": [{"role": "user", "content": [INPUT_IMAGE | {"image_url": "x"}]}]}, "input[0].content[0].image_url"),
    ],
)
def test_responses_refuse_what_they_do_not_support(url, change, field):
    """The newer form is a subset, and says so field by field."""
    assert fault(post(url, {"model": "mux", "input": "hi"} | change, "responses"))["param"] == field


def test_fields_that_ask_for_nothing_are_no_faults(url):
    """Clients spell out defaults of things that this server does not do."""
    nothing = {"logprobs": False, "top_logprobs": None, "store": False, "metadata": {}, "modalities": ["text"]}
    assert post(url, ASKED | nothing | {"service_tier": "auto", "audio": None}).status_code == 200


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(url, content):
    """However broken it is, the answer has OpenAI's shape."""
    headers = {"content-type": "application/json"}
    fault(httpx.post(f"{url}/v1/chat/completions", content=content, headers=headers))


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"model": "mux", "model": "other"}', "the key 'model' is there twice"),
        (b'{"temperature": NaN}', "NaN is no number"),
        (b'{"seed": ' + b"9" * 5000 + b"}", "too many digits"),
        (b'{"user": "caf\xe9"}', "no UTF-8"),
        (b'{"tools": ' + b"[" * 101 + b"]" * 101 + b"}", "100 deep"),
        (b'{"tools": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "100 deep"),
    ],
)
def test_json_that_only_some_parsers_read_is_refused(url, content, words, large):
    """Two values of one key, numbers that JSON has no word for, other bytes and deep nests: each has its sentence."""
    headers = {"content-type": "application/json"}
    spaces = b" " * 300_000 if large else b""  # large bodies are read by another parser
    reply = httpx.post(f"{url}/v1/chat/completions", content=content + spaces, headers=headers)
    assert words in fault(reply)["message"]


def test_a_schema_with_an_infinite_number_is_refused(url):
    """It could not be written as JSON again for the members."""
    tool = {"type": "function", "function": {"name": "x", "parameters": {"minimum": "END"}}}
    body = json.dumps(ASKED | {"tools": [tool]}).replace('"END"', "1e999")
    reply = httpx.post(f"{url}/v1/chat/completions", content=body, headers={"content-type": "application/json"})
    assert fault(reply)["param"] == "tools[0].function.parameters"


def test_a_body_has_to_say_that_it_is_json(url):
    """Without a content type, and with another one, the sentence says what was received."""
    for kind, words in (("", "received no content type"), ("text/plain", "received 'text/plain'")):
        reply = httpx.post(f"{url}/v1/chat/completions", content=b"{}", headers={"content-type": kind})
        assert (reply.status_code, words in reply.json()["error"]["message"]) == (415, True)


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ("GET /v1/chat/completions", 405, "takes POST, received GET"),
        ("OPTIONS /v1/responses", 405, "takes POST, received OPTIONS"),
        ("DELETE /v1/models/mux", 405, "takes GET, HEAD, received DELETE"),
        ("POST /v1/embeddings", 404, "no address /v1/embeddings; it has /v1/chat/completions"),
        ("GET /v1/responses/resp_1", 404, "no address /v1/responses/resp_1"),
    ],
)
def test_another_address_or_method_is_refused_in_openais_shape(url, http, asked, status, words):
    """The sentence says what the address takes, or which addresses there are; a 405 names the methods."""
    method, path = asked.split()
    reply = http.request(method, url + path)
    assert (reply.status_code, words in reply.json()["error"]["message"]) == (status, True)
    assert ("allow" in reply.headers) == (status == 405)
    assert http.head(url + "/v1/models").status_code == 200


@pytest.mark.parametrize("name", ["auto", "any", "none", "required", "weather"])
def test_a_tool_may_have_the_name_of_a_choice(name):
    """The member is told of the tool, and not of the choice that is written alike."""
    choices = []

    def script(messages, turn, kwargs):
        choices.append(kwargs["tool_choice"])
        return AIMessage("", tool_calls=[{"name": name, "args": {}, "id": "call_1"}])

    tool = {"type": "function", "function": {"name": name}}
    body = {"tools": [tool], "tool_choice": {"type": "function", "function": {"name": name}}}
    own = SLMMuxChatModel(models={"a": ScriptedChatModel(script=script)}, samples=1)
    with serving(app(own)) as address:
        (choice,) = post(address, ASKED | body).json()["choices"]
    assert choice["message"]["tool_calls"][0]["function"]["name"] == name
    assert choices == [body["tool_choice"] if name != "weather" else name]


def test_a_budget_without_an_end_is_refused(url):
    """JSON has no infinity, but it has numbers that are read as one."""
    headers = {"content-type": "application/json"}
    body = json.dumps(ASKED | {"slmmux": {"budget": {"calls": 5}}}).replace('"calls": 5', '"calls": 1e999')
    assert (
        fault(httpx.post(f"{url}/v1/chat/completions", content=body, headers=headers))["param"] == "slmmux.budget.calls"
    )


def test_settings_reach_the_members(url):
    """Temperature, limits, stop sequences and the rest arrive under the members' own names."""
    seen = []

    def script(messages, turn, kwargs):
        seen.append(kwargs)
        return "4"

    own = SLMMuxChatModel(models={"a": ScriptedChatModel(script=script)}, samples=2)
    with serving(app(own)) as address:
        body = {"top_p": 0.5, "stop": "\n", "user": "u1", "presence_penalty": 0.5, "max_completion_tokens": 7}
        assert post(address, ASKED | body).status_code == 200
    assert all((call["top_p"], call["user"], call["presence_penalty"]) == (0.5, "u1", 0.5) for call in seen)
    assert all(call["stop"] == ["\n"] for call in seen)


@pytest.mark.filterwarnings("ignore:.*equal, so its confidence says nothing")
@pytest.mark.parametrize(("change", "words"), [({"temperature": 0}, "temperature 0"), ({"seed": 1}, "a fixed seed")])
def test_a_setting_that_makes_samples_equal_is_said(url, change, words):
    """The confidence of equal samples says nothing, and the reply tells so."""
    (notice,) = post(url, ASKED | change).json()["slmmux"]["notices"]
    assert notice.startswith(words)


def votes(response):
    assert response.status_code == 200, response.text
    return {row["model"]: row["of"] for row in response.json()["slmmux"]["votes"]}


def test_a_request_may_ask_fewer_samples_and_fewer_members(url):
    """k by number or by label, and some of the members."""
    assert votes(post(url, ASKED | {"slmmux": {"samples": 1}})) == {"sure": 1, "unsure": 1}
    assert votes(post(url, ASKED | {"slmmux": {"samples": {"unsure": 2}}})) == {"sure": 3, "unsure": 2}
    assert votes(post(url, ASKED | {"slmmux": {"members": ["unsure"]}})) == {"unsure": 3}
    assert votes(post(url, ASKED | {"slmmux": {"members": ["sure"], "samples": 2}})) == {"sure": 2}
    assert post(url, ASKED | {"slmmux": {"plan": "cascade"}}).json()["slmmux"]["plan"] == "cascade"
    assert votes(post(url, ASKED)) == {"sure": 3, "unsure": 3}


@pytest.mark.parametrize(
    "wider",
    [
        {"samples": 4},
        {"samples": {"sure": 4}},
        {"deadline": 11},
        {"budget": {"calls": 21}},
        {"members": ["another"]},
        {"samples": {"another": 1}},
        {"abstain_below": 0.5},
    ],
)
def test_a_request_cannot_widen_what_the_file_allows(wider):
    """More samples, time, calls or members than the operator set up are refused; a threshold needs its rule."""
    with serving(app(mux(deadline=10, budget={"calls": 20}))) as url:
        assert fault(post(url, ASKED | {"slmmux": wider}))["param"].startswith("slmmux.")
        narrow = {"deadline": 5, "budget": {"calls": 2}}
        record = post(url, ASKED | {"slmmux": narrow}).json()["slmmux"]
        assert record["samples"]["used"] <= 2
        assert record["reason"] == "budget"


FIELDS = [
    ("chat/completions", field)
    for field in sorted(
        {**CompletionCreateParamsBase.__annotations__, **CompletionCreateParamsStreaming.__annotations__}
    )
] + [
    ("responses", field)
    for field in sorted({**ResponseCreateParamsBase.__annotations__, **ResponseCreateParamsStreaming.__annotations__})
]


VALUES = (True, -1, "x", [{}], {"x": 1})
if AT_LENGTH:
    VALUES += (3.5, 1e300, 10**30, "\0", [None], ["x"], {"type": "function"})


@pytest.fixture(scope="module")
def http():
    with httpx.Client() as client:
        yield client


@pytest.mark.filterwarnings("ignore:.*equal, so its confidence says nothing")
@pytest.mark.parametrize(("path", "field"), FIELDS)
def test_no_value_of_any_field_of_openais_breaks_the_server(url, http, path, field):
    """Whatever a field of OpenAI's own types holds, the answer is 200, or a refusal that names it."""
    base = {"model": "mux"} | ({"input": "hi"} if path == "responses" else {"messages": QUESTION})
    for value in VALUES:
        reply = http.post(f"{url}/v1/{path}", json={**base, field: value}, timeout=30)
        if reply.status_code != 200 and (field, reply.status_code) != ("model", 404):
            assert fault(reply)["param"].startswith(field)


@pytest.mark.parametrize("escape", [r"\ud83d", r"\udc00x"])
def test_half_of_a_character_is_refused(url, escape):
    """No member can be sent it: UTF-8 has no bytes for it. A whole one, in two halves, is a character."""
    headers = {"content-type": "application/json"}
    for text, status in ((escape, 400), (r"\ud83d\ude00", 200)):
        body = json.dumps(ASKED).replace("Norway", text)
        reply = httpx.post(f"{url}/v1/chat/completions", content=body, headers=headers)
        assert reply.status_code == status
    assert (
        "half of a character"
        in fault(httpx.post(f"{url}/v1/chat/completions", content=body.replace(text, escape), headers=headers))[
            "message"
        ]
    )


@pytest.mark.parametrize("stream", [False, True])
def test_half_of_a_character_of_a_member_reaches_the_client(stream):
    """A small model may end in the middle of a character; its answer is JSON all the same."""
    own = SLMMuxChatModel(models={"a": ScriptedChatModel(script=["Oslo \ud83d"])}, samples=2)
    with serving(app(own)) as url:
        reply = post(url, ASKED | {"stream": stream})
    assert reply.status_code == 200
    assert r"Oslo \ud83d" in reply.text


def test_a_compressed_body_is_refused(url):
    """It is said what is not read."""
    reply = post(url, ASKED, headers={"content-encoding": "gzip"})
    assert (reply.status_code, "compressed" in reply.json()["error"]["message"]) == (415, True)


@pytest.mark.parametrize("path", ["chat/completions", "responses"])
@pytest.mark.parametrize(("reason", "status"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
def test_a_reply_that_was_cut_off_says_so(path, reason, status):
    """Also with tool calls: a client that runs them must know that more may have been coming."""
    call = {"name": "weather", "args": {"city": "Oslo"}, "id": "call_1"}
    calls = [call] if reason == "length" else []
    reply = AIMessage("x", tool_calls=calls, response_metadata={"finish_reason": reason})
    own = SLMMuxChatModel(models={"a": ScriptedChatModel(script=[reply])}, samples=1)
    body = {"model": "mux"} | ({"input": "hi"} if path == "responses" else {"messages": QUESTION})
    with serving(app(own)) as url:
        whole = post(url, body, path).json()
        *_, last = [
            line for line in post(url, body | {"stream": True}, path).text.splitlines() if line.startswith("data: {")
        ]
    streamed = json.loads(last.removeprefix("data: "))
    if path == "responses":
        for each in (whole, streamed["response"]):
            assert (each["status"], each["incomplete_details"]) == ("incomplete", {"reason": status})
    else:
        assert [each["choices"][0]["finish_reason"] for each in (whole, streamed)] == [reason, reason]
