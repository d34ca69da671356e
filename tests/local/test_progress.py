"""The bar of a download."""

import io

from rich.console import Console

from slmmux.local import bar


def test_nothing_is_drawn_where_nothing_comes(capsys):
    """A model that is here draws no bar, on no stream."""
    with bar():
        pass
    assert capsys.readouterr() == ("", "")


def test_a_bar_ends_full_and_on_the_console_it_was_given(capsys):
    """What was fetched is drawn to its end on the console given, and standard output stays clean."""
    render = io.StringIO()
    with bar(Console(file=render, force_terminal=True, width=80)) as progress:
        progress(0, 2_000_000)
        progress(2_000_000, 2_000_000)
    assert "2.0/2.0 MB" in render.getvalue()
    assert capsys.readouterr().out == ""


def test_the_default_is_standard_error(capsys):
    """Without a console the bar is on standard error, so that standard output can be read by a program."""
    with bar() as progress:
        progress(1, 1)
    out, err = capsys.readouterr()
    assert (out, err != "") == ("", True)
