"""Encoding a file under kill -9, on a disk that fills up, and in the memory that a few windows take."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import ROOT
from tests.faults.tiny_bert import WIDTH, make_tiny_bert
from workbench.encoders import file_encoding as module
from workbench.encoders import load_encoder
from workbench.encoders.file_encoding import encode_file
from workbench.encoders.growing_rows import GrowingRows

TEXTS = [f"text number {i}" for i in range(3000)]
SLOW = """
import sys, time
from pathlib import Path
from workbench.encoders import file_encoding as module, load_encoder

module.WINDOW = 256
enc = load_encoder(sys.argv[1], device="cpu")
whole, seen = enc.pooled, []
def slow(ids):
    time.sleep(float(sys.argv[4]))
    seen.extend(ids)
    return whole(ids)
enc.pooled = slow
module.encode_file(sys.argv[2], sys.argv[3], encoder=enc, progress=False)
print(len(seen))
"""


def environment(home):
    (home / "notebooks").mkdir(parents=True, exist_ok=True)
    (home / "pyproject.toml").touch()
    return {**os.environ, "WORKBENCH_HOME": str(home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_HOME", environment(tmp_path / "home")["WORKBENCH_HOME"])
    return load_encoder(make_tiny_bert(tmp_path / "model"), device="cpu")


@pytest.mark.parametrize("kind", [".npy", ".parquet"])
def test_kill_9_in_the_middle_and_the_same_call_resumes_behind_the_finished_windows(tiny, tmp_path, kind):
    source, target = tmp_path / "a.txt", tmp_path / f"rows{kind}"
    source.write_text("\n".join(TEXTS))
    call = [sys.executable, "-c", SLOW, str(tmp_path / "model"), str(source), str(target)]
    killed = subprocess.Popen([*call, "0.02"], env=environment(tmp_path / "home"), stdout=subprocess.DEVNULL)
    note = tmp_path / f"rows{kind}.json"
    deadline = time.monotonic() + 120
    while not note.exists() or json.loads(note.read_text())["done"] < 512:
        assert killed.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait(timeout=30) == -signal.SIGKILL
    assert not target.exists()
    done = json.loads(note.read_text())["done"]
    assert 512 <= done < 3000
    # in a project with an empty store: the rows that are done can only come from the file that was begun
    again = subprocess.run(
        [*call, "0"], env=environment(tmp_path / "other"), capture_output=True, text=True, check=True
    )
    assert int(again.stdout) == 3000 - done
    rows = np.load(target) if kind == ".npy" else np.stack(pq.read_table(target)["embedding"].to_numpy())
    np.testing.assert_allclose(rows, tiny.encode(TEXTS, store=False, progress=False), atol=1e-6)
    left = {path.name for path in tmp_path.iterdir()} - {"a.txt", "home", "other", "model"}
    assert left == {f"rows{kind}", f"rows{kind}.json"}


GROW = """
import sys
from pathlib import Path
import numpy as np
from workbench.encoders.growing_rows import GrowingRows

rows = GrowingRows(Path(sys.argv[1]), key="k", width=64, about={"source": "a.txt"})
with rows.alone(), rows.opened(1_000_000):
    print(rows.done, flush=True)
    for _ in range(1_000):
        first = rows.done
        rows.append(np.arange(first, first + 100, dtype="f4")[:, None] + np.zeros(64, dtype="f4"))
"""


def test_rows_that_a_note_counts_are_there_after_kill_9_at_any_moment(tmp_path):
    chance, counts = random.Random(time.time()), []
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", GROW, str(tmp_path / "rows.npy")],
            stdout=subprocess.PIPE,
            text=True,
            env=environment(tmp_path / "home"),
        )
        counts.append(int(process.stdout.readline()))
        time.sleep(chance.uniform(0, 0.2))
        process.send_signal(signal.SIGKILL)
        process.stdout.close()
        process.wait(timeout=30)
        rows = GrowingRows(tmp_path / "rows.npy", key="k", width=64, about={"source": "a.txt"})
        with rows.alone(), rows.opened(1_000_000):
            expected = np.arange(rows.done, dtype="f4")
            np.testing.assert_array_equal(rows.read(0, rows.done), np.repeat(expected[:, None], 64, axis=1))
    assert counts == sorted(counts)  # nothing that was done is done again
    assert rows.done > counts[1] > 0


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of its own of 1 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small disk takes the right to mount: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def fill(folder):
    with (folder / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"0" * 1024)
        except OSError:
            return


@pytest.mark.parametrize("kind", [".npy", ".parquet"])
def test_a_disk_that_fills_up_stops_the_run_and_the_next_one_goes_on(tiny, small_disk, kind, monkeypatch):
    monkeypatch.setattr(module, "WINDOW", 256)
    source, target, seen = small_disk.parent / "a.txt", small_disk / f"rows{kind}", []
    source.write_text("\n".join(TEXTS[:2000]))
    whole = tiny.pooled

    def filling(ids):
        if len(seen) > 1000 and not (small_disk / "filler").exists():
            fill(small_disk)
        seen.extend(ids)
        return whole(ids)

    monkeypatch.setattr(tiny, "pooled", filling)
    with pytest.raises(OSError, match="No space left"):
        encode_file(source, target, encoder=tiny, progress=False)
    assert not target.exists()
    assert not list(small_disk.glob(".part-*"))
    (small_disk / "filler").write_bytes(b"")
    before = len(seen)
    encode_file(source, target, encoder=tiny, progress=False)
    assert 0 < len(seen) - before < 1000
    rows = np.load(target) if kind == ".npy" else np.stack(pq.read_table(target)["embedding"].to_numpy())
    np.testing.assert_allclose(rows, tiny.encode(TEXTS[:2000], store=False, progress=False), atol=1e-6)


def test_a_file_that_cannot_fit_is_refused_before_the_first_text(tiny, small_disk, monkeypatch):
    source, seen = small_disk.parent / "a.txt", []
    source.write_text("text\n" * 9000)
    monkeypatch.setattr(tiny, "pooled", lambda ids: seen.append(ids))
    with pytest.raises(OSError, match=f"9000 rows of {WIDTH} need {9000 * WIDTH * 4} bytes more"):
        encode_file(source, small_disk / "rows.npy", encoder=tiny)
    assert seen == []
    assert list(small_disk.iterdir()) == []


MEMORY = """
import re, sys, threading, time
from pathlib import Path
import torch
from workbench.encoders import load_encoder
from workbench.encoders.file_encoding import encode_file

torch.set_num_threads(1)
highest, over = 0, threading.Event()
def watch():
    global highest
    while not over.wait(0.002):
        highest = max(highest, int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]))
enc = load_encoder(sys.argv[1], device="cpu")
watcher = threading.Thread(target=watch, daemon=True)
watcher.start()
encode_file(sys.argv[2], sys.argv[3], encoder=enc, progress=False)
over.set()
watcher.join()
print(highest)
"""


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A model of 512 columns and little work: 40,000 rows take 82 MB."""
    from transformers import AutoTokenizer, BertConfig, BertModel

    folder = make_tiny_bert(tmp_path_factory.mktemp("wide"))
    size = {"hidden_size": 512, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 16}
    words = len(AutoTokenizer.from_pretrained(folder))
    BertModel(BertConfig(vocab_size=words, max_position_embeddings=64, **size)).save_pretrained(folder)
    return folder


def words(n):
    """So many unknown words of 1500 letters, each another one: 60 MB in 40,000, and three tokens each."""
    return ["".join(chr(97 + i // 26**place % 26) for place in range(5)) + "x" * 1495 for i in range(n)]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc")
@pytest.mark.parametrize(
    ("kind", "made"), [pytest.param(".csv", ".npy", marks=pytest.mark.slow), (".parquet", ".parquet")]
)
def test_four_times_the_rows_take_no_more_memory(wide, tmp_path, kind, made):
    highest = {}
    for n in (10_000, 40_000):
        source, target = tmp_path / f"{n}{kind}", tmp_path / f"{n} rows{made}"
        if kind == ".csv":
            source.write_text("\n".join(["text", *words(n)]))
        else:
            pq.write_table(pa.table({"text": words(n)}), source, row_group_size=n)
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(wide), str(source), str(target)],
            env=environment(tmp_path / f"home{n}"),
            capture_output=True,
            text=True,
            check=True,
        )
        highest[n] = int(done.stdout) / 1000
    assert highest[40_000] - highest[10_000] < 50, f"megabytes at most, by rows: {highest}"
