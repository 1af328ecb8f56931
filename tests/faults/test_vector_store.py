"""The vector store under kill -9, many processes, a full disk and a read-only folder: whole rows or none."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.soak_store import soak
from tests.conftest import ROOT
from tests.faults.tiny_bert import WIDTH as TINY
from tests.faults.tiny_bert import make_tiny_bert
from workbench.encoders import load_encoder
from workbench.encoders.store import VectorStore
from workbench.encoders.store_files import file_size, read_rows
from workbench.encoders.store_upkeep import evict

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


MIXED = """
import sys
from pathlib import Path
import numpy as np
from workbench.encoders import store_upkeep
from workbench.encoders.store import VectorStore

store_upkeep.MOST_SMALL = 8
store = VectorStore("5" * 64, width=64, folder=Path(sys.argv[1]))
me, found = int(sys.argv[2]), 0
def row(group, i): return np.full(64, 1000 * group + i, dtype="f4")
for turn in range(60):
    group = (turn * 7 + me) % 40  # every process writes some groups that the others write too
    store.put([f"text {group} {i}" for i in range(20)], np.stack([row(group, i) for i in range(20)]))
    for asked in ((group + 11) % 40, (group - 7) % 40):  # another's or evicted, and its own of the turn before
        for text, vector in store.get([f"text {asked} {i}" for i in range(20)]).items():
            assert (vector == row(asked, int(text.split()[2]))).all(), text
            found += 1
print(found)
"""


def test_four_processes_write_and_read_one_space_while_another_evicts(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MIXED, str(tmp_path), str(me)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for me in range(4)
    ]
    freed = 0
    while any(process.poll() is None for process in processes):
        freed += evict(tmp_path, limit=10 * file_size(20, 64))
        time.sleep(0.01)
    found = 0
    for process in processes:
        said, wrong = process.communicate(timeout=60)
        assert (process.returncode, wrong) == (0, "")
        found += int(said)  # one that was starved may have found nothing that was not evicted
    assert found > 0
    assert freed > 0
    assert not list(tmp_path.glob("*/*.bad"))
    assert not list(tmp_path.glob("*/.part-*"))
    for path in tmp_path.glob("*/*.rows"):
        keys, rows = read_rows(path)
        assert len(keys) == len(rows) > 0


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of its own of 256 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small disk takes the right to mount: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A tiny model, and an empty project for its vectors."""
    root = tmp_path / "home"
    (root / "notebooks").mkdir(parents=True)
    (root / "pyproject.toml").touch()
    monkeypatch.setenv("WORKBENCH_HOME", str(root))
    return load_encoder(make_tiny_bert(tmp_path / "model"), device="cpu")


def test_a_full_disk_is_warned_of_once_and_what_was_stored_is_whole(small_disk, tiny, monkeypatch, recwarn):
    monkeypatch.setattr("workbench.encoders.encoding.FLUSH_ROWS", 200)
    (cache := small_disk.parent / "home" / "data" / "cache").mkdir(parents=True, exist_ok=True)
    (cache / "vectors").symlink_to(small_disk)
    texts = [f"text number {i}" for i in range(4000)]  # 640 kB of rows and keys
    rows = tiny.encode(texts, progress=False)
    assert [str(w.message).partition(": ")[0] for w in recwarn.list] == ["vectors are not kept"]
    np.testing.assert_allclose(rows, tiny.encode(texts, store=False, progress=False), atol=1e-6)
    assert not list(small_disk.glob("*/.part-*"))
    stored = sum(len(read_rows(path)[0]) for path in small_disk.glob("*/*.rows"))
    assert 1000 < stored < 2000  # 256 kB hold 1600 rows of 128 bytes with keys of 32
    tiny.stores.clear()
    (store,) = (VectorStore(s, width=TINY, folder=small_disk) for s in [space_of(small_disk)])
    found = store.get(texts)
    assert len(found) == stored
    np.testing.assert_allclose(np.stack(list(found.values())), rows[[texts.index(t) for t in found]], atol=1e-6)


def space_of(folder):
    (path,) = folder.glob("*/space.json")
    return json.loads(path.read_text())["space"]


def test_a_full_disk_refuses_an_output_file_before_the_first_text(small_disk, tiny, monkeypatch):
    seen = []
    whole = tiny.pooled
    monkeypatch.setattr(tiny, "pooled", lambda ids: seen.extend(ids) or whole(ids))
    with pytest.raises(OSError, match="No space left"):
        tiny.encode([f"text number {i}" for i in range(4000)], out=small_disk / "rows.npy", progress=False)
    assert seen == []
    assert list(small_disk.iterdir()) == []


NOBODY = """
import os, sys, warnings
from pathlib import Path
import numpy as np
from workbench.encoders.store import VectorStore

# only now: the interpreter's own files may be closed to others
os.setgroups([]); os.setgid(65534); os.setuid(65534)
warnings.simplefilter("always")

store = VectorStore("5" * 64, width=8, folder=Path(sys.argv[1]))
print(sorted(store.get([f"text {i}" for i in range(3)])))
for i in range(3, 6):
    store.put([f"text {i}"], np.ones((1, 8), dtype="f4"))
print(sorted(store.get([f"text {i}" for i in range(6)])))
"""


def as_nobody(folder):
    """What another user of the machine, who owns nothing here, gets from the store and is warned of."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", NOBODY, str(folder)], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), [line for line in done.stderr.splitlines() if "UserWarning" in line]


@pytest.fixture
def lent():
    """A store of three texts that every user may look into."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        folder = Path(name)
        folder.chmod(0o755)
        if subprocess.run(["test", "-x", folder], user=65534, check=False).returncode:
            pytest.skip(f"another user cannot reach {folder}")
        store = VectorStore("5" * 64, width=8, folder=folder)
        store.put([f"text {i}" for i in range(3)], np.ones((3, 8), dtype="f4"))
        yield store


def test_a_read_only_store_is_read_and_its_writing_is_warned_of_once(lent):
    said, warned = as_nobody(lent.folder.parent)
    assert said == ["['text 0', 'text 1', 'text 2']"] * 2
    assert len(warned) == 1
    assert "vectors are not kept" in warned[0]


def test_a_damaged_file_that_cannot_be_put_aside_is_left_out_and_warned_of_once(lent):
    (path,) = lent.folder.glob("*.rows")
    spoilt = bytearray(path.read_bytes())
    spoilt[-1] ^= 1
    path.write_bytes(spoilt)
    said, warned = as_nobody(lent.folder.parent)
    assert said == ["[]"] * 2
    assert ["not what was written: its rows" in line for line in warned] == [True, False]
    assert "vectors are not kept" in warned[1]
    assert path.exists()


def test_a_file_or_a_folder_closed_to_a_user_is_left_out(lent):
    (path,) = lent.folder.glob("*.rows")
    path.chmod(0o600)
    said, warned = as_nobody(lent.folder.parent)
    assert said == ["[]"] * 2
    assert ["cannot be read" in line for line in warned] == [True, False]
    lent.folder.chmod(0o700)
    said, warned = as_nobody(lent.folder.parent)
    assert said == ["[]"] * 2
    assert len(warned) == 1


def test_ten_writers_killed_at_random_leave_a_whole_store(tmp_path):
    line = soak(10, seed=int(time.time()), folder=tmp_path)
    assert line.startswith("10 kills")


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
