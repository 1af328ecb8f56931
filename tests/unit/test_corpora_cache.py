import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pyarrow.parquet as pq
import pytest

from workbench.corpora.cache import read_rows, write_rows

ROWS = {"text": ("one", "größer", ""), "name": ("a", "b", "c" * 5000)}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "rows.parquet"
    write_rows(path, ROWS)
    return path


def test_rows_come_back_as_they_were(path):
    assert read_rows(path, ["text", "name"]) == ROWS
    assert pq.read_table(path)["name"].to_pylist()[0] == "a"  # plain Parquet for other readers


def test_a_missing_file_and_other_columns_are_no_rows(path, tmp_path):
    assert read_rows(tmp_path / "absent.parquet", ["text", "name"]) is None
    assert read_rows(path, ["text", "kind"]) is None


def test_a_torn_file_is_never_returned(path):
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert read_rows(path, ["text", "name"]) is None, length


def test_an_altered_byte_is_never_returned_as_other_rows(path):
    whole = path.read_bytes()
    refused = 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x15]) + whole[place + 1 :])
        rows = read_rows(path, ["text", "name"])
        assert rows in (None, ROWS), place
        refused += rows is None
    assert refused > len(whole) // 2


def test_a_whole_file_with_other_rows_is_refused(path):
    other = pq.read_table(path)
    pq.write_table(other.slice(0, 2), path)  # keeps the stated count and digest
    assert read_rows(path, ["text", "name"]) is None


def test_a_writer_killed_before_the_rename_leaves_the_old_rows(path, monkeypatch):
    def killed(_handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        write_rows(path, {"text": ("new",), "name": ("new",)})
    assert read_rows(path, ["text", "name"]) == ROWS
    assert [file.name for file in path.parent.iterdir()] == ["rows.parquet"]


WRITER = """
import pathlib, sys
from workbench.corpora.cache import write_rows
letter = sys.argv[2]
for _ in range(15):
    write_rows(pathlib.Path(sys.argv[1]), {"text": (letter * 20_000,) * 50})
"""


def test_two_processes_that_write_at_once_leave_whole_files(tmp_path):
    path = tmp_path / "rows.parquet"

    def write(letter: str) -> int:
        return subprocess.run([sys.executable, "-c", WRITER, str(path), letter], check=True).returncode

    possible = [{"text": (letter * 20_000,) * 50} for letter in "xy"]
    write("x")
    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write, letter) for letter in "xy"]
        reads = 0
        while not all(writer.done() for writer in writers):
            assert read_rows(path, ["text"]) in possible
            reads += 1
        assert [writer.result() for writer in writers] == [0, 0]
    assert reads > 1
    assert [file.name for file in tmp_path.iterdir()] == ["rows.parquet"]
