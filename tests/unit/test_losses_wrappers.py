"""One loss at several cuts: sums by hand, the two papers' own steps, mutants."""

import math
from functools import partial

import numpy as np
import pytest
import torch

from tests.unit.mutants import killed
from workbench.losses import wrappers
from workbench.losses.distillation import distil_scores, embedding_cosine, embedding_mse
from workbench.losses.wrappers import layers_and_dimensions, matryoshka, over_layers

D = 6


def rows(seed, n=4, d=D):
    return np.random.default_rng(seed).normal(size=(n, d))


def layers(count=3):
    """Anchors and positives after each layer."""
    return [(rows(2 * i), rows(2 * i + 1)) for i in range(count)]


def tensors(of_layers):
    return [tuple(torch.tensor(x) for x in pair) for pair in of_layers]


def mean_cosine_gap(a, b):
    """1 - cosine, averaged: the task loss of these tests, by hand."""
    return np.mean([1 - x @ y / math.sqrt((x @ x) * (y @ y)) for x, y in zip(a, b, strict=True)])


def feature_divergence(student, teacher):
    """Kullback-Leibler divergence over the features, averaged over rows: both papers' alignment, by hand."""
    total = 0.0
    for s, t in zip(student, teacher, strict=True):
        q, p = np.exp(s) / np.exp(s).sum(), np.exp(t) / np.exp(t).sum()
        total += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    return total / len(student)


def check_matryoshka(wrapper):
    a, b = rows(0), rows(1)
    for sizes, weights in (([6], None), ([2, 6, 3], None), ([2, 6, 3], [0.5, 2, 0])):
        expected = sum(
            w * mean_cosine_gap(a[:, :m], b[:, :m]) for m, w in zip(sizes, weights or [1, 1, 1], strict=False)
        )
        got = wrapper(embedding_cosine, torch.tensor(a), torch.tensor(b), dimensions=sizes, weights=weights)
        assert got.item() == pytest.approx(expected, abs=1e-12)


def check_over_layers(wrapper):
    for weights in (None, [0.5, 0, 3]):
        expected = sum(w * mean_cosine_gap(*pair) for pair, w in zip(layers(), weights or [1, 1, 1], strict=True))
        assert wrapper(embedding_cosine, tensors(layers()), weights=weights).item() == pytest.approx(
            expected, abs=1e-12
        )


def two_d_by_hand(all_layers, exits, weights, aligned):
    total = 0.0
    for (layer, m), w in zip(exits, weights or [1] * len(exits), strict=True):
        a, b = (x[:, :m] for x in all_layers[layer])
        term = mean_cosine_gap(a, b)
        if aligned and layer != len(all_layers) - 1:
            full = np.concatenate([x[:, :m] for x in all_layers[-1]])
            term += feature_divergence(np.concatenate([a, b]), full)
        total += w * term
    return total


def check_both(wrapper):
    step_of_2dmse = [(2, 6), (1, 6), (2, 3), (1, 3)]
    starbucks = [(0, 2), (1, 4), (2, 6)]
    for exits in (step_of_2dmse, starbucks):
        for weights in (None, [0.5, 2, 3, 0.1][: len(exits)]):
            for align in (None, distil_scores):
                got = wrapper(embedding_cosine, tensors(layers()), exits=exits, weights=weights, align=align)
                expected = two_d_by_hand(layers(), exits, weights, align is not None)
                assert got.item() == pytest.approx(expected, abs=1e-12)


CHECKS = {"matryoshka": check_matryoshka, "over_layers": check_over_layers, "layers_and_dimensions": check_both}


@pytest.mark.parametrize("name", CHECKS)
def test_a_wrapper_is_the_sum_by_hand(name):
    CHECKS[name](getattr(wrappers, name))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("matryoshka", "(x[..., :size] for x in rows)", "(x[..., -size:] for x in rows)"),
        ("matryoshka", "weight * _scalar(loss(*(x", "_scalar(loss(*(x"),
        ("matryoshka", '"dimensions"), strict=True)\n    ]\n    return torch.stack(total).sum()',
         '"dimensions"), strict=True)\n    ]\n    return torch.stack(total).mean()'),
        ("over_layers", "weight * _scalar(loss(*rows))", "_scalar(loss(*rows))"),
        ("over_layers", "for rows, weight in chosen]).sum()", "for rows, weight in chosen]).mean()"),
        ("over_layers", "loss(*rows)) for rows,", "loss(*layers[-1])) for rows,"),
        ("layers_and_dimensions", "weight * term", "term"),
        ("layers_and_dimensions", "x in layers[layer]]", "x in layers[-1]]"),
        ("layers_and_dimensions", "align(_stacked(rows), _stacked(full))", "align(_stacked(full), _stacked(rows))"),
        ("layers_and_dimensions", "align(_stacked(rows), _stacked(full))", "align(rows[0], full[0])"),
        ("layers_and_dimensions", "full = [x[..., :size] for", "full = [x[..., -size:] for"),
        ("layers_and_dimensions", "term + _scalar(align", "_scalar(align"),
    ],
)  # fmt: skip
def test_mutants_are_killed(name, old, new):
    assert killed(wrappers, name, old, new, CHECKS[name])


def test_gradients_are_those_of_finite_differences():
    x = [tuple(t.requires_grad_() for t in pair) for pair in tensors(layers(2))]
    flat = [t for pair in x for t in pair]

    def both(a, b, c, d):
        exits = [(0, 3), (1, 6), (0, 6)]
        return layers_and_dimensions(
            embedding_cosine, [(a, b), (c, d)], exits=exits, weights=[1, 2, 0.5], align=distil_scores
        )

    assert torch.autograd.gradcheck(both, flat)
    assert torch.autograd.gradcheck(lambda a, b: matryoshka(embedding_cosine, a, b, dimensions=[1, 4]), flat[:2])
    assert torch.autograd.gradcheck(lambda a, b, c, d: over_layers(embedding_cosine, [(a, b), (c, d)]), flat)


def test_the_order_of_exits_and_of_pairs_does_not_matter():
    x = tensors(layers())
    order = torch.tensor([3, 1, 0, 2])
    exits, weights = [(0, 2), (1, 4), (2, 6)], [1, 2, 3]
    value = partial(layers_and_dimensions, embedding_cosine, align=distil_scores)
    plain = value(x, exits=exits, weights=weights).item()
    assert value(x, exits=exits[::-1], weights=weights[::-1]).item() == pytest.approx(plain, rel=1e-12)
    assert value(x, exits=exits, weights=weights[::-1]).item() != pytest.approx(plain, rel=1e-3)
    moved = [(a[order], b[order]) for a, b in x]
    assert value(moved, exits=exits, weights=weights).item() == pytest.approx(plain, rel=1e-12)


def test_the_first_numbers_are_cut_off_and_not_rotated():
    a, b = torch.tensor(rows(0)), torch.tensor(rows(1))
    turn = torch.tensor(np.linalg.qr(rows(9, D, D))[0])
    cut, whole = (partial(matryoshka, embedding_cosine, dimensions=[m]) for m in (2, D))
    assert whole(a @ turn, b @ turn).item() == pytest.approx(whole(a, b).item(), rel=1e-12)
    assert cut(a @ turn, b @ turn).item() != pytest.approx(cut(a, b).item(), rel=1e-3)
    # what stands behind the cut is not seen
    assert cut(torch.cat([a[:, :2], b[:, 2:]], dim=1), b).item() == pytest.approx(cut(a, b).item(), rel=1e-12)


def test_values_of_a_perfect_and_of_a_collapsed_encoder():
    a, ones = torch.tensor(rows(0)), torch.ones(4, D, dtype=torch.float64)
    assert matryoshka(embedding_cosine, a, 2 * a, dimensions=[2, 6]).item() == pytest.approx(0, abs=1e-12)
    same = [(a, a)] * 3
    exits = [(0, 2), (2, 6)]
    assert layers_and_dimensions(embedding_mse, same, exits=exits, align=distil_scores).item() == pytest.approx(0)
    gap = embedding_mse(ones, torch.zeros_like(ones)).item()
    assert matryoshka(embedding_mse, ones, 0 * ones, dimensions=[2, 6], weights=[3, 4]).item() == 7 * gap
    assert over_layers(embedding_mse, [(ones, 0 * ones)] * 2, weights=[3, 4]).item() == 7 * gap


def test_a_constant_goes_in_through_the_loss_and_negatives_may_have_three_axes():
    x = torch.tensor(rows(0))
    labels = torch.tensor([0.0, 1.0, 0.5, 0.2], dtype=torch.float64)
    lists = x[:, None, :].expand(4, 3, D)

    def dot(a, negatives, *, to):
        return ((a[:, None] * negatives).sum(dim=2).mean(dim=1) - to).square().mean()

    got = matryoshka(lambda a, b: dot(a, b, to=labels), x, lists, dimensions=[2, 3])
    expected = sum(np.mean([(x[i, :m] @ x[i, :m] - labels[i]) ** 2 for i in range(4)]) for m in (2, 3))
    assert got.item() == pytest.approx(expected, rel=1e-12)
    partial_loss = partial(dot, to=labels)
    both = layers_and_dimensions(partial_loss, [(x, lists)] * 2, exits=[(0, 2)], align=distil_scores)
    assert both.item() == pytest.approx(matryoshka(partial_loss, x, lists, dimensions=[2]).item(), rel=1e-12)


def test_an_alignment_that_detaches_moves_the_shallow_layer_alone():
    x = [tuple(t.requires_grad_() for t in pair) for pair in tensors(layers(2))]
    exits = [(0, 3)]
    layers_and_dimensions(
        embedding_cosine, x, exits=exits, align=lambda s, t: 0.3 * distil_scores(s, t.detach())
    ).backward()
    assert all(t.grad is None for t in x[1])
    assert all(t.grad.abs().sum() > 0 for t in x[0])
    layers_and_dimensions(embedding_cosine, x, exits=exits, align=distil_scores).backward()
    assert all(t.grad[:, :3].abs().sum() > 0 for t in x[1])
    assert all((t.grad[:, 3:] == 0).all() for t in x[1])


def test_scores_within_the_batch_can_be_aligned_too():
    def of_scores(student, teacher):
        (a, b), (c, d) = student.chunk(2), teacher.chunk(2)
        return distil_scores(a @ b.T, c @ d.T)

    got = layers_and_dimensions(embedding_cosine, tensors(layers()), exits=[(1, 3)], align=of_scores)
    (a, b), (c, d) = ((x[:, :3] for x in pair) for pair in layers()[1:])
    expected = mean_cosine_gap(a, b) + feature_divergence(a @ b.T, c @ d.T)
    assert got.item() == pytest.approx(expected, abs=1e-12)


def test_half_precision_is_raised_by_the_loss():
    a, b = (torch.tensor(rows(i)).bfloat16() for i in (0, 1))
    got = matryoshka(embedding_cosine, a, b, dimensions=[2, 6])
    assert got.dtype == torch.float32
    expected = matryoshka(embedding_cosine, a.double(), b.double(), dimensions=[2, 6])
    assert got.item() == pytest.approx(expected.item(), rel=1e-5)


X = torch.ones(2, 4)
PAIR = (X, X)


def cut(*given, **options):
    return lambda: matryoshka(embedding_mse, *given, **options)


def stack(given, **options):
    return lambda: over_layers(embedding_mse, given, **options)


def both(given, loss=embedding_mse, **options):
    return lambda: layers_and_dimensions(loss, given, **options)


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (cut(dimensions=[2]), r"rows must be one tensor or more.*got \[\]"),
        (cut(X[0], X, dimensions=[2]), r"2 axes or more, got \[\(4,\), \(2, 4\)\]"),
        (cut(*PAIR, dimensions=[]), r"dimensions must be one or more.*got \[\]"),
        (cut(*PAIR, dimensions=[2, 3, 2]), r"each listed once, got \[2, 3, 2\]"),
        (cut(*PAIR, dimensions=[2, 5]), r"dimensions must lie in 1..4, got 5"),
        (cut(X, X[:, :3], dimensions=[4]), r"dimensions must lie in 1..3, got 4"),
        (cut(*PAIR, dimensions=[0]), r"dimensions must lie in 1..4, got 0"),
        (cut(*PAIR, dimensions=[-1]), r"dimensions must lie in 1..4, got -1"),
        (cut(*PAIR, dimensions=[2], weights=[1, 1]), "weights must be one for each of the 1 dimensions, got 2"),
        (cut(*PAIR, dimensions=[2, 3], weights=[1, -1]), r"0 or more and not all 0, got \[1, -1\]"),
        (cut(*PAIR, dimensions=[2, 3], weights=[1, math.nan]), "weights must be finite"),
        (cut(*PAIR, dimensions=[2, 3], weights=[1, math.inf]), "weights must be finite"),
        (cut(*PAIR, dimensions=[2, 3], weights=[0, 0]), "not all 0"),
        (lambda: matryoshka(lambda a, b: a - b, *PAIR, dimensions=[2]), r"scalar.*got shape \(2, 2\)"),
        (lambda: over_layers(lambda a, b: (a - b).sum(dim=1), [PAIR]), r"scalar.*got shape \(2,\)"),
        (stack([]), "layers must be one or more"),
        (stack([()]), r"each with as many rows, got \[0\]"),
        (stack([PAIR, (X,)]), r"each with as many rows, got \[2, 1\]"),
        (stack([PAIR], weights=[]), "weights must be one for each of the 1 layers, got 0"),
        (stack([PAIR], weights=[-1]), "weights must be finite"),
        (both([], exits=[(0, 1)]), "layers must be one or more"),
        (both([PAIR, (X,)], exits=[(0, 1)]), "each with as many rows"),
        (both([PAIR], exits=[]), "exits must be one"),
        (both([PAIR], exits=[(0, 1), (0, 1)]), r"each listed once, got \[\(0, 1\), \(0, 1\)\]"),
        (both([PAIR] * 2, exits=[(2, 1)]), r"exits: layer must lie in 0..1, got 2"),
        (both([PAIR] * 2, exits=[(-1, 1)]), r"exits: layer must lie in 0..1, got -1"),
        (both([PAIR] * 2, exits=[(0, 5)]), "dimensions must lie in 1..4, got 5"),
        (both([PAIR, (X[:, :3], X[:, :3])], exits=[(0, 4)]), "dimensions must lie in 1..3, got 4"),
        (both([PAIR] * 2, exits=[(0, 2)], weights=[1, 2]), "weights must be one for each of the 1 exits, got 2"),
        (both([PAIR] * 2, exits=[(0, 2)], align=lambda s, t: s - t), r"scalar.*got shape \(4, 2\)"),
        (both([PAIR] * 2, loss=lambda a, b: (a - b)[0], exits=[(0, 2)]), r"scalar.*got shape \(2,\)"),
    ],
)
def test_wrong_input_is_refused(call, rule):
    with pytest.raises(ValueError, match=rule):
        call()
