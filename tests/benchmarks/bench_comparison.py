"""10,000 sign flips of 1,000 queries for 20 systems: one product over all of them against plain Python loops.

Run as `python tests/benchmarks/bench_comparison.py`. The loops are measured on a part of the flips (they are all
alike) and multiplied: one of Python numbers, and one that calls numpy once a flip and system. Prints seconds and
ratios; exits with 1 when the product is less than 50 times faster than the loop of Python numbers, or when its
p-values are not those of the loop to within what so many flips can tell.
"""

import os
import random
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"  # one thread on either side
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from workbench.intervals import permutation_tests

QUERIES, SYSTEMS, FLIPS = 1000, 20, 10_000
LEAST = 50


def python_loop(columns: list[list[float]], flips: int) -> list[float]:
    draw = random.Random(1)
    observed = [abs(sum(column)) for column in columns]
    extreme = [0] * len(columns)
    for _ in range(flips):
        signs = [1 if draw.random() < 0.5 else -1 for _ in columns[0]]
        for j, column in enumerate(columns):
            if abs(sum(s * d for s, d in zip(signs, column, strict=True))) >= observed[j]:
                extreme[j] += 1
    return [(1 + n) / (1 + flips) for n in extreme]


def numpy_loop(differences: np.ndarray, flips: int) -> None:
    rng = np.random.default_rng(1)
    for column in differences.T:
        for _ in range(flips):
            abs((column * rng.choice([-1, 1], size=len(column))).sum())


def seconds(work: object) -> tuple[float, object]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def main() -> int:
    rng = np.random.default_rng(0)
    differences = rng.normal(0.02, 0.3, (QUERIES, SYSTEMS))
    permutation_tests(differences, rng=rng, resamples=100)
    ours, p = min(
        (seconds(lambda: permutation_tests(differences, rng=np.random.default_rng(2))) for _ in range(3)),
        key=lambda pair: pair[0],
    )
    part = 200
    plain, q = seconds(lambda: python_loop(differences.T.tolist(), part))
    called, _ = seconds(lambda: numpy_loop(differences, part))
    plain, called = plain * FLIPS / part, called * FLIPS / part
    print(f"one product {ours:.3f} s, Python numbers {plain:.1f} s, numpy call by call {called:.1f} s")
    print(f"{plain / ours:.0f} and {called / ours:.0f} times as fast; at least {LEAST} wanted of the first")
    agree = np.abs(p - np.array(q)).max() < 4 * np.sqrt(0.25 / part)
    return 0 if plain >= LEAST * ours and agree else 1


if __name__ == "__main__":
    sys.exit(main())
