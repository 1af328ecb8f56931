"""Peak memory of large exact batches: the gradient cache, and chunked info_nce at 65,536 rows.

Run as `python tests/benchmarks/bench_training_memory.py [ROWS]`. Each measurement has a process of its own, which
samples its anonymous memory (RssAnon) while it works. Prints the most memory of one contrastive step of
all-MiniLM-L6-v2 (float32, 64 tokens a text) with a plain batch of 32 pairs and with an exact batch of 1,024 pairs in
chunks of 32 rows, and their ratio; then what info_nce(chunk=128) over 65,536 x 384 pairs, forward and backward, takes
beside its inputs. Exits with 1 when the ratio is above 1.4 or the loss takes 1 GB. Minutes: the loss alone computes
some 10^13 multiplications.
"""

import os
import subprocess
import sys

os.environ["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", "2")

import torch
from bench_moments_file import Memory

MOST_RATIO = 1.4
MOST_MB = 1000
WIDTH = 384


def step_memory(pairs: int, chunk: int | None) -> float:
    """MB at most while one step of `pairs` pairs is made, model and optimiser included."""
    from workbench.encoders import load_encoder
    from workbench.losses import info_nce
    from workbench.training import FitConfig, embed_step, fit

    encoder = load_encoder("all-MiniLM-L6-v2", max_length=64, device="cpu")
    texts = [f"{i} " + "the quick brown fox jumps over the lazy dog " * 8 for i in range(2 * pairs)]
    batch = {"anchor": texts[:pairs], "positive": texts[pairs:]}
    memory = Memory()
    memory.start()
    fit(encoder, [batch], step=embed_step(info_nce, chunk=chunk), config=FitConfig(steps=2 if pairs < 100 else 1))
    return memory.stop()


def loss_memory(rows: int) -> float:
    """MB at most beside two inputs of `rows` x 384 while info_nce and its gradient are worked out."""
    from workbench.losses import info_nce

    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(rows, WIDTH, generator=generator, requires_grad=True) for _ in range(2))
    warm = info_nce(a[:64], b[:64], chunk=32)
    warm.backward()
    a.grad = b.grad = None
    before = Memory()
    before.start()
    base = before.stop()
    memory = Memory()
    memory.start()
    info_nce(a, b, chunk=128).backward()
    return memory.stop() - base


def apart(*arguments: object) -> float:
    done = subprocess.run(
        [sys.executable, __file__, "--apart", *map(str, arguments)], capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def main(rows: int) -> int:
    small, large = apart("step", 32, 0), apart("step", 1024, 32)
    if not small:
        print("not measured: this system has no /proc/self/status")
        return 0
    print(f"one step: {small:.0f} MB with 32 pairs, {large:.0f} MB with 1,024 exact pairs in chunks of 32")
    print(f"ratio {large / small:.2f} (at most {MOST_RATIO})", flush=True)
    beside = apart("loss", rows)
    print(f"info_nce of {rows} x {WIDTH} in chunks: {beside:.0f} MB beside its inputs (below {MOST_MB})")
    return int(large / small > MOST_RATIO or beside >= MOST_MB)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--apart"]:
        kind, *numbers = sys.argv[2:]
        sizes = [int(number) for number in numbers]
        print(step_memory(sizes[0], sizes[1] or None) if kind == "step" else loss_memory(sizes[0]))
    else:
        sys.exit(main(*(int(a) for a in sys.argv[1:]), *(65_536,)[len(sys.argv) - 1 :]))
