"""The base of every form that a client fills in: what it does not know is refused by name, unless it says nothing.

Clients send fields at their defaults (`"logprobs": false`, `"audio": null`). These ask for nothing, so they are
dropped; anything else that the server does not do is an error, because ignoring it would be a silent lie.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from slmmux.serve._refusal import RefusalError

__all__ = ["Count", "Flag", "Form", "ImageAddress", "JSONSchema", "Number", "Whole", "field_fault", "refusal_of"]

# JSON's own types: a "2" or a true for a number is a fault of the client's, which a guess would hide.
Flag: TypeAlias = Annotated[bool, Strict()]
Number: TypeAlias = Annotated[float, Strict()]
Whole: TypeAlias = Annotated[int, Strict(), Field(ge=-(2**63), lt=2**63)]  # what members can hold
Count: TypeAlias = Annotated[Whole, Field(ge=1)]


class Form(BaseModel):
    """A form: strict about its fields, lenient about fields that ask for nothing."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    # Values of unsupported fields that ask for nothing either, by the field's name.
    neutral: ClassVar[Mapping[str, Sequence[Any]]] = {}
    # Unsupported fields that ask for something even if they are empty.
    asking: ClassVar[Sequence[str]] = ()

    @model_validator(mode="before")
    @classmethod
    def _without_what_asks_for_nothing(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        known = {field.alias or name for name, field in cls.model_fields.items()}
        return {
            name: value
            for name, value in values.items()
            if value is not None and (name in known or not cls._asks_nothing(name, value))
        }

    @classmethod
    def _asks_nothing(cls, name: str, value: Any) -> bool:
        return value in cls.neutral.get(name, ()) or (_is_nothing(value) and name not in cls.asking)


def _is_nothing(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(map(_is_nothing, value.values()))
    return value is None or value is False or value in ("", [])


def field_fault(field: str, sentence: str) -> PydanticCustomError:
    """Return the error of a check over several fields, which pydantic would not know where to place."""
    return PydanticCustomError("field", "{sentence}", {"field": field, "sentence": sentence})


def _address(url: str) -> str:
    # A member's server may read other addresses, such as its own files', for whoever names them.
    if not re.match(r"https?://.|data:.", url, re.IGNORECASE):
        raise field_fault("", f"an image is named by http://, https:// or data:, received {url[:100]!r}")
    return url


def _finite(schema: dict[str, Any]) -> dict[str, Any]:
    # 1e999 is JSON, and Python reads it as infinity, which cannot be written as JSON for the members.
    try:
        json.dumps(schema, allow_nan=False)
    except ValueError:
        raise field_fault("", "a number of the schema is too large") from None
    kinds = schema.get("type", [])
    if unknown := [kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if kind not in _KINDS]:
        raise field_fault("type", f"expected one of {', '.join(map(repr, _KINDS))}, received {str(unknown[0])[:100]!r}")
    return schema


_KINDS = ("object", "array", "string", "number", "integer", "boolean", "null")

ImageAddress: TypeAlias = Annotated[str, AfterValidator(_address)]
JSONSchema: TypeAlias = Annotated[dict[str, Any], AfterValidator(_finite)]


def refusal_of(error: ValidationError) -> RefusalError:
    """Return the refusal of a form: the first fault, with the field as OpenAI names it."""
    # An unsupported field explains more than what follows from it; of a union, the variant that fits furthest does.
    fault = min(
        error.errors(include_url=False, include_input=False),
        key=lambda each: (each["type"] != "extra_forbidden", each["type"].endswith("_type"), -len(each["loc"])),
    )
    field = _field(fault["loc"], ends_in_a_field=fault["type"] in ("extra_forbidden", "missing"))
    if fault["type"] == "extra_forbidden":
        sentence = f"{field} is not supported by this server; leave it out"
        return RefusalError(400, sentence, param=field, code="unsupported_parameter")
    if fault["type"] == "missing":
        return RefusalError(400, f"{field} is missing", param=field, code="missing_required_parameter")
    context: dict[str, Any] = fault.get("ctx", {})
    if fault["type"] == "field":
        field = ".".join(filter(None, (field, context["field"])))
        return RefusalError(400, context["sentence"], param=field, code="invalid_value")
    if fault["type"].startswith("union_tag"):
        name = context["discriminator"].strip("'")
        place = f"{field}.{name}" if field else name
        if fault["type"] == "union_tag_not_found":
            return RefusalError(400, f"{place} is missing", param=place, code="missing_required_parameter")
        sentence = f"{place}: expected one of {context['expected_tags']}, received {context['tag'][:100]!r}"
        return RefusalError(400, sentence, param=place, code="invalid_value")
    if fault["type"] in ("model_type", "model_attributes_type"):  # pydantic's sentence has the name of a class of ours
        return RefusalError(400, f"{field}: expected an object", param=field, code="invalid_value")
    text = fault["msg"]
    return RefusalError(400, f"{field}: {text[:1].lower()}{text[1:]}", param=field, code="invalid_value")


def _field(place: Sequence[int | str], *, ends_in_a_field: bool = False) -> str | None:
    """Return a fault's place as OpenAI writes it, without the names that pydantic gives to the variants of a union.

    Args:
        place: The place as pydantic writes it.
        ends_in_a_field: Whether its last step is a field for sure, even if it has the name of a variant.

    Example:
        >>> _field(("messages", 0, "user", "content", "list[tagged-union[...]]", 1, "text", "text"))
        'messages[0].content[1].text'
    """
    path = ""
    before: int | str = ""
    for i, step in enumerate(place):
        if isinstance(step, int):
            path += f"[{step}]"
        elif not (isinstance(before, int) or "[" in step or step in _VARIANTS or step[:1] == "_"):
            path += f".{step}" if path else step
        elif isinstance(before, int) and (step not in _TAGS or (ends_in_a_field and i == len(place) - 1)):
            path += f".{step}"
        before = step
    return path or None


# What pydantic puts into the place of a fault for the variant of a union: types, and the values of discriminators.
_VARIANTS = {"str", "int", "dict"}  # and our own forms, whose names begin with "_"
_TAGS = {
    "system", "developer", "user", "assistant", "tool", "text", "image_url", "input_audio", "file", "refusal",
    "message", "function_call", "function_call_output", "input_text", "output_text", "input_image",
}  # fmt: skip
