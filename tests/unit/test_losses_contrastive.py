import math
from functools import partial

import numpy as np
import pytest
import torch
import torch.utils._pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from tests.unit.mutants import killed
from workbench.losses import blocks, contrastive, guided
from workbench.losses.contrastive import info_nce, soft_info_nce, supervised_contrastive
from workbench.losses.guided import gist, guided_mask

N, D, K = 5, 4, 3


def rows_of(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


A, P, SHARED, OWN = rows_of(1, N, D), rows_of(2, N, D), rows_of(3, 6, D), rows_of(4, N, K, D)
GUIDE_A, GUIDE_P, GUIDE_N = rows_of(5, N, 3), rows_of(6, N, 3) + rows_of(5, N, 3), rows_of(7, 6, 3)
WEIGHTS = np.array([1.0, 0.0, 2.5, 0.5, 3.0])


def t(x):
    return None if x is None else torch.tensor(x)


def cosine(x, y):
    return sum(x * y) / math.sqrt(sum(x * x) * sum(y * y))


def dot(x, y):
    return sum(x * y)


def cross_entropy(right, scores):
    return math.log(sum(math.exp(s) for s in scores)) - right


def one_way_by_hand(
    a, p, *, negatives=None, temperature=0.05, same_side=False, skip=None, margin=0.0, weights=None, near=cosine
):
    total = 0.0
    for i in range(len(a)):
        right = (near(a[i], p[i]) - margin) / temperature
        scores = [right if j == i else near(a[i], p[j]) / temperature for j in range(len(p))]
        if negatives is not None:
            for wrong in negatives[i] if negatives.ndim == 3 else negatives:
                scores.append(near(a[i], wrong) / temperature)
        if same_side:
            scores += [-math.inf if j == i else near(a[i], a[j]) / temperature for j in range(len(a))]
        kept = [s for c, s in enumerate(scores) if skip is None or not skip[i, c]]
        total += (1.0 if weights is None else weights[i]) * cross_entropy(right, kept)
    return total / (len(a) if weights is None else sum(weights))


def info_nce_by_hand(a, p, *, symmetric=False, negatives=None, skip=None, **options):
    forth = one_way_by_hand(a, p, negatives=negatives, skip=skip, **options)
    if not symmetric:
        return forth
    n = len(a)
    turned = None if skip is None else np.array([[skip[j, i] for j in range(n)] for i in range(n)])
    if skip is not None and options.get("same_side"):
        turned = np.concatenate([turned, skip[:, -n:]], axis=1)
    return (forth + one_way_by_hand(p, a, skip=turned, **options)) / 2


def mask_of(width):
    skip = np.random.default_rng(9).random((N, width)) < 0.3
    skip[np.arange(N), np.arange(N)] = False
    return skip


CASES = {
    "plain": {},
    "hot": {"temperature": 1.0},
    "symmetric": {"symmetric": True},
    "shared": {"negatives": SHARED},
    "own": {"negatives": OWN},
    "same side": {"same_side": True},
    "nt-xent": {"same_side": True, "symmetric": True},
    "skip": {"skip": mask_of(N), "symmetric": True},
    "skip of all": {"skip": mask_of(2 * N + 6), "negatives": SHARED, "same_side": True, "symmetric": True},
    "margin": {"margin": 0.2},
    "weights": {"weights": WEIGHTS, "symmetric": True},
    "everything": {
        "negatives": OWN,
        "temperature": 0.3,
        "symmetric": True,
        "same_side": True,
        "skip": mask_of(2 * N + K),
        "margin": 0.1,
        "weights": WEIGHTS,
    },
}


def as_tensors(options):
    return {k: t(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}


def agrees(loss, case, chunk=None):
    options = CASES[case]
    got = loss(t(A), t(P), **as_tensors(options), chunk=chunk)
    assert got.shape == ()
    assert got.dtype == torch.float64
    assert got.item() == pytest.approx(info_nce_by_hand(A, P, **options), rel=1e-9)


@pytest.mark.parametrize("chunk", [None, 1, 2, N, 99])
@pytest.mark.parametrize("case", CASES)
def test_info_nce_is_the_sum_by_hand_whole_and_in_chunks(case, chunk):
    agrees(info_nce, case, chunk)


def test_without_scaling_the_similarity_is_the_dot_product():
    expected = info_nce_by_hand(A, P, negatives=OWN, symmetric=True, temperature=1.0, near=dot)
    got = info_nce(t(A), t(P), negatives=t(OWN), symmetric=True, temperature=1.0, normalize=False)
    assert got.item() == pytest.approx(expected, rel=1e-9)


def soft_by_hand(a, p, targets, negatives, temperature=0.05, weights=None):
    total = 0.0
    for i in range(len(a)):
        candidates = [*p, *([] if negatives is None else negatives[i] if negatives.ndim == 3 else negatives)]
        scores = [cosine(a[i], c) / temperature for c in candidates]
        row = sum(targets[i, j] * cross_entropy(s, scores) for j, s in enumerate(scores))
        total += row * (1.0 if weights is None else weights[i])
    return total / (len(a) if weights is None else sum(weights))


def soft_agrees(loss, chunk=None):
    for negatives, width in ((None, N), (SHARED, N + 6), (OWN, N + K)):
        for temperature, weights in ((0.05, None), (0.7, WEIGHTS)):
            targets = np.random.default_rng(8).dirichlet(np.ones(width), size=N)
            expected = soft_by_hand(A, P, targets, negatives, temperature, weights)
            options = {"negatives": t(negatives), "temperature": temperature, "weights": t(weights)}
            got = loss(t(A), t(P), t(targets), **options, chunk=chunk)
            assert got.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("chunk", [None, 2])
def test_soft_info_nce_is_the_sum_by_hand(chunk):
    soft_agrees(soft_info_nce, chunk)


def test_soft_info_nce_of_an_identity_is_info_nce_and_its_floor_is_the_entropy():
    one = soft_info_nce(t(A), t(P), torch.eye(N).double())
    assert one.item() == pytest.approx(info_nce_by_hand(A, P), rel=1e-9)
    same = np.ones((N, D))
    targets = np.full((N, N), 1 / N)
    assert soft_info_nce(t(same), t(same), t(targets)).item() == pytest.approx(math.log(N), rel=1e-12)


LABELS = np.array([0, 1, 0, 2, 0])


def supervised_by_hand(x, labels, temperature):
    values = []
    for i in range(len(x)):
        scores = [cosine(x[i], x[j]) / temperature for j in range(len(x)) if j != i]
        mates = [j for j in range(len(x)) if j != i and labels[j] == labels[i]]
        if mates:
            values.append(sum(cross_entropy(cosine(x[i], x[j]) / temperature, scores) for j in mates) / len(mates))
    return sum(values) / len(values)


def supervised_agrees(loss):
    for labels in (LABELS, np.array([3, 3, 7, 7, 7])):
        got = loss(t(A), t(labels), temperature=0.2)
        assert got.item() == pytest.approx(supervised_by_hand(A, labels, 0.2), rel=1e-9)


def test_supervised_contrastive_is_the_sum_by_hand_and_leaves_single_rows_out():
    supervised_agrees(supervised_contrastive)


def gist_by_hand(a, p, guide_a, guide_p, negatives, *, temperature, margin, same_side):
    total, n = 0.0, len(a)
    for i in range(n):
        most = cosine(guide_a[i], guide_p[i]) - margin
        pairs = [(a[i], p[j], guide_a[i], guide_p[j]) for j in range(n) if j != i]
        if negatives is not None:
            pairs += [(a[i], x, guide_a[i], g) for x, g in zip(*negatives, strict=True)]
        if same_side:
            pairs += [(a[i], a[j], guide_a[i], guide_a[j]) for j in range(n) if j != i]
            pairs += [(p[i], p[j], guide_p[i], guide_p[j]) for j in range(n) if j != i]
        right = cosine(a[i], p[i]) / temperature
        kept = [cosine(x, y) / temperature for x, y, g, h in pairs if cosine(g, h) <= most]
        total += cross_entropy(right, [right, *kept])
    return total / n


def gist_agrees(loss):
    for negatives in (None, (SHARED, GUIDE_N)):
        for margin, same_side in ((0.0, True), (0.3, True), (0.0, False)):
            options = {"temperature": 0.1, "margin": margin, "same_side": same_side}
            expected = gist_by_hand(A, P, GUIDE_A, GUIDE_P, negatives, **options)
            extra = None if negatives is None else tuple(map(t, negatives))
            got = loss(t(A), t(P), t(GUIDE_A), t(GUIDE_P), negatives=extra, **options)
            assert got.item() == pytest.approx(expected, rel=1e-9)


def test_gist_is_the_sum_by_hand():
    gist_agrees(gist)


@pytest.mark.parametrize(("margin", "same_side"), [(0.0, True), (0.3, True), (0.0, False)])
def test_the_mask_is_what_the_guide_finds_nearer_than_the_pair(margin, same_side):
    expected = []
    for i in range(N):
        most = cosine(GUIDE_A[i], GUIDE_P[i]) - margin
        row = [i != j and cosine(GUIDE_A[i], GUIDE_P[j]) > most for j in range(N)]
        row += [cosine(GUIDE_A[i], x) > most for x in GUIDE_N]
        for side in (GUIDE_A, GUIDE_P) if same_side else ():
            row += [i == j or cosine(side[i], side[j]) > most for j in range(N)]
        expected.append(row)
    got = guided_mask(t(GUIDE_A), t(GUIDE_P), negatives=t(GUIDE_N), margin=margin, same_side=same_side)
    assert got.dtype == torch.bool
    assert got.tolist() == expected


def test_a_guide_of_distinct_rows_masks_nothing_and_one_of_labels_masks_the_class():
    eye = np.eye(N)
    one_sided = gist(t(A), t(P), t(eye), t(eye), temperature=0.1, same_side=False)
    assert one_sided.item() == pytest.approx(info_nce_by_hand(A, P, temperature=0.1), rel=1e-9)
    labels = np.eye(3)[LABELS]
    skip = (LABELS[:, None] == LABELS[None]) & ~np.eye(N, dtype=bool)
    got = gist(t(A), t(P), t(labels), t(labels), temperature=0.1, margin=0.5, same_side=False)
    assert got.item() == pytest.approx(info_nce_by_hand(A, P, temperature=0.1, skip=skip), rel=1e-9)


def test_the_pair_stays_where_the_guide_calls_all_rows_alike_and_no_row_meets_itself():
    same = np.ones((N, 3))
    got = gist(t(A), t(P), t(same), t(same), temperature=0.1, margin=0.1)
    assert got.item() == pytest.approx(0, abs=1e-12)  # every other candidate is masked
    tie = gist(t(A), t(A), t(same), t(same), temperature=0.1)  # a tie is kept, be it with the row itself
    scores = [[cosine(A[i], A[j]) / 0.1 for j in range(N)] for i in range(N)]
    by_hand = [cross_entropy(s[i], s + 2 * (s[:i] + s[i + 1 :])) for i, s in enumerate(scores)]
    assert tie.item() == pytest.approx(np.mean(by_hand), rel=1e-9)


def test_a_collapsed_encoder_scores_the_logarithm_of_its_candidates():
    same, more, own = torch.ones(8, 3), torch.ones(5, 3), torch.ones(8, 4, 3)
    assert info_nce(same, same).item() == pytest.approx(math.log(8), rel=1e-6)
    assert info_nce(same, same, symmetric=True, same_side=True).item() == pytest.approx(math.log(15), rel=1e-6)
    assert info_nce(same, same, negatives=more).item() == pytest.approx(math.log(13), rel=1e-6)
    assert info_nce(same, same, negatives=own).item() == pytest.approx(math.log(12), rel=1e-6)
    assert supervised_contrastive(same, torch.arange(8) % 2).item() == pytest.approx(math.log(7), rel=1e-6)
    eye = torch.eye(8)
    assert gist(same, same, eye, eye, negatives=(more, torch.eye(8)[:5])).item() == pytest.approx(
        math.log(8 + 7 + 7 + 5), rel=1e-6
    )


def test_pairs_at_right_angles_score_as_documented():
    eye, temperature = torch.eye(6).double(), 0.5
    perfect = math.log(1 + 5 * math.exp(-2))
    assert info_nce(eye, eye, temperature=temperature).item() == pytest.approx(perfect, rel=1e-12)
    rows, labels = torch.eye(2).double().repeat_interleave(3, dim=0), torch.tensor([0, 0, 0, 1, 1, 1])
    expected = math.log(2 + 3 * math.exp(-2))
    assert supervised_contrastive(rows, labels, temperature=temperature).item() == pytest.approx(expected, rel=1e-12)
    perfect = math.log(1 + 15 * math.exp(-2))
    assert gist(eye, eye, eye, eye, temperature=temperature).item() == pytest.approx(perfect, rel=1e-12)


MOVED = torch.randperm(N, generator=torch.Generator().manual_seed(0))
TURN = torch.linalg.qr(t(rows_of(11, D, D)))[0]
OF_PAIRS = {
    "info_nce": lambda a, p, *_: info_nce(a, p, symmetric=True, same_side=True),
    "gist": lambda *rows: gist(*rows[:4]),
    "supervised": lambda *rows: supervised_contrastive(rows[0], rows[-1]),
}


@pytest.mark.parametrize("name", OF_PAIRS)
def test_order_rotation_and_scale_change_nothing_but_wrong_pairs_do(name):
    loss, given = OF_PAIRS[name], (t(A), t(P), t(GUIDE_A), t(GUIDE_P), t(LABELS))
    value = loss(*given)
    assert loss(*(x[MOVED] for x in given)).item() == pytest.approx(value.item(), rel=1e-12)
    assert loss(t(A) @ TURN, t(P) @ TURN, *given[2:]).item() == pytest.approx(value.item(), rel=1e-9)
    assert loss(t(A) * 7, t(P) * 0.1, *given[2:]).item() == pytest.approx(value.item(), rel=1e-9)
    assert loss(t(A) + 1, t(P) + 1, *given[2:]).item() != pytest.approx(value.item(), rel=1e-3)
    wrong = loss(t(A), t(P)[[1, 2, 3, 4, 0]], *given[2:4], t(LABELS)[[1, 2, 3, 4, 0]])
    assert wrong.item() != pytest.approx(value.item(), rel=1e-3)


def leaf(x):
    return torch.tensor(x, requires_grad=True)


@pytest.mark.parametrize("chunk", [None, 2])
@pytest.mark.parametrize("case", ["everything", "skip of all"])
def test_gradients_are_those_of_finite_differences(case, chunk):
    options = as_tensors(CASES[case])
    options.pop("temperature", None)

    def loss(a, p, negatives, temperature):
        return info_nce(a, p, **{**options, "negatives": negatives}, temperature=temperature, chunk=chunk)

    negatives = leaf(CASES[case]["negatives"])
    assert torch.autograd.gradcheck(loss, (leaf(A), leaf(P), negatives, leaf(np.float64(0.3))))


def test_gradients_of_the_others_are_those_of_finite_differences():
    targets = t(np.random.default_rng(8).dirichlet(np.ones(N), size=N))
    for chunk in (None, 2):
        soft = partial(soft_info_nce, targets=targets, temperature=0.3, chunk=chunk)
        assert torch.autograd.gradcheck(lambda a, p, soft=soft: soft(a, p), (leaf(A), leaf(P)))
    assert torch.autograd.gradcheck(lambda x: supervised_contrastive(x, t(LABELS)), (leaf(A),))
    guide = t(GUIDE_A), t(GUIDE_P)
    assert torch.autograd.gradcheck(lambda a, p: gist(a, p, *guide, temperature=0.3), (leaf(A), leaf(P)))


def test_a_guide_gets_no_gradient():
    guide = leaf(GUIDE_A), leaf(GUIDE_P)
    gist(leaf(A), t(P), *guide).backward()
    assert guide[0].grad is None
    assert guide[1].grad is None


@pytest.mark.parametrize("options", [{}, {"symmetric": True, "same_side": True}], ids=["plain", "nt-xent"])
def test_chunks_change_neither_value_nor_gradients_in_float32(options, monkeypatch):
    monkeypatch.setattr(blocks, "PART", 41)  # rows are scaled in parts that do not fit the chunks
    a, p = (torch.randn(300, 32, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    found = []
    for chunk in (None, 37):
        x, y = a.clone().requires_grad_(), p.clone().requires_grad_()
        loss = info_nce(x, y, **options, chunk=chunk)
        (3 * loss).backward()
        found.append((loss.detach(), x.grad, y.grad))
    for whole, chunked in zip(*found, strict=True):
        torch.testing.assert_close(chunked, whole, rtol=1e-6 if whole.ndim == 0 else 0, atol=1e-6 * whole.abs().max())


def test_chunks_work_where_no_gradient_or_only_one_is_wanted():
    expected = pytest.approx(info_nce_by_hand(A, P), rel=1e-9)
    with torch.no_grad():
        loss = info_nce(leaf(A), t(P), chunk=2)
    assert not loss.requires_grad
    assert loss.item() == expected
    x = leaf(A)
    loss = info_nce(x, t(P), chunk=2)
    loss.backward(retain_graph=True)
    once = x.grad.clone()
    loss.backward()
    torch.testing.assert_close(x.grad, 2 * once)


class Largest(TorchDispatchMode):
    """The most numbers in any tensor that is made."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        made = [x.numel() for x in pytree.tree_leaves(out) if isinstance(x, torch.Tensor)]
        self.numbers = max(self.numbers, *made, 0)
        return out


@pytest.mark.parametrize("options", [{}, {"symmetric": True, "same_side": True}], ids=["plain", "nt-xent"])
def test_chunks_make_no_matrix_of_all_rows_forward_nor_backward(options):
    n, d, chunk, sides = 256, 8, 4, 2 if options else 1
    seen = {}
    for rows in (None, chunk):
        x, y = (torch.randn(n, d, generator=torch.Generator().manual_seed(s)).requires_grad_() for s in (0, 1))
        with Largest() as largest:
            info_nce(x, y, **options, chunk=rows).backward()
        seen[rows] = largest.numbers
    assert seen[None] == sides * n * n
    assert seen[chunk] == max(n * d, sides * n * chunk)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_raised_and_autocast_does_not_lower_it(dtype):
    low = [torch.tensor(x, dtype=dtype) for x in (A, P, GUIDE_A, GUIDE_P)]
    a, p, g, h = (x.double().numpy() for x in low)
    expected = (
        info_nce_by_hand(a, p, same_side=True),
        gist_by_hand(a, p, g, h, None, temperature=0.05, margin=0.0, same_side=True),
        supervised_by_hand(a, LABELS, 0.1),
    )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = (
            info_nce(*low[:2], same_side=True, chunk=2),
            gist(*low),
            supervised_contrastive(low[0], t(LABELS)),
        )
    for value, by_hand in zip(got, expected, strict=True):
        assert value.dtype == torch.float32
        assert value.item() == pytest.approx(by_hand, rel=1e-5)


NAN, ZERO = A.copy(), A.copy()
NAN[3, 1], ZERO[2] = np.nan, 0
ON_PAIR, SHORT = np.eye(N, dtype=bool), np.zeros((N, N - 1), dtype=bool)
BAD = [
    ("anchors needs at least 2 rows, got 0", lambda: info_nce(t(A[:0]), t(P[:0]))),
    ("anchors needs at least 2 rows, got 1", lambda: info_nce(t(A[:1]), t(P[:1]))),
    ("anchors needs at least 2 rows", lambda: info_nce(t(A[:1]), t(P[:1]), negatives=t(SHARED), symmetric=True)),
    (r"anchors, positives must be of one shape, got \(5, 4\), \(4, 4\)", lambda: info_nce(t(A), t(P[:4]))),
    ("one shape", lambda: info_nce(t(A), t(P[:, :3]))),
    ("anchors: row 3 is not finite", lambda: info_nce(t(NAN), t(P))),
    ("positives: row 2 is zero", lambda: info_nce(t(A), t(ZERO))),
    ("anchors must be dense and of a floating dtype", lambda: info_nce(t(A).long(), t(P))),
    ("temperature must be finite and above 0, got 0.0", lambda: info_nce(t(A), t(P), temperature=0.0)),
    ("temperature must be finite and above 0, got -1", lambda: info_nce(t(A), t(P), temperature=-1.0)),
    ("temperature must be finite and above 0, got nan", lambda: info_nce(t(A), t(P), temperature=math.nan)),
    ("temperature must be one number", lambda: info_nce(t(A), t(P), temperature=torch.ones(2))),
    ("margin must be finite and not negative, got -0.1", lambda: info_nce(t(A), t(P), margin=-0.1)),
    ("margin must be finite", lambda: info_nce(t(A), t(P), margin=math.nan)),
    ("weights must be of shape", lambda: info_nce(t(A), t(P), weights=torch.ones(N, 1))),
    ("not negative, got -1.0 in row 0", lambda: info_nce(t(A), t(P), weights=-torch.ones(N))),
    ("finite and not negative, got nan", lambda: info_nce(t(A), t(P), weights=torch.full((N,), math.nan))),
    ("weights must not all be 0", lambda: info_nce(t(A), t(P), weights=torch.zeros(N))),
    ("skip must spare the pair of each row, leaves out that of row 0", lambda: info_nce(t(A), t(P), skip=t(ON_PAIR))),
    (r"skip must be bool of shape \(5, 5\)", lambda: info_nce(t(A), t(P), skip=t(SHORT))),
    (r"skip must be bool of shape \(5, 10\)", lambda: info_nce(t(A), t(P), skip=t(mask_of(N)), same_side=True)),
    ("skip must be bool", lambda: info_nce(t(A), t(P), skip=torch.zeros(N, N))),
    ("chunk must be at least 1, got 0", lambda: info_nce(t(A), t(P), chunk=0)),
    (r"negatives must be \(m, d\) or \(n, k, d\), d=4", lambda: info_nce(t(A), t(P), negatives=t(SHARED[:, :3]))),
    (r"negatives must be \(m, d\)", lambda: info_nce(t(A), t(P), negatives=t(SHARED[0]))),
    ("negatives must be of 5 anchors, got 4", lambda: info_nce(t(A), t(P), negatives=t(OWN[:4]))),
    ("negatives: row 3 is not finite", lambda: info_nce(t(A), t(P), negatives=t(NAN))),
    ("negatives needs at least 1 rows", lambda: info_nce(t(A), t(P), negatives=t(SHARED[:0]))),
    (r"targets must be of shape \(5, 5\), got \(5, 4\)", lambda: soft_info_nce(t(A), t(P), torch.ones(N, 4) / 4)),
    ("targets: row 0 is no distribution", lambda: soft_info_nce(t(A), t(P), torch.ones(N, N))),
    ("targets: row 1 is no distribution", lambda: soft_info_nce(t(A), t(P), negative_targets())),
    ("anchors needs at least 2 rows, got 1", lambda: soft_info_nce(t(A[:1]), t(P[:1]), torch.ones(1, 1))),
    ("labels must be 5 integers", lambda: supervised_contrastive(t(A), torch.ones(N))),
    ("labels must be 5 integers", lambda: supervised_contrastive(t(A), torch.ones(4).long())),
    ("labels must hold one label at least twice", lambda: supervised_contrastive(t(A), torch.arange(N))),
    ("rows needs at least 2 rows, got 1", lambda: supervised_contrastive(t(A[:1]), torch.ones(1).long())),
    ("rows: row 2 is zero", lambda: supervised_contrastive(t(ZERO), t(LABELS))),
    ("temperature must be", lambda: supervised_contrastive(t(A), t(LABELS), temperature=0.0)),
    ("the guide must have the student's 5 rows, got 4", lambda: gist(t(A), t(P), t(GUIDE_A[:4]), t(GUIDE_P[:4]))),
    ("guide_anchors, guide_positives must be of one shape", lambda: gist(t(A), t(P), t(GUIDE_A), t(GUIDE_P[:4]))),
    ("guide_positives: row 3 is not finite", lambda: gist(t(A), t(P), t(A), t(NAN))),
    ("anchors needs at least 2 rows, got 1", lambda: gist(*(t(x[:1]) for x in (A, P, GUIDE_A, GUIDE_P)))),
    ("guide_negatives must be", lambda: guided_mask(t(GUIDE_A), t(GUIDE_P), negatives=t(GUIDE_A)[:, :1])),
    ("guide_anchors, guide_positives must be of one shape", lambda: guided_mask(t(GUIDE_A), t(GUIDE_P[:4]))),
    ("guide_anchors: row 3 is not finite", lambda: guided_mask(t(NAN), t(P))),
    ("margin must be", lambda: guided_mask(t(GUIDE_A), t(GUIDE_P), margin=-1.0)),
    ("margin must be", lambda: gist(*map(t, (A, P, GUIDE_A, GUIDE_P)), margin=-1.0)),
    ("temperature must be", lambda: gist(*map(t, (A, P, GUIDE_A, GUIDE_P)), temperature=math.nan)),
    (
        r"negatives must be \(m, 4\) and \(m, 3\), got \(6, 4\) and \(5, 3\)",
        lambda: gist(*map(t, (A, P, GUIDE_A, GUIDE_P)), negatives=(t(SHARED), t(GUIDE_N[:5]))),
    ),
]


def negative_targets():
    targets = torch.eye(N)
    targets[1, :2] = torch.tensor([-1.0, 2.0])
    return targets


@pytest.mark.parametrize(("message", "call"), BAD)
def test_bad_input_is_refused_by_value_and_rule(message, call):
    with pytest.raises(ValueError, match=message):
        call()


def test_one_anchor_with_negatives_of_its_own_is_a_contrast():
    expected = info_nce_by_hand(A[:1], P[:1], negatives=SHARED)
    assert info_nce(t(A[:1]), t(P[:1]), negatives=t(SHARED)).item() == pytest.approx(expected, rel=1e-9)


def every_case(loss):
    for case in CASES:
        agrees(loss, case)


MUTANTS = [
    ("info_nce", every_case, "loss = (loss + _one_way(_Rowwise(columns,", "loss = (loss + _one_way(_Rowwise(rows,"),
    ("info_nce", every_case, "logits.append((rows @ peers.T).scatter(1, pair, -torch.inf))", "pass"),
    ("info_nce", every_case, ".scatter(1, pair, -torch.inf)", ""),
    ("info_nce", every_case, "    if margin:\n", "    if False:\n"),
    ("info_nce", every_case, "skip[:, :n].T, skip", "skip[:, :n], skip"),
    ("info_nce", every_case, "if normalize else torch.as_tensor", "if False else torch.as_tensor"),
    ("info_nce", every_case, "return total / rowwise.weights.sum()", "return total / len(rowwise.rows)"),
    ("soft_info_nce", soft_agrees, "(targets * logits)", "(targets.exp() * logits)"),
    ("soft_info_nce", soft_agrees, "logits.append(rows @ shared.T)", "logits.append(columns @ shared.T)"),
    ("soft_info_nce", soft_agrees, "rows, pair = rows / temperature", "rows, pair = rows * temperature"),
    ("supervised_contrastive", supervised_agrees, "labels[None, :]) & ~own", "labels[None, :])"),
    ("supervised_contrastive", supervised_agrees, "(count > 0).sum()", "len(rows)"),
    ("supervised_contrastive", supervised_agrees, "    near = unit(rows)", "    near = rows"),
    ("supervised_contrastive", supervised_agrees, "logits.masked_fill(own, -torch.inf).log", "logits.log"),
    ("gist", gist_agrees, "guide > guide.diagonal()[:, None]", "guide > guide.amax(dim=1)[:, None]"),
    ("gist", gist_agrees, '[:, None] - not_negative(margin, "margin")', "[:, None]"),
    ("gist", gist_agrees, "[*blocks, a @ a.T, p @ p.T]", "[*blocks, a @ a.T, a @ a.T]"),
    ("gist", gist_agrees, "guide > guide.diag", "guide < guide.diag"),
]


@pytest.mark.parametrize(("name", "check", "old", "new"), MUTANTS, ids=[f"{m[0]}: {m[3].strip()}" for m in MUTANTS])
def test_mutants_are_killed(name, check, old, new):
    assert killed(guided if name == "gist" else contrastive, name, old, new, check)
