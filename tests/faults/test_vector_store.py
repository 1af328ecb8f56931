"""The vector store under kill -9 and under two writers at once: whole rows or none."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from workbench.encoders.store import VectorStore

SPACE = "5" * 64
WIDTH = 2048  # wide rows, so that most of a writer's time is the writing
WRITER = """
import sys
from pathlib import Path
import numpy as np
from workbench.encoders.store import VectorStore

store = VectorStore("5" * 64, width=2048, folder=Path(sys.argv[1]))
start, groups = int(sys.argv[2]), int(sys.argv[3])
base = np.random.default_rng(0).normal(size=(500, 2048)).astype("f4")
print("ready", flush=True)
for group in range(start, start + groups):
    store.put([f"text {group} {i}" for i in range(500)], base + np.float32(group))
    print(group, flush=True)
"""
BASE = np.random.default_rng(0).normal(size=(500, WIDTH)).astype("f4")


def row(text):
    _, group, i = text.split()
    return BASE[int(i)] + np.float32(group)


def writer(folder, start, groups):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(start), str(groups)], stdout=subprocess.PIPE, text=True
    )


def texts_of(group):
    return [f"text {group} {i}" for i in range(500)]


@pytest.mark.parametrize("attempt", range(12))
def test_kill_9_at_any_moment_keeps_whole_groups_and_nothing_else(attempt, tmp_path, recwarn):
    process = writer(tmp_path, 0, 10_000)
    assert process.stdout.readline() == "ready\n"
    time.sleep(random.Random(attempt).uniform(0.02, 0.3))
    process.send_signal(signal.SIGKILL)
    told = process.stdout.read().splitlines()
    assert process.wait(timeout=30) == -signal.SIGKILL
    process.stdout.close()
    store = VectorStore(SPACE, width=WIDTH, folder=tmp_path)
    for group in range(len(told) + 2):
        found = store.get(texts_of(group))
        assert len(found) == 500 if group < len(told) else len(found) in (0, 500)
        for text in list(found)[::50]:
            np.testing.assert_array_equal(found[text], row(text))
    assert not recwarn.list  # a killed writer leaves nothing to put aside
    store.put(texts_of(99_999), np.stack([row(t) for t in texts_of(99_999)]))
    assert len(VectorStore(SPACE, width=WIDTH, folder=tmp_path).get(texts_of(99_999))) == 500


def test_two_writers_at_once_lose_nothing(tmp_path):
    reader = VectorStore(SPACE, width=WIDTH, folder=tmp_path)
    processes = [writer(tmp_path, start, 12) for start in (0, 6)]  # half of the groups are written by both
    while any(p.poll() is None for p in processes):
        for text, vector in reader.get(texts_of(7)[:20]).items():
            np.testing.assert_array_equal(vector, row(text))
        time.sleep(0.02)
    for process in processes:
        process.stdout.close()
        assert process.returncode == 0
    for group in range(18):
        found = reader.get(texts_of(group))
        assert len(found) == 500
        np.testing.assert_array_equal(found[texts_of(group)[3]], row(texts_of(group)[3]))


def test_kill_9_of_an_encoding_run_keeps_its_work_for_the_next(tmp_path):
    root = tmp_path / "home"
    (root / "notebooks").mkdir(parents=True)
    (root / "pyproject.toml").touch()
    code = """
import sys, time
from workbench.encoders import encoding, load_encoder
encoding.FLUSH_SECONDS = 0.05
enc = load_encoder("all-MiniLM-L6-v2", device="cpu")
whole, seen = enc.pooled, []
def slow(ids):
    time.sleep(float(sys.argv[1]))
    seen.extend(ids)
    return whole(ids)
enc.pooled = slow
print("ready", flush=True)
enc.encode([f"text number {i}" for i in range(400)], batch_tokens=48, progress=False)
print(len(seen))
"""
    environment = {**os.environ, "WORKBENCH_HOME": str(root), "OMP_NUM_THREADS": "1"}
    killed = subprocess.Popen([sys.executable, "-c", code, "0.1"], stdout=subprocess.PIPE, text=True, env=environment)
    assert killed.stdout.readline() == "ready\n"
    vectors = root / "data" / "cache" / "vectors"
    deadline = time.monotonic() + 60
    while len(list(vectors.glob("*/*.rows"))) < 4 and time.monotonic() < deadline:
        time.sleep(0.02)
    killed.kill()
    assert killed.wait(timeout=30) == -signal.SIGKILL
    killed.stdout.close()
    done = subprocess.run(
        [sys.executable, "-c", code, "0"], capture_output=True, text=True, env=environment, timeout=300
    )
    assert 0 < int(done.stdout.split()[-1]) < 400, done.stderr
