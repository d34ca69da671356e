"""Files in the shapes that people bring to `slmmux convert`: what each becomes, or the sentence that refuses it."""

import gzip
import json
import warnings

import pytest

from slmmux import RecordingError, answers, readers

CASES = []


def case(name, file, data, *, error=None, fields=None, **want):
    CASES.append(pytest.param(file, data, {"map": fields}, error or want, id=name))


def text(value):
    return json.dumps(value, ensure_ascii=False)


def lines(rows):
    return "\n".join(map(text, rows)) + "\n"


q2 = [
    {"question": "What is 2+2?", "output": "The answer is 4.", "gold": "4"},
    {"question": "Capital of Peru?", "output": "Lima", "gold": "Lima"},
    {"question": "What is 3+3?", "output": "7", "gold": "6"},
]
S = {"rows": 3, "questions": 3, "golds": 3, "right": 2, "answered": 3, "failed": 0}
case("plain jsonl", "m.jsonl", lines(q2), **S, models=["m"])
case("bom", "m.jsonl", b"\xef\xbb\xbf" + lines(q2).encode(), **S, models=["m"])
case("crlf", "m.jsonl", lines(q2).replace("\n", "\r\n"), **S)
case("empty lines", "m.jsonl", "\n\n" + lines(q2).replace("\n", "\n\n"), **S)
case("gz", "m.jsonl.gz", gzip.compress(lines(q2).encode()), **S, models=["m"])
case("no final newline", "m.jsonl", lines(q2).rstrip(), **S)
case("utf16", "m.jsonl", lines(q2).encode("utf-16"), **S)
case("utf16 csv", "m.csv", "question,output,gold\nWhat is 2+2?,4,4\n".encode("utf-16"), rows=1, right=1)
case("latin1 csv", "m.csv", "question,output,gold\nHauptstadt?,Z\xfcrich,Z\xfcrich\n".encode("latin-1"), error="UTF-8")
case("json array", "m.json", json.dumps(q2), **S)
case("json object with list", "m.json", json.dumps({"data": q2}), **S)
case("json object rows", "m.json", json.dumps({"meta": {"a": 1}, "rows": q2}), **S)
case(
    "csv",
    "m.csv",
    "question,output,gold\nWhat is 2+2?,The answer is 4.,4\nCapital of Peru?,Lima,Lima\n",
    rows=2,
    right=2,
)
case("csv bom crlf", "m.csv", b"\xef\xbb\xbfquestion,output,gold\r\nWhat is 2+2?,4,4\r\n", rows=1, right=1)
case("csv semicolon", "m.csv", "question;output;gold\nWhat is 2+2?;4;4\nCapital?;Lima;Lima\n", rows=2, right=2)
case("tsv", "m.tsv", "question\toutput\tgold\nWhat is 2+2?\t4\t4\n", rows=1, right=1)
case("tsv gz", "m.tsv.gz", gzip.compress(b"question\toutput\tgold\nWhat is 2+2?\t4\t4\n"), rows=1, right=1)
case("csv multiline", "m.csv", 'question,output,gold\n"What is\n2+2?","Let me see.\nAnswer: 4",4\n', rows=1, right=1)
for qn, an, gn in [
    ("prompt", "completion", "target"),
    ("input", "response", "expected"),
    ("instruction", "prediction", "reference"),
    ("query", "generated_text", "label"),
    ("problem", "model_output", "solution"),
    ("user", "assistant", "ground_truth"),
    ("question", "answer", "gold"),
    ("question", "model_answer", "correct_answer"),
    ("prompt", "generation", "answer"),
    ("input", "output", "ideal"),
    ("Question", "Response", "Answer"),
    ("question", "pred", "gt"),
    ("prompt", "text", "reference_answer"),
    ("inputs", "outputs", "targets"),
    ("question", "reply", "expected_output"),
]:
    case(
        f"names {qn} {an} {gn}",
        "m.jsonl",
        lines([{qn: "What is 2+2?", an: "The answer is 4.", gn: "4"}, {qn: "What is 3+3?", an: "It is 7.", gn: "6"}]),
        rows=2,
        questions=2,
        golds=2,
        right=1,
    )
case(
    "map nested",
    "m.jsonl",
    lines([{"in": {"q": "2+2?"}, "out": [{"text": "4"}], "ref": {"a": "4"}}]),
    rows=1,
    right=1,
    golds=1,
    fields={"question": "in.q", "answer": "out.0.text", "gold": "ref.a"},
)
case(
    "map columns",
    "m.jsonl",
    lines([{"p": "2+2?", "s1": "4", "s2": "5", "t": "4"}]),
    rows=2,
    right=1,
    fields={"question": "p", "answer": ["s1", "s2"], "gold": "t"},
)
case(
    "list outputs",
    "m.jsonl",
    lines([{"question": "2+2?", "outputs": ["4", "5", ""], "gold": 4}]),
    rows=3,
    answered=2,
    right=1,
    golds=3,
)
case("csv json list outputs", "m.csv", 'question,outputs,gold\n2+2?,"[""4"", ""5""]",4\n', rows=2, right=1)
case(
    "gold list text",
    "m.jsonl",
    lines([{"question": "Longest river?", "output": "Nile", "gold": '["Nile", "River Nile"]'}]),
    rows=1,
    right=1,
)
case(
    "gold list",
    "m.jsonl",
    lines([{"question": "Longest river?", "output": "The Nile", "gold": ["Nile", "River Nile"]}]),
    rows=1,
    right=1,
)
case(
    "gold python list",
    "m.jsonl",
    lines([{"question": "Longest river?", "output": "Nile", "gold": "['Nile', 'River Nile']"}]),
    rows=1,
    right=1,
)
MC = "Which is a metal?\nA. neon\nB. iron\nC. argon"
case("index gold", "m.jsonl", lines([{"question": MC, "output": "The answer is B.", "gold": 1}]), rows=1, right=1)
case("letter gold", "m.jsonl", lines([{"question": MC, "output": "The answer is B.", "gold": "B"}]), rows=1, right=1)
case("text gold", "m.jsonl", lines([{"question": MC, "output": "The answer is B.", "gold": "iron"}]), rows=1, right=1)
case(
    "choices field",
    "m.jsonl",
    lines([{"question": "Which is a metal?", "choices": ["neon", "iron"], "output": "B", "answer": 1}]),
    rows=1,
    right=1,
    fields={"question": "question", "answer": "output", "gold": "answer"},
)
case(
    "choices mmlu",
    "m.jsonl",
    lines(
        [{"question": "Which is a metal?", "choices": ["neon", "iron"], "output": "The answer is (B).", "target": 1}]
    ),
    rows=1,
    right=1,
)
case(
    "choices arc",
    "m.jsonl",
    lines(
        [
            {
                "question": "Which is a metal?",
                "choices": {"text": ["neon", "iron"], "label": ["A", "B"]},
                "output": "B",
                "answerKey": "B",
            }
        ]
    ),
    rows=1,
    right=1,
    golds=1,
)
case("num gold float", "m.jsonl", lines([{"question": "2/4?", "output": "0.5", "gold": 0.5}]), rows=1, right=1)
case("bool gold", "m.jsonl", lines([{"question": "Is it?", "output": "Yes", "gold": True}]), rows=1, right=1)
case(
    "messages",
    "m.jsonl",
    lines([{"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}], "gold": "4"}]),
    rows=1,
    right=1,
)
case(
    "null output",
    "m.jsonl",
    lines([{"question": "2+2?", "output": None, "gold": "4"}, {"question": "3+3?", "output": "6", "gold": "6"}]),
    rows=2,
    answered=1,
    right=1,
)
case(
    "missing output",
    "m.jsonl",
    lines([{"question": "3+3?", "output": "6", "gold": "6"}, {"question": "2+2?", "gold": "4"}]),
    rows=2,
    answered=1,
    right=1,
)
case(
    "two models",
    "m.jsonl",
    lines(
        [
            {"question": "2+2?", "model": "a", "output": "4", "gold": "4"},
            {"question": "2+2?", "model": "b", "output": "5", "gold": "4"},
        ]
    ),
    rows=2,
    questions=1,
    models=["a", "b"],
    right=1,
)
case(
    "model_name",
    "m.jsonl",
    lines([{"question": "2+2?", "model_name": "a", "output": "4", "gold": "4"}]),
    rows=1,
    models=["a"],
)
case(
    "error column",
    "m.jsonl",
    lines(
        [
            {"question": "2+2?", "output": "", "error": "timeout", "gold": "4"},
            {"question": "2+3?", "output": "5", "gold": "5"},
        ]
    ),
    rows=2,
    failed=1,
)
case("broken line", "m.jsonl", lines(q2) + '{"question": "x", \n', error="line 4")
case("empty file", "m.jsonl", "", error="m.jsonl")
case("no fields", "m.jsonl", lines([{"a": 1, "b": 2}]), error="--map|a, b")
case("binary", "m.jsonl", bytes(range(256)), error="m.jsonl")
case("wrong map", "m.jsonl", lines(q2), fields={"question": "prompt", "answer": "output"}, error="prompt|question")
case("not json", "m.json", "hello", error="m.json")
case("gz not gz", "m.jsonl.gz", lines(q2), error="gz")


# batches
def b(i, *texts, model="t", **k):
    return {
        "id": f"b{i}",
        "custom_id": f"q{i}",
        "response": {
            "status_code": 200,
            "request_id": "r",
            "body": {
                "model": model,
                "choices": [
                    {"index": j, "message": {"role": "assistant", "content": t}, "finish_reason": "stop"}
                    for j, t in enumerate(texts)
                ],
                "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
            },
        },
        "error": None,
        **k,
    }


case(
    "batch", "o.jsonl", lines([b(1, "4", "5"), b(2, "6", "6")]), rows=4, questions=2, failed=0, answered=4, models=["t"]
)
case(
    "batch bom gz", "o.jsonl.gz", gzip.compress(b"\xef\xbb\xbf" + lines([b(1, "4", "5")]).encode()), rows=2, questions=1
)
case(
    "batch completions",
    "o.jsonl",
    lines(
        [
            {
                "id": "1",
                "custom_id": "q1",
                "response": {
                    "status_code": 200,
                    "body": {"model": "t", "choices": [{"index": 0, "text": "4"}, {"index": 1, "text": "5"}]},
                },
                "error": None,
            }
        ]
    ),
    rows=2,
    answered=2,
)
case(
    "batch responses api",
    "o.jsonl",
    lines(
        [
            {
                "id": "1",
                "custom_id": "q1",
                "response": {
                    "status_code": 200,
                    "body": {
                        "model": "t",
                        "object": "response",
                        "output": [
                            {"type": "reasoning", "summary": []},
                            {"type": "message", "content": [{"type": "output_text", "text": "4"}]},
                        ],
                    },
                },
                "error": None,
            }
        ]
    ),
    rows=1,
    answered=1,
)
case(
    "batch parts",
    "o.jsonl",
    lines(
        [
            {
                "id": "1",
                "custom_id": "q1",
                "response": {
                    "status_code": 200,
                    "body": {
                        "model": "t",
                        "choices": [{"index": 0, "message": {"content": [{"type": "text", "text": "4"}]}}],
                    },
                },
                "error": None,
            }
        ]
    ),
    rows=1,
    answered=1,
)
case(
    "batch anthropic",
    "o.jsonl",
    lines(
        [
            {
                "custom_id": "q1",
                "result": {
                    "type": "succeeded",
                    "message": {"model": "claude", "content": [{"type": "text", "text": "4"}]},
                },
            },
            {"custom_id": "q2", "result": {"type": "errored", "error": {"type": "invalid_request"}}},
        ]
    ),
    rows=2,
    answered=1,
    failed=1,
)
case("batch repeated ids", "o.jsonl", lines([b(1, "4"), b(1, "5")]), rows=2, questions=1)
case(
    "batch error line",
    "o.jsonl",
    lines(
        [
            b(1, "4"),
            {"id": "2", "custom_id": "q2", "response": None, "error": {"code": "batch_expired", "message": "expired"}},
        ]
    ),
    rows=2,
    failed=1,
)
case(
    "batch input",
    "i.jsonl",
    lines(
        [{"custom_id": "q1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "t", "messages": []}}]
    ),
    error="i.jsonl",
)


# lm-eval
def lm(i, *t, target="4", **k):
    return {
        "doc_id": i,
        "doc": {"question": "2+2?"},
        "target": target,
        "arguments": {"gen_args_0": {"arg_0": f"Q{i}: 2+2?", "arg_1": {"until": ["\n"]}}},
        "resps": [list(t)],
        "filtered_resps": [t[0]],
        "exact_match": 1.0,
        **k,
    }


case(
    "lm",
    "m/samples_quiz_2026-01-01T00-00-00.000001.jsonl",
    lines([lm(0, "4"), lm(1, "5")]),
    rows=2,
    right=1,
    models=["m"],
)
case(
    "lm old args",
    "m/samples_quiz.jsonl",
    lines([{**lm(0, "4"), "arguments": [["Q0: 2+2?", {"until": ["\n"]}]]}]),
    rows=1,
    right=1,
)
case("lm repeats", "m/samples_quiz.jsonl", lines([lm(0, "4", "5", "4")]), rows=3, right=2)
case(
    "lm filters",
    "m/samples_quiz.jsonl",
    lines([lm(0, "4", filter="strict-match"), lm(0, "4", filter="flexible-extract")]),
    rows=1,
    right=1,
)
case("lm pretty file", "m/quiz.json", json.dumps([lm(0, "4")], indent=2), rows=1)
case(
    "lm write_out",
    "m/quiz_write_out_info.json",
    json.dumps([{"doc_id": 0, "prompt_0": "2+2?", "logit_0": "4", "truth": "4", "acc": "1"}]),
    rows=1,
)
case(
    "lm samples in results",
    "m/results.json",
    json.dumps({"results": {}, "config": {"model": "hf"}, "samples": {"quiz": [lm(0, "4")]}}),
    rows=1,
)
case(
    "lm humaneval",
    "m/samples_humaneval.jsonl",
    lines(
        [
            {
                **lm(0, "return 4", target="def check(f):\n    assert f(1) == 2\n\ncheck(f)"),
                "doc": {"task_id": "HumanEval/0", "test": "x", "entry_point": "f"},
            }
        ]
    ),
    rows=1,
)
case("lm bbh text target list", "m/samples_q.jsonl", lines([lm(0, "4", target="['4', 'four']")]), rows=1, right=1)
case(
    "lm crlf bom",
    "m/samples_q.jsonl",
    b"\xef\xbb\xbf" + lines([lm(0, "4")]).replace("\n", "\r\n").encode(),
    rows=1,
    right=1,
)
case("lm broken", "m/samples_q.jsonl", '{"doc_id": 0, "resps": "x"}\n', error="samples_q.jsonl")
# collect
# promptfoo
case(
    "promptfoo v3",
    "o.json",
    json.dumps(
        {
            "evalId": "e",
            "results": {
                "version": 3,
                "results": [
                    {
                        "provider": {"id": "p"},
                        "promptIdx": 0,
                        "testIdx": 0,
                        "vars": {"q": "2+2?"},
                        "prompt": {"raw": "2+2?"},
                        "response": {"output": "4"},
                        "testCase": {"assert": [{"type": "equals", "value": "4"}]},
                        "success": True,
                    }
                ],
            },
        }
    ),
    rows=1,
    golds=1,
    right=1,
)
case(
    "promptfoo array",
    "o.json",
    json.dumps(
        [
            {
                "provider": {"id": "p"},
                "promptIdx": 0,
                "testIdx": 0,
                "vars": {"q": "2+2?"},
                "prompt": {"raw": "2+2?"},
                "response": {"output": "4"},
                "success": True,
            }
        ]
    ),
    rows=1,
)
case(
    "promptfoo jsonl",
    "o.jsonl",
    lines(
        [
            {
                "provider": {"id": "p"},
                "promptIdx": 0,
                "testIdx": i,
                "vars": {"q": f"{i}?"},
                "prompt": {"raw": f"{i}?"},
                "response": {"output": "4"},
                "success": True,
            }
            for i in range(2)
        ]
    ),
    rows=2,
)
# inspect
case(
    "inspect",
    "2026_quiz.json",
    json.dumps(
        {
            "version": 2,
            "eval": {"task": "quiz", "model": "m"},
            "samples": [
                {
                    "id": 1,
                    "epoch": 1,
                    "input": "2+2?",
                    "target": ["4", "four"],
                    "choices": None,
                    "output": {"choices": [{"message": {"role": "assistant", "content": "4"}}]},
                },
                {
                    "id": 1,
                    "epoch": 2,
                    "input": [{"role": "user", "content": "2+2?"}],
                    "target": "4",
                    "output": {
                        "choices": [
                            {
                                "message": {
                                    "role": "assistant",
                                    "content": [{"type": "reasoning", "reasoning": "x"}, {"type": "text", "text": "5"}],
                                }
                            }
                        ]
                    },
                },
            ],
        }
    ),
    rows=2,
    right=1,
    golds=2,
)
case(
    "inspect gz",
    "2026_quiz.json.gz",
    gzip.compress(
        json.dumps(
            {
                "version": 2,
                "eval": {"task": "quiz", "model": "m"},
                "samples": [
                    {
                        "id": "a",
                        "epoch": 1,
                        "input": "2+2?",
                        "target": "4",
                        "output": {"choices": [{"message": {"role": "assistant", "content": "4"}}]},
                    }
                ],
            }
        ).encode()
    ),
    rows=1,
    right=1,
)
# helm
case(
    "helm",
    "scenario_state.json",
    json.dumps(
        {
            "adapter_spec": {"model": "org/m", "method": "generation"},
            "request_states": [
                {
                    "instance": {
                        "id": "i1",
                        "input": {"text": "2+2?"},
                        "references": [{"output": {"text": "4"}, "tags": ["correct"]}],
                    },
                    "request": {"model": "org/m", "prompt": "2+2?"},
                    "result": {"success": True, "completions": [{"text": " 4"}, {"text": "5"}]},
                }
            ],
        }
    ),
    rows=2,
    right=1,
    models=["org/m"],
)
case(
    "helm old",
    "scenario_state.json",
    json.dumps(
        {
            "adapter_spec": {"model": "org/m"},
            "request_states": [
                {
                    "instance": {"id": "i1", "input": "2+2?", "references": [{"output": "4", "tags": ["correct"]}]},
                    "request": {"model": "org/m", "prompt": "2+2?"},
                    "result": {"success": True, "completions": [{"text": "4"}]},
                }
            ],
        }
    ),
    rows=1,
    right=1,
)


@pytest.mark.parametrize(("file", "data", "options", "want"), CASES)
def test_shapes(tmp_path, file, data, options, want):
    """A file is read as its shape says, and one that cannot be is refused in a sentence with its place and its fault."""
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # which fields were guessed
        if isinstance(want, str):  # words of the sentence
            with pytest.raises(RecordingError) as refusal:
                readers.read(path, **options)
            assert all(word in str(refusal.value) for word in want.split("|")), refusal.value
            return
        rows = readers.read(path, **options).rows
    assert len({(row.question_id, row.model, row.sample_index) for row in rows}) == len(rows)
    outcome = {
        "rows": len(rows),
        "questions": len({row.question_id for row in rows}),
        "golds": sum(row.gold is not None for row in rows),
        "answered": sum(row.answer is not None for row in rows),
        "failed": sum(row.error is not None for row in rows),
        "models": sorted({row.model for row in rows}),
        "right": sum(map(is_right, rows)),
    }
    assert {name: outcome[name] for name in want} == want


def is_right(row):
    answer = answers.reader("auto", question=row.question or "")(row.text or "")
    return answer is not None and row.gold is not None and answers.right(answer, row.gold, question=row.question or "")
