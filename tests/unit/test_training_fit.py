"""The loop: AdamW against torch's own, schedules by hand, resume, evaluation, state, and every refusal."""

import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from workbench.training import CheckpointError, Diverged, FitConfig, fit

ROWS = [{"x": torch.randn(8, 4, generator=torch.Generator().manual_seed(i))} for i in range(5)]


def linear(seed=0, out=2):
    torch.manual_seed(seed)
    return nn.Linear(4, out)


def squares(module, batch, _state):
    return module(batch["x"]).square().mean()


def config(**changes):
    return FitConfig(**{"steps": 12, "lr": 0.05, "warmup": 0} | changes)


def test_one_update_is_adamw_with_warm_up_decay_and_clipping():
    settings = {"steps": 10, "lr": 0.1, "weight_decay": 0.3, "warmup": 3, "clip": 0.01}
    ours, theirs = linear(), linear()
    result = fit(ours, ROWS, step=squares, config=FitConfig(**settings))
    decayed = {"params": [theirs.weight], "weight_decay": 0.3}
    adamw = torch.optim.AdamW([decayed, {"params": [theirs.bias], "weight_decay": 0.0}], lr=0.1)
    for update in range(10):
        rate = (update + 1) / 4 if update < 3 else (10 - update) / 7
        for group in adamw.param_groups:
            group["lr"] = 0.1 * rate
        adamw.zero_grad()
        loss = squares(theirs, ROWS[update % 5], {})
        loss.backward()
        norm = math.sqrt(sum(float(p.grad.square().sum()) for p in theirs.parameters()))
        for parameter in theirs.parameters():
            parameter.grad *= min(1.0, 0.01 / norm)
        adamw.step()
        row = result.metrics[update]
        assert row["lr"] == pytest.approx(0.1 * rate)
        assert row["loss"] == pytest.approx(float(loss.detach()), rel=1e-5)
        assert row["grad_norm"] == pytest.approx(norm, rel=1e-4)
    np.testing.assert_allclose(ours.weight.detach(), theirs.weight.detach(), rtol=1e-5)
    np.testing.assert_allclose(ours.bias.detach(), theirs.bias.detach(), rtol=1e-4)


def test_equal_calls_give_equal_bits_where_threads_add_up_one_row():
    """By default the threads of a CPU add to a row of a table in the order in which they come."""
    threads, drawn = torch.get_num_threads(), torch.Generator().manual_seed(0)
    rows = [{"x": torch.randint(0, 50, (64, 40), generator=drawn)} for _ in range(20)]
    weights = torch.randn(64, 40, 32, generator=drawn)  # 81,920 numbers: torch goes parallel above 32,768
    torch.set_num_threads(2)
    try:
        made = []
        for _ in range(3):
            module = nn.ParameterDict({"table": nn.Parameter(torch.ones(50, 32))})
            fit(module, rows, step=lambda m, b, _: (m["table"][b["x"]] * weights).mean(), config=config(steps=20))
            made.append(module["table"].detach())
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(made[0], made[1])
    assert torch.equal(made[0], made[2])
    assert not torch.are_deterministic_algorithms_enabled(), "the caller's setting is put back"


@pytest.mark.parametrize(
    ("schedule", "after"), [("constant", 1.0), ("linear", 5 / 8), ("cosine", (1 + math.cos(math.pi * 3 / 8)) / 2)]
)
def test_schedules(schedule, after):
    settings = FitConfig(steps=10, warmup=0.2, schedule=schedule)
    assert settings.rate(0) == pytest.approx(1 / 3)
    assert settings.rate(1) == pytest.approx(2 / 3)
    assert settings.rate(2) == pytest.approx(1)
    assert settings.rate(5) == pytest.approx(after)
    assert settings.rate(9) > 0


def test_accumulated_batches_make_the_update_of_their_union():
    one, two = linear(), linear()
    halves = [{"x": batch["x"][i : i + 4]} for batch in ROWS for i in (0, 4)]
    a = fit(one, ROWS, step=squares, config=config(steps=5))
    b = fit(two, halves, step=squares, config=config(steps=5, accumulate=2))
    np.testing.assert_allclose(two.weight.detach(), one.weight.detach(), rtol=1e-5)
    np.testing.assert_allclose(b.column("loss"), a.column("loss"), rtol=1e-5)


def test_rates_go_by_the_longest_beginning_of_a_name_and_0_freezes():
    modules = {"a": linear(), "b": linear(1), "c": linear(2)}
    before = {name: module.weight.detach().clone() for name, module in modules.items()}

    def step(modules, batch, _state):
        return sum(module(batch["x"]).square().mean() for module in modules.values())

    rates = {"": 0.01, "b.": 0.1, "a.weight": 0.0}
    result = fit(modules, ROWS, step=step, config=config(steps=1, lr=rates, clip=None))
    moved = {name: float((module.weight - before[name]).detach().abs().max()) for name, module in modules.items()}
    assert moved["a"] == 0  # AdamW's first step has the length of the rate
    assert moved["b"] == pytest.approx(0.1, rel=1e-3)
    assert moved["c"] == pytest.approx(0.01, rel=1e-3)
    assert result.steps == 1


def test_parameters_without_gradients_stay_and_modes_are_put_back():
    modules = {"student": nn.Sequential(linear(), nn.Dropout(0.5)), "guide": nn.Sequential(linear(1), nn.Dropout(0.5))}
    for parameter in modules["guide"].parameters():
        parameter.requires_grad_(False)
    modules["student"].eval()
    modes = []

    def step(modules, batch, _state):
        modes.append((modules["student"].training, modules["guide"].training))
        return (modules["student"](batch["x"]) - modules["guide"](batch["x"])).square().mean()

    before = modules["guide"][0].weight.clone()
    fit(modules, ROWS, step=step, config=config(steps=2))
    assert modes == [(True, False)] * 2
    assert torch.equal(before, modules["guide"][0].weight)
    assert not modules["student"].training
    assert modules["guide"].training


def test_the_seed_decides_and_the_callers_generators_are_left_alone():
    def dropped(seed):
        module = nn.Sequential(linear(), nn.Dropout(0.5))
        fit(module, ROWS, step=squares, config=config(seed=seed))
        return module[0].weight.detach()

    module = nn.Sequential(linear(), nn.Dropout(0.5))
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    expected = float(torch.rand(())), np.random.random()  # noqa: NPY002
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    fit(module, ROWS, step=squares, config=config())
    assert (float(torch.rand(())), np.random.random()) == expected  # noqa: NPY002
    assert torch.equal(dropped(1), dropped(1))
    assert not torch.equal(dropped(1), dropped(2))


class Passes:
    """Five batches in an order of the pass."""

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __iter__(self):
        return iter([ROWS[i] for i in np.random.default_rng(self.epoch).permutation(5)])


@pytest.mark.parametrize("batches", [ROWS, Passes(), torch.utils.data.DataLoader([r["x"] for r in ROWS], shuffle=True)])
def test_resume_gives_the_same_weights_and_metrics(batches, tmp_path):
    stopping = [False]

    def step(module, batch, state):
        x = batch["x"] if isinstance(batch, dict) else batch[0]
        state["mean"] = 0.9 * state["mean"] + 0.1 * module[0].weight.detach()
        state["metrics"] = {"noise": float(torch.rand((), generator=state["rng"]))}
        if stopping[0] and state["count"] >= 7:
            raise RuntimeError("cut")
        state["count"] += 1
        return module(x).square().mean() + (module[0].weight - state["mean"]).square().sum()

    def run(folder, *, cut=False):
        stopping[0] = cut
        module = nn.Sequential(linear(), nn.Dropout(0.3), nn.BatchNorm1d(2))
        state = {"mean": torch.zeros(2, 4), "rng": torch.Generator().manual_seed(1), "count": 0}
        found = fit(module, batches, step=step, config=config(folder=folder, save_every=3), state=state)
        return module, [{k: v for k, v in row.items() if k != "seconds"} for row in found.metrics], state

    whole, rows, state = run(None)
    with pytest.raises(RuntimeError, match="cut"):
        run(tmp_path, cut=True)
    assert (tmp_path / "step-000000006").is_dir()
    again, resumed, state_again = run(tmp_path)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name
    assert resumed == rows
    assert torch.equal(state["mean"], state_again["mean"])
    lines = [json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines == list(range(1, 13))
    third, _, _ = run(tmp_path)  # it was over: the weights at once
    assert torch.equal(third[0].weight, whole[0].weight)


def test_patience_stops_early_and_goes_back_to_the_best(tmp_path):
    module, scores, seen = linear(), iter([1.0, 3.0, 2.0, 2.5, 0.0]), []

    def evaluate(module):
        assert not torch.is_grad_enabled()
        assert not module.training
        seen.append(module.weight.detach().clone())
        return next(scores)

    settings = config(steps=100, evaluate_every=2, patience=2, folder=tmp_path)
    result = fit(module, ROWS, step=squares, config=settings, evaluate=evaluate)
    assert (result.reason, result.steps, len(seen)) == ("early", 8, 4)
    assert torch.equal(module.weight, seen[1])
    assert result.column("evaluation") == [1.0, 3.0, 2.0, 2.5]
    again = linear()
    fit(again, ROWS, step=squares, config=settings, evaluate=evaluate)
    assert torch.equal(again.weight, seen[1])


def test_an_evaluation_changes_nothing_that_training_draws():
    def run(evaluate):
        module = nn.Sequential(linear(), nn.Dropout(0.5))
        fit(module, ROWS, step=squares, config=config(evaluate_every=evaluate and 1), evaluate=evaluate)
        return module[0].weight.detach()

    assert torch.equal(run(None), run(lambda _m: float(torch.rand(()))))


class Watcher:
    def __init__(self, last):
        self.stopping, self.told, self.last = False, [], last

    def begin(self, steps, done):
        self.told.append((steps, done))

    def update(self, row):
        self.told.append(row["step"])
        self.stopping = row["step"] == self.last

    def end(self, reason):
        self.told.append(reason)


def test_a_monitor_stops_with_a_checkpoint_and_the_same_call_goes_on(tmp_path):
    whole, module, again = linear(), linear(), linear()
    fit(whole, ROWS, step=squares, config=config())
    watcher = Watcher(4)
    result = fit(module, ROWS, step=squares, config=config(folder=tmp_path), monitor=watcher)
    assert (result.reason, result.steps, watcher.told) == ("stopped", 4, [(12, 0), 1, 2, 3, 4, "stopped"])
    later = Watcher(None)
    assert fit(again, ROWS, step=squares, config=config(folder=tmp_path), monitor=later).reason == "finished"
    assert later.told[:2] == [(12, 4), 5]
    assert torch.equal(again.weight, whole.weight)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_trains_and_keeps_float32_weights(precision):
    module = linear()
    seen = []

    def step(module, batch, _state):
        out = module(batch["x"])
        seen.append(out.dtype)
        return out.float().square().mean()

    before = float(squares(module, ROWS[0], {}).detach())
    result = fit(module, ROWS, step=step, config=config(precision=precision, steps=30))
    assert seen[0] == {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    assert module.weight.dtype == torch.float32
    assert float(squares(module, ROWS[0], {}).detach()) < 0.2 * before
    assert all(math.isfinite(loss) for loss in result.column("loss"))


def nan_at(step_number):
    def step(module, batch, state):
        state["count"] += 1
        return squares(module, batch, state) * (math.nan if state["count"] == step_number else 1)

    return step


def test_nan_stops_with_the_step_and_the_batch_and_the_weights_before_it(tmp_path):
    module, before = linear(), linear()
    fit(before, ROWS, step=squares, config=config(steps=2, schedule="constant"))
    with pytest.raises(Diverged, match=r"diverged at step 3: loss is nan; the batch is in .*diverged-3.json") as caught:
        fit(module, ROWS, step=nan_at(3), config=config(folder=tmp_path, schedule="constant"), state={"count": 0})
    assert caught.value.step == 3
    assert caught.value.batch is ROWS[2]
    kept = json.loads((tmp_path / "diverged-3.json").read_text())
    np.testing.assert_allclose(kept["batch"]["x"], ROWS[2]["x"])
    assert torch.equal(module.weight, before.weight)


def test_a_gradient_that_is_not_finite_stops_too():
    module = linear()

    def step(module, batch, _state):
        return (module(batch["x"]).sum() * 0).abs().sqrt()  # 0, with an infinite slope

    with pytest.raises(Diverged, match="diverged at step 1: grad_norm is nan"):
        fit(module, ROWS, step=step, config=config())


def test_a_loss_that_runs_away_stops():
    module = linear()

    def step(module, _batch, state):
        state["count"] += 1
        return module.weight.sum() * 0 + 1.0 + max(0, state["count"] - 25)

    with pytest.raises(Diverged, match="mean of the last 20 losses"):
        fit(module, ROWS, step=step, config=config(steps=200), state={"count": 0})


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"steps": 0}, ValueError, "steps must be 1 or more, got 0"),
        ({"steps": 2.0}, TypeError, "steps"),
        ({"lr": 0}, ValueError, "lr must be above 0"),
        ({"lr": math.nan}, ValueError, "lr must be above 0"),
        ({"lr": {"": -1.0}}, ValueError, "lr must be above 0"),
        ({"weight_decay": -0.1}, ValueError, "weight_decay must be 0 or more"),
        ({"warmup": 12}, ValueError, r"warmup must lie in \[0, steps=12\)"),
        ({"schedule": "step"}, ValueError, "schedule must be one of linear, cosine, constant"),
        ({"precision": "half"}, ValueError, "precision must be one of float32, bf16, fp16"),
        ({"clip": 0.0}, ValueError, "clip must be above 0"),
        ({"patience": 2}, ValueError, "give evaluate_every too"),
        ({"save_every": 0}, ValueError, "save_every must be 1 or more"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_settings_are_refused(changes, error, message):
    with pytest.raises(error, match=message):
        config(**changes)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"batches": iter(ROWS)}, TypeError, "iterable more than once"),
        ({"batches": []}, ValueError, "batches gave no batch"),
        ({"batches": [{"x": torch.ones(0, 4)}]}, ValueError, "at least one row"),
        ({"batches": [{}]}, ValueError, "at least one row"),
        ({"modules": {}}, ValueError, "at least one module"),
        ({"modules": {"a": 3}}, TypeError, "a must be an nn.Module or an encoder, got int"),
        ({"config": config(lr={"wieght": 0.1})}, ValueError, "lr names 'wieght'"),
        ({"config": config(lr={"": 0.0})}, ValueError, "nothing to train"),
        ({"config": config(evaluate_every=2)}, ValueError, "needs evaluate"),
        ({"state": {"a": [object()]}}, TypeError, "state/a/0 is a object"),
        ({"step": lambda m, b, _s: m(b["x"])}, ValueError, r"scalar tensor, without axes, got shape \(8, 2\)"),
        ({"step": lambda _m, _b, _s: 1.0}, ValueError, "got float"),
        ({"step": lambda _m, _b, _s: torch.tensor(1.0)}, ValueError, "the loss has no gradient"),
    ],
)
def test_what_cannot_be_trained_is_refused(changes, error, message):
    given = {"modules": linear(), "batches": ROWS, "step": squares, "config": config()} | changes
    with pytest.raises(error, match=message):
        fit(given.pop("modules"), given.pop("batches"), **given)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"module": linear(7)}, "weights at the start differ"),
        ({"module": linear(0, 3)}, "parameters differ .*weight"),
        ({"config": {"lr": 0.2}}, "settings differ .*lr: 0.05 there, 0.2 here"),
        ({"batches": ROWS[::-1]}, "batch 2 of pass 0 is not the one"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(other, message, tmp_path):
    settings = {"folder": tmp_path, "save_every": 2}
    fit(linear(), ROWS, step=squares, config=config(**settings), monitor=Watcher(2))
    with pytest.raises(CheckpointError, match=message):
        fit(
            other.get("module", linear()),
            other.get("batches", ROWS),
            step=squares,
            config=config(**settings | other.get("config", {})),
        )
