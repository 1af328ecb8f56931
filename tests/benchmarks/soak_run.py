"""Kills runs at random moments and looks, after each, that nothing half-done is taken for done.

Run as `python tests/benchmarks/soak_run.py [KILLS] [SEED]`: the command line or its kernel is killed by SIGKILL at
a random moment of a run; the record must be absent or whole, an earlier record must stay as it was, and at the end
the same command must finish with the right number. Exits 1 at the first violation.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.faults.conftest import WORKBENCH, alive, environment, write_project
from workbench.experiments.records import read_record

CELL = (
    "import os, time\n"
    "open('pid', 'w').write(str(os.getpid()))\n"
    "time.sleep(0.4)\n"
    'run.record("C1", np.arange(30) / 10 + run.p.n_texts)'
)
BEYOND = 1.2  # of a whole run's time: the last moment of a kill, so that some runs end before it


def soak(root: Path, *, kills: int, seed: int) -> dict[str, int]:
    """Counts of what was killed and of the records found whole; raises AssertionError where one is not."""
    draw = random.Random(seed)
    write_project(root, CELL)
    began = time.monotonic()
    assert _run(root, 20).wait(timeout=120) == 0
    whole = time.monotonic() - began
    kept = {path: path.read_bytes() for path in _records(root)}
    counts = {"command": 0, "kernel": 0, "ended before": 0, "records": 0}
    for number in range(kills):
        n_texts = 21 + number
        process = _run(root, n_texts)
        counts[_kill(root, process, draw, whole)] += 1
        process.wait(timeout=60)
        found = [path for path in _records(root) if path not in kept]
        assert len(found) <= 1, found
        for path in found:
            _check(path, n_texts)
            kept[path] = path.read_bytes()
            counts["records"] += 1
        assert all(path.read_bytes() == content for path, content in kept.items())
    last = 20 + kills
    assert _run(root, last).wait(timeout=120) == 0
    _check(max(_records(root), key=lambda path: json.loads(path.read_text())["parameters"]["n_texts"]), last)
    return counts


def _run(root: Path, n_texts: int) -> subprocess.Popen:
    (root / "notebooks" / "faults" / "pid").unlink(missing_ok=True)
    command = [*WORKBENCH, "run", "broken", "-p", f"n_texts={n_texts}"]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=root, env=environment(root), stdout=quiet, stderr=quiet)


def _kill(root: Path, process: subprocess.Popen, draw: random.Random, whole: float) -> str:
    """Kills the kernel within the second after it began, or the command line at any moment of its run."""
    note = root / "notebooks" / "faults" / "pid"
    if draw.random() < 0.4:
        while process.poll() is None and not (note.exists() and note.read_text()):
            time.sleep(0.01)
        time.sleep(draw.uniform(0.0, 1.0))
        if note.exists() and alive(int(note.read_text())):
            os.kill(int(note.read_text()), signal.SIGKILL)
            return "kernel"
    else:
        time.sleep(draw.uniform(0.0, BEYOND * whole))
    if process.poll() is not None:
        return "ended before"
    process.kill()
    return "command"


def _records(root: Path) -> list[Path]:
    return sorted((root / "data" / "runs" / "broken").glob("*/record.json"))


def _check(path: Path, n_texts: int) -> None:
    record = read_record(path)
    assert record["parameters"]["n_texts"] == n_texts
    assert abs(record["claims"][0]["value"] - (1.45 + n_texts)) < 1e-9


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = soak(Path(folder), kills=count, seed=int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(f"{count} kills in {time.monotonic() - began:.0f} s: {found}; nothing lost, nothing falsely done")
