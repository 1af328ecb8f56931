"""Indexes on disk under kill -9 and a second writer: a reader finds the old index or the whole new one."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.conftest import ROOT
from workbench.retrieval import BM25, BinaryIndex, DenseIndex

WRITER = """
import sys
import numpy as np
from workbench.retrieval import BM25, BinaryIndex, DenseIndex

kind, folder = sys.argv[1:]
print("ready", flush=True)
for turn in range(1, 10_000):
    n = 2000 + turn
    ids = tuple(f"d{i}" for i in range(n))
    if kind == "bm25":
        BM25.build({d: f"word{i % 50} turn{turn}" for i, d in enumerate(ids[:300])}).save(folder)
    else:
        x = np.full((n, 256), turn, "f4") + np.eye(n, 256, dtype="f4")
        (DenseIndex(ids, x) if kind == "dense" else BinaryIndex.build(ids, x)).save(folder)
    print(turn, flush=True)
"""
KINDS = {"dense": DenseIndex, "binary": BinaryIndex, "bm25": BM25}


def writer(kind, folder):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, kind, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def turn_of(kind, index):
    """Which save an index is of, once all of it has been seen to be of the same one."""
    if kind == "bm25":
        (turn,) = {int(word[4:]) for word in index.scorer.vocab_dict if word.startswith("turn")}
        return turn
    turn = len(index.documents) - 2000
    rows = np.full((len(index.documents), 256), turn, "f4") + np.eye(len(index.documents), 256, dtype="f4")
    np.testing.assert_array_equal(index.vectors, rows)
    return turn


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("attempt", range(3))
def test_kill_9_in_a_save_leaves_the_old_index_or_the_new_one(kind, attempt, tmp_path):
    process = writer(kind, tmp_path)
    assert process.stdout.readline() == "ready\n"
    assert process.stdout.readline() == "1\n"
    time.sleep(random.Random(f"{kind} {attempt}").uniform(0.0, 0.3))
    process.send_signal(signal.SIGKILL)
    told = [1, *map(int, process.stdout.read().split())]
    assert process.wait(timeout=30) == -signal.SIGKILL
    process.stdout.close()
    assert turn_of(kind, KINDS[kind].load(tmp_path)) in (told[-1], told[-1] + 1)


def test_a_save_killed_between_its_files_leaves_the_old_index(tmp_path):
    """Killed at the worst moment for certain: every file is written, the manifest is not."""
    DenseIndex(("a", "b"), np.eye(2, dtype="f4")).save(tmp_path)
    code = (
        "import os, signal, sys, numpy as np\n"
        "from workbench.retrieval import DenseIndex, folders\n"
        "folders.replacing = lambda path: os.kill(os.getpid(), signal.SIGKILL)\n"
        "DenseIndex(('x',), np.ones((1, 2), 'f4')).save(sys.argv[1])\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob("files-*"))) == 2  # the old files and the orphaned new ones
    assert DenseIndex.load(tmp_path).documents == ("a", "b")
    for path in tmp_path.glob("files-*"):
        os.utime(path, (0, 0))  # as if it were long ago
    DenseIndex(("c",), np.ones((1, 2), "f4")).save(tmp_path)
    assert DenseIndex.load(tmp_path).documents == ("c",)
    assert len(list(tmp_path.glob("files-*"))) == 1


def test_a_reader_beside_a_writer_never_sees_a_torn_index(tmp_path):
    process, seen = writer("dense", tmp_path), []
    assert [process.stdout.readline(), process.stdout.readline()] == ["ready\n", "1\n"]
    try:
        until = time.monotonic() + 3
        while time.monotonic() < until:
            seen.append(turn_of("dense", DenseIndex.load(tmp_path, verify=False)))
    finally:
        process.kill()
        process.wait(timeout=30)
        process.stdout.close()
    assert seen == sorted(seen)
    assert len(set(seen)) > 2


def test_an_error_in_a_save_leaves_the_old_index_and_no_files(tmp_path, monkeypatch):
    DenseIndex(("a", "b"), np.eye(2, dtype="f4")).save(tmp_path)
    before = sorted(p.name for p in tmp_path.rglob("*"))

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("workbench.retrieval.dense.save_array", full)
    with pytest.raises(OSError, match="No space left"):
        DenseIndex(("x",), np.ones((1, 2), "f4")).save(tmp_path)
    assert sorted(p.name for p in tmp_path.rglob("*")) == before
    assert DenseIndex.load(tmp_path).documents == ("a", "b")
