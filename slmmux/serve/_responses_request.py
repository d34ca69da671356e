"""The body of `POST /v1/responses`, in the subset that text, tools and schemas need, as a chat request."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationError, model_validator

from slmmux.serve._chat_request import ChatRequest, Parameters
from slmmux.serve._fields import Count, Flag, Form, ImageAddress, JSONSchema, Number, field_fault, refusal_of
from slmmux.serve._narrowing import Narrowing

__all__ = ["ResponsesRequest"]


class _InputText(Form):
    type: Literal["input_text", "output_text"]
    text: str


class _InputImage(Form):
    type: Literal["input_image"]
    image_url: ImageAddress
    detail: Literal["auto", "low", "high"] | None = None


class _Refusal(Form):
    type: Literal["refusal"]
    refusal: str


_Part = Annotated[_InputText | _InputImage | _Refusal, Field(discriminator="type")]


class _Message(Form):
    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: str | Annotated[list[_Part], Field(min_length=1)]
    id: str | None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None

    @model_validator(mode="after")
    def _has_parts_of_its_role(self) -> "_Message":
        for i, part in enumerate(() if isinstance(self.content, str) else self.content):
            role = _ROLE_OF_PART.get(part.type, self.role)
            if role != self.role:
                sentence = f"{part.type} belongs to messages of the role {role!r}, received the role {self.role!r}"
                raise field_fault(f"content[{i}].type", sentence)
        return self


_ROLE_OF_PART = {"input_image": "user", "refusal": "assistant"}  # texts are for everybody


class _Call(Form):
    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str
    id: str | None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None


class _Output(Form):
    type: Literal["function_call_output"]
    call_id: str
    output: str | Annotated[list[_InputText], Field(min_length=1)]
    id: str | None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None


_Item = Annotated[_Message | _Call | _Output, Field(discriminator="type")]


class _Function(Form):
    type: Literal["function"]
    name: Annotated[str, Field(min_length=1)]
    description: str | None = None
    parameters: Parameters | None = None
    strict: Flag | None = None


class _Choice(Form):
    type: Literal["function"]
    name: str


class _Format(Form):
    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    description: str | None = None
    schema_: JSONSchema | None = Field(default=None, alias="schema")
    strict: Flag | None = None


class _Text(Form):
    format: _Format | None = None
    neutral: ClassVar[Mapping[str, Sequence[Any]]] = {"verbosity": ("medium",)}


class ResponsesRequest(Form):
    """A request. The server keeps nothing, so that there is no response to continue from."""

    model: str
    input: str | Annotated[list[_Item], Field(min_length=1, fail_fast=True)]
    instructions: str | None = None
    tools: list[_Function] | None = None
    tool_choice: Literal["none", "auto", "required"] | _Choice | None = None
    parallel_tool_calls: Flag | None = None
    text: _Text | None = None
    max_output_tokens: Count | None = None
    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    top_p: Annotated[Number, Field(gt=0, le=1)] | None = None
    user: str | None = None
    stream: Flag = False
    slmmux: Narrowing | None = None

    neutral: ClassVar[Mapping[str, Sequence[Any]]] = {
        "service_tier": ("auto", "default"),
        "top_logprobs": (0,),
        "truncation": ("disabled",),
    }
    asking: ClassVar[Sequence[str]] = ("moderation",)

    @model_validator(mode="before")
    @classmethod
    def _with_types(cls, values: Any) -> Any:
        """Name the type of messages, which clients may leave out."""
        if not isinstance(values, Mapping) or not isinstance(values.get("input"), list):
            return values
        items = [{"type": "message", **i} if isinstance(i, Mapping) and "role" in i else i for i in values["input"]]
        return {**values, "input": items}

    @model_validator(mode="after")
    def _fields_fit_each_other(self) -> "ResponsesRequest":
        form = self.text.format if self.text else None
        if form is not None:
            is_schema = form.type == "json_schema"
            own = {"schema": form.schema_, "name": form.name}
            own |= {} if is_schema else {"description": form.description, "strict": form.strict}
            for name, value in own.items():
                if is_schema != (value is not None):
                    raise field_fault(f"text.format.{name}", f'{name} belongs to type "json_schema", and only to it')
        calls: set[str] = set()
        for i, item in enumerate(self.input):
            if isinstance(item, _Call):
                calls.add(item.call_id)
            elif isinstance(item, _Output) and item.call_id not in calls:
                sentence = f"no earlier function_call of the input has the call_id {item.call_id[:100]!r}"
                raise field_fault(f"input[{i}].call_id", sentence)
        return self

    def chat(self) -> ChatRequest:
        """Return the request as one for chat completions.

        Raises:
            RefusalError: Its fields do not fit each other; the sentence names those of chat completions.
        """
        try:
            return self._chat()
        except ValidationError as error:
            raise refusal_of(error) from None

    def _chat(self) -> ChatRequest:
        return ChatRequest.model_validate(
            {
                "model": self.model,
                "messages": self._messages(),
                "tools": [_tool(tool) for tool in self.tools] if self.tools else None,
                "tool_choice": self._choice(),
                "parallel_tool_calls": self.parallel_tool_calls,
                "response_format": self._format(),
                "max_completion_tokens": self.max_output_tokens,
                "temperature": self.temperature,
                "top_p": self.top_p,
                "user": self.user,
                "stream": self.stream,
                "slmmux": None if self.slmmux is None else self.slmmux.model_dump(exclude_none=True),
            }
        )

    def _messages(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        if self.instructions:
            messages.append({"role": "system", "content": self.instructions})
        items = [_Message(role="user", content=self.input)] if isinstance(self.input, str) else self.input
        for item in items:
            if isinstance(item, _Message):
                messages.append({"role": item.role, "content": _content(item.content)})
            elif isinstance(item, _Output):
                messages.append({"role": "tool", "tool_call_id": item.call_id, "content": _content(item.output)})
            else:
                call = {"id": item.call_id, "type": "function"}
                call |= {"function": {"name": item.name, "arguments": item.arguments}}  # type: ignore[dict-item]
                # Calls that follow each other were made in one turn, as did the text before them.
                if messages and messages[-1]["role"] == "assistant":
                    messages[-1].setdefault("tool_calls", []).append(call)
                else:
                    messages.append({"role": "assistant", "tool_calls": [call]})
        return messages

    def _choice(self) -> Any:
        choice = self.tool_choice
        if not self.tools and choice == "auto":  # SDKs send it without tools too
            return None
        return {"type": "function", "function": {"name": choice.name}} if isinstance(choice, _Choice) else choice

    def _format(self) -> dict[str, Any] | None:
        form = self.text.format if self.text else None
        if form is None or form.type == "text":
            return None
        if form.type == "json_object":
            return {"type": "json_object"}
        schema = {"name": form.name, "schema": form.schema_, "strict": form.strict}
        return {"type": "json_schema", "json_schema": {**schema, "description": form.description}}


def _tool(tool: _Function) -> dict[str, Any]:
    return {"type": "function", "function": tool.model_dump(exclude_none=True, exclude={"type"})}


def _content(content: str | list[Any]) -> Any:
    if isinstance(content, str):
        return content
    parts: list[dict[str, Any]] = []
    for part in content:
        if isinstance(part, _InputImage):
            url = {"url": part.image_url, **({"detail": part.detail} if part.detail else {})}
            parts.append({"type": "image_url", "image_url": url})
        elif isinstance(part, _Refusal):
            parts.append({"type": "refusal", "refusal": part.refusal})
        else:
            parts.append({"type": "text", "text": part.text})
    return parts
