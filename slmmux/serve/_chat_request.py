"""The body of `POST /v1/chat/completions`: the fields that a mux can honour, each message checked by its role."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from slmmux.serve._fields import Count, Flag, Form, ImageAddress, JSONSchema, Number, Whole, field_fault
from slmmux.serve._narrowing import Narrowing

__all__ = ["MOST_CHOICES", "ChatRequest", "Function", "Parameters", "ResponseFormat", "Tool"]

MOST_CHOICES = 8  # each choice is a question of its own, with all its samples


class _TextPart(Form):
    type: Literal["text"]
    text: str


class _RefusalPart(Form):
    type: Literal["refusal"]
    refusal: str


class _ImageUrl(Form):
    url: ImageAddress
    detail: Literal["auto", "low", "high"] | None = None


class _ImagePart(Form):
    type: Literal["image_url"]
    image_url: _ImageUrl


class _Audio(Form):
    data: str
    format: str


class _AudioPart(Form):
    type: Literal["input_audio"]
    input_audio: _Audio


class _File(Form):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None

    @model_validator(mode="after")
    def _has_content(self) -> "_File":
        if self.file_data is None and self.file_id is None:
            raise field_fault("file_data", "a file needs its content as file_data, or a file_id that the members know")
        return self


class _FilePart(Form):
    type: Literal["file"]
    file: _File


_Texts = str | Annotated[list[_TextPart], Field(min_length=1)]
_UserPart = Annotated[_TextPart | _ImagePart | _AudioPart | _FilePart, Field(discriminator="type")]
_AssistantPart = Annotated[_TextPart | _RefusalPart, Field(discriminator="type")]


class _System(Form):
    role: Literal["system", "developer"]
    content: _Texts
    name: str | None = None


class _User(Form):
    role: Literal["user"]
    content: str | Annotated[list[_UserPart], Field(min_length=1)]
    name: str | None = None


class _Function(Form):
    name: str
    arguments: str


class _Call(Form):
    id: str
    type: Literal["function"]
    function: _Function
    neutral: ClassVar[Mapping[str, Sequence[Any]]] = {"index": range(1000)}  # the place in a stream, of no use here


class _Assistant(Form):
    role: Literal["assistant"]
    content: str | list[_AssistantPart] | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Tool(Form):
    role: Literal["tool"]
    content: _Texts
    tool_call_id: str


def _of_an_object(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.get("type", "object") != "object":
        raise field_fault("type", 'the arguments of a call are an object: the schema\'s type must be "object"')
    return schema


Parameters: TypeAlias = Annotated[JSONSchema, AfterValidator(_of_an_object)]

Message = Annotated[_System | _User | _Assistant | _Tool, Field(discriminator="role")]


class Function(Form):
    """A function that the model may call."""

    name: Annotated[str, Field(min_length=1)]
    description: str | None = None
    parameters: Parameters | None = None
    strict: Flag | None = None


class Tool(Form):
    """A tool: a function, the only kind that every member can be told of."""

    type: Literal["function"]
    function: Function


class _Named(Form):
    name: str


class _Choice(Form):
    type: Literal["function"]
    function: _Named


class _Schema(Form):
    name: str
    description: str | None = None
    schema_: JSONSchema | None = Field(default=None, alias="schema")
    strict: Flag | None = None


class ResponseFormat(Form):
    """The form of the reply."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: _Schema | None = None

    @model_validator(mode="after")
    def _has_its_schema(self) -> "ResponseFormat":
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise field_fault("json_schema", 'json_schema belongs to type "json_schema", and only to it')
        return self


class _StreamOptions(Form):
    include_usage: Flag = False


class ChatRequest(Form):
    """A request."""

    model: str
    messages: Annotated[list[Message], Field(min_length=1, fail_fast=True)]
    tools: list[Tool] | None = None
    tool_choice: Literal["none", "auto", "required"] | _Choice | None = None
    parallel_tool_calls: Flag | None = None
    response_format: ResponseFormat | None = None
    n: Annotated[Whole, Field(ge=1, le=MOST_CHOICES)] = 1
    stop: str | Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=16)] | None = None
    seed: Whole | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    top_p: Annotated[Number, Field(gt=0, le=1)] | None = None
    frequency_penalty: Annotated[Number, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[Number, Field(ge=-2, le=2)] | None = None
    user: str | None = None
    stream: Flag = False
    stream_options: _StreamOptions | None = None
    slmmux: Narrowing | None = None

    neutral: ClassVar[Mapping[str, Sequence[Any]]] = {
        "modalities": (["text"],),
        "service_tier": ("auto", "default"),
        "top_logprobs": (0,),
        "verbosity": ("medium",),
    }
    asking: ClassVar[Sequence[str]] = ("web_search_options", "moderation")

    @model_validator(mode="after")
    def _fields_fit_each_other(self) -> "ChatRequest":
        if self.tool_choice is not None and self.tool_choice != "none" and not self.tools:
            raise field_fault("tool_choice", "tool_choice needs tools; leave it out, or pass the tools")
        if isinstance(self.tool_choice, _Choice):
            name = self.tool_choice.function.name
            if name not in [tool.function.name for tool in self.tools or ()]:
                raise field_fault("tool_choice", f"tool_choice names {name!r}, which is not among the tools")
        if None not in (self.max_tokens, self.max_completion_tokens) and self.max_tokens != self.max_completion_tokens:
            raise field_fault("max_tokens", "max_tokens and max_completion_tokens differ; pass one of them")
        if self.stream_options is not None and not self.stream:
            raise field_fault("stream_options", 'stream_options needs "stream": true')
        self._check_results_have_calls()
        return self

    def _check_results_have_calls(self) -> None:
        """Refuse the result of a call that nobody made: a member would read it as a text from nowhere."""
        calls: set[str] = set()
        for i, message in enumerate(self.messages):
            if isinstance(message, _Assistant):
                calls |= {call.id for call in message.tool_calls or ()}
            elif isinstance(message, _Tool) and message.tool_call_id not in calls:
                sentence = f"no earlier message of the assistant has a call with the id {message.tool_call_id[:100]!r}"
                raise field_fault(f"messages[{i}].tool_call_id", sentence)

    @property
    def wants_progress(self) -> bool:
        """Whether a stream also tells each sample as it arrives."""
        return self.slmmux is not None and self.slmmux.progress

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with the tokens."""
        return self.stream_options is not None and self.stream_options.include_usage
