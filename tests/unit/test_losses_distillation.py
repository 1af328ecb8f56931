"""Losses against a teacher or a list of relevances: loops over numbers, closed forms, invariances, mutants."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from tests.unit.mutants import killed
from workbench.losses import distillation, ranking
from workbench.losses.distillation import distil_scores, embedding_cosine, embedding_mse
from workbench.losses.ranking import list_net, rank_net

LISTS = [distil_scores, list_net, rank_net]
ROWS = [embedding_mse, embedding_cosine]
# the third list has two candidates, and one that is left out stands between others
MASK = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [0, 1, 0, 1]], dtype=bool)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def drawn(seed=5, shape=(3, 4)):
    left, right = np.random.default_rng(seed).normal(size=(2, *shape))
    return 2 * left, right + 0.5


def softmax_by_hand(values, temperature):
    exponentials = [math.exp(v / temperature) for v in values]
    return [e / sum(exponentials) for e in exponentials]


def kept_by_hand(x, mask):
    return [[v for v, keep in zip(row, kept, strict=True) if keep] for row, kept in zip(x, mask, strict=True)]


def distil_by_hand(student, teacher, temperature=1.0, mask=None):
    mask = np.ones(student.shape, bool) if mask is None else mask
    total = 0.0
    for ours, theirs in zip(kept_by_hand(student, mask), kept_by_hand(teacher, mask), strict=True):
        q, p = softmax_by_hand(ours, temperature), softmax_by_hand(theirs, temperature)
        total += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    return temperature**2 * total / len(student)


def list_net_by_hand(scores, relevance, temperature=1.0, mask=None):
    mask = np.ones(scores.shape, bool) if mask is None else mask
    total = 0.0
    for ours, wanted in zip(kept_by_hand(scores, mask), kept_by_hand(relevance, mask), strict=True):
        q, p = softmax_by_hand(ours, temperature), softmax_by_hand(wanted, temperature)
        total -= sum(a * math.log(b) for a, b in zip(p, q, strict=True))
    return total / len(scores)


def rank_net_by_hand(scores, relevance, mask=None):
    mask = np.ones(scores.shape, bool) if mask is None else mask
    terms = []
    for ours, wanted in zip(kept_by_hand(scores, mask), kept_by_hand(relevance, mask), strict=True):
        for i in range(len(ours)):
            for j in range(len(ours)):
                if wanted[i] > wanted[j]:
                    terms.append(math.log(1 + math.exp(ours[j] - ours[i])))
    return sum(terms) / len(terms)


def mse_by_hand(student, teacher):
    n, d = student.shape
    return sum((student[i, j] - teacher[i, j]) ** 2 for i in range(n) for j in range(d)) / (n * d)


def cosine_by_hand(student, teacher):
    total = 0.0
    for a, b in zip(student, teacher, strict=True):
        dot = sum(x * y for x, y in zip(a, b, strict=True))
        total += 1 - dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
    return total / len(student)


def as_tensors(*arrays):
    return [torch.tensor(a) for a in arrays]


def check_distil(loss):
    x, y = drawn()
    for temperature in (0.3, 1.0, 2.5):
        for mask in (None, MASK):
            got = loss(*as_tensors(x, y), temperature=temperature, mask=None if mask is None else torch.tensor(mask))
            assert got.item() == pytest.approx(distil_by_hand(x, y, temperature, mask), abs=1e-9)


def check_list_net(loss):
    x, y = drawn(6)
    for temperature in (0.3, 1.0, 2.5):
        for mask in (None, MASK):
            got = loss(*as_tensors(x, y), temperature=temperature, mask=None if mask is None else torch.tensor(mask))
            assert got.item() == pytest.approx(list_net_by_hand(x, y, temperature, mask), abs=1e-9)


def check_rank_net(loss):
    x, _ = drawn(7)
    grades = np.array([[2, 0, 1, 0], [3, 3, 0, 3], [1, 1, 2, 0]])  # with ties, and one list shorter in pairs
    for relevance in (grades, grades + drawn(8)[1]):
        for mask in (None, MASK):
            got = loss(*as_tensors(x, relevance), mask=None if mask is None else torch.tensor(mask))
            assert got.item() == pytest.approx(rank_net_by_hand(x, relevance, mask), abs=1e-9)


def check_mse(loss):
    x, y = drawn(9, (5, 3))
    assert loss(*as_tensors(x, y)).item() == pytest.approx(mse_by_hand(x, y), abs=1e-9)


def check_cosine(loss):
    x, y = drawn(10, (5, 3))
    assert loss(*as_tensors(x, y)).item() == pytest.approx(cosine_by_hand(x, y), abs=1e-9)


CHECKS = {
    distil_scores: check_distil,
    list_net: check_list_net,
    rank_net: check_rank_net,
    embedding_mse: check_mse,
    embedding_cosine: check_cosine,
}


@pytest.mark.parametrize("loss", CHECKS, ids=lambda f: f.__name__)
def test_a_loss_is_the_loop_over_its_numbers(loss):
    CHECKS[loss](loss)


@pytest.mark.parametrize(
    ("module", "name", "old", "new"),
    [
        (distillation, "distil_scores", "* temperature**2", "* temperature"),
        (distillation, "distil_scores", "for x in (ours, theirs)", "for x in (theirs, ours)"),
        (distillation, "distil_scores", ".masked_fill(~kept, -torch.inf)", ""),
        (distillation, "distil_scores", "(log_p.exp() * (log_p - log_q))", "(log_p - log_q)"),
        (distillation, "embedding_mse", "F.mse_loss(", "F.l1_loss("),
        (distillation, "embedding_mse", "F.mse_loss(ours, theirs)", "F.mse_loss(ours, ours.detach() * 0)"),
        (distillation, "embedding_mse", "return F.mse_loss(", "return student.shape[1] * F.mse_loss("),
        (distillation, "embedding_cosine", "unit(ours) *", "ours *"),
        (distillation, "embedding_cosine", "* unit(theirs)", "* theirs"),
        (distillation, "embedding_cosine", "return (1 - (", "return (1 + ("),
        (ranking, "list_net", "(ours / temperature)", "ours"),
        (ranking, "list_net", "(wanted / temperature)", "wanted"),
        (ranking, "list_net", "(p * log_q).sum(dim=1).mean()", "(log_q.exp() * log_q).sum(dim=1).mean()"),
        (ranking, "list_net", "temperature).masked_fill(~kept, -torch.inf).softmax", "temperature).softmax"),
        (ranking, "rank_net", "F.softplus(-gaps", "F.softplus(gaps"),
        (ranking, "rank_net", "wanted[:, :, None] > wanted", "wanted[:, :, None] >= wanted"),
        (ranking, "rank_net", " & kept[:, :, None] & kept[:, None, :]", ""),
        (ranking, "rank_net", " & kept[:, None, :]", ""),
        (ranking, "rank_net", "ours[:, :, None] - ours[:, None, :]", "wanted[:, :, None] - wanted[:, None, :]"),
    ],
)  # fmt: skip
def test_mutants_are_killed(module, name, old, new):
    assert killed(module, name, old, new, CHECKS[getattr(module, name)])


@pytest.mark.parametrize("loss", CHECKS, ids=lambda f: f.__name__)
def test_gradients_are_those_of_finite_differences(loss):
    x, y = (t.requires_grad_() for t in as_tensors(*drawn(11)))
    if loss is rank_net:
        y = y.detach()  # only its order enters
    options = {"mask": torch.tensor(MASK)} if loss in LISTS else {}
    assert torch.autograd.gradcheck(lambda a, b: loss(a, b, **options), (x, y))


@pytest.mark.parametrize("loss", CHECKS, ids=lambda f: f.__name__)
def test_the_order_of_pairs_does_not_matter_and_the_pairing_does(loss, rng):
    x, y = as_tensors(*drawn(12))
    order = torch.tensor([2, 0, 1])
    assert loss(x[order], y[order]).item() == pytest.approx(loss(x, y).item(), abs=1e-12)
    assert loss(x[order], y).item() != pytest.approx(loss(x, y).item(), rel=1e-3)


@pytest.mark.parametrize("loss", LISTS, ids=lambda f: f.__name__)
def test_a_constant_for_each_list_does_not_matter_nor_does_the_order_of_candidates(loss):
    x, y = as_tensors(*drawn(13))
    shift, order = torch.tensor([[3.0], [-1.0], [7.0]]), torch.tensor([3, 1, 0, 2])
    assert loss(x + shift, y - shift).item() == pytest.approx(loss(x, y).item(), abs=1e-12)
    assert loss(x[:, order], y[:, order]).item() == pytest.approx(loss(x, y).item(), abs=1e-12)
    assert loss(2 * x, y).item() != pytest.approx(loss(x, y).item(), rel=1e-3)


@pytest.mark.parametrize("loss", ROWS, ids=lambda f: f.__name__)
def test_a_rotation_of_both_sides_does_not_matter(loss, rng):
    x, y = as_tensors(*drawn(14, (6, 4)))
    turn = torch.tensor(np.linalg.qr(rng.normal(size=(4, 4)))[0])
    assert loss(x @ turn, y @ turn).item() == pytest.approx(loss(x, y).item(), abs=1e-12)
    assert loss(x @ turn, y).item() != pytest.approx(loss(x, y).item(), rel=1e-3)


def test_the_length_of_a_row_matters_to_the_squares_and_not_to_the_cosine():
    x, y = as_tensors(*drawn(15, (6, 4)))
    assert embedding_cosine(3 * x, y / 7).item() == pytest.approx(embedding_cosine(x, y).item(), abs=1e-12)
    assert embedding_mse(3 * x, y).item() != pytest.approx(embedding_mse(x, y).item(), rel=1e-2)


def test_values_of_a_perfect_student():
    x, _ = as_tensors(*drawn(16))
    assert distil_scores(x + 5, x, temperature=0.7).item() == pytest.approx(0, abs=1e-12)
    assert embedding_mse(x, x).item() == 0
    assert embedding_cosine(2 * x, x).item() == pytest.approx(0, abs=1e-12)
    floor = np.mean([entropy(softmax_by_hand(row, 0.7)) for row in x.tolist()])
    assert list_net(x + 5, x, temperature=0.7).item() == pytest.approx(floor, abs=1e-12)
    assert rank_net(1000 * x, x).item() < 1e-6


def test_values_of_a_collapsed_student():
    _, y = drawn(17, (6, 4))
    teacher, equal = torch.tensor(y), torch.zeros(6, 4, dtype=torch.float64)
    left = math.log(4) - np.mean([entropy(softmax_by_hand(row, 0.7)) for row in y])
    assert distil_scores(equal, teacher, temperature=0.7).item() == pytest.approx(0.49 * left, abs=1e-12)
    assert list_net(equal, teacher).item() == pytest.approx(math.log(4), abs=1e-12)
    assert rank_net(equal, teacher).item() == pytest.approx(math.log(2), abs=1e-12)
    best = torch.tensor(np.tile(y.mean(axis=0), (6, 1)))
    assert embedding_mse(best, teacher).item() == pytest.approx(y.var(axis=0).mean(), abs=1e-12)
    middle = (y / np.linalg.norm(y, axis=1, keepdims=True)).mean(axis=0)
    least = embedding_cosine(torch.tensor(np.tile(middle, (6, 1))), teacher).item()
    assert least == pytest.approx(1 - np.linalg.norm(middle), abs=1e-12)
    assert embedding_cosine(-teacher, teacher).item() == pytest.approx(2, abs=1e-12)


@pytest.mark.parametrize("loss", LISTS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("hole", [math.nan, math.inf, -math.inf])
def test_what_the_mask_leaves_out_reaches_neither_value_nor_gradient(loss, hole):
    x, y = as_tensors(*drawn(18))
    mask = torch.tensor(MASK)
    torn, other = x.masked_fill(~mask, hole).requires_grad_(), y.masked_fill(~mask, hole)
    value = loss(torn, other, mask=mask)
    (gradient,) = torch.autograd.grad(value, torn)
    assert value.item() == pytest.approx(loss(x, y, mask=mask).item(), abs=1e-12)
    assert torch.isfinite(gradient).all()
    assert (gradient[~mask] == 0).all()
    assert (gradient[mask] != 0).any()


@pytest.mark.parametrize("loss", CHECKS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_raised(loss, dtype):
    x, y = (t.to(dtype) for t in as_tensors(*drawn(19)))
    got = loss(x, y)
    assert got.dtype == torch.float32
    assert got.ndim == 0
    assert got.item() == pytest.approx(loss(x.double(), y.double()).item(), abs=1e-6)


@pytest.mark.parametrize("loss", CHECKS, ids=lambda f: f.__name__)
def test_autocast_changes_nothing(loss):
    x, y = (t.float() for t in as_tensors(*drawn(23)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = loss(x, y)
    assert got.dtype == torch.float32
    assert got.item() == loss(x, y).item()


@pytest.mark.parametrize("loss", CHECKS, ids=lambda f: f.__name__)
def test_sides_of_different_dtypes_meet_in_the_wider(loss):
    x, y = as_tensors(*drawn(20))
    got = loss(x.float(), y)
    assert got.dtype == torch.float64
    assert got.item() == pytest.approx(loss(x, y).item(), rel=1e-5)


def test_relevance_may_be_whole_grades():
    x, _ = as_tensors(*drawn(21))
    grades = torch.tensor([[2, 0, 1, 0], [3, 3, 0, 3], [1, 1, 2, 0]])
    for loss in LISTS:
        assert loss(x, grades).item() == pytest.approx(loss(x, grades.double()).item(), rel=1e-12)


def test_a_detached_teacher_does_not_move():
    x, y = (t.requires_grad_() for t in as_tensors(*drawn(22)))
    distil_scores(x, y.detach()).backward()
    assert y.grad is None
    assert x.grad.abs().sum() > 0


ONE = torch.arange(6.0).reshape(2, 3) + 1


@pytest.mark.parametrize("temperature", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize("loss", [distil_scores, list_net], ids=lambda f: f.__name__)
def test_a_temperature_that_is_none_is_refused(loss, temperature):
    with pytest.raises(ValueError, match=f"temperature must be finite and above 0, got {temperature}"):
        loss(ONE, ONE, temperature=temperature)


@pytest.mark.parametrize("loss", LISTS, ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    ("x", "y", "mask", "rule"),
    [
        (ONE, ONE[:1], None, r"one shape.*got \(2, 3\) and \(1, 3\)"),
        (ONE[0], ONE[0], None, r"2-D.*got \(3,\)"),
        (ONE[:0], ONE[:0], None, "one list or more"),
        (ONE[:, :1], ONE[:, :1], None, "2 candidates or more, row 0 has 1"),
        (ONE.int(), ONE, None, "floating dtype, got torch.int32"),
        (ONE, ONE > 2, None, "real numbers, got torch.bool"),
        (ONE, ONE + 0j, None, "real numbers, got torch.complex64"),
        (ONE, ONE, torch.ones(2, 3), "mask must be of dtype bool.*got torch.float32"),
        (ONE, ONE, torch.ones(3, 2, dtype=bool), r"mask must be of shape \(2, 3\), got \(3, 2\)"),
        (ONE, ONE, torch.tensor([[True] * 3, [False, True, False]]), "row 1 has 1"),
        (ONE.log1p() / torch.tensor([1.0, 1.0, 0.0]), ONE, None, "row 0 is not finite"),
        (ONE, torch.where(ONE == 5, torch.nan, ONE), None, "row 1 is not finite"),
    ],
)
def test_wrong_lists_are_refused(loss, x, y, mask, rule):
    with pytest.raises(ValueError, match=rule):
        loss(x, y, mask=mask)


def test_lists_without_an_order_are_refused():
    with pytest.raises(ValueError, match="relevance must differ within a list"):
        rank_net(ONE, torch.tensor([[1, 1, 1], [2, 2, 2]]))
    with pytest.raises(ValueError, match="relevance must differ within a list"):
        rank_net(ONE, ONE.new_tensor([[1, 1, 2], [2, 2, 9]]), mask=torch.tensor([[True, True, False]] * 2))


@pytest.mark.parametrize("loss", ROWS, ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    ("x", "y", "rule"),
    [
        (ONE, ONE[:1], r"student, teacher must be of one shape, got \(2, 3\), \(1, 3\)"),
        (ONE, ONE[:, :2], r"of one shape, got \(2, 3\), \(2, 2\)"),
        (ONE[0], ONE[0], "student must be 2-D"),
        (ONE[:0], ONE[:0], "student needs at least 1 rows"),
        (ONE.int(), ONE, "student must be dense and of a floating dtype"),
        (ONE, torch.where(ONE == 5, torch.nan, ONE), "teacher: row 1 is not finite"),
    ],
)
def test_wrong_rows_are_refused(loss, x, y, rule):
    with pytest.raises(ValueError, match=rule):
        loss(x, y)


def test_a_zero_row_has_no_cosine():
    rows = torch.tensor([[1.0, 2.0], [0.0, 0.0]])
    with pytest.raises(ValueError, match="student: row 1 is zero"):
        embedding_cosine(rows, rows + 1)
    with pytest.raises(ValueError, match="teacher: row 1 is zero"):
        embedding_cosine(rows + 1, rows)
    assert embedding_mse(rows, rows + 1).item() == 1
