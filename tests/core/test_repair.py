"""`repair` keeps every whole row of a damaged recording, names what went, and never guesses."""

import gzip
import json
import random

import pytest

from slmmux import Recording, RecordingError, Row
from slmmux._files import read
from slmmux.recording import _repair
from slmmux.recording._repair import repair
from slmmux.recording._row import head_line, row_line

SETTINGS = {"extract": "number"}
ROWS = [
    Row(question_id=f"q{q}", model="qwen", sample_index=i, answer={"model": "x"}, text='a "quoted" {"model": reply')
    for q in range(20)
    for i in range(2)
]
LINES = [head_line(SETTINGS), *map(row_line, ROWS)]


def damaged(path, *lines):
    content = b"".join(lines)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("name", ["samples.jsonl", "samples.jsonl.gz"])
def test_all_whole_rows_stay(tmp_path, name):
    """Damage in the middle of a file takes no whole row with it; order and settings stay, and the rest is named."""
    path = damaged(tmp_path / name, *LINES[:5], b"\x00\xff damage\n", *LINES[5:9], LINES[9][:30] + b"\n", *LINES[10:])
    with pytest.raises(RecordingError):
        Recording.load(path)
    result = repair(path)
    recording = Recording.load(path)
    assert recording.rows == tuple(row for i, row in enumerate(ROWS) if i != 8)
    assert (recording.settings, result.rows, [loss.line for loss in result.losses]) == (SETTINGS, 39, [6, 11])
    assert (tmp_path / f"{name}.removed").read_bytes() == b"\x00\xff damage\n" + LINES[9][:30] + b"\n"


def test_rows_on_one_line_are_found(tmp_path):
    """Rows without a line feed between them, or after the rest of another, are whole rows."""
    glued = LINES[1].rstrip() + LINES[2].rstrip() + LINES[3][:25] + LINES[4]
    result = repair(damaged(tmp_path / "samples.jsonl", LINES[0], glued, LINES[5].rstrip() + b" and more\n"))
    assert Recording.load(tmp_path / "samples.jsonl").rows == (ROWS[0], ROWS[1], ROWS[3], ROWS[4])
    assert [str(loss) for loss in result.losses] == [
        "line 2: no row before a whole one",
        "line 3: no row after a whole one",
    ]


def test_a_row_twice_is_kept_once(tmp_path):
    """The first of two rows of one sample stays; the later attempt of a failed one stays beside it."""
    failed = Row(question_id="x", model="qwen", sample_index=0, answer=None, error="lost")
    again = Row(question_id="x", model="qwen", sample_index=0, answer="4", attempt=2)
    path = damaged(tmp_path / "samples.jsonl", *LINES, LINES[3], row_line(failed), row_line(again))
    assert [str(loss) for loss in repair(path).losses] == [
        "line 42: sample 0 of 'qwen' for question 'q1' a second time"
    ]
    assert Recording.load(path).rows == (*ROWS, again)
    assert Recording.load(path).history == (failed,)


def test_a_whole_file_is_not_written(tmp_path):
    """A recording without damage stays as it is, byte for byte, and nothing is written beside it."""
    path = damaged(tmp_path / "samples.jsonl", *LINES)
    before = path.stat()
    assert repair(path).losses == ()
    assert path.stat() == before
    assert [file.name for file in tmp_path.iterdir()] == ["samples.jsonl"]


def test_another_file_may_be_written(tmp_path):
    """With `out` the damaged file stays, and the rows go into another."""
    path = damaged(tmp_path / "samples.jsonl", *LINES, b"damage")
    content = path.read_bytes()
    repair(path, tmp_path / "whole.jsonl.gz")
    assert path.read_bytes() == content
    assert Recording.load(tmp_path / "whole.jsonl.gz").rows == tuple(ROWS)


def test_a_gzip_file_that_ends_early_keeps_what_it_has(tmp_path):
    """The rows before the cut of a packed file stay."""
    path = tmp_path / "samples.jsonl.gz"
    chance = random.Random(0)
    rows = [Row(question_id=f"q{q}", model="m", sample_index=0, answer=str(chance.random())) for q in range(5000)]
    path.write_bytes(gzip.compress(b"".join(map(row_line, rows)))[:-40_000])
    result = repair(path)
    assert 100 < result.rows < 5000
    assert Recording.load(path).rows == tuple(rows[: result.rows])
    assert "the gzip file ends or is damaged here" in result.losses[-1].reason
    assert not result.has_settings


def test_a_line_without_end_is_passed_over(tmp_path, monkeypatch):
    """A line that is longer than is read at once is passed over, and the rows after it stay."""
    monkeypatch.setattr(_repair, "LINE_BYTES", 1000)
    path = damaged(tmp_path / "samples.jsonl", *LINES[:3], b"x" * 5000 + b"\n", *LINES[3:])
    assert [loss.line for loss in repair(path).losses] == [4]
    assert Recording.load(path).rows == tuple(ROWS)
    assert read.LINE_BYTES > 1000


def test_a_file_without_a_row_is_refused(tmp_path):
    """A file without a whole row is left unchanged."""
    path = damaged(tmp_path / "samples.jsonl", b"hello\n")
    with pytest.raises(RecordingError, match="no row is whole, so there is nothing to keep"):
        repair(path)
    assert path.read_bytes() == b"hello\n"


def test_any_damage_loses_only_what_it_hit(tmp_path):
    """Whatever bytes are overwritten, every row whose bytes were not touched stays."""
    chance = random.Random(1)
    lines = [row_line(Row(question_id=f"q{q}", model="m", sample_index=0, answer="4")) for q in range(50)]
    content = b"".join(lines)
    for trial in range(40):
        start = chance.randrange(len(content) - 60)
        length = chance.randrange(1, 60)
        path = tmp_path / f"{trial}.jsonl"
        path.write_bytes(content[:start] + chance.randbytes(length).replace(b"\n", b" ") + content[start + length :])
        repair(path)
        ids = {json.loads(line)["question_id"] for line in path.read_bytes().splitlines()}
        place, touched = 0, set()
        for number, line in enumerate(lines):
            if place < start + length and start < place + len(line):
                touched.add(f"q{number}")
            place += len(line)
        assert ids >= {f"q{n}" for n in range(50)} - touched
