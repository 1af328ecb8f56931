"""Training under kill -9, on a full disk, from torn checkpoints, and in two processes."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tests.conftest import ROOT
from tests.faults.tiny_bert import make_tiny_bert
from workbench.training import CheckpointError, FitConfig, fit

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
ROWS = [{"x": torch.randn(8, 4, generator=torch.Generator().manual_seed(i))} for i in range(5)]


def run(*arguments, timeout=240):
    done = subprocess.run(
        [sys.executable, *arguments], env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=timeout
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_ten_kills_at_random_moments_give_the_same_weights_bit_for_bit(tmp_path):
    found = json.loads(run("-m", "tests.faults.tiny_training", str(tmp_path), "10", "0").splitlines()[-1])
    assert found["hits"] >= 5  # most kills hit a training that was still going
    assert found["killed"] == found["whole"]


@pytest.fixture(scope="module")
def one_and_two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    model = str(make_tiny_bert(folder / "model"))
    script = ("-m", "tests.faults.tiny_processes", model)
    run(*script, str(folder / "one"))
    run("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *script, str(folder / "two"))
    return load_file(folder / "one"), load_file(folder / "two"), folder


@pytest.mark.parametrize("kind", ["whole", "chunked", "own rows"])
def test_two_processes_have_the_gradient_of_one_with_the_whole_batch(kind, one_and_two):
    one, two, _ = one_and_two
    names = [name for name in one if name.startswith(f"{kind}: ")]
    assert len(names) > 20
    assert names == [name for name in two if name.startswith(f"{kind}: ")]
    for name in names:
        largest = float(one[name].abs().max())
        np.testing.assert_allclose(two[name], one[name], rtol=0, atol=1e-5 * largest + 1e-8, err_msg=name)
    assert max(float(one[name].abs().max()) for name in names) > 1e-3


def test_chunked_gradients_are_those_of_the_whole_batch(one_and_two):
    one = one_and_two[0]
    for name, grad in one.items():
        if name.startswith("whole: "):
            other = one[name.replace("whole", "chunked", 1)]
            np.testing.assert_allclose(other, grad, rtol=0, atol=1e-5 * float(grad.abs().max()) + 1e-8, err_msg=name)


def test_two_processes_train_as_one_does_and_resume_each_its_own(one_and_two):
    one, two, folder = one_and_two
    np.testing.assert_allclose(two["losses"], one["losses"], rtol=1e-4)
    moved = [n for n in one if n.startswith("trained: ")]
    for name in moved:
        np.testing.assert_allclose(two[name], one[name], atol=2e-5, err_msg=name)  # of steps of 1e-3
    assert {path.name for path in (folder / "two-run" / "step-000000010").iterdir()} >= {
        "0.json",
        "1.json",
        "own0.safetensors",
        "own1.safetensors",
    }


def linear():
    torch.manual_seed(0)
    return nn.Linear(4, 2)


def squares(module, batch, _state):
    return module(batch["x"]).square().mean()


def test_a_torn_checkpoint_is_passed_over_for_the_one_before(tmp_path):
    config = FitConfig(steps=9, lr=0.1, folder=tmp_path, save_every=2)
    whole = linear()
    fit(whole, ROWS, step=squares, config=config)
    for file in ("weights.safetensors", "0.json", "own0.safetensors"):
        newest = max(tmp_path.glob("step-*"))
        content = (newest / file).read_bytes()
        (newest / file).write_bytes(content[: len(content) // 2])
        again = linear()
        with pytest.warns(UserWarning, match=r"step-000000009 is torn .* the one before it is used"):
            result = fit(again, ROWS, step=squares, config=config)
        assert torch.equal(again.weight, whole.weight)
        assert [row["step"] for row in result.metrics] == list(range(1, 10))


def test_no_space_left_stops_the_run_and_leaves_the_last_checkpoint_intact(tmp_path, monkeypatch):
    config = FitConfig(steps=9, lr=0.1, folder=tmp_path, save_every=2)
    whole = linear()
    fit(whole, ROWS, step=squares, config=FitConfig(steps=9, lr=0.1))
    real, written = os.fsync, []

    def full(handle):
        written.append(handle)
        if len(written) > 8:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"step 4 cannot be written .*No space left.*step-000000002 is intact"):
        fit(linear(), ROWS, step=squares, config=config)
    assert not list(tmp_path.glob(".part-*"))
    monkeypatch.undo()
    again = linear()
    fit(again, ROWS, step=squares, config=config)
    assert torch.equal(again.weight, whole.weight)


def test_a_disk_that_takes_no_more_stops_the_run_whoever_writes(tmp_path):
    script = """
import resource, signal, sys, torch
from torch import nn
from workbench.training import CheckpointError, FitConfig, fit

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
torch.manual_seed(0)
module = nn.Linear(300, 100)
def step(module, batch, state):
    if state["made"] == 3:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))  # weights alone are 120 kB
    state["made"] += 1
    return module(batch["x"]).square().mean()
try:
    fit(module, [{"x": torch.ones(4, 300)}], step=step, state={"made": 0},
        config=FitConfig(steps=6, folder=sys.argv[1], save_every=2))
except CheckpointError as error:
    print(error)
"""
    said = run("-c", script, str(tmp_path))
    assert "checkpoint of step 4 cannot be written" in said
    assert "step-000000002 is intact" in said
    assert [path.name for path in tmp_path.glob("*step-*")] == ["step-000000002"]
