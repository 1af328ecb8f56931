"""Poolings on stored states against numpy, against the encoder that gave the states, and in training."""

import numpy as np
import pytest
import torch
from torch import nn

from workbench.encoders import Encoder
from workbench.losses import info_nce
from workbench.models import LatentQueries, LayerMix, TokenPooling
from workbench.models.on_states import OnStates
from workbench.models.token_mlp import TokenMLP
from workbench.training import Batches, FitConfig, embed_step, fit

D = 8
LENGTHS = [3, 1, 5, 2]


def stored(layers=1, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(layers, n, D)).astype(np.float32) for n in LENGTHS]


def mean(inner=0):
    return TokenMLP(D, inner=inner, seed=0)


def test_numbers_of_texts_give_their_pooled_states_and_the_map_comes_behind():
    states, module = stored(), OnStates(stored(), mean())
    rows = torch.tensor([2, 0, 2, 1])
    means = np.stack([states[i][0].mean(axis=0) for i in rows.tolist()])
    np.testing.assert_allclose(module(rows).detach(), means, atol=1e-6)
    weight = np.random.default_rng(1).normal(size=(D, D)).astype(np.float32)
    with torch.no_grad():
        module.map.weight.copy_(torch.from_numpy(weight))
    np.testing.assert_allclose(module(rows).detach(), means @ weight.T, atol=1e-5)
    np.testing.assert_allclose(module.encode([2, 0, 2, 1], batch=2), means @ weight.T, atol=1e-5)


def test_a_pooling_of_all_layers_sees_them_all():
    states, pooling = stored(layers=3), LayerMix(3, D, form="weights", seed=0)
    with torch.no_grad():
        pooling.weights.copy_(torch.tensor([0.0, 1.0, -2.0]))
    shares = np.exp([0.0, 1.0, -2.0]) / np.exp([0.0, 1.0, -2.0]).sum()
    expected = np.stack([np.einsum("l,ltd->td", shares, x).mean(axis=0) for x in states])
    np.testing.assert_allclose(OnStates(states, pooling).encode(range(4)), expected, atol=1e-6)


def test_it_is_the_encoder_with_that_head(enc):
    texts, head = ["one", "the cats were running away", "a b c"], LatentQueries(384, latents=3, heads=2, seed=0)
    given = enc.token_states(texts, layers=[enc.n_layers]).values
    expected = Encoder(enc.whole_model, enc.tokenizer, head=head).encode(texts, store=False, progress=False)
    np.testing.assert_allclose(OnStates(given, head).encode(range(3)), expected, atol=2e-5)


def test_fit_trains_pooling_and_map_and_leaves_the_states_alone():
    states = stored()
    kept = [x.copy() for x in states]
    module = OnStates(states, mean(inner=4))
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    step = embed_step(info_nce, columns=("a", "b"))
    columns = {"a": np.array([0, 1]), "b": np.array([2, 3])}
    found = fit(module, Batches(columns, size=2), step=step, config=FitConfig(20, 1e-2))
    assert found.metrics[-1]["loss"] < found.metrics[0]["loss"]
    assert all(not torch.equal(p, before[name]) for name, p in module.named_parameters())
    assert set(module.state_dict()) == {*before}
    assert all(np.array_equal(a, b) for a, b in zip(states, kept, strict=True))


def test_encode_runs_in_eval_mode_and_puts_the_mode_back():
    class Dropped(TokenPooling):
        def __init__(self):
            super().__init__()
            self.drop = nn.Dropout(0.5)

        def forward(self, states, mask):  # noqa: ARG002
            return self.drop(states[:, 0])

    module = OnStates(stored(), Dropped()).train()
    first = np.stack([x[0, 0] for x in stored()])
    np.testing.assert_allclose(module.encode(range(4)), first, atol=1e-6)
    assert module.pooling.drop.training


class Flat(TokenPooling):
    def forward(self, states, mask):  # noqa: ARG002
        return states.sum(dim=(1, 2))


@pytest.mark.parametrize(
    ("states", "pooling", "message"),
    [
        (list, mean, "states must be of 1 text or more, got none"),
        (lambda: [np.ones((2, D), dtype=np.float32)], mean, r"text 0 must be a float array .*got float32 of shape"),
        (lambda: [np.ones((1, 2, D), dtype=int)], mean, "text 0 must be a float array .*got int64"),
        (lambda: [np.ones((1, 0, D))], mean, r"text 0 must be a float array \(layers, tokens, d\)"),
        (lambda: [*stored(), np.ones((1, 2, 3))], mean, "text 4 are .*layers and d differ"),
        (lambda: [*stored(), np.ones((2, 2, D))], mean, "text 4 are .*layers and d differ"),
        (lambda: [*stored(), np.full((1, 2, D), np.nan)], mean, "text 4 must be finite"),
        (lambda: stored(layers=2), mean, "this pooling reads one layer, states have 2"),
        (stored, Flat, r"must give rows \(n, e\), got shape \(2,\)"),
    ],
)
def test_bad_states_are_refused(states, pooling, message):
    with pytest.raises(ValueError, match=message):
        OnStates(states(), pooling())


def test_bad_rows_are_refused():
    module = OnStates(stored(), mean())
    for rows in (torch.tensor([0.0]), torch.tensor([[0]]), torch.tensor([True]), torch.tensor([], dtype=torch.int64)):
        with pytest.raises(ValueError, match="rows must be 1 or more integers"):
            module(rows)
    for number in (-1, 4):
        with pytest.raises(ValueError, match=f"numbers of the 4 texts, from 0, got {number}"):
            module(torch.tensor([0, number]))
        with pytest.raises(ValueError, match=f"numbers of the 4 texts, from 0, got {number}"):
            module.encode([0, number])
    with pytest.raises(ValueError, match="batch must be a whole number, at least 1, got 0"):
        module.encode([0], batch=0)
    with pytest.raises(ValueError, match="rows must be 1 or more integers"):
        module.encode([])


def test_something_else_than_a_pooling_is_refused():
    with pytest.raises(TypeError, match="pooling must be a TokenPooling, got Linear"):
        OnStates(stored(), nn.Linear(D, D))
