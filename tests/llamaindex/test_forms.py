"""What LlamaIndex's own parts ask for is voted on as they will read it, and calls written into a text are made."""

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.evaluation import CorrectnessEvaluator, FaithfulnessEvaluator, PairwiseComparisonEvaluator
from llama_index.core.selectors import LLMSingleSelector
from llama_index.core.tools import FunctionTool

from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux.testing import ScriptedLLM

EXTRACTS = pytest.mark.parametrize("extract", ["auto", "number", "text"])


def mux(extract, steady, wavering):
    """Return a mux of a member that wavers and one that does not, as the framework will read them."""
    members = {"wavers": ScriptedLLM(script=wavering), "steady": ScriptedLLM(script=steady)}
    return SLMMuxLLM(models=members, samples=3, extract=extract, wait="exhausted")


@EXTRACTS
def test_a_pairwise_judge(extract):
    """The verdict in double brackets is voted on, and not the numbers or letters before it."""
    judge = mux(
        extract, ["A has 1 fault. [[B]]", "A has 2. [[B]]", "B is it. [[B]]"], ["3 [[A]]", "3 [[B]]", "3 [[C]]"]
    )
    result = PairwiseComparisonEvaluator(llm=judge, enforce_consensus=False).evaluate(
        query="q", response="a", second_response="b"
    )
    assert result.score == 0.0


@EXTRACTS
def test_a_judge_of_correctness(extract):
    """The score on the first line is voted on, and not the figures of its reason."""
    judge = mux(extract, ["5.0\n1 of 1.", "5.0\n2 of 2.", "5\n3 of 3."], ["1.0\n7", "2.0\n7", "3.0\n7"])
    assert CorrectnessEvaluator(llm=judge).evaluate(query="q", response="a", reference="r").score == 5.0


@EXTRACTS
def test_a_judge_of_faithfulness(extract):
    """YES with a reason is YES, whatever the reason counts."""
    judge = mux(
        extract,
        ["YES, 1 time.", "YES\nIt is there 2 times.", "Yes."],
        ["NO, 4 times", "YES, 4 times", "maybe, 4 times"],
    )
    assert FaithfulnessEvaluator(llm=judge).evaluate(response="a", contexts=["c"]).passing


@EXTRACTS
def test_a_selector(extract):
    """A selector's choice is voted on without its reason, as one object or as a list of one."""
    steady = [
        '[{"choice": 2, "reason": "birds"}]',
        '[{"choice": 2, "reason": "It has 1 wing."}]',
        '[{"choice": 2, "reason": "x"}]',
    ]
    wavering = ['[{"choice": 1, "reason": "x"}]', '[{"choice": 2, "reason": "x"}]', '[{"choice": 3, "reason": "x"}]']
    result = LLMSingleSelector.from_defaults(llm=mux(extract, steady, wavering)).select(
        ["on cats", "on birds", "on fish"], query="birds?"
    )
    assert result.ind == 1


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


def test_a_written_call_is_made():
    """A call that the winner wrote into its text comes back as one, also where the samples wrote it in several forms."""
    forms = [
        '{"name": "add", "arguments": {"a": 1, "b": 2}}',
        "[add(a=1, b=2)]",
        '<function=add>{"b": 2, "a": "1"}</function>',
    ]
    llm = SLMMuxLLM(models={"m": ScriptedLLM(script=forms)}, samples=3, wait="exhausted")
    response = llm.chat_with_tools([FunctionTool.from_defaults(add)], "1 + 2?")
    (call,) = llm.get_tool_calls_from_response(response)
    assert (call.tool_name, call.tool_kwargs) == ("add", {"a": 1, "b": 2})
    assert response.raw["slmmux"]["confidence"] == 1


def test_a_call_that_does_not_fit_abstains():
    """A call without an argument that the tool requires has no vote."""
    llm = SLMMuxLLM(
        models={"m": ScriptedLLM(script=['{"name": "add", "arguments": {"a": 1}}'] * 2)}, samples=2, wait="exhausted"
    )
    response = llm.chat_with_tools([FunctionTool.from_defaults(add)], "1 + 2?")
    assert response.raw["slmmux"]["votes"][0]["abstained"] == 2


def test_the_question_is_known():
    """A sentence that repeats the question is one answer with the bare name, as the mux knows what was asked."""
    llm = SLMMuxLLM(
        models={"m": ScriptedLLM(script=["Lima", "The capital of Peru is Lima."])}, samples=2, wait="exhausted"
    )
    response = llm.chat([ChatMessage(role="user", content="What is the capital of Peru?")])
    assert response.raw["slmmux"]["confidence"] == 1
