"""CPU time of encoding, against sentence-transformers' encode(batch_size=32), in one run on one thread.

Run as `python tests/benchmarks/bench_encode.py [N] [ROUNDS]`. Prints the ratio of CPU times (above 1: this
project is faster), the padding waste of both and the largest difference between their vectors. Exits with 1
when the ratio is below 1.3 or the vectors differ by more than 1e-5.

CPU time of the one thread, not wall time: other processes on the machine then hardly matter. Rounds
alternate, so that a slow minute hits both.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # before the import: tokenising then counts on this thread

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from workbench.corpora import load
from workbench.encoders import Encoder, find_model, load_encoder
from workbench.encoders.encoding import CPU_TOKENS, WINDOW
from workbench.models.passes import token_batches

LEAST_RATIO = 1.3
MOST_DIFFERENCE = 1e-5


def timed(work: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    start = time.thread_time()
    rows = work()
    return rows, time.thread_time() - start


def padded_share(lengths: list[int], batches: list[list[int]]) -> float:
    """Tokens computed, padding included, over tokens there are; 1 is no waste."""
    return sum(len(b) * max(lengths[i] for i in b) for b in batches) / sum(lengths)


def our_share(texts: list[str], encoder: Encoder) -> float:
    lengths = np.minimum(encoder.count_tokens(texts), encoder.settings.max_length).tolist()
    unique = [lengths[i] for i in {text: i for i, text in enumerate(texts)}.values()]
    windows = [unique[start : start + WINDOW] for start in range(0, len(unique), WINDOW)]
    shares = [(padded_share(w, list(token_batches(w, budget=CPU_TOKENS))), sum(w)) for w in windows]
    return sum(share * tokens for share, tokens in shares) / sum(tokens for _, tokens in shares)


def their_share(texts: list[str], encoder: Encoder, batch_size: int = 32) -> float:
    lengths = np.minimum(encoder.count_tokens(texts), encoder.settings.max_length).tolist()
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))  # the peer sorts by characters
    return padded_share(lengths, [order[i : i + batch_size] for i in range(0, len(order), batch_size)])


def main(n: int, rounds: int) -> int:
    torch.set_num_threads(1)
    texts = list(load("pydocs", scope="stdlib").texts[:n])
    if len(texts) < n:
        print(f"only {len(texts)} texts of {n}")
        return 1
    ours = load_encoder("all-MiniLM-L6-v2", device="cpu")
    peer = SentenceTransformer(str(find_model("all-MiniLM-L6-v2")), device="cpu")
    ours.encode(texts[:50], store=False)
    peer.encode(texts[:50], batch_size=32)
    seconds: dict[str, list[float]] = {"ours": [], "peer": []}
    for number in range(rounds):
        mine, a = timed(lambda: ours.encode(texts, store=False, progress=False))
        theirs, b = timed(lambda: peer.encode(texts, batch_size=32, show_progress_bar=False))
        seconds["ours"].append(a)
        seconds["peer"].append(b)
        print(f"round {number + 1}: ours {a:.2f} s, peer {b:.2f} s, ratio {b / a:.2f}", flush=True)
    ratio = statistics.median(b / a for a, b in zip(seconds["ours"], seconds["peer"], strict=True))
    difference = float(np.abs(mine - theirs).max())
    tokens = int(np.minimum(ours.count_tokens(texts), ours.settings.max_length).sum())
    print(f"{n} texts, {tokens} tokens, float32, 1 thread: {tokens / min(seconds['ours']):.0f} tokens per CPU second")
    print(f"padding: ours {our_share(texts, ours):.3f}, peer {their_share(texts, ours):.3f} tokens per token")
    print(f"largest difference {difference:.1e} (at most {MOST_DIFFERENCE:.0e})")
    print(f"ratio {ratio:.2f} (at least {LEAST_RATIO}; median of {rounds} rounds)")
    return int(ratio < LEAST_RATIO or not difference <= MOST_DIFFERENCE)


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    sys.exit(main(count, int(sys.argv[2]) if len(sys.argv) > 2 else 3))
