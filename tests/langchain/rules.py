"""A member that answers by rule, and can all that LangChain's standard suites ask of a model."""

import json
import re
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

from langchain_slmmux.testing import ScriptedChatModel


class MethodsChatModel(ScriptedChatModel):
    """A scripted model with the three methods of structured output, asked for and read as ChatOpenAI does it."""

    def with_structured_output(
        self,
        schema: Any,
        *,
        method: str = "json_schema",
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[Any, Any]:
        if kwargs:
            raise ValueError(f"does not know {sorted(kwargs)}")
        if strict is not None and method == "json_mode":
            raise ValueError("strict is not supported with json_mode")
        shown = {"kwargs": {"method": method, "strict": strict}, "schema": schema}
        is_class = isinstance(schema, type) and is_basemodel_subclass(schema)
        whole = PydanticOutputParser(pydantic_object=schema) if is_class else JsonOutputParser()
        if method == "function_calling":
            name = convert_to_openai_tool(schema)["function"]["name"]
            llm = self.bind_tools([schema], tool_choice=name, ls_structured_output_format=shown)
            parser: Runnable[Any, Any] = (
                PydanticToolsParser(tools=[schema], first_tool_only=True)
                if is_class
                else JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)
            )
        elif method == "json_mode":
            llm, parser = self.bind(response_format={"type": "json_object"}, ls_structured_output_format=shown), whole
        elif method == "json_schema":
            wanted = {"type": "json_schema", "json_schema": {"schema": convert_to_json_schema(schema)}}
            llm, parser = self.bind(response_format=wanted, ls_structured_output_format=shown), whole
        else:
            raise ValueError(f"unknown method {method!r}")
        if not include_raw:
            return llm | parser
        assign = RunnablePassthrough.assign(
            parsed=(lambda both: both["raw"]) | parser, parsing_error=lambda _: None
        ).with_fallbacks([RunnablePassthrough.assign(parsed=lambda _: None)], exception_key="parsing_error")
        return RunnableMap(raw=llm) | assign


class RuleChatModel(MethodsChatModel):
    """Follows tools, tool choice, schemas and stop sequences; anything else it answers with a greeting."""

    script: Any = None
    max_retries: int | None = None

    def _reply(self, messages: list[BaseMessage], kwargs: dict[str, Any]) -> Any:
        self.script = self.script or by_rule
        return super()._reply(messages, kwargs)


class SyncOnly(ScriptedChatModel):
    """A scripted model without an async call of its own, like many that only wrap a blocking library."""

    _agenerate = BaseChatModel._agenerate


def by_rule(messages: list[BaseMessage], turn: int, kwargs: dict[str, Any]) -> AIMessage:
    asked = [str(m.text) for m in messages if isinstance(m, HumanMessage)]
    question = asked[-1] if asked else ""
    tools = {tool["function"]["name"]: tool["function"] for tool in kwargs.get("tools") or []}
    if (name := _chosen(tools, kwargs.get("tool_choice"), question, messages)) is not None:
        args = _filled(tools[name]["parameters"], question)
        return AIMessage("", tool_calls=[{"name": name, "args": args, "id": f"call_{turn}"}])
    wanted = kwargs.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        return AIMessage(json.dumps(_filled(wanted["json_schema"]["schema"], question)))
    if wanted.get("type") == "json_object":
        keys = re.findall(r"'(\w+)'", question)
        return AIMessage(json.dumps(dict.fromkeys(keys, "as asked")))
    text = "Hello, how are you today?"
    for stop in kwargs.get("stop") or []:
        text = text.partition(stop)[0]
    return AIMessage(text)


def _chosen(tools: dict[str, Any], choice: Any, question: str, messages: list[BaseMessage]) -> str | None:
    if isinstance(choice, dict):
        choice = choice["function"]["name"]
    if choice in tools:
        return choice
    if not tools or choice == "none":
        return None
    named = next((name for name in tools if set(name.split("_")) & set(re.findall(r"\w+", question))), None)
    if choice in {"any", "required", True}:
        return named or next(iter(tools))
    return None if isinstance(messages[-1], ToolMessage) else named


def _filled(schema: dict[str, Any], question: str) -> dict[str, Any]:
    """Fill a schema: numbers from the question's digits, texts from what it quotes."""
    digits = [int(n) for n in re.findall(r"\d+", question)] or [0]
    quoted = re.findall(r"'([^']+)'", question) or ["a pirate's"]
    values: dict[str, Any] = {"integer": digits[0], "number": digits[0], "boolean": True, "string": quoted[0]}
    return {
        name: values.get(prop.get("type", "string"), quoted[0]) for name, prop in schema.get("properties", {}).items()
    }
