"""Replies whose form the prompt sets are read as the framework that asks will read them."""

import pytest

from slmmux._mux.replies.forms import form_of
from slmmux._mux.replies.reading import reading

PROMPTS = {
    "pairwise": "Give your final verdict in this format: '[[A]]' if A is better, '[[B]]' if B is better, '[[C]]' for a tie.",
    "result": "Provide a final result in this format: '[RESULT] followed by the number of points'.",
    "faithful": "You need to answer with either YES or NO.\nAnswer YES if the context supports the information.",
    "relevant": "You have two options to answer. Either YES/ NO.\nAnswer - YES, if the response fits.",
    "score": "Return your response in a line with only the score. On a separate line give a reason.",
    "rerank": "Question: <question>\nAnswer:\nDoc: 9, Relevance: 7\nDoc: 3, Relevance: 4",
    "selector": 'The output should be ONLY JSON formatted.\n[\n {\n choice: 1,\n reason: "<insert reason>"\n }\n]',
    "ranking": "Rank the 3 passages above. The output format should be [] > [], e.g., [1] > [2].",
    "tree": "Provide choice in the following format: 'ANSWER: <number>' and explain why it was selected.",
    "keywords": "Provide keywords in the following comma-separated format: 'KEYWORDS: <keywords>'",
    "path": "Provide the JSON Path query in the following format: 'JSONPath: <JSONPath>'",
    "grade": "STUDENT ANSWER: ...\nGRADE: CORRECT or INCORRECT here",
    "criteria": 'Then print only the single character "Y" or "N" on its own line.',
    "sql": "Use this format:\nQuestion: ...\nSQLQuery: SQL Query to run\nSQLResult: its result\nAnswer: ...",
    "act": "Write code in tags:\n<execute>\nimport math\n</execute>",
}
PAIRS = [
    ("pairwise", "A is terse, B explains. [[B]]", "Both are good; (A) is wrong on one point.\n[[B]]", "The first. [[A]]"),
    ("result", "It misses 2 of 3 points.\n[RESULT] 4", "Feedback: 1) yes 2) no [RESULT] 4.0", "All 4 are met. [RESULT] 3"),
    ("faithful", "YES", "YES, since apple pie is mentioned in 2 places.", "NO. It is mentioned 0 times."),
    ("relevant", "Yes.", "Answer: YES\nThe text says so.", "No"),
    ("score", "4.0\nAll is right but 1 detail.", "**4**\nIt is fine.", "2.5\n4 errors."),
    ("rerank", "Doc: 2, Relevance: 9\nDoc: 1, Relevance: 3", "Doc: 2, Relevance: 8\nDoc: 1, Relevance: 5\n", "Doc: 1, Relevance: 9"),
    ("selector", '[{"choice": 2, "reason": "It is on birds."}]', '```json\n{"choice": "2", "reason": "birds"}\n```', '[{"choice": 1, "reason": "It is on birds."}]'),
    ("ranking", "[2] > [1] > [3]", "The order is [2] > [1] > [3] > [1].", "[1] > [2] > [3]"),
    ("tree", "ANSWER: 2\nIt is about 3 birds.", "As 1 is on fish, **ANSWER: (2)**", "ANSWER: 1"),
    ("keywords", "KEYWORDS: apple, Pie", "KEYWORDS: pie, apple, apple.", "KEYWORDS: apple"),
    ("path", "JSONPath: $.John.age", "`$.John.age`", "JSONPath: $.John.name"),
    ("grade", "GRADE: CORRECT", "It is not INCORRECT in any way.\nGrade: correct", "The sum is wrong. INCORRECT"),
    ("criteria", "Y", "1. It is short.\n2. It is true.\n\nY\nY", "It is long.\nN"),
    ("sql", "SELECT name FROM cities\nWHERE n > 3", "```sql\nselect name from cities where n>3;\n```", "SELECT name FROM cities WHERE n > 4"),
    ("sql", "SQLQuery: SELECT 'A b' FROM t\nSQLResult: x\nAnswer: x", "SELECT  'A b'  FROM t;", "SELECT 'a b' FROM t"),
    ("act", "I compute it.\n<execute>\nprint( 1 )\n</execute>", "<execute>print(1)  # one\n</execute> Done.", "<execute>print(2)</execute>"),
]  # fmt: skip


@pytest.mark.parametrize("extract", ["auto", "choice", "number", "text", str.upper])
@pytest.mark.parametrize(("prompt", "one", "same", "other"), PAIRS)
def test_forms(prompt, one, same, other, extract):
    """What the framework acts on is the answer, however it is explained, and whatever the mux extracts from texts."""
    read, name = reading(extract, tools=None, formatted=False, prompt=PROMPTS[prompt])
    assert name == "form"
    assert read(one, []) == read(same, []) is not None
    assert read(one, []) != read(other, [])


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("reply", ["", "I cannot.", "[[", "<execute>", "Doc: x", "[RESULT]", "SQLQuery:", "[{]"])
def test_what_is_not_in_the_form(prompt, reply):
    """A reply that keeps to no form is read as any other reply, never with an error."""
    read, _ = reading("auto", tools=None, formatted=False, prompt=PROMPTS[prompt])
    assert read(reply, []) == reading("auto", tools=None, formatted=False)[0](reply, [])


@pytest.mark.parametrize("prompt", ["", "Who wrote Hamlet?", "What does YES mean? And JSON?", "Write a query in SQL."])
def test_prompts_that_set_no_form(prompt):
    """A prompt that only speaks of such things sets no form."""
    assert form_of(prompt) is None


def test_a_reply_cut_off():
    """A reply cut off at its limit has an answer only where that was complete before; in a form as well."""
    read, _ = reading("auto", tools=None, formatted=False)
    assert read("The answer is 12", [], cut_off=True) is None
    assert read("The answer is 12.\nThat is because", [], cut_off=True).value == "12"
    read, _ = reading("auto", tools=None, formatted=False, prompt=PROMPTS["result"])
    assert read("It has 3 faults, and", [], cut_off=True) is None


def test_what_is_said_twice_is_read_once():
    """A named extractor reads replies that are the same, word by word, once; a function is called for each of them."""
    read, _ = reading("auto", tools=None, formatted=False)
    assert read("It is 12.", []) is read("It is 12.", [])
    assert read("It is 12", [], cut_off=True) is None
    texts = []
    read, _ = reading(texts.append, tools=None, formatted=False)
    read("It is 12.", [])
    read("It is 12.", [])
    assert len(texts) == 2
    read, _ = reading("auto", tools=None, formatted=False)
    long = "So it goes. " * 400 + "The answer is 12."
    assert read(long, []) == read(long, []) is not None


@pytest.mark.parametrize(
    ("prompt", "whole", "cut"),
    [
        ("sql", "SELECT name FROM cities;\n\n", "SELECT name FROM"),
        ("result", "[RESULT] 4\n", "[RESULT] 1"),
        ("rerank", "Doc: 2, Relevance: 9\nDoc: 1, Rele", "Doc: 2, Relevance: 9\nDoc: 1, Relevance: 3"),
    ],
)
def test_a_form_cut_off(prompt, whole, cut):
    """What could go on after the cut is no answer, although the framework could read it."""
    read, _ = reading("auto", tools=None, formatted=False, prompt=PROMPTS[prompt])
    assert read(whole + " And", [], cut_off=True) is not None
    assert read(cut, []) is not None
    assert read(cut, [], cut_off=True) is None
