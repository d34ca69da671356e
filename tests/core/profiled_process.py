"""A process that profiles and may be killed: it forks itself for each run, so that fifty runs import nothing anew.

    python profiled_process.py ASKED, then a recording's path and an empty line in turns on standard input

To a path it answers with the id of the process that profiles into it, to an empty line with how that ended. Every
request is written to ASKED before it is made.
"""

import os
import sys
import time
from pathlib import Path

from slmmux import answers
from slmmux.profiling import Came, profile

QUESTIONS = [{"question_id": f"q{i}", "question": f"{i} + {i}?", "gold": str(2 * i)} for i in range(30)]
SAMPLES = {"one": 4, "several": 3, "failing": 2}
LONG = "so it goes " * 1000  # longer than a file's buffer


class Members:
    """One that gives one sample a request, one that gives all, and one that often fails."""

    samples = SAMPLES
    settings = {"extract": "number", "models": {label: {} for label in SAMPLES}}
    compare = None

    def __init__(self, asked):
        self.asked = os.open(asked, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def group(self, draws):
        return [tuple(draws)] if draws[0].model == "several" else [(draw,) for draw in draws]

    def call(self, question, draws):
        lines = "".join(f"{question}|{draw.model}|{draw.index}\n" for draw in draws)
        os.write(self.asked, lines.encode())
        number = int(question.split()[0])
        time.sleep((number * 7 + draws[0].index * 3) % 5 / 1000)
        if draws[0].model == "failing" and number % 3:
            raise ValueError("no such luck")
        text = f"{LONG if draws[0].model == 'one' else ''}The answer is {2 * number}."
        return [Came(text, lambda: answers.reader("number")(text)) for _ in draws]


def main(asked):
    for line in sys.stdin:
        if pid := os.fork():
            print(pid, flush=True)  # noqa: T201
            sys.stdin.readline()  # until then what has ended is still there to be killed
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)  # noqa: T201
        else:
            try:
                profile(Members(asked), QUESTIONS, recording=Path(line.strip()), concurrency=3)
            except BaseException:  # noqa: BLE001 - whatever it is, it is told and this fork ends
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
