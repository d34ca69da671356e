"""What `answers.boxed` reads, as a table, and what its answers are compared by."""

import pytest

from slmmux import answers

READ = answers.reader("boxed")

# What models write, and what is read in it.
CASES = [
    (r"\boxed{5}", "5"),
    (r"$\boxed{5}$", "5"),
    (r"\[ x = \boxed{5} \]", "5"),
    (r"\boxed{ 5 }", "5"),
    (r"\boxed {5}", "5"),
    (r"\boxed 5", "5"),
    (r"\boxed5", "5"),
    (r"$\boxed 42$.", "42"),
    (r"\(\boxed 42\)", "42"),
    (r"\boxed 42, of course", "42"),
    (r"\boxed -3", "-3"),
    (r"\fbox{B}", "B"),
    (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
    (r"\boxed{\dfrac{\sqrt{3}}{2}}", r"\dfrac{\sqrt{3}}{2}"),
    (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
    (r"\boxed{\left\{ x : x > 0 \right\}}", r"\left\{ x : x > 0 \right\}"),
    (r"\boxed{1,234}", "1,234"),
    (r"\boxed{\text{Monday}}", r"\text{Monday}"),
    (r"\boxed{18\text{ dollars}}", r"18\text{ dollars}"),
    (r"\boxed{4} or rather \boxed{5}", "5"),
    (r"\boxed{4}, then \boxed{\frac{1", "4"),
    (r"\boxed{\frac{1}{", None),
    (r"\boxed{", None),
    (r"\boxed", None),
    (r"\boxed{}", None),
    (r"\boxed{ }", None),
    (r"\boxed{4} and \boxed{}", "4"),
    (r"\boxed{\boxed{7}}", "7"),
    (r"\boxed{7 \boxed{}}", r"7 \boxed{}"),
    (r"\boxed \frac{1}{2}", None),
    (r"\boxed .", None),
    (r"\boxedwidth{5}", None),
    ("\\boxed{\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}}", "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}"),
    ("\\\\boxed{5}", "5"),
    ("\\boxed{\n5\n}", "5"),
    (r"{ \boxed{5}", "5"),
    (r"} \boxed{5} }", "5"),
    (r"<think>\boxed{4}</think>\boxed{5}", "5"),
    (r"\boxed{4} <think>\boxed{5}", "4"),
    ("no box", None),
    ("", None),
]


@pytest.mark.parametrize(("reply", "read"), CASES, ids=[reply for reply, _ in CASES])
def test_table(reply, read):
    """The last box that is closed and not empty is read, as written and trimmed."""
    assert answers.boxed(reply) == read


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0.50", "0.5"),
        ("0.50", r"\frac{1}{2}"),
        ("1/2", r"\dfrac12"),
        (r"50\%", "0.5"),
        ("1,234", r"1{,}234"),
        ("1,234", "1234"),
        (r"1\,234", "1234"),
        (r"\$18", "18"),
        ("18.00", r"18\text{ dollars}"),
        (r"20\text{ cm}^2", "20"),
        (r"90^\circ", "90"),
        ("-3", "−3"),  # noqa: RUF001
        (r"\text{0.50}", "0.5"),
        (r"\text{(B)}", "B"),
        (r"\textbf{\text{B}}", "B"),
        ("(B)", "B."),
        (r"\left( 3, 4 \right)", "(3,4)"),
        (r"\text{Monday}", "Monday"),
        (r"3\sqrt 2", r"3 \sqrt 2"),
        (r"\big[0, 1\big]", "[0,1]"),
        (r"$x^2$", "x^2"),
        ("9" * 400, "9" * 400),
        (r"\left", r"\left"),
    ],
)
def test_same_answer(one, other):
    """Two spellings of one answer have one key, so that their samples agree."""
    assert READ(rf"\boxed{{{one}}}") == READ(rf"\boxed{{{other}}}")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"50\%", "50"),
        ("2,5", "2.5"),
        (r"3\text{ PM}", r"3\text{ AM}"),
        ("R", "r"),
        ("(3, 4)", "(4, 3)"),
        (r"2\sqrt{3}", "2"),
        ("1 2", "12"),
        (".", ".."),
        (r"\leftarrow", "arrow"),
        ("9" * 400, "9" * 401),
    ],
)
def test_different_answers(one, other):
    """What only looks alike has different keys."""
    assert READ(rf"\boxed{{{one}}}") != READ(rf"\boxed{{{other}}}")


def test_shown_as_written():
    """A box is compared by its key and shown as it was written."""
    assert (READ(r"\boxed{0.50}").value, READ(r"\boxed{0.50}").kind) == ("0.50", "boxed")


def test_ten_thousand_boxes_in_each_other():
    """Boxes nested without end cost no more than one, and the innermost is read."""
    assert answers.boxed(r"\boxed{" * 10_000 + "x" + "}" * 10_000) == "x"
    assert answers.boxed(r"\boxed{" * 10_000) is None
