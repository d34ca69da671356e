"""Scripted members, and a worker process that asks them: python -m tests.store.scripted URL NAME MEMBERS LOG [SECONDS].

Every request is written to LOG before it is made, so that a test can count what was asked for.
"""

import os
import signal
import sys
import time

from slmmux import answers
from slmmux.profiling import Completion
from slmmux.store import Store, work

SAMPLES = {"one": 3, "several": 4, "failing": 2}
QUESTIONS = [
    {"question_id": f"q{i}", "question": f"{i} + {i}?", "gold": str(2 * i), "dataset": "sums"} for i in range(12)
]


class Members:
    """One that gives one sample a request, one that gives all, and one that often fails; all from the question alone.

    The one that fails has a first sample for each question: whichever worker asks it first, it is not given up.
    """

    compare = None

    def __init__(self, log=os.devnull, seconds=0.0, settings=(), samples=SAMPLES):
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._seconds = seconds
        self.samples = dict(samples)
        self.settings = {
            "extract": "number",
            "agreement": "canonical",
            "models": {label: {"temperature": 0.5} for label in samples},
            **dict(settings),
        }

    def group(self, draws):
        return [tuple(draws)] if draws[0].model == "several" else [(draw,) for draw in draws]

    def call(self, question, draws):
        lines = "".join(f"{question}|{draw.model}|{draw.index}\n" for draw in draws)
        os.write(self._log, lines.encode())
        number = int(question.split()[0])
        time.sleep(self._seconds * (1 + (number * 7 + draws[0].index * 3) % 5))
        if draws[0].model == "failing" and draws[0].index and number % 3:
            raise ValueError("no such luck")
        return [self._completion(question, number, draw.index) for draw in draws]

    @staticmethod
    def _completion(question, number, index):
        text = f"The answer is {2 * number + (index + number) % 2}."
        return Completion(text, lambda: answers.reader("number", question=question)(text), 7, 5)


def main(url, name, labels, log, seconds="0.002"):
    store = Store(url, patience=60)
    # One at a time is enough to be killed in the middle of something.
    work(store, Members(log, float(seconds)), labels.split(","), concurrency=2, worker=name)
    store.close()


if __name__ == "__main__":
    # A process that a shell starts behind another inherits that Ctrl-C is ignored, and so do the tests it runs.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
