r"""The share of tool calls that are right: single samples and votes, with and without what the mux knows of tools.

    python -m bench.calls record --out calls.jsonl
    python -m bench.calls report bench/recordings/calls.jsonl.gz --look

The questions (`bench/calls.jsonl`, written for this purpose) each want one call of one tool; four tools are bound. A
call is right if it names that tool, and its arguments are the expected ones: letter case, `"5"` for 5 and a default
that is written out make no difference, and of a free text only that there is one is checked. `report` replays the
replies through today's mux. The vote without it counts the server's own calls by their canonical text, and knows no
schema and no call that stands in a text.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from slmmux import Recording, answers

QUESTIONS = Path(__file__).with_name("calls.jsonl")
MODELS = ("qwen2.5-coder-0.5b-instruct", "qwen2.5-coder-1.5b-instruct")
SAMPLES = 5
MAX_TOKENS = 120
TEXT = {"type": "string"}
TOOLS: dict[str, dict[str, Any]] = {
    "get_weather": {"city": TEXT, "unit": {"enum": ["celsius", "fahrenheit"], "default": "celsius"}},
    "convert_currency": {"amount": {"type": "number"}, "source": TEXT, "target": TEXT},
    "set_timer": {"minutes": {"type": "integer"}},
    "search_web": {"query": TEXT},
    "send_message": {"recipient": TEXT, "text": TEXT},
    "play_music": {"artist": TEXT, "volume": {"type": "integer", "minimum": 1, "maximum": 10, "default": 5}},
    "book_table": {"restaurant": TEXT, "people": {"type": "integer"}, "hour": {"type": "integer"}},
    "translate": {"text": TEXT, "language": TEXT},
}
DESCRIPTIONS = {
    "get_weather": "Get the current weather of a city.",
    "convert_currency": "Convert an amount of money; currencies by their three-letter codes.",
    "set_timer": "Set a timer.",
    "search_web": "Search the web.",
    "send_message": "Send a message to a person.",
    "play_music": "Play music of an artist.",
    "book_table": "Book a table in a restaurant; the hour is from 0 to 23.",
    "translate": "Translate a text.",
}


def schema(name: str) -> dict[str, Any]:
    """Return a tool as OpenAI's protocol has it."""
    properties = TOOLS[name]
    required = [argument for argument, kind in properties.items() if "default" not in kind]
    parameters = {"type": "object", "properties": properties, "required": required}
    function = {"name": name, "description": DESCRIPTIONS[name], "parameters": parameters}
    return {"type": "function", "function": function}


def questions() -> list[dict[str, Any]]:
    """Return the questions, each with its tools and the call that is right."""
    return [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]


def record(models: Iterable[str], out: Path, temperature: float, every: int) -> None:
    """Sample one model after another and append a row for each sample; samples in the file are not repeated."""
    from langchain_slmmux._from_config import member
    from slmmux._mux.from_config import arguments
    from slmmux.config import Config, MemberConfig

    done = {(row.model, row.question_id) for row in Recording.load(out).rows} if out.exists() else None
    with out.open("a", encoding="utf-8") as file:
        if done is None:
            settings = {"temperature": temperature, "max_tokens": MAX_TOKENS, "extract": "tool_calls"}
            file.write(json.dumps({"slmmux_recording": 1, "settings": settings}) + "\n")
        for name in models:
            members = {name: MemberConfig(local=name)}
            config = Config(models=members, samples=SAMPLES, temperature=temperature, max_tokens=MAX_TOKENS)
            chat = arguments(config, member)["models"][name]
            remaining = [q for q in questions()[::every] if (name, q["question_id"]) not in (done or ())]
            for question in track(remaining, description=name):
                tools = [schema(tool) for tool in question["tools"]]
                for index in range(SAMPLES):
                    sample = {
                        "dataset": "slmmux-calls",
                        "question_id": question["question_id"],
                        "question": question["question"],
                        "model": name,
                        "sample_index": index,
                        "temperature": temperature,
                        **ask(chat, question["question"], tools),
                    }
                    file.write(json.dumps(sample, ensure_ascii=False) + "\n")
                file.flush()


def ask(chat: Any, question: str, tools: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the calls, the text and the error of one sample.

    One request a sample: the server refuses a whole request if it cannot parse the calls in one of its samples.
    """
    try:
        reply = chat.invoke(question, tools=tools)
    except Exception as error:  # noqa: BLE001 - a row of the recording, as for a mux
        return {"answer": None, "error": f"{type(error).__name__}: {error}"[:200]}
    calls = [{"name": call["name"], "args": call["args"]} for call in reply.tool_calls]
    return {"answer": calls or None, "text": reply.text}


def right(calls: list[dict[str, Any]], question: Mapping[str, Any]) -> bool:
    """Return whether calls are the one that a question wants."""
    if len(calls) != 1 or calls[0]["name"] != question["call"]["name"]:
        return False
    properties = TOOLS[calls[0]["name"]]
    arguments = {name: kind["default"] for name, kind in properties.items() if "default" in kind}
    arguments |= {name: value for name, value in calls[0]["args"].items() if value is not None}
    expected = question["call"]["args"]
    return arguments.keys() == expected.keys() and all(
        bool(arguments[name]) if value is None else _plain(arguments[name]) == _plain(value)
        for name, value in expected.items()
    )


def _plain(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip().casefold()


def plain_vote(replies: list[Any]) -> list[dict[str, Any]]:
    """Return the calls of the most frequent reply: the server's own calls by canonical text, others by their text."""
    keys = [answers.tool_calls(row.answer) if row.answer else answers.text(row.text or "") for row in replies]
    key, _ = Counter(keys).most_common(1)[0]
    return replies[keys.index(key)].answer or []


def mux_vote(replies: list[Any], question: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the calls that a mux of one member makes of recorded replies."""
    from langchain_core.messages import AIMessage

    from langchain_slmmux import SLMMuxChatModel
    from langchain_slmmux.testing import ScriptedChatModel

    script = [
        AIMessage(row.text or "", tool_calls=[{**call, "id": f"call_{i}"} for i, call in enumerate(row.answer or [])])
        if row.error is None
        else RuntimeError(row.error)
        for row in replies
    ]
    member = ScriptedChatModel(script=script)
    mux = SLMMuxChatModel(models={"member": member}, samples=len(script), wait="exhausted")
    message = mux.bind_tools([schema(tool) for tool in question["tools"]]).invoke(question["question"])
    return [{"name": call["name"], "args": call["args"]} for call in message.tool_calls]


def figures(recording: Recording) -> dict[str, list[float]]:
    """Return each model's percentages: one sample, five without the mux, one and five through the mux."""
    by_id = {question["question_id"]: question for question in questions()}
    replies: dict[tuple[str, str], list[Any]] = {}
    for row in recording.rows:
        replies.setdefault((row.model, row.question_id), []).append(row)
    shares: dict[str, list[list[float]]] = {}
    for (model, question_id), rows in replies.items():
        question = by_id[question_id]
        shares.setdefault(model, []).append(
            [
                sum(right(row.answer or [], question) for row in rows) / len(rows),
                right(plain_vote(rows), question),
                sum(right(mux_vote([row, row], question), question) for row in rows) / len(rows),
                right(mux_vote(rows, question), question),
            ]
        )
    return {
        model: [100 * sum(column) / len(column) for column in zip(*rows, strict=True)] for model, rows in shares.items()
    }


def report(path: Path, *, look: bool) -> None:
    """Print the table of one recording, and with `look` each question whose vote is wrong."""
    recording = Recording.load(path)
    table = Table(title=f"{path.name}: right calls, percent; temperature {recording.settings['temperature']}")
    for column in ("model", "k = 1", f"k = {SAMPLES}, plain", "one reply, read", f"k = {SAMPLES}, mux"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for model, shares in figures(recording).items():
        table.add_row(model, *(f"{share:.1f}" for share in shares))
    Console(width=120).print(table)
    if look:
        for model in recording.models:
            for question in questions():
                rows = [r for r in recording.rows if (r.model, r.question_id) == (model, question["question_id"])]
                calls = mux_vote(rows, question) if rows else None
                if calls is not None and not right(calls, question):
                    print(f"\n=== {model} {question['question']}\nwanted {question['call']}, the mux calls {calls}")
                    for row in rows:
                        print(f"  {row.answer or row.text!r}")


def main() -> None:
    """Record replies, or report on a recording."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="command")
    recorder = commands.add_parser("record", help="append the samples that OUT does not have yet")
    recorder.add_argument("--models", nargs="+", default=list(MODELS))
    recorder.add_argument("--out", type=Path, required=True)
    recorder.add_argument("--temperature", type=float, default=0.7)
    recorder.add_argument("--every", type=int, default=1, help="ask only every n-th question")
    reporter = commands.add_parser("report")
    reporter.add_argument("recording", type=Path)
    reporter.add_argument("--look", action="store_true", help="list the questions whose vote is wrong")
    args = parser.parse_args()
    if args.command == "record":
        record(args.models, args.out, args.temperature, args.every)
    else:
        report(args.recording, look=args.look)


if __name__ == "__main__":
    main()
