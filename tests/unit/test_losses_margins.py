import math
from functools import partial

import numpy as np
import pytest
import torch

from tests.unit.mutants import killed
from workbench.losses import margins
from workbench.losses.margins import alignment_uniformity, cosent, margin_mse, triplet

N, D, K = 6, 4, 3


def rows_of(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


A, P, NEGATIVES, OWN = rows_of(1, N, D), rows_of(2, N, D), rows_of(3, N, D), rows_of(4, N, K, D)
COSINES, SCORES = np.array([0.3, -0.2, 0.9, 0.31, 0.0, 0.5]), np.array([2.0, 1.0, 5.0, 2.0, 0.0, 0.0])
TEACHER, TEACHER_OWN = rows_of(5, N), rows_of(6, N, K)


def t(x):
    return torch.tensor(x)


def leaf(x):
    return torch.tensor(x, requires_grad=True)


def length(x):
    return math.sqrt(sum(v * v for v in x))


def cosine_distance(x, y):
    return 1 - sum(x * y) / (length(x) * length(y))


def triplet_by_hand(a, p, n, margin, distance):
    away = cosine_distance if distance == "cosine" else lambda x, y: length(x - y)
    return sum(max(0.0, away(x, y) - away(x, z) + margin) for x, y, z in zip(a, p, n, strict=True)) / len(a)


def triplet_agrees(loss):
    for distance in ("cosine", "euclidean"):
        for margin in (0.0, 0.4):
            expected = triplet_by_hand(A, P, NEGATIVES, margin, distance)
            got = loss(t(A), t(P), t(NEGATIVES), margin=margin, distance=distance)
            assert got.item() == pytest.approx(expected, rel=1e-9)


def cosent_agrees(loss):
    for scale in (20.0, 1.0):
        total = 1.0
        for i in range(N):
            for j in range(N):
                if SCORES[i] > SCORES[j]:
                    total += math.exp(scale * (COSINES[j] - COSINES[i]))
        assert loss(t(COSINES), t(SCORES), scale=scale).item() == pytest.approx(math.log(total), rel=1e-9)


def margin_mse_agrees(loss):
    one = [(sum(A[i] * P[i]) - sum(A[i] * NEGATIVES[i]) - TEACHER[i]) ** 2 for i in range(N)]
    assert loss(t(A), t(P), t(NEGATIVES), t(TEACHER)).item() == pytest.approx(sum(one) / N, rel=1e-9)
    many = [(sum(A[i] * P[i]) - sum(A[i] * OWN[i, k]) - TEACHER_OWN[i, k]) ** 2 for i in range(N) for k in range(K)]
    assert loss(t(A), t(P), t(OWN), t(TEACHER_OWN)).item() == pytest.approx(sum(many) / (N * K), rel=1e-9)


def alignment_by_hand(a, p, exponent, weight):
    a, p = [x / length(x) for x in a], [x / length(x) for x in p]

    def uniformity(x):
        near = [math.exp(-exponent * length(x[i] - x[j]) ** 2) for i in range(len(x)) for j in range(i)]
        return math.log(sum(near) / len(near))

    aligned = sum(length(x - y) ** 2 for x, y in zip(a, p, strict=True)) / len(a)
    return aligned + weight * (uniformity(a) + uniformity(p)) / 2


def alignment_agrees(loss):
    for exponent, weight in ((2.0, 1.0), (0.5, 3.0), (1.0, 0.0)):
        expected = alignment_by_hand(A, P, exponent, weight)
        assert loss(t(A), t(P), t=exponent, weight=weight).item() == pytest.approx(expected, rel=1e-9)


CHECKS = {
    "triplet": triplet_agrees,
    "cosent": cosent_agrees,
    "margin_mse": margin_mse_agrees,
    "alignment_uniformity": alignment_agrees,
}


@pytest.mark.parametrize("name", CHECKS)
def test_each_loss_is_the_sum_by_hand(name):
    CHECKS[name](getattr(margins, name))


def test_each_gradient_is_that_of_finite_differences():
    rows = leaf(A), leaf(P), leaf(NEGATIVES)
    for distance in ("cosine", "euclidean"):
        assert torch.autograd.gradcheck(partial(triplet, margin=0.4, distance=distance), rows)
    assert torch.autograd.gradcheck(lambda c: cosent(c, t(SCORES), scale=2.0), (leaf(COSINES),))
    assert torch.autograd.gradcheck(margin_mse, (leaf(A), leaf(P), leaf(OWN), leaf(TEACHER_OWN)))
    assert torch.autograd.gradcheck(alignment_uniformity, rows[:2])


def test_a_collapsed_encoder_scores_as_documented_and_has_finite_gradients():
    same = torch.ones(N, D, dtype=torch.float64, requires_grad=True)
    losses = [
        (triplet(same, same, same, margin=0.4), 0.4),
        (triplet(same, same, same, margin=0.4, distance="euclidean"), 0.4),
        (cosent(same[:, 0], t(SCORES)), math.log(1 + 13)),  # 15 pairs of pairs, 2 of them ties
        (margin_mse(same, same, same, t(TEACHER)), np.mean(TEACHER**2)),
        (alignment_uniformity(same, same), 0.0),
    ]
    for loss, expected in losses:
        assert loss.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)
        (gradient,) = torch.autograd.grad(loss, same)
        assert torch.isfinite(gradient).all()


def test_a_perfect_encoder_reaches_the_lower_end():
    assert triplet(t(A), t(A), t(-A), margin=2.0).item() == pytest.approx(0, abs=1e-12)
    assert cosent(t(SCORES), t(SCORES)).item() == pytest.approx(0, abs=1e-6)
    dots = (A * P).sum(axis=1) - (A * NEGATIVES).sum(axis=1)
    assert margin_mse(t(A), t(P), t(NEGATIVES), t(dots)).item() == pytest.approx(0, abs=1e-12)
    simplex = torch.eye(5).double() - 1 / 5
    assert alignment_uniformity(simplex, simplex, weight=3.0).item() == pytest.approx(-2 * 2 * 3 * 5 / 4, rel=1e-12)
    poles = torch.tensor([[1.0], [-1.0]])
    assert alignment_uniformity(poles, -poles, weight=0.0).item() == pytest.approx(4)


def test_one_gold_score_orders_nothing():
    cosines = leaf(COSINES)
    loss = cosent(cosines, torch.ones(N))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(cosines.grad, torch.zeros(N).double())


MOVED = torch.randperm(N, generator=torch.Generator().manual_seed(0))
TURN = torch.linalg.qr(t(rows_of(11, D, D)))[0]
OF_ROWS = {
    "triplet": (partial(triplet, margin=0.4), True),
    "euclidean": (partial(triplet, margin=0.4, distance="euclidean"), False),
    "margin_mse": (lambda a, p, n: margin_mse(a, p, n, torch.zeros(N).double()), False),
    "alignment_uniformity": (lambda a, p, _: alignment_uniformity(a, p), True),
}


@pytest.mark.parametrize("name", OF_ROWS)
def test_order_and_rotation_change_nothing_scale_only_what_is_not_of_unit_length(name):
    loss, scaled = OF_ROWS[name]
    rows = t(A), t(P), t(NEGATIVES)
    value = loss(*rows).item()
    assert loss(*(x[MOVED] for x in rows)).item() == pytest.approx(value, rel=1e-12)
    assert loss(*(x @ TURN for x in rows)).item() == pytest.approx(value, rel=1e-9)
    assert (loss(*(x * 3 for x in rows)).item() == pytest.approx(value, rel=1e-9)) is scaled
    assert loss(rows[0], rows[1][MOVED], rows[2]).item() != pytest.approx(value, rel=1e-3)


def test_cosent_reads_the_order_of_the_scores_alone():
    value = cosent(t(COSINES), t(SCORES)).item()
    assert cosent(t(COSINES)[MOVED], t(SCORES)[MOVED]).item() == pytest.approx(value, rel=1e-12)
    assert cosent(t(COSINES), t(SCORES) ** 3).item() == pytest.approx(value, rel=1e-12)
    assert cosent(t(COSINES), -t(SCORES)).item() != pytest.approx(value, rel=1e-3)


def test_half_precision_is_raised_and_autocast_does_not_lower_it():
    low = [torch.tensor(x, dtype=torch.bfloat16) for x in (A, P, NEGATIVES)]
    a, p, n = (x.double().numpy() for x in low)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        three = triplet(*low, margin=0.4), alignment_uniformity(*low[:2]), margin_mse(*low, torch.zeros(N))
    dots = (a * p).sum(axis=1) - (a * n).sum(axis=1)
    expected = triplet_by_hand(a, p, n, 0.4, "cosine"), alignment_by_hand(a, p, 2.0, 1.0), np.mean(dots**2)
    for value, by_hand in zip(three, expected, strict=True):
        assert value.dtype == torch.float32
        assert value.item() == pytest.approx(by_hand, rel=1e-5)
    assert cosent(t(COSINES).half(), t(SCORES)).dtype == torch.float32


NAN, ZERO = A.copy(), A.copy()
NAN[3, 1], ZERO[2] = np.nan, 0
BAD = [
    ("anchors needs at least 1 rows", lambda: triplet(t(A[:0]), t(P[:0]), t(P[:0]), margin=0.1)),
    ("anchors, positives, negatives must be of one shape", lambda: triplet(t(A), t(P), t(P[:2]), margin=0.1)),
    ("negatives: row 3 is not finite", lambda: triplet(t(A), t(P), t(NAN), margin=0.1)),
    ("positives: row 2 is zero", lambda: triplet(t(A), t(ZERO), t(P), margin=0.1)),
    ("margin must be finite and not negative, got -0.1", lambda: triplet(t(A), t(P), t(P), margin=-0.1)),
    ("margin must be finite", lambda: triplet(t(A), t(P), t(P), margin=math.nan)),
    (
        "distance must be 'cosine' or 'euclidean', got 'l1'",
        lambda: triplet(t(A), t(P), t(P), margin=1.0, distance="l1"),
    ),
    ("cosent orders 2 pairs or more, got 0", lambda: cosent(torch.ones(0), torch.ones(0))),
    ("cosent orders 2 pairs or more, got 1", lambda: cosent(torch.ones(1), torch.ones(1))),
    (r"of one shape \(n,\), got \(6,\) and \(5,\)", lambda: cosent(t(COSINES), torch.ones(5))),
    ("of one shape", lambda: cosent(t(COSINES)[:, None], t(SCORES)[:, None])),
    ("cosines: row 1 is not finite", lambda: cosent(torch.tensor([0.0, math.nan]), torch.ones(2))),
    ("scores: row 0 is not finite", lambda: cosent(torch.ones(2), torch.tensor([math.nan, 0.0]))),
    ("scale must be finite and above 0, got 0.0", lambda: cosent(t(COSINES), t(SCORES), scale=0.0)),
    ("scale must be finite and above 0, got nan", lambda: cosent(t(COSINES), t(SCORES), scale=math.nan)),
    ("anchors needs at least 1 rows", lambda: margin_mse(t(A[:0]), t(P[:0]), t(P[:0]), torch.ones(0))),
    (r"negatives must be \(6, 4\) or \(6, k, 4\)", lambda: margin_mse(t(A), t(P), t(OWN[:4]), t(TEACHER_OWN))),
    (r"negatives must be \(6, 4\)", lambda: margin_mse(t(A), t(P), t(A[:, :2]), t(TEACHER))),
    (r"teacher_margins must be of shape \(6, 3\), got \(6,\)", lambda: margin_mse(t(A), t(P), t(OWN), t(TEACHER))),
    ("teacher_margins: row 0 is not finite", lambda: margin_mse(t(A), t(P), t(A), torch.full((N,), math.nan))),
    ("negatives: row 3 is not finite", lambda: margin_mse(t(A), t(P), t(NAN), t(TEACHER))),
    ("anchors needs at least 2 rows, got 1", lambda: alignment_uniformity(t(A[:1]), t(P[:1]))),
    ("must be of one shape", lambda: alignment_uniformity(t(A), t(P[:2]))),
    ("anchors: row 2 is zero", lambda: alignment_uniformity(t(ZERO), t(P))),
    ("t must be finite and above 0, got 0.0", lambda: alignment_uniformity(t(A), t(P), t=0.0)),
    ("weight must be finite and not negative, got -1.0", lambda: alignment_uniformity(t(A), t(P), weight=-1.0)),
]


@pytest.mark.parametrize(("message", "call"), BAD)
def test_bad_input_is_refused_by_value_and_rule(message, call):
    with pytest.raises(ValueError, match=message):
        call()


MUTANTS = [
    ("triplet", "(a * n).sum(dim=1) - (a * p).sum(dim=1)", "(a * p).sum(dim=1) - (a * n).sum(dim=1)"),
    ("triplet", "F.relu(gap + ", "(gap + "),
    ("triplet", 'gap + not_negative(margin, "margin")', "gap"),
    ("triplet", "a, p, n = unit(a), unit(p), unit(n)", "pass"),
    ("triplet", "vector_norm(a - n, dim=1)", "vector_norm(p - n, dim=1)"),
    ("cosent", "near.T - near", "near - near.T"),
    ("cosent", "near.new_zeros(1), wrong", "near.new_zeros(0), wrong"),
    ("cosent", "scores[:, None] > scores", "scores[:, None] >= scores"),
    ("cosent", "scale * (near.T", "20.0 * (near.T"),
    ("margin_mse", "(student - margins)", "(student + margins)"),
    ("margin_mse", "[:, None] - (a[:, None] * flat", "[:, None] - (p[:, None] * flat"),
    ("margin_mse", ".square().mean()\n\n\ndef align", ".square().sum()\n\n\ndef align"),
    ("alignment_uniformity", "(_uniformity(a, t) + _uniformity(p, t))", "(_uniformity(a, t) + _uniformity(a, t))"),
    ("alignment_uniformity", "(a - p).square()", "(a - p).abs()"),
    ("alignment_uniformity", "masked_fill(own, -torch.inf)", "masked_fill(own, 0.0)"),
    ("alignment_uniformity", "2 * t * (x", "t * (x"),
    ("alignment_uniformity", "map(unit, checked", "map(torch.clone, checked"),
]


@pytest.mark.parametrize(("name", "old", "new"), MUTANTS, ids=[f"{m[0]}: {m[2].strip()}" for m in MUTANTS])
def test_mutants_are_killed(name, old, new):
    assert killed(margins, name, old, new, CHECKS[name])
