"""Agents as tests: a few with one of the commonest four each by default, all with all four in `.ci/full`."""

import gc
import importlib.util

import pytest

from tests.lengths import short_form

from .cells import AGENT_CELLS
from .table import Cell

# A kind of fault each: a loop of calls, an error that another model or another try mends, a refusal, a schema, what a
# summary is made of, a stream that breaks; and LlamaIndex's own.
IN_SHORT = {
    "langchain-ChatOllama-agent:_tools",
    "langchain-ChatAnthropic-agent:_fallback_on_overflow",
    "langchain-ChatOpenAI-agent:_fallback_on_a_refusal",
    "langchain-ChatGoogleGenerativeAI-agent:_a_schema_as_a_tool",
    "langchain-ChatAnthropic-agent:_summaries_by_messages",
    "langchain-ChatOllama-agent:_retry_of_a_broken_stream",
    "langchain-ChatOpenAI-agent:_a_human_in_the_loop",
    "llamaindex-Ollama-agent:_FunctionAgent",
    "llamaindex-OpenAI-agent:_ReActAgent",
    "llamaindex-Anthropic-agent:_AgentWorkflow_with_a_handoff",
    "llamaindex-OpenAILike-agent:_query_engines_with_a_schema",
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # LlamaIndex's agents call what its workflows will drop
# The memory of LlamaIndex's chat engines leaves a thread of aiosqlite behind when its loop has ended.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("cell", short_form(AGENT_CELLS, lambda cell: str(cell) in IN_SHORT), ids=str)
def test_an_agent_on_a_mux_of_one_is_an_agent_on_its_member(cell: Cell) -> None:
    """An agent, an engine or a middleware sends, says and raises with a mux of one what it does with the member alone."""
    if cell.situation.name.startswith("deep agent") and importlib.util.find_spec("deepagents") is None:
        pytest.skip("deepagents is not installed: it comes with the extra `integrations`")
    outcome = cell.compare()
    if "engines" in cell.situation.name:
        gc.collect()  # the connections they leave open are warned of here, where the warning is expected
    found = "\n".join(map(str, outcome.differences))
    assert not outcome.differences, f"{len(outcome.differences)} differences:\n{found}"


def test_the_short_form_names_agents_that_there_are():
    """Each agent that is run by default is one of the table's."""
    assert {str(cell) for cell in AGENT_CELLS} >= IN_SHORT
