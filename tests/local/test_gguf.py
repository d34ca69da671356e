"""Whether a file is a whole GGUF."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slmmux.local import NotAGGUFError
from slmmux.local._gguf import check_gguf


def test_a_whole_one_passes(tmp_path, gguf):
    """A GGUF whose tensors lie within it is accepted."""
    file = tmp_path / "a.gguf"
    file.write_bytes(gguf())
    check_gguf(file)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "it is empty"),
        (b"<!DOCTYPE html>", "it begins with b'<!DOCTYPE ht'"),
        (b"GGUF\x03\0", "is incomplete"),
        (b"GGUF\x63\0\0\0" + bytes(16), "a GGUF of version 99"),
        (b"GGUF\x03\0\0\0" + b"\xff" * 16, "its header counts"),
    ],
    ids=["empty", "a web page", "six bytes", "version 99", "absurd counts"],
)
def test_the_sentence_says_what_was_found(tmp_path, content, sentence):
    """What is not a GGUF is refused with what it is instead."""
    file = tmp_path / "a.gguf"
    file.write_bytes(content)
    with pytest.raises(NotAGGUFError) as error:
        check_gguf(file)
    assert sentence in str(error.value)


def test_every_cut_before_the_tensors_end_is_seen(tmp_path, gguf):
    """However early a GGUF ends within its header, it is called cut off; never another error, never accepted."""
    complete = gguf(tail=0)
    file = tmp_path / "a.gguf"
    for length in range(4, len(complete) + 1):
        file.write_bytes(complete[:length])
        with pytest.raises(NotAGGUFError, match="is incomplete"):
            check_gguf(file)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(max_size=200), at=st.integers(4, 150))
def test_junk_is_never_another_error(tmp_path, gguf, junk, at):
    """A header overwritten with any bytes is accepted or refused with `NotAGGUFError`, at once."""
    complete = gguf()
    file = tmp_path / "a.gguf"
    file.write_bytes(complete[:at] + junk + complete[at + len(junk) :])
    with contextlib.suppress(NotAGGUFError):
        check_gguf(file)
