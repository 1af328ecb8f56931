"""The control poolings against numpy loops."""

import math

import numpy as np
import pytest
import torch

from tests.unit.mutants import killed
from workbench.models import LatentAttention, token_mlp
from workbench.models.token_mlp import TokenMLP

D = 6
LENGTHS = [4, 1, 3]
MASK = torch.tensor([[i < n for i in range(4)] for n in LENGTHS])


def states(seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=(len(LENGTHS), 4, D)))


def stirred(head, seed=3):
    """Every parameter random, in float64: a fresh head ends in zeros that hide mistakes."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in head.double().parameters():
            p.copy_(0.5 * torch.randn(p.shape, generator=generator, dtype=torch.float64))
    return head


def by_hand(head, x):
    """Text by text, token by token."""
    rows = []
    for one, n in zip(x.numpy(), LENGTHS, strict=True):
        made = []
        for token in one[:n]:
            if head.inner:
                normed = (token - token.mean()) / math.sqrt(token.var() + 1e-5)
                normed = normed * head.norm.weight.detach().numpy() + head.norm.bias.detach().numpy()
                both = head.up.weight.detach().numpy() @ normed
                value, gate = both[: head.inner], both[head.inner :]
                gelu = np.array([0.5 * g * (1 + math.erf(g / math.sqrt(2))) for g in gate])
                token = token + head.down.weight.detach().numpy() @ (value * gelu)
            made.append(token)
        rows.append(made[0] if head.read == "first" else np.mean(made, axis=0))
    return np.stack(rows)


@pytest.mark.parametrize("read", ["mean", "first"])
@pytest.mark.parametrize("inner", [0, 5])
def test_it_is_the_formula(inner, read):
    head = stirred(TokenMLP(D, inner=inner, read=read, seed=0))
    with torch.no_grad():
        np.testing.assert_allclose(head(states(), MASK), by_hand(head, states()), atol=1e-12)


@pytest.mark.parametrize("read", ["mean", "first"])
def test_before_training_it_is_the_plain_pooling(read):
    plain, fresh = (TokenMLP(D, inner=inner, read=read, seed=0).double() for inner in (0, 5))
    with torch.no_grad():
        np.testing.assert_allclose(fresh(states(), MASK), by_hand(plain, states()), atol=1e-12)
    assert list(plain.parameters()) == []


@pytest.mark.parametrize("read", ["mean", "first"])
def test_padding_does_not_matter_and_gradients_reach_every_parameter(read):
    head, other = stirred(TokenMLP(D, inner=5, read=read, seed=0)), states()
    other[~MASK] = torch.nan
    torch.testing.assert_close(head(states(), MASK), head(other, MASK), atol=1e-12, rtol=0)
    (head(states(), MASK) ** 2).sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in head.parameters())


def test_its_size_is_as_told_and_can_be_that_of_latent_attention():
    def size(head):
        return sum(p.numel() for p in head.parameters())

    assert size(TokenMLP(48, inner=7, seed=0)) == 3 * 48 * 7 + 2 * 48
    latent = size(LatentAttention(48, latents=8, heads=4, seed=0))
    assert abs(size(TokenMLP(48, inner=latent // (3 * 48), seed=0)) - latent) < 0.01 * latent


def test_equal_seeds_give_equal_weights_others_do_not_and_the_generator_stays():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, same, other = (TokenMLP(D, inner=5, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.up.weight, same.up.weight)
    assert not torch.equal(first.up.weight, other.up.weight)


def formula(read):
    def check(cls):
        head = stirred(cls(D, inner=5, read=read, seed=0))
        with torch.no_grad():
            np.testing.assert_allclose(head(states(), MASK), by_hand(head, states()), atol=1e-12)

    return check


@pytest.mark.parametrize(
    ("old", "new", "read"),
    [
        ("value * functional.gelu(gate)", "gate * functional.gelu(value)", "mean"),
        ("states = states + self.down", "states = self.down", "mean"),
        ("self.up(self.norm(states))", "self.up(states)", "first"),
        ("masked_fill(~mask.unsqueeze(-1), 0.0)", "clone()", "mean"),
        ("states[:, :1], torch", "states[:, 1:2], torch", "first"),
    ],
)
def test_mutants_are_killed(old, new, read):
    assert killed(token_mlp, "TokenMLP", old, new, formula(read))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0, "inner": 1}, "width must be a whole number, at least 1, got 0"),
        ({"width": 4, "inner": -1}, "inner must be a whole number, at least 0, got -1"),
        ({"width": 4, "inner": 1, "read": "last"}, "read must be 'mean' or 'first', got 'last'"),
    ],
)
def test_bad_input_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TokenMLP(options.pop("width"), **options, seed=0)
