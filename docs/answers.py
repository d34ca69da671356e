# ruff: noqa: INP001 - a script, not a package
"""Write docs/answers.md: every extractor with three examples, from the tables beside the tests and the docstrings.

python docs/answers.py
"""

import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

from slmmux import answers

ROOT = Path(__file__).parents[1]
TABLES = ROOT / "tests" / "core" / "answers"
PAGE = Path(__file__).with_suffix(".md")
EXTRACTORS = ("auto", "boxed", "number", "choice", "json", "code", "text", "tool_calls", "regex", "first_of")
LONGEST = 90  # The characters of a reply that are shown.
HEAD = """\
# Answers: what a reply says

<!-- Made by `python docs/answers.py`; change the tables in tests/core/answers or the docstrings, and make it again. -->

An extractor reads the answer out of a reply. `extract=` takes one of the names below, `answers.regex(...)`,
`answers.first_of(...)`, or any callable: text -> answer, or `None` if there is none. Each reads the text without
reasoning (`<think>...</think>` and its kin), takes the last well-formed answer, and returns *none* rather than guess.
In the examples ⏎ is a line break and … is left out.
"""
CONTENT = """\
## What counts as one answer

The vote is about content and not about phrasing:

- The same content boxed, announced or bare is one answer, and the later announcement goes before an earlier box.
- A mux knows the question. Its options bound a choice, a unit that it names says nothing more, and a sentence that
  repeats it says only what it adds: `The capital of Ghana is Accra.`, `Ghana's capital is Accra.` and `Accra` are one
  answer, without a model. A denial, a doubt, or a sentence that is taken back stays itself.
- A reply ends where the model runs on into a question of its own making, and at a template's end of turn.
- A reply that was cut off at its limit of tokens abstains unless its answer was complete before.
- Units, currencies and times of day of different size are different; dates, LaTeX and Unicode mathematics agree
  however they are written.

## Objects, calls and forms

- An object is voted on by its decisive fields: all but free-text explanations (`reason`, `explanation`, `feedback` and
  the like), or the fields that `vote_on` names.
- Tool calls are checked against the tools' schemas, and a call that does not fit abstains. A default or a null says no
  more than leaving the argument out, `"5"` is 5 where an integer is wanted, and calls made at once have no order. A
  search query or a message, which is worded anew each time, does not split a vote: the tool and its exact arguments
  decide, and the first such call is made.
- Where tools are bound, a call that a model wrote into its text is read as one: bare JSON, fenced, or in the tags of
  Qwen, Llama, Mistral, Hermes, DeepSeek, Granite and their kin. If such a reply wins, the message holds the call,
  except in a mux of one sample, which is its member.
- Where the prompt sets a form, the reply is read in it, whatever `extract` says: `[[A]]`, `[RESULT] 5`, YES or NO with
  a reason, a score on a line of its own, ranked documents and passages, a selector's choices, keywords, grades, SQL with or
  without a fence, and code in `<execute>` tags. If such a reply was cut off, it abstains unless it was complete.

## When a reply is right

`score=` of `select_complementary`, `scaling`, `baselines`, `report` and the plots, and `--score` of the commands:

| score | a sample is right if |
|---|---|
| `"exact"` | its answer is the gold one (`answers.right`) |
| `"includes"` | its reply plainly says gold: whole words, not the question's; a number by value (`answers.includes`) |
| `"choice"` | its reply chooses the gold letter |
| `"math"` | its answer equals gold as mathematics (`answers.same`) |
| `"recorded"` | the other program's grader said so |
| a function of the reply and gold | it says so |

Without it, replies that are read as texts are scored by includes and other kinds by exact. Gold may be a list of
accepted answers. Where exact and includes differ by more than two points for a model, the verdict gives both figures:
choosing by exact prefers models that are terse.

## How well they read

`choice` and the graders of MMLU-Pro read the same letter in 99.5 % of the 3,553 replies (of six public models) in which both
read one. Of 200 replies of our own small models, read and labelled by hand, 72 are right: `exact` misses 6 of them and counts
one that is not, `includes` misses 5 and counts three that are not (`python -m bench.meaning`).

Of pairs of replies to one question that say the same in other words, 84.2 % are one answer where the question is known and
26.7 % where it is not; of the pairs that differ none is (`python -m bench.crossing`). Embeddings by a small chat model do not
pay: at a cosine of 0.9 they join 66.7 % of the pairs that say the same and 58.1 % of those that do not. Other embedding models
were not tried, and no entailment model, as none is among the local models; a local model as judge (`--judge`) was not
measured.

With tools bound, five samples of the local 0.5B make the right call on 66.7 % of 24 questions, and a single one on 49.2 %; the
1.5B writes its calls into its text: unread none is right, and read 79.2 % of the votes are.
Tables, commands and what was not run: `bench/RESULTS.md` (`python -m bench.agreement`, `python -m bench.calls`).

## What was judged and left

- A call by position, `weather("Lima")`, is no call: the names of its arguments would be guessed.
- `77 is the largest` says 77, one of the question's numbers; one of its words, in a sentence, is not told from the question.

- `(A) is true because` and `The incorrect option is (B)` are read as A and B: a question may ask for either.
- A number in the midst of working is told from the last one only where the reply stops there: `4 + 10 =` has no number, and
  `4 + 10 = 14, so` is read as 14.
- `Eight` is right for the gold answer 8 by `includes`, by `exact` only where the question asks how many.
- `co-operate` and `cooperate`, `Mon` and `Monday`, `\\angle ABC` and `ABC` are two; a reply that names a symbol like ④ has no number.
- A list of options that stops at a letter in brackets, `... (B)`, is read as B: it could be the answer.
- Two programs that differ only in what they print at the end are two: the print may be the task.
- A gold answer that stands in the question, as one of two things compared, is included only where it is the whole
  answer.
"""


def faults() -> list[str]:
    """Return a sentence for every table that is absent, or does not mark three examples."""
    sentences = []
    for name in EXTRACTORS:
        path = TABLES / f"{name}.json"
        if not path.is_file():
            sentences.append(f"The table {path.relative_to(ROOT)} is missing.")
        elif len(examples(name)) != 3:  # noqa: PLR2004 - what the page promises
            marked = len(examples(name))
            sentences.append(
                f'The table {path.relative_to(ROOT)} marks {marked} entries with "doc": true; the page shows 3.'
            )
    return sentences


def examples(name: str) -> list[dict[str, Any]]:
    """Return the entries of an extractor's table that the page shows; none if the table is absent."""
    path = TABLES / f"{name}.json"
    table = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return [entry for entry in table if entry.get("doc")]


def page() -> str:
    """Return the page, made from the tables and docstrings."""
    return "\n".join([HEAD, *(section(name) for name in EXTRACTORS), CONTENT])


def section(name: str) -> str:
    """Return an extractor's section: its summary, its examples, and for numbers a table of notations."""
    doc = inspect.getdoc(getattr(answers, name)) or ""
    entries = examples(name)
    lines = [f"## `{name}`", "", doc.split("\n", 1)[0], ""]
    configured = any("extractor" in entry for entry in entries)
    head = ["reply", "answer", "why"]
    lines += row(["extractor", *head] if configured else head) + row(["---"] * (len(head) + configured))
    for entry in entries:
        extractor_cell = [span(call(name, entry["extractor"]))] if configured else []
        answer = "*none*" if entry["answer"] is None else span(flat(entry["answer"]))
        lines += row([*extractor_cell, span(shortened(flat(entry["reply"]))), answer, cell(entry["why"])])
    if name == "number":
        # The docstring's own table has the readings of 1.234,56 and 12,5 and 1 234 and 3/4, and the reasons.
        lines += [
            "",
            "How a number is written, and what is read:",
            "",
            *(line for line in doc.split("\n") if line[:1] == "|"),
        ]
    return "\n".join([*lines, ""])


def row(cells: list[str]) -> list[str]:
    """Return one line of a Markdown table."""
    return [f"| {' | '.join(cells)} |"]


def cell(text: str) -> str:
    """Return a text that fits into one cell of a table."""
    return text.replace("|", r"\|").replace("\n", " ")


def call(name: str, extractor: str | list[str]) -> str:
    """Return an extractor as a program writes it."""
    if isinstance(extractor, str):
        return extractor
    return f"{name}({', '.join(part if '(' in part else json.dumps(part) for part in extractor)})"


def flat(value: Any) -> str:
    """Return a reply or an answer on one line."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return re.sub(r"\s*\r?\n", lambda end: "⏎" * end[0].count("\n"), text)


def shortened(text: str) -> str:
    """Return a long text without its middle, since the end decides what is read."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 3]} … {text[-2 * LONGEST // 3 :]}"


def span(text: str) -> str:
    """Return a text as a Markdown code span, with any backticks and pipes in it."""
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    pad = " " if text[:1] in "` " or text[-1:] in "` " else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", r"\|")


if __name__ == "__main__":
    if faults():
        sys.exit("\n".join(faults()))
    PAGE.write_text(page(), encoding="utf-8")
