"""Kills writers of the vector store at random moments, and checks the whole store after each kill.

Run as `python tests/benchmarks/soak_store.py [N] [SEED]`; 100 kills by default. A writer puts, merges small files
and evicts over a limit, as fast as it can, until kill -9. After each kill every file must be whole, every row the
one its text asks for, nothing may be put aside, and, in the rounds that evict nothing, everything that the writer
said it had stored must be there. Exits with 1 at the first thing that is wrong.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from workbench.encoders.store import VectorStore
from workbench.encoders.store_files import read_rows
from workbench.encoders.store_use import clear_store, store_report

SPACE, WIDTH, ROWS = "5" * 64, 64, 20
LIMIT = 1_000_000  # bytes, in the rounds that evict
ROOT = Path(__file__).resolve().parents[2]
WRITER = """
import itertools, sys
from pathlib import Path
from tests.benchmarks.soak_store import SPACE, WIDTH, rows_of, texts_of
from workbench.encoders import store_upkeep
from workbench.encoders.store import VectorStore

store_upkeep.MOST_SMALL = 8  # merges more often than not
store = VectorStore(SPACE, width=WIDTH, folder=Path(sys.argv[1]), note={"name": "soak"})
print("ready", flush=True)
for group in itertools.count(int(sys.argv[2])):
    store.put(texts_of(group), rows_of(group))
    if group % 3 == 0:
        assert all((row == rows_of(group)[i]).all() for i, row in enumerate(store.get(texts_of(group)).values()))
    print(group, flush=True)
"""


def texts_of(group: int) -> list[str]:
    return [f"text {group} {i}" for i in range(ROWS)]


def rows_of(group: int) -> np.ndarray:
    return np.random.default_rng(group).normal(size=(ROWS, WIDTH)).astype("f4")


def killed_writer(folder: Path, first: int, *, seconds: float, limit_gb: float) -> list[int]:
    """Groups that a writer said it had stored before it was killed."""
    environment = os.environ | {"WORKBENCH_CACHE_GB": str(limit_gb), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(first)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", "the writer did not start"
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    told = process.stdout.read().splitlines(keepends=True)
    process.stdout.close()
    assert process.wait(timeout=30) == -signal.SIGKILL, "the writer ended by itself"
    return [int(line) for line in told if line.endswith("\n")]


def check_files(folder: Path) -> int:
    """Number of rows in files that are whole; every `.rows` file must be."""
    return sum(len(read_rows(path)[0]) for path in folder.glob("*/*.rows"))


def check_groups(folder: Path, groups: range, *, all_of: list[int]) -> int:
    """Number of rows found, each of them the right one; those of `all_of` must all be found."""
    store = VectorStore(SPACE, width=WIDTH, folder=folder)
    found = store.get([text for group in groups for text in texts_of(group)])
    for group in groups:
        rows = rows_of(group)
        for i, text in enumerate(texts_of(group)):
            assert group not in all_of or text in found, f"{text!r} was stored and is lost"
            assert text not in found or (found[text] == rows[i]).all(), f"{text!r} has another row"
    return len(found)


def soak(kills: int, *, seed: int, folder: Path) -> str:
    """Kills that many writers, one after the other on one store; a line that says what was checked.

    Raises:
        AssertionError: a row that is lost or wrong, or a file that is not whole or is put aside.
    """
    chance, group, rows, largest = random.Random(seed), 0, 0, 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a file put aside is a warning
        for kill in range(kills):
            evicts = kill % 2 == 1
            told = killed_writer(folder, group, seconds=chance.uniform(0, 0.5), limit_gb=LIMIT / 1e9 if evicts else 20)
            rows += check_files(folder)
            after = (told[-1] if told else group - 1) + 2  # the next group may be whole too
            check_groups(folder, range(max(0, group - 50), after), all_of=[] if evicts else told)
            (use,) = store_report(folder) or (None,)
            assert use is None or not use.damaged, use
            largest = max(largest, use.n_bytes if use else 0)
            group = after
    kept = check_files(folder)
    left = sum(path.name.startswith(".part-") for path in folder.glob("*/*"))
    clear_store(folder=folder)
    assert not list(folder.glob("*/*.rows")), "the store could not be cleared: is its lock held?"
    return (
        f"{kills} kills: {group} groups, {rows} rows read whole, none lost, none wrong, none torn; {kept} of "
        f"{group * ROWS} still kept; {left} unfinished files left to sweep; at most {largest / 1e6:.1f} MB at once"
    )


def main(kills: int, seed: int) -> int:
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        print(soak(kills, seed=seed, folder=Path(folder)))
    print(f"{time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100, int(sys.argv[2]) if len(sys.argv) > 2 else 0))
