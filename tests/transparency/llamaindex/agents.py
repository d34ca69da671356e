"""Agents, query engines, chat engines, evaluators and what reads documents in LlamaIndex, member beside the mux of it."""

import asyncio
from collections.abc import Callable
from typing import Any

from llama_index.core import SummaryIndex
from llama_index.core.agent.workflow import AgentWorkflow, CodeActAgent, FunctionAgent, ReActAgent
from llama_index.core.evaluation import CorrectnessEvaluator, FaithfulnessEvaluator, RelevancyEvaluator
from llama_index.core.extractors import KeywordExtractor, SummaryExtractor
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.postprocessor import LLMRerank
from llama_index.core.program import LLMTextCompletionProgram
from llama_index.core.query_engine import RouterQueryEngine, SubQuestionQueryEngine
from llama_index.core.question_gen import LLMQuestionGenerator
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.selectors import LLMSingleSelector, PydanticSingleSelector
from llama_index.core.tools import FunctionTool, QueryEngineTool, ToolMetadata

from tests.servers.loopback import Script
from tests.servers.replies import Call, Fault, Reply

from ..plain import plain
from ..table import Desk, Situation
from .situations import City, weather

__all__ = ["AGENTS"]

_TOOL = FunctionTool.from_defaults(weather)
_OF_ONE_RUN = {"raw", "elapsed_seconds"}


def _agent(make: Callable[[Any], Any]) -> Callable[[Desk], None]:
    """Return what asks an agent, with the events that its user hears."""

    def run(desk: Desk) -> None:
        heard: list[Any] = []

        async def asked() -> Any:
            handler = make(desk.model).run(user_msg="Weather in Oslo and Bergen?")
            async for event in handler.stream_events():
                heard.append([type(event).__name__, _without(plain(event))])  # noqa: PERF401 - kept up to an error
            result = await handler
            return [str(result), _without(plain(result.tool_calls)), plain(result.structured_response)]

        desk.call("run", lambda: asyncio.run(asked()))
        desk.calls["events of the run"] = {"value": heard}

    return run


def _without(value: Any) -> Any:
    """Return plain data without what is of one run only, and without raws, which the table of replies compares."""
    if isinstance(value, dict):
        return {name: _without(item) for name, item in value.items() if name not in _OF_ONE_RUN}
    return [_without(item) for item in value] if isinstance(value, list) else value


def _two_agents(llm: Any) -> Any:
    one = FunctionAgent(name="one", description="Begins.", llm=llm, tools=[_TOOL], can_handoff_to=["two"])
    two = FunctionAgent(name="two", description="Ends.", llm=llm, tools=[_TOOL])
    return AgentWorkflow(agents=[one, two], root_agent="one")


def _index() -> SummaryIndex:
    return SummaryIndex([TextNode(text="Oslo is the capital of Norway.", id_="node", metadata={"file": "a"})])


def _query(desk: Desk) -> None:
    for mode in ("compact", "refine", "tree_summarize", "accumulate"):
        engine = _index().as_query_engine(llm=desk.model, response_mode=mode)
        desk.call(mode, lambda: str(engine.query("Capital?")))
    streaming = _index().as_query_engine(llm=desk.model, streaming=True)
    desk.call("streaming", lambda: "".join(streaming.query("Capital?").response_gen))  # type: ignore[union-attr]
    once = _index().as_query_engine(llm=desk.model)

    async def asked() -> str:
        return str(await once.aquery("Capital?"))

    desk.call("async", lambda: asyncio.run(asked()))


def _query_schema(desk: Desk) -> None:
    engine = _index().as_query_engine(llm=desk.model.as_structured_llm(City))
    desk.call("a structured LLM", lambda: plain(engine.query("Capital?").response))  # type: ignore[union-attr]
    program = LLMTextCompletionProgram.from_defaults(City, prompt_template_str="About {what}?", llm=desk.model)
    desk.call("a program", lambda: program(what="Oslo"))


def _chat_engines(desk: Desk) -> None:
    for mode in ("simple", "context", "condense_plus_context"):

        def act() -> Any:
            engine = _index().as_chat_engine(chat_mode=mode, llm=desk.model)  # type: ignore[arg-type]
            said = [str(engine.chat("Capital?")), "".join(engine.stream_chat("Sure?").response_gen)]
            return said, [message.content for message in engine.chat_history]

        desk.call(mode, act)


def _tool_of(desk: Desk, name: str) -> QueryEngineTool:
    engine = _index().as_query_engine(llm=desk.model)
    return QueryEngineTool(query_engine=engine, metadata=ToolMetadata(name=name, description=name))


def _router(desk: Desk) -> None:
    tools = [_tool_of(desk, name) for name in ("norway", "sweden")]
    selector = LLMSingleSelector.from_defaults(llm=desk.model)
    router = RouterQueryEngine(selector=selector, query_engine_tools=tools, llm=desk.model)
    desk.call("router", lambda: str(router.query("Capital?")))


def _selector(desk: Desk) -> None:
    choices = [ToolMetadata(name=name, description=name) for name in ("norway", "sweden")]
    desk.call(
        "selector", lambda: plain(PydanticSingleSelector.from_defaults(llm=desk.model).select(choices, "Capital?"))
    )


def _sub_questions(desk: Desk) -> None:
    engine = SubQuestionQueryEngine.from_defaults(
        [_tool_of(desk, "norway")],
        llm=desk.model,
        question_gen=LLMQuestionGenerator.from_defaults(llm=desk.model),
        use_async=False,
        verbose=False,
    )
    desk.call("sub-questions", lambda: str(engine.query("Capital?")))


def _evaluators(desk: Desk) -> None:
    of_answer = {"query": "Capital?", "response": "Oslo", "contexts": ["Oslo is the capital."]}
    for evaluator in (FaithfulnessEvaluator(llm=desk.model), RelevancyEvaluator(llm=desk.model)):
        desk.call(type(evaluator).__name__, lambda: plain(evaluator.evaluate(**of_answer)))  # type: ignore[arg-type]
    correct = CorrectnessEvaluator(llm=desk.model)
    desk.call("correctness", lambda: plain(correct.evaluate(query="Capital?", response="Oslo", reference="Oslo")))


def _reading(desk: Desk) -> None:
    for extractor in (KeywordExtractor(llm=desk.model), SummaryExtractor(llm=desk.model)):
        pipeline = IngestionPipeline(transformations=[extractor])
        nodes = [TextNode(text="Oslo is the capital.", id_="node")]
        desk.call(type(extractor).__name__, lambda: [node.metadata for node in pipeline.run(nodes=nodes)])
    ranked = [NodeWithScore(node=TextNode(text=text, id_=text), score=1.0) for text in ("one", "two")]
    rerank = LLMRerank(llm=desk.model, top_n=1)
    desk.call("rerank", lambda: [n.node.id_ for n in rerank.postprocess_nodes(ranked, query_str="Capital?")])


_WEATHER = Reply(calls=(Call("weather", {"city": "Oslo"}, "call_1"),))
_END = Reply("It is 7 degrees in both.")
_LOOP = (_WEATHER, Reply("And now Bergen.", calls=(Call("weather", {"city": "Bergen"}, "call_2"),)), _END)
_REACT = (
    Reply('Thought: I need a tool.\nAction: weather\nAction Input: {"city": "Oslo"}'),
    Reply("Thought: I can answer without using any more tools.\nAnswer: 7 degrees."),
)
_CODE = (Reply("Let me see.\n<execute>\nprint(weather('Oslo'))\n</execute>"), Reply("It is 7 degrees."))
_HANDOFF = Reply(calls=(Call("handoff", {"to_agent": "two", "reason": "it ends"}, "call_1"),))
_CITY_TEXT = '{"name": "Oslo", "people": 700000}'
_SUB = Reply('```json\n{"items": [{"sub_question": "Capital?", "tool_name": "norway"}]}\n```')
_CHOICE = '{"selections": [{"index": 1, "reason": "x"}]}'

_RUNS: dict[str, tuple[Callable[[Desk], None], Script]] = {
    "FunctionAgent": (_agent(lambda llm: FunctionAgent(llm=llm, tools=[_TOOL], system_prompt="Be brief.")), _LOOP),
    "FunctionAgent, not streamed": (
        _agent(lambda llm: FunctionAgent(llm=llm, tools=[_TOOL], streaming=False)),
        _LOOP,
    ),
    "FunctionAgent with a schema": (
        _agent(lambda llm: FunctionAgent(llm=llm, tools=[_TOOL], output_cls=City)),
        (_WEATHER, _END, Reply(_CITY_TEXT)),
    ),
    "FunctionAgent, a broken stream": (
        _agent(lambda llm: FunctionAgent(llm=llm, tools=[_TOOL])),
        (_WEATHER, Reply("It is 7 degrees in Oslo.", breaks="error")),
    ),
    "FunctionAgent, an error": (
        _agent(lambda llm: FunctionAgent(llm=llm, tools=[_TOOL])),
        (_WEATHER, Fault("rate_limit")),
    ),
    "ReActAgent": (_agent(lambda llm: ReActAgent(llm=llm, tools=[_TOOL])), _REACT),
    "CodeActAgent": (
        _agent(lambda llm: CodeActAgent(llm=llm, tools=[_TOOL], code_execute_fn=lambda code: f"ran {code}")),
        _CODE,
    ),
    "AgentWorkflow with a handoff": (_agent(_two_agents), (_HANDOFF, _WEATHER, _END)),
    "query engines": (_query, (Reply("Oslo is the capital."),)),
    "query engines with a schema": (_query_schema, (Reply(_CITY_TEXT),)),
    "chat engines": (_chat_engines, (Reply("Oslo is the capital."),)),
    "a router": (_router, (Reply('[{"choice": 1, "reason": "x"}]'), _END)),
    "a selector": (_selector, (Reply(_CHOICE),)),
    "sub-questions": (_sub_questions, (_SUB, Reply("Oslo."), Reply("It is Oslo."))),
    "evaluators": (_evaluators, (Reply("YES"),)),
    "evaluators with a score": (_evaluators, (Reply("4.0\nGood."),)),
    "extractors and a reranker": (_reading, (Reply("Doc: 1, Relevance: 7"),)),
}

AGENTS = tuple(Situation(f"agent: {name}", run, script) for name, (run, script) in _RUNS.items())
