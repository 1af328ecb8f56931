"""CPU time of pass A, `moments`, over 100,000 x 384 float32, against one float64 X^T X in blocks, in one run.

Run as `python tests/benchmarks/bench_moments.py [N] [ROUNDS]`. One thread. The peer is the same blocks of rows cast to
float64 and multiplied by torch (`addmm_`); numpy's `b.T @ b`, which computes one triangle only (syrk), stands beside
it and is not judged. Pass A needs two such products, of the rows and of the unit rows. Prints also the exponent of
the time in n. Exits with 1 when the ratio to torch passes 4 or the exponent 1.1. Where there is a CUDA device the
pass runs there too, as a share of the speed that its float64 products reach.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before the imports: they make their threads then

import numpy as np
import torch
from torch import Tensor

from workbench.diagnostics import moments

MOST_RATIO = 4.0
MOST_EXPONENT = 1.1
WIDTH = 384
BLOCK = 8192
SIZES = (5_000, 10_000, 20_000, 40_000)


def rows_like_texts(n: int, width: int = WIDTH, *, seed: int = 0) -> np.ndarray:
    """Float32 rows with a common mean and a decaying spectrum."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, width), np.float32) * np.linspace(2, 0.2, width, dtype=np.float32) + np.float32(0.3)


def timed(work: Callable[[], Any], clock: Callable[[], float] = time.process_time) -> tuple[Any, float]:
    start = clock()
    result = work()
    return result, clock() - start


def devices() -> list[str]:
    """CUDA devices, by name for torch; none on most machines."""
    return [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []


def device_clock() -> float:
    torch.cuda.synchronize()
    return time.perf_counter()


def peak(device: str, dtype: torch.dtype, size: int = 8192) -> float:
    """Operations a second that a square product of this dtype reaches on the device: best of 5."""
    a = torch.ones(size, size, dtype=dtype, device=device)
    a @ a
    return 2 * size**3 / min(timed(lambda: a @ a, device_clock)[1] for _ in range(5))


def report_share(what: str, work: Callable[[], Any], operations: float, device: str, dtype: torch.dtype) -> None:
    """Print the time of `work` on the device, and its operations a second as a share of the peak measured there."""
    work()
    seconds, best = min(timed(work, device_clock)[1] for _ in range(3)), peak(device, dtype)
    share = operations / seconds / best
    print(f"{torch.cuda.get_device_name(device)}: {what} in {seconds:.3f} s, {share:.0%} of {best / 1e12:.1f} TFLOP/s")


def exponent(work: Callable[[np.ndarray], Any], rounds: int = 5) -> float:
    """Slope of log CPU time on log n over `SIZES`, each the best of `rounds`, with no rows left in the caches."""
    rows, other = rows_like_texts(max(SIZES)), np.ones(2**24)
    work(rows[: SIZES[0]])
    seconds = []
    for n in SIZES:
        tries = []
        for _ in range(rounds):
            other.sum()  # 128 MiB: else short runs find their rows in the caches and long ones do not
            tries.append(timed(lambda n=n: work(rows[:n]))[1])
        seconds.append(min(tries))
    return float(np.polyfit(np.log(SIZES), np.log(seconds), 1)[0])


def product_torch(x: np.ndarray) -> Tensor:
    total = torch.zeros(x.shape[1], x.shape[1], dtype=torch.float64)
    for start in range(0, len(x), BLOCK):
        block = torch.from_numpy(x[start : start + BLOCK]).double()
        total.addmm_(block.T, block)
    return total


def product_numpy(x: np.ndarray) -> np.ndarray:
    total = np.zeros((x.shape[1], x.shape[1]))
    for start in range(0, len(x), BLOCK):
        block = x[start : start + BLOCK].astype(np.float64)
        total += block.T @ block
    return total


def main(n: int, rounds: int) -> int:
    x = rows_like_texts(n)
    for work in (moments, product_torch, product_numpy):
        work(x[:5000])
    ratios: dict[str, list[float]] = {"torch": [], "numpy": []}
    for number in range(rounds):
        ours, theirs, triangle = (
            timed(lambda work=work: work(x))[1] for work in (moments, product_torch, product_numpy)
        )
        ratios["torch"].append(ours / theirs)
        ratios["numpy"].append(ours / triangle)
        print(f"round {number + 1}: pass A {ours:.2f} s, X^T X by torch {theirs:.2f} s, by numpy {triangle:.2f} s")
    ratio, other = (statistics.median(ratios[peer]) for peer in ("torch", "numpy"))
    slope = exponent(moments)
    print(f"{n} x {WIDTH} float32, 1 thread, median of {rounds} rounds:")
    print(f"ratio {ratio:.2f} to one float64 X^T X by torch's addmm_ in blocks (at most {MOST_RATIO:.0f})")
    print(f"ratio {other:.2f} to numpy's, which computes one triangle (not judged)")
    print(f"time of moments goes with n^{slope:.2f} (at most {MOST_EXPONENT}; n = {SIZES[0]} to {SIZES[-1]})")
    for device in devices():
        there = torch.from_numpy(x).to(device)
        report_share("pass A", lambda there=there: moments(there), 4 * n * WIDTH**2, device, torch.float64)
    return int(ratio > MOST_RATIO or slope > MOST_EXPONENT)


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    sys.exit(main(count, int(sys.argv[2]) if len(sys.argv) > 2 else 3))
