"""CPU time of encoding in bfloat16, against sentence-transformers' encode(batch_size=32) in float32, on one thread.

Run as `python tests/benchmarks/bench_bfloat16.py [N] [ROUNDS]`. Prints the ratio of CPU times (above 1: this project
is faster), the smallest cosine between a row in bfloat16 and the same row in float32, and what the processor's
matrix products reach. Exits with 1 when a cosine is below 0.999, or when the ratio is below 2.4 on a processor with
bfloat16 instructions. A processor without them is said to have none: the ratio is then printed, and not judged.
"""

import statistics
import sys
import time
import warnings

import torch
from bench_encode import timed  # first: it sets how texts are tokenised before the import of the tokenizers
from sentence_transformers import SentenceTransformer

from workbench.corpora import load
from workbench.encoders import find_model, load_encoder
from workbench.encoders.precision import bfloat16_instructions
from workbench.tensors import unit

LEAST_RATIO = 2.4
LEAST_COSINE = 0.999
ROWS, WIDTH, INNER = 512, 384, 1536  # one layer's largest product in one batch


def gigaflops(dtype: torch.dtype) -> float:
    """Speed of the product of a batch with the largest matrix of a layer, in 10^9 operations a second."""
    x, weight = torch.ones(ROWS, WIDTH, dtype=dtype), torch.ones(INNER, WIDTH, dtype=dtype)
    seconds = []
    with torch.inference_mode():
        for _ in range(5):
            start = time.thread_time()
            torch.nn.functional.linear(x, weight)
            seconds.append(time.thread_time() - start)
    return 2 * ROWS * WIDTH * INNER / statistics.median(seconds) / 1e9


def main(n: int, rounds: int) -> int:
    torch.set_num_threads(1)
    native = bfloat16_instructions()
    for dtype in (torch.float32, torch.bfloat16):
        print(f"matrix products in {str(dtype).removeprefix('torch.')}: {gigaflops(dtype):.0f} GFLOP/s", flush=True)
    texts = list(load("pydocs", scope="stdlib").texts[:n])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="this CPU has no bfloat16")  # said below, with its consequence
        half = load_encoder("all-MiniLM-L6-v2", device="cpu", dtype="bfloat16")
    whole = load_encoder("all-MiniLM-L6-v2", device="cpu")
    peer = SentenceTransformer(str(find_model("all-MiniLM-L6-v2")), device="cpu")
    half.encode(texts[:8], store=False)
    peer.encode(texts[:8], batch_size=32)
    ratios = []
    for number in range(rounds):
        rows, a = timed(lambda: half.encode(texts, store=False, progress=False))
        _, b = timed(lambda: peer.encode(texts, batch_size=32, show_progress_bar=False))
        ratios.append(b / a)
        print(f"round {number + 1}: bfloat16 {a:.2f} s, peer in float32 {b:.2f} s, ratio {b / a:.2f}", flush=True)
    expected = whole.encode(texts, store=False, progress=False)
    cosine = float((unit(rows).double() * unit(expected).double()).sum(dim=1).min())
    ratio = statistics.median(ratios)
    print(f"{len(texts)} texts: smallest cosine with float32 {cosine:.5f} (at least {LEAST_COSINE})")
    if native:
        print(f"ratio {ratio:.2f} (at least {LEAST_RATIO}; median of {rounds} rounds)")
    else:
        print(f"ratio {ratio:.2f}: not judged. This CPU has no bfloat16 instructions (avx512_bf16 / amx_bf16):")
        print(f"the target of {LEAST_RATIO} is not applicable here, and float32 is the dtype to use")
    return int(cosine < LEAST_COSINE or (native and ratio < LEAST_RATIO))


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else (500 if bfloat16_instructions() else 200)
    sys.exit(main(count, int(sys.argv[2]) if len(sys.argv) > 2 else (3 if bfloat16_instructions() else 1)))
