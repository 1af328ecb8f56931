"""Merging against numpy on flat vectors, the arcs' closed form, the authors' TIES, and finite differences."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from tests.unit.mutants import killed
from workbench.models import flat, merging, positions
from workbench.models.merging import (
    add_task_vectors,
    average,
    greedy_soup,
    position,
    search_position,
    slerp,
    task_vector,
    ties,
)


class Small(nn.Module):
    """Linear layers, a norm with floating and integer buffers, and a tied weight."""

    def __init__(self, seed):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.first, self.norm, self.last = nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 3, bias=False)
            self.tied = nn.Linear(4, 3, bias=False)
            self.dropout = nn.Dropout(0.5)
            self.norm.running_mean.normal_()
        self.tied.weight = self.last.weight

    def forward(self, x):
        return self.tied(self.dropout(self.norm(self.first(x))))


def tuned(base, seed, scale=0.3):
    generator = torch.Generator().manual_seed(seed)
    new = copy.deepcopy(base)
    with torch.no_grad():
        for p in new.parameters():
            p.add_(scale * torch.randn(p.shape, generator=generator))
        new.norm.running_mean.add_(1)
    return new


NAMES = ["first.weight", "first.bias", "norm.weight", "norm.bias", "last.weight"]


def vec(state):
    """The flat vector, the tied weight once."""
    state = state.state_dict() if isinstance(state, nn.Module) else state
    return np.concatenate([state[name].detach().double().numpy().ravel() for name in NAMES])


@pytest.fixture
def base():
    return Small(0)


@pytest.fixture
def models(base):
    return [tuned(base, seed) for seed in (1, 2, 3)]


def same(state, expected, atol=1e-6):
    np.testing.assert_allclose(vec(state), expected, atol=atol)


def numpy_slerp(a, b, t):
    angle = math.acos(a @ b / math.sqrt((a @ a) * (b @ b)))
    return (math.sin((1 - t) * angle) * a + math.sin(t * angle) * b) / math.sin(angle)


def test_a_weighted_mean_leaves_buffers_and_keeps_ties(models):
    state = average(models, weights=[1, 2, 5])
    same(state, (vec(models[0]) + 2 * vec(models[1]) + 5 * vec(models[2])) / 8)
    same(average(models), np.mean([vec(m) for m in models], axis=0))
    assert list(state) == list(models[0].state_dict())
    assert torch.equal(state["norm.running_mean"], models[0].norm.running_mean)
    assert state["norm.num_batches_tracked"].dtype == torch.int64
    assert state["tied.weight"] is state["last.weight"]
    models[1].load_state_dict(state)
    same(models[1], vec(state), atol=0)


def test_state_dicts_merge_like_their_modules(models):
    of_dicts = average([m.state_dict() for m in models])
    same(of_dicts, vec(average(models)), atol=0)
    assert of_dicts["tied.weight"] is of_dicts["last.weight"]
    ids = {"a": torch.tensor([1.0, 3.0]), "ids": torch.tensor([7])}
    merged = average([ids, {"a": torch.tensor([3.0, 5.0]), "ids": torch.tensor([9])}])
    assert merged["a"].tolist() == [2, 4]
    assert merged["ids"].tolist() == [7]


def test_half_precision_is_averaged_wide_and_given_back_half():
    half = [{"w": torch.tensor([x], dtype=torch.bfloat16)} for x in (256.0, 2.0, 2.0)]
    merged = average(half)["w"]
    assert merged.dtype == torch.bfloat16
    assert float(merged) == float(torch.tensor(260 / 3).bfloat16())


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_slerp_is_the_arc_of_the_flat_vector(models, t):
    a, b = models[:2]
    same(slerp(a, b, t), numpy_slerp(vec(a), vec(b), t))


def test_slerp_keeps_lengths_and_is_a_line_where_nearly_parallel():
    a, b = {"w": torch.tensor([2.0, 0.0])}, {"w": torch.tensor([0.0, 8.0])}
    s = math.sqrt(0.5)
    np.testing.assert_allclose(slerp(a, b, 0.5)["w"], [2 * s, 8 * s], atol=1e-6)  # not of length 5
    close = {"w": torch.tensor([6.0, 1e-5])}
    np.testing.assert_allclose(slerp(a, close, 0.25)["w"], [3, 2.5e-6], rtol=1e-6)
    np.testing.assert_allclose(slerp(a, a, 0.25)["w"], [2, 0], atol=0)


def test_task_vectors_add_and_leave_what_they_are_told(base, models):
    vectors = [task_vector(base, m) for m in models]
    assert sorted(vectors[0]) == sorted(NAMES)
    same(
        add_task_vectors(base, vectors, [0.5, 0, -1]),
        vec(base) + 0.5 * (vec(models[0]) - vec(base)) - (vec(models[2]) - vec(base)),
    )
    short = task_vector(base, models[0], leave=["norm", "first.bias"])
    assert sorted(short) == ["first.weight", "last.weight"]
    state = add_task_vectors(base, [short], torch.tensor([1.0]))
    assert torch.equal(state["norm.weight"], base.norm.weight)
    torch.testing.assert_close(state["first.weight"], models[0].first.weight)
    weights = torch.ones(3, requires_grad=True)
    add_task_vectors(base, vectors, weights)["last.weight"].sum().backward()
    np.testing.assert_allclose(weights.grad, [float(v["last.weight"].sum()) for v in vectors], rtol=1e-5)


def authors_ties(vectors, density):
    """Trim, elect, disjoint mean, number by number (Yadav 2023, algorithm 1)."""
    n = len(vectors[0])
    kept = []
    for v in vectors:
        top = sorted(range(n), key=lambda i: -abs(v[i]))[: round(density * n)]
        kept.append([v[i] if i in top else 0.0 for i in range(n)])
    merged = []
    for column in zip(*kept, strict=True):
        sign = np.sign(sum(column))
        agreeing = [x for x in column if x and np.sign(x) == sign]
        merged.append(sum(agreeing) / len(agreeing) if agreeing else 0.0)
    return np.array(merged)


@pytest.mark.parametrize("density", [0.2, 0.55, 1.0])
def test_ties_is_the_authors_algorithm(base, models, density):
    merged = authors_ties([vec(m) - vec(base) for m in models], density)
    same(ties(base, models, density=density, length=0.7), vec(base) + 0.7 * merged)


def numpy_position(base, vectors, weights, length):
    joined = vectors[0]
    for k in range(1, len(vectors)):
        mean = np.mean(weights[:k])
        joined = numpy_slerp(joined, vectors[k], weights[k] / (weights[k] + mean))
    return base + length * joined


def test_position_joins_on_arcs_one_after_another(base, models):
    vectors = [task_vector(base, m) for m in models]
    flats = [vec(m) - vec(base) for m in models]
    same(position(base, vectors, [0.4, 2.0, 1.1], 0.8), numpy_position(vec(base), flats, [0.4, 2.0, 1.1], 0.8))
    for k in range(3):
        same(position(base, vectors, np.eye(3)[k], 1.0), vec(models[k]))
    same(position(base, vectors, [1, 1, 1], 0.0), vec(base), atol=0)


def test_position_is_differentiable_in_weights_and_length(base, models):
    vectors = [task_vector(base, m) for m in models]
    flats, probe = [vec(m) - vec(base) for m in models], np.random.default_rng(0).normal(size=vec(base).shape)
    weights, length = torch.tensor([0.4, 2.0, 1.1], requires_grad=True), torch.tensor(0.8, requires_grad=True)
    state = position(base, vectors, weights, length)
    joined = torch.cat([state[name].reshape(-1) for name in NAMES]).double()
    (joined @ torch.tensor(probe)).backward()

    def value(x):
        return numpy_position(vec(base), flats, x[:3], x[3]) @ probe

    at, h = np.array([0.4, 2.0, 1.1, 0.8]), 1e-5
    expected = [(value(at + h * e) - value(at - h * e)) / (2 * h) for e in np.eye(4)]
    np.testing.assert_allclose([*weights.grad, length.grad], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("module", "name", "old", "new"),
    [
        (positions, "position", "weights[:k].mean()", "weights[k - 1]"),
        (positions, "position", "t = new / total", "t = before / total"),
        (positions, "position", "factor.reshape(()) * ", ""),
        (merging, "ties", "abs() >= least", "abs() >= 0 * least"),
        (merging, "ties", "kept.sum(dim=0).sign()", "kept.sign().sum(dim=0).sign()"),
        (merging, "ties", ".clamp(min=1)", ".clamp(min=2)"),
        (merging, "greedy_soup", "-alone[i]", "alone[i]"),
        (merging, "greedy_soup", "reached >= best", "reached > best"),
        (merging, "greedy_soup", "kept, best, total = [*kept, i], reached, trial", "kept, best = [*kept, i], reached"),
    ],
)
def test_mutants_are_killed(base, models, module, name, old, new):
    vectors = [task_vector(base, m) for m in models]
    checks = {
        "position": lambda f: same(
            f(base, vectors, [0.4, 2.0, 1.1], 0.8),
            numpy_position(vec(base), [vec(m) - vec(base) for m in models], [0.4, 2.0, 1.1], 0.8),
        ),
        "ties": lambda f: same(
            f(base, models, density=0.55), vec(base) + authors_ties([vec(m) - vec(base) for m in models], 0.55)
        ),
        "greedy_soup": check_soup,
    }
    assert killed(module, name, old, new, checks[name])


def check_soup(f):
    """Of 1, 5, 3, 4 with the target 4.5: 4 (alone 0.5 away) and 5 tie, 5 comes first; see the averages."""
    models = [{"w": torch.tensor([x])} for x in (1.0, 5.0, 3.0, 4.0, 4.5)]
    soup = f(models, lambda state: -abs(float(state["w"]) - 4.5))
    # from 4.5: with 5 it is 4.75, worse; with 4 4.25, worse; 3 and 1 worse still
    assert (soup.kept, soup.score, float(soup.state["w"])) == ((4,), 0.0, 4.5)
    assert soup.scores == (-3.5, -0.5, -1.5, -0.5, 0.0)
    soup = f(models[:4], lambda state: -abs(float(state["w"]) - 4.0))
    # 4 is exact; with 5 4.5, worse; with 3 3.5, worse; with 1 worse
    assert (soup.kept, float(soup.state["w"])) == ((3,), 4.0)
    soup = f([models[i] for i in (0, 1, 2)], lambda state: -abs(float(state["w"]) - 4.2))
    # 5 (0.8 away), with 3 it is 4 (0.2), with 1 it is 3 (1.2)
    assert (soup.kept, float(soup.state["w"])) == ((1, 2), 4.0)
    soup = f([models[i] for i in (1, 2, 0)], lambda state: -abs(float(state["w"]) - 3.5))
    # 3 (0.5); with 5 it is 4 (0.5 again): stays; with 1 it is 3 (0.5): stays
    assert soup.kept == (1, 0, 2)
    np.testing.assert_allclose(float(soup.state["w"]), 3.0, rtol=1e-6)


def test_a_greedy_soup_takes_what_does_not_hurt():
    check_soup(greedy_soup)


def test_the_search_is_adam_on_the_weights_and_the_length(base, models):
    """Two steps against Adam written out, with gradients by finite differences of the objective."""
    vectors = [task_vector(base, m) for m in models[:2]]
    flats = [vec(m) - vec(base) for m in models[:2]]
    goal = numpy_position(vec(base), flats, [1.0, 3.0], 0.6)

    def objective(module, step):
        assert not module.training
        first, norm = module.first, module.norm
        values = [first.weight, first.bias, norm.weight, norm.bias, module.last.weight]
        now = torch.cat([value.reshape(-1) for value in values]).double()
        return (step + 1) * ((now - torch.tensor(goal)) ** 2).sum()

    def by_hand(x, step):
        return (step + 1) * ((numpy_position(vec(base), flats, x[:2], x[2]) - goal) ** 2).sum() + 0.05 * x[2]

    base.train()
    found = search_position(base, vectors, objective, steps=3, lr=0.05, penalty=0.05)
    assert base.training
    x, first, second, path = np.ones(3), 0, 0, [np.ones(3)]
    for step in range(3):
        gradient = np.array([(by_hand(x + 1e-6 * e, step) - by_hand(x - 1e-6 * e, step)) / 2e-6 for e in np.eye(3)])
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        hats = first / (1 - 0.9 ** (step + 1)), second / (1 - 0.999 ** (step + 1))
        np.testing.assert_allclose(found.losses[step], by_hand(x, step), rtol=1e-4)
        x = x - 0.05 * hats[0] / (np.sqrt(hats[1]) + 1e-8)
        path.append(x)
    np.testing.assert_allclose(found.path, path, atol=1e-3)
    np.testing.assert_allclose([*found.weights, found.length], found.path[-1], atol=0)
    same(found.state, numpy_position(vec(base), flats, found.weights, found.length))


def test_the_search_finds_a_planted_position_and_leaves_the_module_alone(base, models):
    vectors, before = [task_vector(base, m) for m in models], vec(base)
    goal = position(base, vectors, [1.0, 0.5, 2.0], 0.7)
    x = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
    teacher = copy.deepcopy(base).eval()
    teacher.load_state_dict(goal)
    target = teacher(x).detach()
    found = search_position(base, vectors, lambda m, _: ((m(x) - target) ** 2).mean(), steps=400, lr=0.03)
    assert found.losses[-1] < 1e-4 * found.losses[0]
    # scaling all weights changes nothing: the shares are what is found
    np.testing.assert_allclose(found.weights / found.weights.sum(), np.array([1, 0.5, 2]) / 3.5, atol=0.02)
    assert abs(found.length - 0.7) < 0.01
    np.testing.assert_array_equal(vec(base), before)
    assert all(p.grad is None and p.requires_grad for p in base.parameters())


def test_a_searched_weight_stays_above_zero(base, models):
    vectors = [task_vector(base, m) for m in models[:2]]
    target = models[0].first.weight.detach()
    found = search_position(
        base, vectors, lambda m, _: ((m.first.weight - target) ** 2).sum(), steps=60, lr=0.2, start=[1.0, 0.1, 1.0]
    )
    assert found.path[0].tolist() == [1.0, 0.1, 1.0]
    assert found.weights.min() >= 1e-4
    assert np.isclose(found.path[:, 1], 1e-4).any()


def test_the_search_moves_an_encoder_that_holds_the_module(enc):
    base = enc.model
    other = copy.deepcopy(base)
    with torch.no_grad():
        for p in other.parameters():
            p.mul_(1.01)
    ids = [[101, 2300, 102], [101, 3000, 2003, 102]]
    plain = enc.pooled(ids).detach()
    seen = []

    def objective(module, step):
        seen.append(enc.pooled(ids))
        return seen[-1].square().sum()

    vectors = [task_vector(base, other)]
    found = search_position(base, vectors, objective, steps=1, start=[1.0, 2.0])
    moved = copy.deepcopy(base)
    moved.load_state_dict(position(base, vectors, [1.0], 2.0))
    with torch.no_grad():
        tokens, mask = enc.pad(ids)
        expected = moved(input_ids=tokens, attention_mask=mask)[0]
        expected = (expected * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
    torch.testing.assert_close(seen[0].detach(), expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(seen[0], plain, atol=1e-3)
    torch.testing.assert_close(enc.pooled(ids), plain, atol=0, rtol=0)
    assert found.length != 2.0


W = {"w": torch.ones(2)}
V = {"w": torch.tensor([1.0, 0.0])}
U = {"w": torch.tensor([0.0, 1.0])}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: average([]), "models must not be empty"),
        (lambda: average([{"ids": torch.tensor([1])}]), "no floating weights to merge"),
        (lambda: average([W, {"v": torch.ones(2)}]), "'v' is in only one of 0 and 1"),
        (lambda: average([W, {"w": torch.ones(3)}]), r"'w' is \(2,\) in 0 and \(3,\) in 1"),
        (lambda: average([W, W], weights=[1]), r"one per model, got shape \(1,\) for 2"),
        (lambda: average([W, W], weights=[1, -1]), "not negative, got -1.0 for number 1"),
        (lambda: average([W, W], weights=[math.nan, 1]), "finite and not negative, got nan"),
        (lambda: average([W, W], weights=[0, 0]), "must not all be 0"),
        (lambda: slerp(W, W, 1.5), "t must be between 0 and 1, got 1.5"),
        (lambda: slerp(W, {"w": torch.zeros(2)}, 0.5), "a and b: number 1 must be finite and not zero"),
        (lambda: slerp(W, {"w": -torch.ones(2)}, 0.5), "opposite directions"),
        (lambda: task_vector(W, W, leave=["u"]), "no weights are named 'u'; the nearest is 'w'"),
        (lambda: add_task_vectors(W, [], []), "vectors must not be empty"),
        (lambda: add_task_vectors(W, [V], [1, 2]), "one per vector, got 2 for 1"),
        (lambda: add_task_vectors(W, [{"x": torch.ones(2)}], [1]), "vectors must be of the base: 'x'"),
        (lambda: ties(W, [], density=0.5), "tuned must not be empty"),
        (lambda: ties(W, [W], density=0.0), "density must be above 0 and at most 1, got 0.0"),
        (lambda: ties(W, [W], length=math.inf), "length must be finite, got inf"),
        (lambda: position(W, [V, U], [1, 1], math.nan), "length must be one finite number, got nan"),
        (lambda: position(W, [V, {"w": torch.zeros(2)}], [1, 1], 1), "task vectors: number 1 must be finite and not"),
        (lambda: greedy_soup([W], lambda _: math.nan), "score must be a finite number, got nan for model 0"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("objective", "options", "message"),
    [
        (lambda m, _: m.weight.sum(), {"steps": 0}, "steps must be at least 1, got 0"),
        (lambda m, _: m.weight.sum(), {"lr": 0.0}, "lr must be finite and above 0, got 0.0"),
        (lambda m, _: m.weight.sum(), {"penalty": -1.0}, "penalty must be finite and not negative, got -1.0"),
        (lambda m, _: m.weight.sum(), {"start": [1.0]}, "start must be 1 weights and a length, got 1"),
        (lambda m, _: m.weight.sum(0), {}, r"scalar tensor, got \(3,\) in step 0"),
        (lambda *_: 1.0, {}, "scalar tensor, got float in step 0"),
        (lambda *_: torch.tensor(1.0), {}, "does not depend on the module's weights in step 0"),
        (lambda m, step: m.weight.sum() / (1 - step), {}, "objective must be finite, got .*inf in step 1"),
    ],
)
def test_a_bad_search_is_refused_and_the_module_is_put_back(objective, options, message):
    module = nn.Linear(3, 2).train()
    before = module.weight.detach().clone()
    vector = {"weight": torch.ones(2, 3), "bias": torch.ones(2)}
    with pytest.raises(ValueError, match=message):
        search_position(module, [vector], objective, **{"steps": 3, **options})
    assert module.training
    assert torch.equal(module.weight, before)


def test_products_of_long_vectors_go_in_blocks(monkeypatch):
    monkeypatch.setattr(flat, "BLOCK", 7)
    generator = np.random.default_rng(0)
    rows = [{"a": generator.normal(size=(5, 4)), "b": generator.normal(size=9)} for _ in range(3)]
    got = flat.gram([{n: torch.tensor(x) for n, x in row.items()} for row in rows])
    flats = np.stack([np.concatenate([row["a"].ravel(), row["b"]]) for row in rows])
    np.testing.assert_allclose(got, flats @ flats.T, rtol=1e-12)
