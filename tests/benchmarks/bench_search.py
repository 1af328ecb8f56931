"""Exact search: its time beside faiss-cpu's flat index in one run, and its memory over a corpus on disk.

Run as `python tests/benchmarks/bench_search.py [DOCUMENTS [ON_DISK]]` (200,000 and 1,000,000 rows of 384 numbers).
Time: top 100 of 1,000 queries, unit rows, one thread, the better of 3 alternating runs of each in CPU seconds.
Memory: anonymous memory (RssAnon, sampled every 20 ms) of a process of its own that searches a .npy file. Exits with 1
when the ratio is above 1.2, the memory reaches 1 GB, or the lists differ in more than near-equal scores.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # threads that wait for each other burn time on a busy machine

import faiss
import numpy as np

from workbench.retrieval import search

WIDTH, QUERIES, K = 384, 1000, 100
MOST_RATIO, MOST_MB = 1.2, 1000
STATUS = Path("/proc/self/status")


class Memory(threading.Thread):
    """The most anonymous memory of this process in MB; 0 where there is no /proc."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most, self.over = 0.0, threading.Event()

    def run(self) -> None:
        while STATUS.exists() and not self.over.wait(0.02):
            line = next(line for line in STATUS.read_text().splitlines() if line.startswith("RssAnon"))
            self.most = max(self.most, int(line.split()[1]) / 1024)


def unit_rows(n: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((n, WIDTH), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def seconds(run) -> tuple[float, tuple]:
    start = time.process_time()
    out = run()
    return time.process_time() - start, out


def compare(n: int) -> bool:
    x, q = unit_rows(n, 0), unit_rows(QUERIES, 1)
    flat = faiss.IndexFlatIP(WIDTH)
    flat.add(x)
    theirs, dot, cosine = [], [], []
    for _ in range(3):
        took, (scores, indices) = seconds(lambda: flat.search(q, K))
        theirs.append(took)
        took, (found, values) = seconds(lambda: search(q, x, K, metric="dot"))
        dot.append(took)
        cosine.append(seconds(lambda: search(q, x, K, metric="cosine"))[0])
    same, apart = float((indices == found).mean()), float(np.abs(scores - values).max())
    ratio = min(dot) / min(theirs)
    print(f"top {K} of {QUERIES} queries over {n} x {WIDTH}, {faiss.omp_get_max_threads()} threads, CPU seconds:")
    print(f"  faiss flat {min(theirs):.2f}, ours {min(dot):.2f}: {ratio:.2f} times (at most {MOST_RATIO})")
    print(
        f"  with rows scaled to length 1 on the way (cosine): {min(cosine):.2f}, {min(cosine) / min(theirs):.2f} times"
    )
    print(f"  same documents in {100 * same:.3f} % of places, scores at most {apart:.1e} apart")
    return ratio <= MOST_RATIO and same > 0.999 and apart < 1e-5


def on_disk(path: str) -> None:
    """Searches a file in this process and prints what it took."""
    x, memory = np.load(path, mmap_mode="r"), Memory()
    q = unit_rows(QUERIES, 1)
    memory.start()
    start = time.monotonic()
    indices, _ = search(q, x, K)
    took = time.monotonic() - start
    memory.over.set()
    memory.join()
    print(json.dumps({"seconds": took, "mb": memory.most, "own": int(indices[0, 0])}))


def measure_disk(n: int) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n, WIDTH))
        for start in range(0, n, 50_000):
            rows[start : start + 50_000] = unit_rows(min(50_000, n - start), 2 + start)
        rows[n - 7] = unit_rows(QUERIES, 1)[0]  # the first query itself, near the end
        rows.flush()
        size = path.stat().st_size / 1e6
        said = subprocess.run([sys.executable, __file__, "--file", path], capture_output=True, text=True, check=True)
    told = json.loads(said.stdout)
    print(f"{n} x {WIDTH} on disk ({size:.0f} MB), {QUERIES} queries: {told['seconds']:.0f} s,", end=" ")
    print(f"anonymous memory at most {told['mb']:.0f} MB (under {MOST_MB} MB)")
    return told["mb"] < MOST_MB and told["own"] == n - 7


def main(n: int, n_on_disk: int) -> int:
    fast = compare(n)
    return int(not (measure_disk(n_on_disk) and fast))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--file"]:
        on_disk(sys.argv[2])
    else:
        sys.exit(main(*[int(a) for a in sys.argv[1:3]], *[200_000, 1_000_000][len(sys.argv) - 1 :]))
