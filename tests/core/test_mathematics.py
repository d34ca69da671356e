"""Mathematical equality: what is one answer, what is not, and that no answer can hurt who compares it."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from slmmux import ArgumentError, answers
from slmmux._decision.clock import Work, current_work
from slmmux.answers import _same
from slmmux.answers._mathematics import comparison as _mathematics
from slmmux.answers._mathematics.comparison import Mathematics
from tests.lengths import short_form

EQUAL = [
    ("1/2", "0.5"),
    (r"\frac{1}{2}", "0.5"),
    (r"\frac{1}{2}", r"50\%"),
    ("1/2", "50 %"),
    (r"$\frac12$", "0.50"),
    (r"\{1, 2\}", r"\{2, 1\}"),
    ("[0, 1]", r"\left[0,1\right]"),
    ("x=5", "5"),
    ("5", "x = 5"),
    (r"\sqrt{8}", r"2\sqrt{2}"),
    ("(x+1)^2", "x^2+2x+1"),
    (r"\frac{x}{2}", "0.5x"),
    ("x+y", "y+x"),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{bmatrix}1&2\\3&4\end{bmatrix}"),
    (r"\(2\pi\)", r"\pi \cdot 2"),
    (r"\[x^2\]", "$$x^2$$"),
]
DIFFERENT = [
    ("50%", "50"),
    (r"50\%", "50"),
    (r"50\% x", "50x"),
    ("(1,2)", "(1,2]"),
    ("[0,1]", "[0,2]"),
    ("x=5", "y=5"),
    ("0.3333333", "1/3"),
    (r"\pi", "3.14159"),
    ("(x+1)^2", "x^2+1"),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&2\\4&3\end{pmatrix}"),
    ("A", "B"),
    ("R", "r^1 + 1"),
    ("Canberra", "Sydney"),
    ("", "0"),
]

pytestmark = pytest.mark.skipif(not _mathematics.available(), reason="the extra math is not installed")


@pytest.fixture(scope="module")
def impatient():
    """One worker that gives a pair five seconds: what must end by itself has time to on a busy machine."""
    mathematics = Mathematics(limit_s=5.0, workers=1)
    yield mathematics
    mathematics.close()


def process_of(mathematics):
    """Return the process of its only worker."""
    (worker,) = mathematics._all
    return worker._process


@pytest.mark.parametrize(("a", "b"), EQUAL)
def test_what_is_one_answer(a, b):
    """Equal mathematics is one answer, whichever side it stands on."""
    assert answers.same(a, b)
    assert answers.same(b, a)


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_what_is_not(a, b):
    """Different mathematics, and what is no mathematics, are two answers."""
    assert not answers.same(a, b)
    assert not answers.same(b, a)


def test_words_are_never_asked_about(monkeypatch):
    """Prose, letters and canonical numbers are decided by their form: the worker is for what has none."""
    monkeypatch.setattr(_same, "mathematically_equal", lambda *_: pytest.fail("asked"))
    for a, b in [("Canberra", "Sydney"), ("A", "B"), ("3", "4"), ("1/3", "0.3333"), ("about 5 dollars", "5 = x")]:
        assert not answers.same(a, b)


def test_without_the_extra_form_decides(monkeypatch):
    """`same` compares by form where math-verify is not installed; asked for by name it is an error that names it."""
    monkeypatch.setattr(_same, "available", lambda: False)
    assert answers.same("0.5", "1/2")
    assert not answers.same("(x+1)^2", "x^2+2x+1")
    monkeypatch.setattr(_mathematics, "available", lambda: False)
    with pytest.raises(ArgumentError, match=r"slmmux\[math\]"):
        Mathematics().equal("x", "y+1")


HOSTILE = [
    ("9^{9^{9^{9^{9}}}}", "1"),
    ("1000000000!", "2"),
    (r"\frac{" * 60, "1"),
    ("{" * 390, "}" * 390),
    (r"\sqrt{" * 50 + "2" + "}" * 50, "2"),
    (r"\int_0^1 x^{x^{x^{x}}} dx", "3"),
    (r"\sum_{n=1}^{\infty} \frac{1}{n^n}", "1.29"),
    ("2^{1000000}", "2^{1000001}"),
    (r"\begin{pmatrix}" + "1&" * 90 + r"\end{pmatrix}", "1"),
    ("x" + "^x" * 100, "x"),
    (r"\input{/etc/passwd}", "1+1"),
    (r"\def\a{\a\a}\a", "1+x"),
    ("$" * 300, "1"),
    ("\\" * 399, "1"),
    ("\x00\ud800".encode("utf-8", "replace").decode(), "1"),
    (r"\text{" + "a" * 380 + "}", "1"),
    ("(" * 200 + "1" + ")" * 190, "1"),
    ("__import__('os')._exit(3)", "1"),
    ("\n\n[1]\n", "1"),
]


@pytest.mark.parametrize(
    ("a", "b"), short_form(HOSTILE, lambda case: case[0].startswith(("__import__", r"\frac", r"\text")))
)
def test_hostile_mathematics_returns(impatient, a, b):
    """Whatever is compared, a verdict comes, within the pair's limit and the time to start two workers."""
    impatient.equal("1+1", "2")  # started
    begun = time.monotonic()
    impatient.equal(a, b)
    assert time.monotonic() - begun < 60  # a limit that holds on any machine; each pair has five seconds
    assert impatient.equal("x+1", "1+x")


def test_past_the_limit_two_answers_are_not_equal(impatient):
    """A pair that takes too long is not equal, and the next pair is compared by a new worker."""
    impatient.equal("1+1", "2")
    first = process_of(impatient)
    assert not impatient.equal("1000000007!", "2")
    assert impatient.equal("(x+1)^2", "x^2+2x+1")
    assert process_of(impatient) is not first


def test_a_worker_that_died_is_replaced(impatient):
    """A worker killed between two pairs costs neither its verdict."""
    assert impatient.equal("x+1", "1+x")
    process_of(impatient).kill()
    process_of(impatient).wait()
    assert impatient.equal("x+2", "2+x")


def test_no_code_is_executed(impatient, tmp_path):
    """An answer that is Python is not run."""
    mark = tmp_path / "mark"
    for text in (
        f"open('{mark}', 'w')",
        f"__import__('pathlib').Path('{mark}').touch()",
        f"\\text{{open('{mark}','w')}}",
    ):
        impatient.equal(text, "1")
        impatient.equal(text, text + "+1")
    assert not mark.exists()


def test_a_pair_is_worked_out_once_and_both_ways(impatient, monkeypatch):
    """The same two answers, in either order, are asked about once, until as many are kept as may be."""
    asked = []
    monkeypatch.setattr(_mathematics._Worker, "ask", lambda _, a, b, **__: asked.append((a, b)) or True)
    monkeypatch.setattr(impatient, "_kept", {})
    monkeypatch.setattr(_mathematics, "_MOST_KEPT", 2)
    for a, b in [("x+1", "1+x"), ("1+x", "x+1"), ("y", "z"), ("x+1", "1+x")]:
        assert impatient.equal(a, b)
    assert len(asked) == 2
    assert impatient.equal("v", "w")  # the third: all are forgotten
    assert impatient.equal("x+1", "1+x")
    assert len(asked) == 4


def test_long_mathematics_is_text(impatient, monkeypatch):
    """What is longer than any answer is not parsed."""
    monkeypatch.setattr(_mathematics._Worker, "ask", lambda *_, **__: pytest.fail("asked"))
    assert not impatient.equal("1+" * 300 + "1", "301")


def test_a_worker_that_hears_nothing_is_not_equal(impatient):
    """A pair that cannot be sent is not equal, and the next one is compared by a new worker."""
    assert impatient.equal("x+3", "3+x")
    process_of(impatient).stdin.close()
    process_of(impatient).wait()
    assert impatient.equal("x+4", "4+x")


def test_nothing_comes_of_a_process_that_is_gone():
    """A line for a process that has ended gets no answer, and no error."""
    with subprocess.Popen([sys.executable, "-c", ""], stdin=-1, stdout=-1) as gone:
        gone.wait()
        assert _mathematics._exchange(gone, "x", 1.0) == b""
        with contextlib.suppress(BrokenPipeError):
            gone.stdin.close()


@pytest.mark.full  # the pair that holds the worker takes its five seconds
def test_a_fork_has_workers_of_its_own(impatient):
    """A fork made while a pair is compared compares with workers of its own, and leaves its parent's alone."""
    assert impatient.equal("x+5", "5+x")
    parents = process_of(impatient)
    held = threading.Thread(target=impatient.equal, args=("1000000007!", "3"))  # holds the only worker
    held.start()
    if (child := os.fork()) == 0:
        try:
            os._exit(0 if impatient.equal("x+6", "6+x") and process_of(impatient).pid != parents.pid else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    held.join()
    assert impatient.equal("x+7", "7+x")


@pytest.mark.full
def test_a_question_of_hard_pairs_leaves_a_worker_to_others():
    """While one question compares as many hard pairs as there are workers, another one's pair has a worker at once."""
    mathematics = Mathematics(limit_s=60.0, workers=3)

    def ask(question, a, b):
        current_work.set(Work(question))
        return mathematics.equal(a, b)

    try:
        hard = [threading.Thread(target=ask, args=("hard", f"100000000{i}!", "2"), daemon=True) for i in range(4)]
        for thread in hard:
            thread.start()
        while len(mathematics._holders) == 0 or mathematics._holders["hard"] < 2:
            time.sleep(0.01)
        begun = time.monotonic()
        assert ask("easy", "x+1", "1+x")
        assert time.monotonic() - begun < 50  # it would have waited for a hard pair, which has sixty seconds
        assert mathematics._holders["hard"] == 2
    finally:
        mathematics.close()
        for thread in hard:
            thread.join()


def test_a_pair_has_no_more_time_than_its_question(impatient):
    """A pair whose question ends is not equal for it, and is compared anew for a question that has the time."""
    impatient.equal("1+1", "2")
    current_work.set(Work("hasty", time.monotonic()))
    assert not impatient.equal("x+9", "9+x")
    current_work.set(None)
    assert impatient.equal("x+9", "9+x")


def test_threads_share_a_worker(impatient):
    """Sixteen threads at once get sixteen right verdicts from one process."""
    verdicts = {}
    threads = [
        threading.Thread(target=lambda i=i: verdicts.update({i: impatient.equal(f"x+{i}", f"{i}+x")}))
        for i in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verdicts == dict.fromkeys(range(16), True)


def test_the_worker_ends_with_its_parent():
    """A process that compared and exits leaves no worker behind."""
    code = (
        "from slmmux.answers import same; from slmmux.answers._mathematics import comparison as m; same('x+1', '1+x'); "
        "print(m._workers._all[0]._process.pid, flush=True)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())
    pid = int(done.stdout)
    assert any(not _alive(pid) for _ in range(2000))  # the system may take a moment to clear a process up


def _alive(pid):
    os.sched_yield()
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
