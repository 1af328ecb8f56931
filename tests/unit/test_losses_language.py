"""Losses over tokens and classes: loops over numbers, torch's and transformers' own, closed forms, mutants."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers.loss.loss_utils import ForCausalLMLoss

from tests.unit.mutants import killed
from workbench.losses import language
from workbench.losses.language import bag_of_words, causal_lm, class_matrix, masked_lm, replaced_token

N, L, V = 3, 5, 7
LABELS = np.array([[-100, 2, -100, 6, -100], [0, -100, -100, -100, 3], [-100] * 5])
IDS = np.array([[4, 2, 2, 6, 1], [0, 5, 3, 3, 3], [6, 6, 6, 1, 0]])
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 1, 1, 0]], dtype=bool)
CLASSES = np.array([1, 0, 2, 1, 1])


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape) * 2


def surprise(logits, wanted):
    return math.log(sum(math.exp(v) for v in logits)) - logits[wanted]


def masked_by_hand(logits, labels):
    terms = [surprise(logits[place], y) for place, y in np.ndenumerate(labels) if y != -100]
    return sum(terms) / len(terms)


def causal_by_hand(logits, ids, mask=None):
    terms = []
    for i, row in enumerate(ids):
        for t in range(1, len(row)):
            if mask is None or mask[i, t]:
                terms.append(surprise(logits[i, t - 1], row[t]))
    return sum(terms) / len(terms)


def replaced_by_hand(logits, replaced, mask=None):
    terms = []
    for place, z in np.ndenumerate(logits):
        if mask is None or mask[place]:
            p = 1 / (1 + math.exp(-z))
            terms.append(-math.log(p if replaced[place] else 1 - p))
    return sum(terms) / len(terms)


def bag_by_hand(logits, ids, mask=None):
    total = 0.0
    for i, row in enumerate(ids):
        words = {y for t, y in enumerate(row) if mask is None or mask[i, t]}
        total += sum(surprise(logits[i], y) for y in words) / len(words)
    return total / len(ids)


def classes_by_hand(rows, matrix, labels, temperature=1.0, bias=None):
    total = 0.0
    for row, y in zip(rows, labels, strict=True):
        logits = [sum(a * b for a, b in zip(row, m, strict=True)) / temperature for m in matrix]
        total += surprise(logits if bias is None else [a + b for a, b in zip(logits, bias, strict=True)], y)
    return total / len(rows)


def as_tensors(*arrays):
    return [None if a is None else torch.tensor(a) for a in arrays]


def check_masked(loss):
    x = drawn(N, L, V)
    for logits, labels in ((x, LABELS), (x[0], LABELS[0]), (x, IDS)):
        assert loss(*as_tensors(logits, labels)).item() == pytest.approx(masked_by_hand(logits, labels), abs=1e-9)


def check_causal(loss):
    x = drawn(N, L, V, seed=1)
    for mask in (None, MASK):
        logits, ids, kept = as_tensors(x, IDS, mask)
        assert loss(logits, ids, mask=kept).item() == pytest.approx(causal_by_hand(x, IDS, mask), abs=1e-9)


def check_replaced(loss):
    x = drawn(N, L, seed=2)
    replaced = IDS > 3
    for mask in (None, MASK):
        logits, truth, kept = as_tensors(x, replaced, mask)
        assert loss(logits, truth, mask=kept).item() == pytest.approx(replaced_by_hand(x, replaced, mask), abs=1e-9)


def check_bag(loss):
    x = drawn(N, V, seed=3)
    for mask in (None, MASK):
        logits, ids, kept = as_tensors(x, IDS, mask)
        assert loss(logits, ids, mask=kept).item() == pytest.approx(bag_by_hand(x, IDS, mask), abs=1e-9)


def check_classes(loss):
    x, matrix, bias = drawn(5, 4, seed=4), drawn(3, 4, seed=5), drawn(3, seed=6)
    for temperature in (0.4, 1.0):
        for b in (None, bias):
            rows, classes, labels, offset = as_tensors(x, matrix, CLASSES, b)
            got = loss(rows, classes, labels, temperature=temperature, bias=offset).item()
            assert got == pytest.approx(classes_by_hand(x, matrix, CLASSES, temperature, b), abs=1e-9)


CHECKS = {
    "masked_lm": check_masked,
    "causal_lm": check_causal,
    "replaced_token": check_replaced,
    "bag_of_words": check_bag,
    "class_matrix": check_classes,
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_loss_is_the_loop_over_its_numbers(name):
    CHECKS[name](getattr(language, name))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("masked_lm", "wanted != IGNORED, ", "wanted > 0, "),
        ("masked_lm", "F.cross_entropy(raised(chosen), ids[kept])", "F.nll_loss(raised(chosen), ids[kept])"),
        ("masked_lm", "F.cross_entropy(raised(chosen), ids[kept])", "F.cross_entropy(raised(chosen), ids[kept]) * 2"),
        ("causal_lm", "logits[:, :-1], wanted[:, 1:], kept[:, 1:]", "logits, wanted, kept"),
        ("causal_lm", "logits[:, :-1], wanted[:, 1:]", "logits[:, 1:], wanted[:, :-1]"),
        ("causal_lm", "wanted[:, 1:], kept[:, 1:]", "wanted[:, 1:], kept[:, :-1]"),
        ("causal_lm", "kept = checked_mask(mask, wanted)\n    return", "kept = wanted >= 0\n    return"),
        ("replaced_token", "replaced[kept].to(", "(~replaced[kept]).to("),
        ("replaced_token", "kept = checked_mask(mask, logits)", "kept = replaced | True"),
        ("replaced_token", "F.binary_cross_entropy_with_logits(chosen", "F.mse_loss(chosen.sigmoid()"),
        ("bag_of_words", " / inside.sum(dim=1)", " / kept.sum(dim=1)"),
        ("bag_of_words", "kept = checked_mask(mask, wanted)\n    empty", "kept = wanted >= 0\n    empty"),
        ("bag_of_words", "return -(likelihoods.sum(dim=1)", "return -(likelihoods.logsumexp(dim=1)"),
        ("bag_of_words", "scores.log_softmax(dim=1)", "scores.log_softmax(dim=0)"),
        ("class_matrix", " / temperature\n", "\n"),
        ("class_matrix", "logits = logits + bias", "logits = logits - bias"),
        ("class_matrix", "logits = logits + bias", "logits = logits + bias / temperature"),
        ("class_matrix", "x.to(dtype) @ ", "torch.nn.functional.normalize(x.to(dtype)) @ "),
    ],
)
def test_mutants_are_killed(name, old, new):
    assert killed(language, name, old, new, CHECKS[name])


def test_torch_s_cross_entropy_is_the_same():
    x, labels = as_tensors(drawn(N, L, V), LABELS)
    expected = F.cross_entropy(x.reshape(-1, V), labels.reshape(-1), ignore_index=-100)
    assert masked_lm(x, labels).item() == pytest.approx(expected.item(), rel=1e-12)
    rows, matrix, classes = as_tensors(drawn(5, 4), drawn(3, 4, seed=1), CLASSES)
    assert class_matrix(rows, matrix, classes, temperature=0.1).item() == pytest.approx(
        F.cross_entropy(F.linear(rows, matrix) / 0.1, classes).item(), rel=1e-12
    )
    # a bag of words is a cross-entropy against an even distribution
    logits, ids = as_tensors(drawn(N, V), IDS)
    even = torch.stack([(torch.bincount(row, minlength=V) > 0).double() for row in ids])
    even = even / even.sum(dim=1, keepdim=True)
    assert bag_of_words(logits, ids).item() == pytest.approx(F.cross_entropy(logits, even).item(), rel=1e-12)


def test_transformers_causal_loss_is_the_same():
    logits, ids, mask = as_tensors(drawn(N, L, V).astype(np.float32), IDS, MASK)
    expected = ForCausalLMLoss(logits, ids.masked_fill(~mask, -100), vocab_size=V)
    assert causal_lm(logits, ids, mask=mask).item() == pytest.approx(expected.item(), rel=1e-6)


def loss_of(name):
    """The loss as a function of what may need a gradient, with everything else filled in."""
    ids, mask, labels, classes = as_tensors(IDS, MASK, LABELS, CLASSES)
    return {
        "masked_lm": (lambda x: masked_lm(x, labels), [(N, L, V)]),
        "causal_lm": (lambda x: causal_lm(x, ids, mask=mask), [(N, L, V)]),
        "replaced_token": (lambda x: replaced_token(x, ids > 3, mask=mask), [(N, L)]),
        "bag_of_words": (lambda x: bag_of_words(x, ids, mask=mask), [(N, V)]),
        "class_matrix": (lambda x, m, b: class_matrix(x, m, classes, temperature=0.5, bias=b), [(5, 4), (3, 4), (3,)]),
    }[name]


@pytest.mark.parametrize("name", CHECKS)
def test_gradients_are_those_of_finite_differences(name):
    loss, shapes = loss_of(name)
    inputs = [torch.tensor(drawn(*shape, seed=i)).requires_grad_() for i, shape in enumerate(shapes)]
    assert torch.autograd.gradcheck(loss, inputs)


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_raised(name, dtype):
    loss, shapes = loss_of(name)
    inputs = [torch.tensor(drawn(*shape, seed=i)).to(dtype) for i, shape in enumerate(shapes)]
    got = loss(*inputs)
    assert got.dtype == torch.float32
    assert got.ndim == 0
    assert got.item() == pytest.approx(loss(*(x.double() for x in inputs)).item(), rel=1e-5)


@pytest.mark.parametrize("name", CHECKS)
def test_autocast_changes_nothing(name):
    loss, shapes = loss_of(name)
    inputs = [torch.tensor(drawn(*shape, seed=i)).float() for i, shape in enumerate(shapes)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = loss(*inputs)
    assert got.dtype == torch.float32
    assert got.item() == loss(*inputs).item()


@pytest.mark.parametrize("name", ["masked_lm", "causal_lm", "replaced_token"])
def test_logits_that_do_not_count_may_be_nan(name):
    loss, (shape,) = loss_of(name)
    x = torch.tensor(drawn(*shape))
    unused = {
        "masked_lm": torch.tensor(LABELS == -100),
        "causal_lm": ~torch.tensor(np.concatenate([MASK[:, 1:], np.zeros((N, 1), bool)], axis=1)),
        "replaced_token": torch.tensor(~MASK),
    }[name]
    torn = x.clone()
    torn[unused] = math.nan
    torn.requires_grad_()
    value = loss(torn)
    (gradient,) = torch.autograd.grad(value, torn)
    assert value.item() == loss(x).item()
    assert (gradient[unused] == 0).all()
    assert torch.isfinite(gradient).all()
    assert unused.any()


def test_the_order_of_texts_and_a_constant_do_not_matter():
    x, ids, mask, labels = as_tensors(drawn(N, L, V), IDS, MASK, LABELS)
    order = torch.tensor([2, 0, 1])
    pairs = [
        (masked_lm(x, labels), masked_lm(x[order] + 3, labels[order])),
        (causal_lm(x, ids, mask=mask), causal_lm(x[order] - 2, ids[order], mask=mask[order])),
        (bag_of_words(x[:, 0], ids), bag_of_words(x[order, 0] + 3, ids[order].flip(1))),
        (replaced_token(x[..., 0], ids > 3), replaced_token(x[order, :, 0].flip(1), (ids > 3)[order].flip(1))),
        (replaced_token(x[..., 0], ids > 3), replaced_token(-x[..., 0], ids <= 3)),
    ]
    for one, other in pairs:
        assert other.item() == pytest.approx(one.item(), rel=1e-12)
    assert causal_lm(x.flip(1), ids.flip(1)).item() != pytest.approx(causal_lm(x, ids).item(), rel=1e-3)
    assert replaced_token(x[..., 0] + 1, ids > 3).item() != pytest.approx(
        replaced_token(x[..., 0], ids > 3).item(), rel=1e-3
    )


def test_a_rotation_of_rows_and_classes_does_not_matter(rng):
    rows, matrix, labels = as_tensors(drawn(5, 4), drawn(3, 4, seed=1), CLASSES)
    turn = torch.tensor(np.linalg.qr(rng.normal(size=(4, 4)))[0])
    plain = class_matrix(rows, matrix, labels).item()
    assert class_matrix(rows @ turn, matrix @ turn, labels).item() == pytest.approx(plain, rel=1e-12)
    assert class_matrix(rows @ turn, matrix, labels).item() != pytest.approx(plain, rel=1e-3)
    order = torch.tensor([1, 2, 0])  # class i becomes the one that stands where order is i
    assert class_matrix(rows, matrix[order], torch.argsort(order)[labels]).item() == pytest.approx(plain, rel=1e-12)


def test_values_where_all_logits_are_equal():
    ids, labels, classes = as_tensors(IDS, LABELS, CLASSES)
    equal = torch.full((N, L, V), 0.3, dtype=torch.float64)
    for got in (masked_lm(equal, labels), causal_lm(equal, ids), bag_of_words(equal[:, 0], ids)):
        assert got.item() == pytest.approx(math.log(V), rel=1e-12)
    assert replaced_token(torch.zeros(N, L), ids > 3).item() == pytest.approx(math.log(2), rel=1e-6)
    alike = class_matrix(torch.randn(5, 4), torch.ones(3, 4), classes)
    assert alike.item() == pytest.approx(math.log(3), rel=1e-6)


def test_values_of_certainty():
    ids, labels, classes = as_tensors(IDS, LABELS, CLASSES)
    certain = 100 * F.one_hot(ids, V).double()
    assert masked_lm(certain, torch.where(labels < 0, labels, ids)).item() == pytest.approx(0, abs=1e-12)
    ahead = torch.cat([certain[:, 1:], certain[:, :1]], dim=1)
    assert causal_lm(ahead, ids).item() == pytest.approx(0, abs=1e-12)
    assert replaced_token(100 * (2 * (ids > 3).double() - 1), ids > 3).item() == pytest.approx(0, abs=1e-12)
    assert class_matrix(100 * torch.eye(3)[classes], torch.eye(3), classes).item() == pytest.approx(0, abs=1e-6)
    on_the_words = certain.amax(dim=1)
    floor = np.mean([math.log(len(set(row))) for row in IDS.tolist()])
    assert bag_of_words(on_the_words, ids).item() == pytest.approx(floor, abs=1e-12)


def test_values_of_a_collapsed_encoder():
    ids, classes = as_tensors(IDS, CLASSES)
    share = np.bincount(CLASSES) / len(CLASSES)
    frequencies = -(share * np.log(share)).sum()
    rows = torch.ones(5, 3, dtype=torch.float64)
    matrix = torch.tensor(np.log(share)[:, None] * np.full((3, 3), 1 / 3))
    assert class_matrix(rows, matrix, classes).item() == pytest.approx(frequencies, rel=1e-12)
    part = (IDS > 3).mean()
    odds = torch.full((N, L), math.log(part / (1 - part)), dtype=torch.float64)
    expected = -(part * math.log(part) + (1 - part) * math.log(1 - part))
    assert replaced_token(odds, ids > 3).item() == pytest.approx(expected, rel=1e-12)


X, XS, I = torch.ones(2, 3, 4), torch.ones(2, 4), torch.ones(2, 3, dtype=torch.int64)  # noqa: E741
NONE = torch.zeros(2, 3, dtype=torch.bool)
HOLE = X.clone()
HOLE[1, 0, 2] = math.nan


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (lambda: masked_lm(X, I[:1]), r"logits must be floats of the shape of labels.*\(2, 3, 4\) and \(1, 3\)"),
        (lambda: masked_lm(X[..., :1], I), "an axis of 2 or more"),
        (lambda: masked_lm(X[0, 0], I[0, 0]), r"got torch.float32 \(4,\) and \(\)"),
        (lambda: masked_lm(X.int(), I), "logits must be floats"),
        (lambda: masked_lm(X, I.double()), "labels must hold integers, got torch.float64"),
        (lambda: masked_lm(X, I > 0), "labels must hold integers, got torch.bool"),
        (lambda: masked_lm(X, I * 0 - 100), "no place of 6 counts"),
        (lambda: masked_lm(X[:0], I[:0]), "no place of 0 counts"),
        (lambda: masked_lm(X, I + 3), r"labels must lie in 0..3, got 4 at \(0, 0\)"),
        (lambda: masked_lm(X, I - 2), r"labels must lie in 0..3, got -1 at \(0, 0\)"),
        (lambda: masked_lm(HOLE, I), r"logits: place \(1, 0\) is not finite"),
        (lambda: causal_lm(XS, I), r"logits must be \(n, l, v\)"),
        (lambda: causal_lm(X, I[:, :2]), r"got \(2, 3, 4\) and \(2, 2\)"),
        (lambda: causal_lm(X[:, :1], I[:, :1]), "2 places or more"),
        (lambda: causal_lm(X[..., :1], I), "an axis of 2 or more"),
        (lambda: causal_lm(X.int(), I), "logits must be floats"),
        (lambda: causal_lm(X[:0], I[:0]), "no place of 0 counts"),
        (lambda: causal_lm(X, I.float()), "ids must hold integers, got torch.float32"),
        (lambda: causal_lm(X, I, mask=I), "mask must be of dtype bool.*got torch.int64"),
        (lambda: causal_lm(X, I, mask=NONE[:1]), r"mask must be of shape \(2, 3\), got \(1, 3\)"),
        (lambda: causal_lm(X, I, mask=NONE), "no place of 4 counts"),
        (lambda: causal_lm(X, I + 9), "ids must lie in 0..3, got 10"),
        (lambda: causal_lm(HOLE, I), r"logits: place \(1, 0\) is not finite"),
        (lambda: replaced_token(X, ~NONE), r"logits must be floats \(n, l\)"),
        (lambda: replaced_token(X[0], ~NONE), r"got torch.float32 \(3, 4\) and \(2, 3\)"),
        (lambda: replaced_token(I, ~NONE), "got torch.int64"),
        (lambda: replaced_token(X[..., 0], I), "replaced must be of dtype bool, got torch.int64"),
        (lambda: replaced_token(X[..., 0], ~NONE, mask=I), "mask must be of dtype bool"),
        (lambda: replaced_token(X[..., 0], ~NONE, mask=NONE), "no place of 6 counts"),
        (lambda: replaced_token(X[:0, :, 0], ~NONE[:0]), "no place of 0 counts"),
        (lambda: replaced_token(HOLE[..., 2], ~NONE), r"logits: place \(1, 0\) is not finite"),
        (lambda: bag_of_words(X, I), "logits must be 2-D"),
        (lambda: bag_of_words(XS[:0], I[:0]), "logits needs at least 1 rows"),
        (lambda: bag_of_words(XS[:, :1], I * 0), "v at least 2"),
        (lambda: bag_of_words(XS, I[0]), r"got \(2, 4\) and \(3,\)"),
        (lambda: bag_of_words(XS, I[:1]), r"got \(2, 4\) and \(1, 3\)"),
        (lambda: bag_of_words(XS.int(), I), "logits must be dense and of a floating dtype"),
        (lambda: bag_of_words(HOLE[:, 0], I), "logits: row 1 is not finite"),
        (lambda: bag_of_words(XS, I + 0.5), "ids must hold integers"),
        (lambda: bag_of_words(XS, I, mask=I), "mask must be of dtype bool"),
        (lambda: bag_of_words(XS, I, mask=NONE[:1]), "mask must be of shape"),
        (lambda: bag_of_words(XS, I, mask=torch.tensor([[True] * 3, [False] * 3])), "row 1 has no token that counts"),
        (lambda: bag_of_words(XS, I + 3), r"ids must lie in 0..3, got 4 at \(0, 0\)"),
        (lambda: bag_of_words(XS, I - 2), r"ids must lie in 0..3, got -1 at \(0, 0\)"),
        (lambda: class_matrix(XS, XS[:1], I[:, 0]), "matrix needs at least 2 rows, got 1"),
        (lambda: class_matrix(XS[:0], XS, I[:0, 0]), "rows needs at least 1 rows"),
        (lambda: class_matrix(XS, XS[:, :3], I[:, 0]), "as many columns, got 4 and 3"),
        (lambda: class_matrix(HOLE[:, 0], XS, I[:, 0]), "rows: row 1 is not finite"),
        (lambda: class_matrix(XS, HOLE[:, 0], I[:, 0]), "matrix: row 1 is not finite"),
        (lambda: class_matrix(XS, XS, I[0]), r"got torch.float32 \(2, 2\) and \(3,\)"),
        (lambda: class_matrix(XS, XS, I[:, 0] > 0), "labels must hold integers"),
        (lambda: class_matrix(XS, XS, I[:, 0] + 1), "labels must lie in 0..1, got 2"),
        (lambda: class_matrix(XS, XS, I[:, 0] - 101), "labels must lie in 0..1, got -100"),
        (lambda: class_matrix(XS, XS, I[:, 0], temperature=0), "temperature must be finite and above 0, got 0"),
        (
            lambda: class_matrix(XS, XS, I[:, 0], temperature=math.nan),
            "temperature must be finite and above 0, got nan",
        ),
        (lambda: class_matrix(XS, XS, I[:, 0], bias=XS[0]), "bias must be 2 finite floats"),
        (lambda: class_matrix(XS, XS, I[:, 0], bias=I[:, 0]), "bias must be 2 finite floats"),
        (lambda: class_matrix(XS, XS, I[:, 0], bias=HOLE[:, 0, 2]), "bias must be 2 finite floats"),
    ],
)
def test_wrong_input_is_refused(call, rule):
    with pytest.raises(ValueError, match=rule):
        call()
