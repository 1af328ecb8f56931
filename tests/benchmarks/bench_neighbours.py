"""CPU time of exact neighbours, `knn_graph(x, k=100)` at n = 50,000, against faiss-cpu's flat index, on one thread.

Run as `python tests/benchmarks/bench_neighbours.py [N] [ASKING]`. Both read 384 columns of unit rows in float32 and
find the 100 nearest of ASKING rows (all rows where it is left out); faiss finds 101, from which the row itself is
dropped. Prints the ratio of CPU times and how many neighbours only one side names: rows whose last neighbour is as
near as the next, to float32's rounding, may differ. The Euclidean distance, which this project takes in float64 and
faiss in float32, is compared on a tenth of the rows and not judged. Exits with 1 when the ratio passes 1.3 or the
neighbours differ. Where there is a CUDA device the graph is made there too, as a share of its float32 products.
"""

import os
import sys

os.environ["OMP_NUM_THREADS"] = "1"  # before the imports: they make their threads then

import faiss
import numpy as np
import torch
from bench_moments import WIDTH, devices, report_share, rows_like_texts, timed

from workbench.neighbours import KnnGraph, knn_graph

MOST_RATIO = 1.3
K = 100
ROUNDING = 1e-6  # of a cosine in float32


def others(found: np.ndarray) -> np.ndarray:
    """Neighbours (rows, k) from (rows, k + 1): without the row's own number, or the last where it is not among them."""
    own = found == np.arange(len(found))[:, None]
    own[~own.any(axis=1), -1] = True
    return found[~own].reshape(len(found), -1)


def differing(graph: KnnGraph, theirs: np.ndarray, x: np.ndarray) -> tuple[int, int]:
    """How many neighbours only one side names, and how many of these are nearer or further by more than rounding."""
    count = beyond = 0
    for i, (a, b) in enumerate(zip(graph.indices, theirs, strict=True)):
        for j in set(a.tolist()) ^ set(b.tolist()):
            count += 1
            beyond += abs(float(x[i].astype(np.float64) @ x[j]) - graph.similarities[i, -1]) > ROUNDING
    return count, beyond


def euclidean(x: np.ndarray, asking: int) -> None:
    index = faiss.IndexFlatL2(WIDTH)
    index.add(x)
    theirs = timed(lambda: index.search(x[:asking], K))[1]
    ours = timed(lambda: knn_graph(x, k=K, queries=x[:asking], metric="euclidean"))[1]
    print(f"Euclidean, {asking} rows: ratio {ours / theirs:.2f} to IndexFlatL2 (float64 against float32; not judged)")


def main(n: int, asking: int) -> int:
    faiss.omp_set_num_threads(1)
    x = rows_like_texts(n)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    index = faiss.IndexFlatIP(WIDTH)
    index.add(x)
    queries = None if asking == n else x[:asking]
    index.search(x[:100], K + 1)
    knn_graph(x[:2000], k=K)
    (_, found), theirs = timed(lambda: index.search(x[:asking], K + 1))
    # among all rows a row leaves itself out; asked for as a query it finds itself, as with faiss
    graph, ours = timed(lambda: knn_graph(x, k=K if queries is None else K + 1, queries=queries))
    count, beyond = differing(graph, others(found) if queries is None else found, x)
    print(f"{asking} rows asking {n} x {WIDTH} float32, k = {K}, 1 thread: ours {ours:.1f} s, faiss {theirs:.1f} s")
    print(f"ratio {ours / theirs:.2f} to IndexFlatIP (at most {MOST_RATIO})")
    print(f"neighbours named by one side only: {count} of {found.size}, {beyond} of them beyond rounding (0 expected)")
    euclidean(x, n // 10)
    for device in devices():
        there = torch.from_numpy(x).to(device)
        report_share("kNN", lambda there=there: knn_graph(there, k=K), 2 * n * n * WIDTH, device, torch.float32)
    return int(ours / theirs > MOST_RATIO or beyond > 0)


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    sys.exit(main(count, int(sys.argv[2]) if len(sys.argv) > 2 else count))
