"""20,000 short texts encoded into a file: how memory goes meanwhile, and that a second call asks the model nothing.

Run as `python tests/benchmarks/bench_store.py [N]`. The texts are distinct single lines of docstrings, 12 to 100
characters, so that one core takes a few minutes. Prints the process's anonymous memory (RssAnon, sampled every 50 ms)
in each half of the run, and how often the model was called in the first and in the second run. Exits with 1 when the
memory reaches 1.5 GB, when the second half's most is 50 MB above the first half's, when the second run calls the
model, or when its rows are not those of the first.
"""

import os
import sys
import tempfile
import threading
import time
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np
import torch

from workbench.corpora import load
from workbench.encoders import Encoder, load_encoder

MOST_MB = 1500
MOST_GROWTH_MB = 50
STATUS = Path("/proc/self/status")


class Memory(threading.Thread):
    """Samples of this process's anonymous memory in MB, with their times; none where there is no /proc."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.samples: list[tuple[float, float]] = []
        self.over = threading.Event()

    def run(self) -> None:
        while STATUS.exists() and not self.over.wait(0.05):
            line = next(line for line in STATUS.read_text().splitlines() if line.startswith("RssAnon"))
            self.samples.append((time.monotonic(), int(line.split()[1]) / 1024))

    def most_by_half(self) -> tuple[float, float]:
        middle = (self.samples[0][0] + self.samples[-1][0]) / 2
        halves = [[mb for at, mb in self.samples if (at > middle) is late] for late in (False, True)]
        return max(halves[0]), max(halves[1])


def short_texts(n: int) -> list[str]:
    lines = (" ".join(line.split()) for text in load("pydocs", scope="stdlib").texts for line in text.splitlines())
    return list(dict.fromkeys(line for line in lines if 12 <= len(line) <= 100))[:n]


def count_calls(encoder: Encoder) -> list[int]:
    """A list that grows by one number of texts at every call of the model. No hook: hooks close the store."""
    calls: list[int] = []
    forward = encoder.model.forward

    def counted(*args: object, **inputs: torch.Tensor) -> object:
        calls.append(len(inputs["input_ids"]))
        return forward(*args, **inputs)

    encoder.model.forward = counted
    return calls


def own_project(folder: str) -> None:
    """A project of this run's own, so that no vector is known before it."""
    (Path(folder) / "notebooks").mkdir()
    (Path(folder) / "pyproject.toml").touch()
    os.environ["WORKBENCH_HOME"] = folder


def main(n: int) -> int:
    texts = short_texts(n)
    if len(texts) < n:
        print(f"only {len(texts)} texts of {n}")
        return 1
    encoder = load_encoder("all-MiniLM-L6-v2", device="cpu", max_length=64)
    calls, memory = count_calls(encoder), Memory()
    with tempfile.TemporaryDirectory() as folder:
        own_project(folder)
        encoder.encode(texts[:8], store=False)
        calls.clear()
        memory.start()
        start = time.monotonic()
        first = encoder.encode(texts, progress=False, out=Path(folder) / "first.npy")
        seconds = time.monotonic() - start
        memory.over.set()
        memory.join()
        in_first = sum(calls)
        calls.clear()
        start = time.monotonic()
        second = encoder.encode(texts, progress=False, out=Path(folder) / "second.npy")
        again = time.monotonic() - start
        same = bool(np.array_equal(first, second))
    tokens = int(np.minimum(encoder.count_tokens(texts), 64).sum())
    print(f"{n} texts, {tokens} tokens: {seconds:.0f} s, then {again:.1f} s from the store, rows equal: {same}")
    print(
        f"texts through the model: {in_first} in the first run ({n} expected), {sum(calls)} in the second (0 expected)"
    )
    if not memory.samples:
        print("memory: not measured, this system has no /proc/self/status")
    early, late = memory.most_by_half() if memory.samples else (0.0, 0.0)
    if memory.samples:
        print(f"anonymous memory: most {early:.0f} MB in the first half, {late:.0f} MB in the second", end=" ")
        print(f"(under {MOST_MB} MB, growth under {MOST_GROWTH_MB} MB; {len(memory.samples)} samples)")
    flat = max(early, late) < MOST_MB and late - early < MOST_GROWTH_MB
    return int(not (same and in_first == n and not calls and flat))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))
