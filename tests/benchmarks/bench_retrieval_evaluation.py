"""What evaluate_retrieval costs beside encoding and searching.

Run as `python tests/benchmarks/bench_retrieval_evaluation.py [SET]`; the set is scifact where WORKBENCH_DATA is set,
else pydocs: from docstring to function. The model encodes a sample (every 100th text), and its CPU seconds per token
give those of the whole; the passes that are measured take random vectors of the same shape, so that a run needs no
minutes and no store. Searching, scoring, intervals and the recipe are the real ones. Prints process CPU seconds by
stage. Exits with 1 when all but encoding and searching takes 10 % or more of the whole.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from unittest.mock import patch

os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np

from workbench.corpora import Retrieval, load
from workbench.encoders import Encoder, load_encoder
from workbench.evaluation import retrieval

MOST_SHARE = 0.10
PASSES = 5
SAMPLE = 100


class Clock:
    """Process CPU seconds spent inside the functions that it counts."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def counted(self, function: Callable) -> Callable:
        def timed(*args: object, **options: object) -> object:
            start = time.process_time()
            try:
                return function(*args, **options)
            finally:
                self.seconds += time.process_time() - start

        return timed


def judged_set(name: str) -> Retrieval:
    if name != "pydocs":
        return load(name)
    docs = load("pydocs", scope="stdlib-core")
    ids = [str(i) for i in range(len(docs))]
    code = [f"{head}\n{body}" for head, body in zip(docs.columns["signature"], docs.columns["code"], strict=True)]
    asked = dict(list(zip(ids, docs.texts, strict=True))[::7])
    return Retrieval(dict(zip(ids, code, strict=True)), asked, {i: {i: 1} for i in asked})


def encoding_seconds(encoder: Encoder, texts: Sequence[str]) -> float:
    """CPU seconds that the model takes for `texts`, from those of a sample and the tokens of both."""
    sample = texts[::SAMPLE]
    encoder.encode(sample[:4], store=False, progress=False)
    start = time.process_time()
    encoder.encode(sample, store=False, progress=False)
    seconds = time.process_time() - start
    tokens = [np.minimum(encoder.count_tokens(part), encoder.settings.max_length).sum() for part in (texts, sample)]
    return seconds * float(tokens[0] / tokens[1])


def one_pass(encoder: Encoder, data: Retrieval) -> tuple[float, float]:
    """CPU seconds of searching, and of all else beside encoding."""
    rng, searching, drawing = np.random.default_rng(0), Clock(), Clock()
    rows = drawing.counted(lambda texts: rng.normal(size=(len(texts), encoder.width)).astype(np.float32))
    search = searching.counted(retrieval.knn_graph)
    with patch.object(encoder, "encode", rows), patch.object(retrieval, "knn_graph", search):
        start = time.process_time()
        retrieval.evaluate_retrieval(encoder, data)
        whole = time.process_time() - start
    return searching.seconds, whole - searching.seconds - drawing.seconds


def main(name: str) -> int:
    data, encoder = judged_set(name), load_encoder("all-MiniLM-L6-v2", device="cpu")
    asked = [data.queries[query] for query in retrieval.judged_queries(data)[0]]
    encode = encoding_seconds(encoder, [*data.documents.values(), *asked])
    one_pass(encoder, data)  # loads what is imported inside functions
    search, rest = np.median([one_pass(encoder, data) for _ in range(PASSES)], axis=0)
    share = rest / (encode + search + rest)
    print(f"{name}: {len(data.documents)} documents, {len(asked)} queries; CPU seconds, median of {PASSES} passes")
    print(f"encoding {encode:.1f} (from every {SAMPLE}th text), search {search:.3f}, all else {rest:.3f}")
    print(f"share outside encoding and search: {share:.2%} (under {MOST_SHARE:.0%})")
    return int(share >= MOST_SHARE)


if __name__ == "__main__":
    default = "scifact" if os.environ.get("WORKBENCH_DATA") else "pydocs"
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else default))
