"""A .npy of 1,000,000 x 768 float32 (3 GB) through all of pass A: anonymous memory meanwhile, and rows a second.

Run as `python tests/benchmarks/bench_moments_file.py [N]`. The file is written to a temporary folder, a block at a
time, and removed. Pass A reads its first fifth, then all of it, in this process on one thread; a thread samples the
anonymous memory (RssAnon: what a process holds beyond the pages of files, which the system can drop). Prints the most
of it in both, and the rows a CPU second against one float64 X^T X in blocks over a sample. Exits with 1 when the
memory reaches 1 GB, when the whole takes 200 MB more than the fifth, or when pass A costs over 4 times the product.
Where the disk or /proc is missing, it says so; what cannot be measured is not judged.
"""

import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before the imports: they make their threads then

import numpy as np
from bench_moments import MOST_RATIO, product_torch, rows_like_texts, timed

from workbench.diagnostics import moments
from workbench.tensors import row_blocks

WIDTH = 768
SAMPLE = 20_000
MOST_MB = 1000
MOST_GROWTH_MB = 200  # the allocator keeps more or less: 13 and 78 MB were seen; four fifths of the file are 2,460 MB
STATUS = Path("/proc/self/status")


class Memory(threading.Thread):
    """The most anonymous memory of this process in MB while the thread runs; 0 where there is no /proc."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0.0
        self.over = threading.Event()

    def run(self) -> None:
        while STATUS.exists():  # once at least
            line = next(line for line in STATUS.read_text().splitlines() if line.startswith("RssAnon"))
            self.most = max(self.most, int(line.split()[1]) * 1024 / 1e6)
            if self.over.wait(0.02):
                return

    def stop(self) -> float:
        self.over.set()
        self.join()
        return self.most


def write(path: Path, n: int) -> None:
    rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n, WIDTH))
    for number, part in enumerate(row_blocks(n, SAMPLE)):
        rows[part] = rows_like_texts(part.stop - part.start, WIDTH, seed=number)
    rows.flush()


def measured(source: np.ndarray | Path) -> tuple[float, float]:
    """CPU seconds of pass A over the source, and the most anonymous memory in MB."""
    memory = Memory()
    memory.start()
    _, seconds = timed(lambda: moments(source))
    return seconds, memory.stop()


def main(n: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        free, needed = shutil.disk_usage(folder).free, n * WIDTH * 4
        if free < 1.5 * needed:
            print(f"not measured: the file takes {needed / 1e9:.1f} GB and {folder} has {free / 1e9:.1f} GB free")
            return 0
        path = Path(folder) / "rows.npy"
        write(path, n)
        fifth, early = measured(np.load(path, mmap_mode="r")[: n // 5])
        whole, late = measured(path)
        sample = np.load(path, mmap_mode="r")[:SAMPLE]
        product = min(timed(lambda: product_torch(sample))[1] for _ in range(3)) / len(sample)
    print(f"{n} x {WIDTH} float32, {needed / 1e9:.2f} GB, 1 thread: {whole:.0f} CPU s, {n / whole:.0f} rows a second")
    ratio = whole / n / product
    print(f"ratio {ratio:.2f} to one float64 X^T X by torch's addmm_ over a sample (at most {MOST_RATIO:.0f})")
    print(f"anonymous memory: most {early:.0f} MB over {n // 5} rows ({fifth:.0f} s), {late:.0f} MB over all", end=" ")
    print(f"(under {MOST_MB} MB, growth under {MOST_GROWTH_MB} MB)" if late else "(no /proc: not measured)")
    return int(ratio > MOST_RATIO or late >= MOST_MB or late - early >= MOST_GROWTH_MB)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
