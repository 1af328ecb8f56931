"""CPU time of `tte_depth` (cosine) at n = 20,000, against its pairwise definition in blocks, in one run on one thread.

Run as `python tests/benchmarks/bench_depth.py [N]`. The peer is the definition: 2 less the mean of 1 - cosine to every
other row, from blocks of X X^T in float64. Prints the ratio of CPU times, the largest difference, and the exponents
of the times of `tte_depth` and `mean_cosine` in n. Depth is a number for each row and has no interval of its own;
`mean_cosine` has one, and its time says what it costs. Exits with 1 when the ratio is below 20, a depth is off by
more than 1e-9, or an exponent passes 1.1. Where there is a CUDA device depth runs there too: it multiplies no
matrices, so its share is that of the bandwidth which a copy of the rows reaches.
"""

import os
import sys

os.environ["OMP_NUM_THREADS"] = "1"  # before the imports: they make their threads then

import numpy as np
import torch
from bench_moments import WIDTH, device_clock, devices, exponent, rows_like_texts, timed

from workbench.diagnostics import mean_cosine, tte_depth
from workbench.tensors import row_blocks

LEAST_RATIO = 20
MOST_DIFFERENCE = 1e-9
MOST_EXPONENT = 1.1


def pairwise_depth(x: np.ndarray) -> np.ndarray:
    units = torch.from_numpy(x).double()
    units /= units.norm(dim=1, keepdim=True)
    depth = np.empty(len(x))
    for part in row_blocks(len(x), 1024):
        apart = 1 - units[part] @ units.T
        apart[torch.arange(len(apart)), torch.arange(part.start, part.stop)] = 0  # a row is not its own neighbour
        depth[part] = 2 - apart.sum(dim=1).numpy() / (len(x) - 1)
    return depth


def on_device(x: np.ndarray, device: str) -> None:
    there = torch.from_numpy(x).to(device)
    tte_depth(there)
    seconds = min(timed(lambda: tte_depth(there), device_clock)[1] for _ in range(3))
    copies = [timed(lambda: there.clone(), device_clock)[1] for _ in range(6)]
    share = min(copies[1:]) / seconds
    print(f"{torch.cuda.get_device_name(device)}: depth in {seconds:.4f} s, {share:.0%} of the speed of one copy")


def main(n: int) -> int:
    x = rows_like_texts(n)
    for work in (tte_depth, mean_cosine, pairwise_depth):
        work(x[:2000])
    ours = min(timed(lambda: tte_depth(x))[1] for _ in range(3))
    depth = tte_depth(x)
    definition, theirs = timed(lambda: pairwise_depth(x))
    averaged = min(timed(lambda: mean_cosine(x))[1] for _ in range(3))
    difference = float(np.abs(depth - definition).max())
    slopes = {work.__name__: exponent(work) for work in (tte_depth, mean_cosine)}
    print(f"{n} x {WIDTH} float32, 1 thread: depth {ours:.3f} s, blocked pairwise definition {theirs:.2f} s")
    print(f"ratio {theirs / ours:.0f} (at least {LEAST_RATIO})")
    print(f"largest difference {difference:.1e} (at most {MOST_DIFFERENCE:.0e})")
    print(f"depth has no interval; mean_cosine with its interval over 20 blocks: {averaged:.3f} s")
    for name, slope in slopes.items():
        print(f"time of {name} goes with n^{slope:.2f} (at most {MOST_EXPONENT})")
    for device in devices():
        on_device(x, device)
    fast = theirs / ours >= LEAST_RATIO and max(slopes.values()) <= MOST_EXPONENT
    return int(not (fast and difference <= MOST_DIFFERENCE))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))
