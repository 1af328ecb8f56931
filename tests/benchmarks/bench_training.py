"""CPU time of contrastive training, against sentence-transformers' trainer on the same pairs, in one run on one thread.

Run as `python tests/benchmarks/bench_training.py [STEPS] [ROUNDS]`. all-MiniLM-L6-v2, batches of 64 pairs, float32,
AdamW with clipping, the same batches in the same order for both. Prints the ratio of CPU times a step (above 1: this
project is faster) at a fixed length of 64 tokens and on docstrings of mixed length, summary against body, and the
mean losses of both (dropout is drawn differently). Exits with 1 when a ratio is below its bound (1.0 fixed, 1.2 mixed).

A step is timed from the end of the step before it, so that data loading and tokenising count and start-up does not.
Rounds alternate.
"""

import contextlib
import os
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # before the import: tokenising then counts on this thread

import torch
from datasets import Dataset, disable_progress_bars
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from torch.utils.data import BatchSampler, SequentialSampler
from transformers import TrainerCallback

from workbench.corpora import load
from workbench.encoders import Encoder, find_model, load_encoder
from workbench.losses import info_nce
from workbench.training import FitConfig, embed_step, fit

MODEL = "all-MiniLM-L6-v2"
BATCH = 64
LEAST = {"fixed": 1.0, "mixed": 1.2}
TEMPERATURE = 0.05


class Clock:
    """CPU seconds of this thread at the end of every step; `fit` and the trainer both call it."""

    stopping = False

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.losses: list[float] = []

    def begin(self, steps: int, done: int) -> None: ...

    def update(self, row: dict[str, float]) -> None:
        self.ends.append(time.thread_time())
        self.losses.append(row["loss"])

    def end(self, reason: str) -> None: ...

    @property
    def seconds_a_step(self) -> float:
        return (self.ends[-1] - self.ends[0]) / (len(self.ends) - 1)


class Told(TrainerCallback):
    """Hands the ends of the trainer's steps to a clock."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_step_end(self, *_: object, **__: object) -> None:
        self.clock.ends.append(time.thread_time())

    def on_log(self, *_: object, logs: dict[str, float], **__: object) -> None:
        if "loss" in logs:
            self.clock.losses.append(logs["loss"])


def ours(batches: list[dict[str, list[str]]], length: int) -> Clock:
    clock = Clock()
    encoder = load_encoder(MODEL, max_length=length, device="cpu")
    step = embed_step(lambda a, b: info_nce(a, b, temperature=TEMPERATURE))
    fit(encoder, batches, step=step, config=FitConfig(steps=len(batches), lr=2e-5), monitor=clock)
    return clock


def theirs(batches: list[dict[str, list[str]]], length: int, folder: str) -> Clock:
    clock = Clock()
    model = SentenceTransformer(str(find_model(MODEL)), device="cpu")
    model.max_seq_length = length
    rows = Dataset.from_dict({name: [text for b in batches for text in b[name]] for name in batches[0]})
    settings = SentenceTransformerTrainingArguments(
        output_dir=folder, max_steps=len(batches), per_device_train_batch_size=BATCH, learning_rate=2e-5,
        warmup_steps=0.1, use_cpu=True, save_strategy="no", report_to="none", logging_steps=1, disable_tqdm=True,
        batch_sampler=lambda data, **_: BatchSampler(SequentialSampler(data), BATCH, drop_last=True),
    )  # fmt: skip
    trainer = SentenceTransformerTrainer(
        model=model, args=settings, train_dataset=rows, callbacks=[Told(clock)],
        loss=MultipleNegativesRankingLoss(model, scale=1 / TEMPERATURE),
    )  # fmt: skip
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        trainer.train()
    return clock


def pairs(kind: str, steps: int, encoder: Encoder) -> list[dict[str, list[str]]]:
    """Summary and body of docstrings, in batches; for "fixed", only those of at least 64 tokens on both sides."""
    found, seen = [], set()
    for text in load("pydocs", scope="stdlib").texts:
        first, _, rest = text.partition("\n\n")
        pair = (text, text[::-1]) if kind == "fixed" else (first, rest)
        if all(side.strip() for side in pair) and not seen & {*pair}:
            found.append(pair)
            seen |= {*pair}
    if kind == "fixed":
        lengths = [encoder.count_tokens(side) for side in zip(*found, strict=True)]
        found = [pair for pair, *n in zip(found, *lengths, strict=True) if min(n) >= 64]
    if len(found) < steps * BATCH:
        raise ValueError(f"{len(found)} pairs of kind {kind!r} are too few for {steps} batches of {BATCH}")
    parts = [found[i * BATCH : (i + 1) * BATCH] for i in range(steps)]
    return [dict(zip(("anchor", "positive"), map(list, zip(*part, strict=True)), strict=True)) for part in parts]


def main(steps: int, rounds: int) -> int:
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    disable_progress_bars()
    missed = 0
    for kind, length in (("mixed", 256), ("fixed", 64)):
        batches = pairs(kind, steps, load_encoder(MODEL, device="cpu"))
        ratios = []
        for number in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                peer, mine = theirs(batches, length, folder), ours(batches, length)
            ratios.append(peer.seconds_a_step / mine.seconds_a_step)
            print(
                f"{kind}, round {number + 1}: ours {mine.seconds_a_step:.2f} s a step, peer {peer.seconds_a_step:.2f}, "
                f"ratio {ratios[-1]:.2f}; losses {statistics.mean(mine.losses):.2f} {statistics.mean(peer.losses):.2f}",
                flush=True,
            )
        ratio = statistics.median(ratios)
        missed += ratio < LEAST[kind]
        print(f"{kind} length, {steps} steps of {BATCH} pairs: ratio {ratio:.2f} (at least {LEAST[kind]})")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(*(int(a) for a in sys.argv[1:]), *(5, 2)[len(sys.argv) - 1 :]))
