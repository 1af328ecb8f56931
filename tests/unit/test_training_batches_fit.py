import copy

import numpy as np
import pytest
import torch
from torch import nn

from workbench.training import FitConfig, fit
from workbench.training.batches import Batches
from workbench.training.mixtures import Curriculum, Mixture
from workbench.training.queues import VectorQueue, update_average

X = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
Y = X @ torch.tensor([[1.0, 0], [0, 2], [1, 1], [-1, 0]])


def mixture():
    hard = Curriculum({"x": X[40:], "y": Y[40:]}, np.arange(20.0), size=4, passes=2)
    ids = np.arange(40) // 2
    return Mixture({"many": Batches({"x": X[:40], "y": Y[:40], "id": ids}, size=4, unique=("id",)), "few": hard})


class StopAt:
    def __init__(self, step):
        self.step, self.stopping = step, False

    def begin(self, steps, done):
        pass

    def update(self, row):
        self.stopping = row["step"] >= self.step

    def end(self, reason):
        self.reason = reason


def step(module, batch, state):
    out = module(batch["x"])
    loss = (out - batch["y"]).square().mean() + 0.01 * (out @ state["queue"].rows().T).square().mean()
    state["queue"].push(out)
    update_average(state["teacher"], module, decay=0.9)
    return loss + 0.01 * (out - state["teacher"](batch["x"])).square().mean()


def trained(folder=None, monitor=None):
    torch.manual_seed(1)
    module = nn.Linear(4, 2)
    queue = VectorQueue(10, 2)
    queue.push(torch.ones(1, 2))
    state = {"queue": queue, "teacher": copy.deepcopy(module).requires_grad_(False)}
    config = FitConfig(steps=40, lr=0.05, folder=folder, save_every=10)
    result = fit(module, mixture(), step=step, config=config, state=state, monitor=monitor)
    return (
        result,
        {**module.state_dict(), **{f"teacher.{n}": v for n, v in state["teacher"].state_dict().items()}},
        queue,
    )


def test_a_run_over_a_mixture_with_queue_and_teacher_resumes_bit_for_bit(tmp_path):
    whole, weights, queue = trained()
    stopped, _, _ = trained(tmp_path / "run", StopAt(27))
    assert (whole.steps, stopped.reason) == (40, "stopped")
    resumed, again, other = trained(tmp_path / "run")
    assert resumed.steps == 40
    for name, value in weights.items():
        assert torch.equal(value, again[name]), name
    assert torch.equal(queue.rows(), other.rows())
    assert whole.metrics[-1]["loss"] == pytest.approx(resumed.metrics[-1]["loss"], abs=0)
    assert whole.metrics[-1]["loss"] < whole.metrics[0]["loss"] / 2
