"""The sampled softmax against loops over its candidates, the full softmax, and mutants."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.unit.mutants import killed
from workbench.losses import sampled
from workbench.losses.sampled import sampled_softmax

N, D, V = 4, 3, 9
TARGETS = np.array([[0, 2], [5, 5], [8, 1], [3, 7]])
NOISE = np.array([5, 0, 4, 6])


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def by_hand(states, outputs, targets, noise, bias=None, log_rates=None):
    def logit(i, word):
        dot = sum(a * b for a, b in zip(states[i], outputs[word], strict=True))
        return dot + (0 if bias is None else bias[word]) - (0 if log_rates is None else log_rates[word])

    terms = []
    for i, row in enumerate(targets):
        for word in row:
            candidates = [word, *(other for other in noise if other != word)]
            terms.append(math.log(sum(math.exp(logit(i, c)) for c in candidates)) - logit(i, word))
    return sum(terms) / len(terms)


def tensors(*arrays):
    return [None if a is None else torch.tensor(a) for a in arrays]


def check(loss):
    states, outputs, bias, rates = drawn(N, D), drawn(V, D, seed=1), drawn(V, seed=2), drawn(V, seed=3)
    for b, r in ((None, None), (bias, None), (None, rates), (bias, rates)):
        x, table, targets, noise, shift, log_rates = tensors(states, outputs, TARGETS, NOISE, b, r)
        got = loss(x, table, targets, noise, bias=shift, log_rates=log_rates).item()
        assert got == pytest.approx(by_hand(states, outputs, TARGETS, NOISE, b, r), abs=1e-9)


def test_it_is_the_loop_over_its_candidates():
    check(sampled_softmax)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("torch.where(among[wanted], others.expand_as(near), torch.logaddexp(others, near))",
         "torch.logaddexp(others, near)"),
        ('(log_rates, -1, "log_rates")', '(log_rates, 1, "log_rates")'),
        ("far + sign * _at(shift, drawn, table, name)", "far"),
        ("near + sign * _at(shift, wanted, table, name)", "near"),
        ("return (everything - near).mean()", "return (everything - near).sum()"),
        ("others = far.logsumexp(dim=1, keepdim=True)", "others = far.logsumexp(dim=0)[:1, None].expand(len(far), 1)"),
    ],
)  # fmt: skip
def test_mutants_are_killed(old, new):
    assert killed(sampled, "sampled_softmax", old, new, check)


def test_with_every_word_drawn_it_is_the_full_softmax():
    x, table, bias = (t.double().requires_grad_() for t in tensors(drawn(N, D), drawn(V, D, seed=1), drawn(V, seed=2)))
    targets, noise = torch.tensor(TARGETS), torch.randperm(V, generator=torch.Generator().manual_seed(0))
    got = sampled_softmax(x, table, targets, noise, bias=bias, log_rates=torch.zeros(V))
    logits = (x @ table.T + bias)[:, None].expand(N, 2, V)
    full = F.cross_entropy(logits.reshape(-1, V), targets.reshape(-1))
    assert got.item() == pytest.approx(full.item(), rel=1e-12)
    for a, b in zip(
        torch.autograd.grad(got, (x, table, bias)), torch.autograd.grad(full, (x, table, bias)), strict=True
    ):
        assert torch.allclose(a, b, atol=1e-12)


def test_with_rates_the_best_logits_are_those_of_the_full_softmax():
    rng = np.random.default_rng(0)
    v = 7
    drawn_so_often, there_so_often = rng.integers(1, 9, size=(2, v))
    rates = torch.tensor(np.log(drawn_so_often / drawn_so_often.sum()))
    noises = torch.tensor(np.repeat(np.arange(v), drawn_so_often))[:, None]  # one word at a time, in its share
    targets = torch.tensor(np.repeat(np.arange(v), there_so_often))[:, None]
    states = torch.ones(len(targets), 1, dtype=torch.float64)

    def best(log_rates):
        logits = torch.zeros(v, 1, dtype=torch.float64, requires_grad=True)
        search = torch.optim.LBFGS([logits], max_iter=200, line_search_fn="strong_wolfe")

        def closure():
            search.zero_grad()
            losses = [sampled_softmax(states, logits, targets, noise, log_rates=log_rates) for noise in noises]
            loss = torch.stack(losses).mean()
            loss.backward()
            return loss

        search.step(closure)
        found = logits.detach().numpy()[:, 0]
        return found - found.mean()

    full = np.log(there_so_often) - np.log(there_so_often).mean()
    assert best(rates) == pytest.approx(full, abs=1e-3)
    assert np.abs(best(None) - full).max() > 0.5


def test_values_of_certainty_and_of_equal_logits():
    zeros = torch.zeros(N, D), torch.zeros(V, D)
    away = torch.tensor([[7, 8]] * N)
    assert sampled_softmax(*zeros, away, torch.tensor(NOISE)).item() == pytest.approx(math.log(5), rel=1e-6)
    sure = 100 * torch.eye(V)
    assert sampled_softmax(torch.eye(V), sure, torch.arange(V)[:, None], torch.arange(V)).item() == pytest.approx(0)
    only = sampled_softmax(*zeros, torch.tensor([[4]] * N), torch.tensor([4]))
    assert only.item() == pytest.approx(0, abs=1e-7)


def test_gradients_are_those_of_finite_differences():
    inputs = [t.requires_grad_() for t in tensors(drawn(N, D), drawn(V, D, seed=1), drawn(V, seed=2))]
    targets, noise = tensors(TARGETS, NOISE)
    assert torch.autograd.gradcheck(lambda x, o, b: sampled_softmax(x, o, targets, noise, bias=b), inputs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_raised_and_autocast_changes_nothing(dtype):
    x, table, targets, noise = tensors(drawn(N, D), drawn(V, D, seed=1), TARGETS, NOISE)
    got = sampled_softmax(x.to(dtype), table.to(dtype), targets, noise)
    assert got.dtype == torch.float32
    exact = sampled_softmax(x.to(dtype).double(), table.to(dtype).double(), targets, noise).item()
    assert got.item() == pytest.approx(exact, rel=1e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert sampled_softmax(x.to(dtype), table.to(dtype), targets, noise).item() == got.item()


X, O, T, S = torch.ones(2, 3), torch.ones(5, 3), torch.zeros(2, 1, dtype=torch.int64), torch.tensor([1, 2])  # noqa: E741
HOLE = torch.tensor([0.0, float("-inf"), 0, 0, 0])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sampled_softmax(X, O[:, :2], T, S), "as many columns, got 3 and 2"),
        (lambda: sampled_softmax(X * float("nan"), O, T, S), "states"),
        (lambda: sampled_softmax(X, O * float("inf"), T, S), "outputs"),
        (lambda: sampled_softmax(X, O, T.float(), S), "targets must hold integers"),
        (lambda: sampled_softmax(X, O, T, S.double()), "noise must hold integers"),
        (lambda: sampled_softmax(X, O, T + 5, S), "targets must lie in 0..4, got 5..5"),
        (lambda: sampled_softmax(X, O, T, S - 2), "noise must lie in 0..4, got -1..0"),
        (lambda: sampled_softmax(X, O, T[:, :0], S), "targets must hold at least one word"),
        (lambda: sampled_softmax(X, O, T, S[:0]), "noise must hold at least one word"),
        (lambda: sampled_softmax(X, O, T[:1], S), r"targets must be \(2, t\)"),
        (lambda: sampled_softmax(X, O, T[:, 0], S), r"targets must be \(2, t\)"),
        (lambda: sampled_softmax(X, O, T, S[None]), r"noise \(m,\), got \(2, 1\) and \(1, 2\)"),
        (lambda: sampled_softmax(X, O, T, torch.tensor([1, 1])), "noise words must differ, got 2 with 1"),
        (lambda: sampled_softmax(X, O, T, S, bias=torch.zeros(4)), "bias must be 5 floats"),
        (lambda: sampled_softmax(X, O, T, S, bias=torch.zeros(5, dtype=torch.int64)), "bias must be 5 floats"),
        (lambda: sampled_softmax(X, O, T, S, log_rates=HOLE), "log_rates of a word"),
    ],
)
def test_what_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_rates_of_words_that_are_not_read_do_not_matter():
    other = torch.tensor([0.0, 0, 0, float("-inf"), 0])
    assert torch.isfinite(sampled_softmax(X, O, T, S, log_rates=other))
