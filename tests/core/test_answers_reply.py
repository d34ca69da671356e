"""What of a reply is read: one turn, without reasoning, short of questions that the model put to itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmmux import answers
from slmmux.answers._replies.reply import MOST_CHARACTERS, reply_of

THOUGHTS = [
    "<think>Bergen?</think>", "<thinking>Bergen?</thinking>", "<thoughts>Bergen?</thoughts>",
    "<reasoning>Bergen?</reasoning>", "<analysis>Bergen?</analysis>", "<scratchpad>Bergen?</scratchpad>",
    "<scratch_pad>Bergen?</scratch_pad>", "<reflection>Bergen?</reflection>", "<inner_monologue>B?</inner_monologue>",
    "<chain_of_thought>Bergen?</chain_of_thought>", "<seed:think>Bergen?</seed:think>", "<COT>Bergen?</COT>",
    "[THINK]Bergen?[/THINK]", "[REASONING]Bergen?[/REASONING]", "◁think▷Bergen?◁/think▷",
    "<|think|>Bergen?<|/think|>", "<|begin_of_thought|>Bergen?<|end_of_thought|>",
    "<|START_THINKING|>Bergen?<|END_THINKING|>", "<unused94>thought\nBergen?<unused95>",
    "<|channel>thought\nBergen?<channel|>", "Bergen?[BEGIN FINAL RESPONSE]",
    "<|channel|>analysis<|message|>Bergen?<|end|><|start|>assistant<|channel|>final<|message|>",
    "<|channel|>commentary<|message|>Wait.<|end|><|channel|>final <|constrain|>text<|message|>",
    "analysisBergen? No.assistantfinal", "analysisBergen?assistantcommentaryWait.assistantfinal",
]  # fmt: skip
ENDS = [
    "<|im_end|>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<|return|>", "<|EOT|>",
    "<｜end▁of▁sentence｜>", "<|END_OF_TURN_TOKEN|>", "<end_of_turn>", "<end_of_utterance>", "<eos>", "</s>",
    "</s> [INST] And of Chile? [/INST]", "<|user|>\nAnd of Chile?", "<|im_start|>user\nAnd of Chile?", "[INST] And?",
    "<｜User｜>And of Chile?", "<start_of_turn>user\nAnd of Chile?", "<|end_of_solution|>", "[END FINAL RESPONSE]",
    "<|END_RESPONSE|>", "<turn|>", "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nAnd?",
]  # fmt: skip
HEADS = [
    "<|im_start|>assistant\n", "<|start_header_id|>assistant<|end_header_id|>\n\n", "<start_of_turn>model\n",
    "<|assistant|>\n", "<｜Assistant｜>", "<s>", "<bos>", "assistant\n\n", "assistant: ", "[/INST] ",
    "<|start|>assistant<|channel|>final<|message|>",
]  # fmt: skip
NEXT = [
    "\n\nQuestion: And of Chile?\nAnswer: Santiago", "\n\nQ: And of Chile?\nA: Santiago", "\nQ2: And?\nA2: Santiago",
    "\n\nUser: And of Chile?", "\n\nHuman: And of Chile?\n\nAssistant: Santiago", "\nuser\nAnd?\nassistant\nSantiago",
    "\n\n### Instruction:\nAnd of Chile?", "\n\n**Question 2:** And of Chile?", "\n\nProblem: And of Chile?",
    "\n\nFrage: Und von Chile?", "\n\nPregunta: ¿Y la de Chile?", "\n\nВопрос: А Чили?", "\n\n问题：智利呢？", "\n\n문제: 칠레는?",
    "\nassistant: Oslo\nassistant: Oslo",
]  # fmt: skip


@pytest.mark.parametrize("thought", THOUGHTS)
@pytest.mark.parametrize("name", ["auto", "text"])
def test_thoughts(thought, name):
    """Whatever marks a family of models sets around its thoughts, they are no part of the reply."""
    assert getattr(answers, name)(thought + "Oslo") == "Oslo"
    assert answers.number(f"{thought.replace('Bergen', '12')}The answer is 18.") == "18"


@pytest.mark.parametrize("begun", ["<think>", "<analysis>", "<unused94>thought\n", "<|begin_of_thought|>", "◁think▷",
    "<|channel|>analysis<|message|>", "analysis"])  # fmt: skip
def test_thoughts_that_were_cut_off(begun):
    """A reply that was cut off while the model thought says nothing."""
    assert answers.auto(f"{begun}Oslo? Perhaps") is None


@pytest.mark.parametrize("text", ["analysis of it: 7", "Final: Oslo", "finally Oslo", "analytical", "<thinker>Oslo"])
def test_words_that_are_no_marks(text):
    """The words alone are words."""
    assert answers.text(text) == text


@pytest.mark.parametrize("end", ENDS)
def test_ends(end):
    """A reply ends where its turn does, whatever comes after."""
    assert answers.auto(f"Oslo{end}") == "Oslo"
    assert answers.number(f"The answer is 18.{end}\nThe answer is 19.") == ("18" if end != "</s>" else "19")


@pytest.mark.parametrize("head", HEADS)
def test_heads(head):
    """What a template sets in front of a turn is no part of it."""
    assert answers.auto(f"{head}Oslo") == "Oslo"


@pytest.mark.parametrize("following", NEXT)
def test_running_on(following):
    """A reply that goes on with the next question ends before it, under every extractor."""
    assert answers.auto("Oslo" + following) == "Oslo"
    assert answers.text("Oslo" + following) == "Oslo"
    assert answers.choice(f"Answer: B{following}\nAnswer: C") == "B"
    assert answers.number(f"It is 18.{following}\nThe answer is 7.") == "18"
    assert answers.reader(str.split)("Oslo" + following).value == ["Oslo"]


@pytest.mark.parametrize(
    "reply",
    [
        "Question: What is 40 + 2?\nAnswer: 42",
        "**Question:** What is 40 + 2?\n\n**Answer:** 42",
        "Q: What is 40 + 2?\nA: It is simple. Answer: 42",
        "Sure! Let me say it again.\n\nQuestion: What is 40 + 2?\nAnswer: 42",
        "The task is this:\nProblem: What is 40 + 2?\nAnswer: 42",
        "Let us see.\nThere is\n**Problem:** we need a sum.\n**Solution:** we add.\nAnswer: 42",
        "```text\nQuestion: What is 40 + 2?\n```\nAnswer: 42",
    ],
)
def test_a_question_said_again(reply):
    """A question that the reply only says again, or a heading of its working, ends nothing."""
    assert answers.auto(reply) == "42"


def test_the_question_asked():
    """Where the question is known, a reply that says it again after some words goes on."""
    reply = "It is easily done.\nQuestion: What is 40 + 2?\nAnswer: 42"
    assert reply_of(reply, "Add up. What is 40 + 2?") == reply
    assert reply_of(reply, "Another one?") == "It is easily done."


def test_a_runaway_reply():
    """A reply of more than a megabyte is not read, one of a megabyte is."""
    assert answers.number("Answer: 4" + " " * (MOST_CHARACTERS - 9)) == "4"
    assert answers.number("Answer: 4" + " " * MOST_CHARACTERS) is None


@given(st.lists(st.sampled_from([*THOUGHTS, *ENDS, *HEADS, *NEXT, "Oslo", "\n", " ", "4"]), max_size=8).map("".join))
def test_marks_in_any_order(text):
    """Marks of any families in any order raise nothing and leave a part of the text."""
    assert all(line in text for line in reply_of(text).split("\n"))
