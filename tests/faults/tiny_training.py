"""A training of seconds with all that a checkpoint must hold: dropout, a queue, an averaged teacher, generators."""

import copy
import hashlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch

from tests.faults.tiny_bert import make_tiny_bert
from workbench.encoders import load_encoder
from workbench.losses import info_nce
from workbench.training import FitConfig, embed, fit

STEPS = 120
TEXTS = [f"text number {i} rows are {i % 7}" for i in range(64)]


class Shuffled:
    """Batches in an order that the pass decides, with noise from numpy's global generator."""

    def __init__(self):
        self.epoch = 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __iter__(self):
        order = np.random.default_rng(self.epoch).permutation(len(TEXTS))
        for rows in order.reshape(-1, 8):
            noise = np.random.standard_normal(8).astype("f4")  # noqa: NPY002 - as a data set of others might
            yield {"anchor": [TEXTS[i] for i in rows], "positive": [TEXTS[i][::-1] for i in rows], "noise": noise}


def step(modules, batch, state):
    """Contrast with a queue of the teacher's vectors; the teacher follows the student."""
    a, b = embed(modules["student"], batch["anchor"]), embed(modules["student"], batch["positive"], chunk=3)
    keep = torch.rand(len(state["queue"]), generator=state["rng"]) < 0.9
    loss = info_nce(a, b, negatives=state["queue"][keep], weights=torch.from_numpy(batch["noise"]).abs() + 0.1)
    with torch.no_grad():
        fresh = embed(state["teacher"], batch["positive"])
        state["queue"] = torch.cat([fresh, state["queue"]])[:24].clone()
        for old, new in zip(state["teacher"].parts.parameters(), modules["student"].parts.parameters(), strict=True):
            old.lerp_(new, 0.1)
    state["seen"] += len(a)
    return loss + 0.01 * modules["scale"].weight.square().sum() * state["draws"].random()


def train(folder, model_folder, *, save_every=2, evaluate_every=10, **settings):
    """Weights, state and metrics after the training, as one SHA-256; goes on from what `folder` holds."""
    torch.set_num_threads(1)
    student = load_encoder(str(model_folder), device="cpu")
    torch.manual_seed(0)
    modules = {"student": student, "scale": torch.nn.Linear(2, 1)}
    teacher = copy.deepcopy(student)
    state = {
        "queue": torch.ones(1, student.width),
        "teacher": teacher,
        "rng": torch.Generator().manual_seed(3),
        "draws": np.random.default_rng(4),
        "seen": 0,
    }
    config = FitConfig(
        steps=STEPS,
        lr=1e-3,
        folder=folder,
        save_every=save_every,
        evaluate_every=evaluate_every,
        accumulate=1,
        **settings,
    )
    result = fit(modules, Shuffled(), step=step, config=config, state=state, evaluate=lambda _m: float(torch.rand(())))
    digest = hashlib.sha256()
    for part in (student.parts, modules["scale"], state["teacher"].parts):
        for tensor in part.state_dict().values():
            digest.update(tensor.numpy().tobytes())
    digest.update(state["queue"].numpy().tobytes() + str(state["seen"]).encode())
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in result.metrics]
    digest.update(json.dumps(rows, sort_keys=True).encode())
    return digest.hexdigest()


def main(work, kills, seed):
    """Train once undisturbed, then once under `kills` kill -9 at random moments; print what came of it."""
    work, rng = Path(work), random.Random(seed)
    model = make_tiny_bert(work / "model")
    began = time.monotonic()
    _child(work / "whole", model).wait()
    lasted, hits = time.monotonic() - began, 0
    for _ in range(kills):
        child = _child(work / "killed", model)
        time.sleep(rng.uniform(0.02, 0.17) * lasted)
        hits += child.kill()
    _child(work / "killed", model).wait()
    found = {name: (work / name / "digest").read_text() for name in ("whole", "killed")}
    sys.stdout.write(json.dumps(found | {"hits": hits, "seconds": lasted}) + "\n")


class _child:
    """The training in a forked process: what it imports is imported once."""

    def __init__(self, folder, model):
        self.pid = os.fork()
        if self.pid == 0:
            digest = train(folder, model)
            (folder / "digest").write_text(digest)
            os._exit(0)

    def wait(self):
        _, status = os.waitpid(self.pid, 0)
        if status:
            raise RuntimeError(f"the training ended with status {status}")

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        return os.WIFSIGNALED(status)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
