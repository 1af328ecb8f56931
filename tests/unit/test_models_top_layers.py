"""The means of the last layers against numpy loops, and inside an encoder against transformers' own states."""

import numpy as np
import pytest
import torch

from tests.unit.mutants import killed
from workbench.encoders import Encoder
from workbench.models import TopLayersMean, top_layers

LAYERS, D, LENGTHS = 3, 5, [4, 2, 3]
MASK = torch.tensor([[i < n for i in range(4)] for n in LENGTHS])
STATES = torch.tensor(np.random.default_rng(0).normal(size=(LAYERS, len(LENGTHS), 4, D)))


def by_hand(count):
    rows = []
    for text, n in enumerate(LENGTHS):
        parts = [np.mean([STATES[layer, text, t].numpy() for t in range(1, n)], axis=0) for layer in range(LAYERS)]
        rows.append(np.concatenate(parts[LAYERS - count :]))
    return np.stack(rows)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_it_is_the_mean_of_each_layer_without_the_first_token_side_by_side(count):
    got = TopLayersMean(count)(STATES, MASK)
    assert got.shape == (3, count * D)
    np.testing.assert_allclose(got, by_hand(count), atol=1e-12)


def test_neither_padding_nor_the_first_token_matters_even_where_they_are_not_finite():
    other = STATES.clone()
    other[:, ~MASK] = torch.nan
    other[:, :, 0] = torch.inf
    np.testing.assert_allclose(TopLayersMean(2)(other, MASK), by_hand(2), atol=1e-12)


def test_it_leaves_the_mask_as_it_was_and_hands_gradients_on():
    mask, states = MASK.clone(), STATES.clone().requires_grad_()
    TopLayersMean(2)(states, mask).sum().backward()
    assert torch.equal(mask, MASK)
    assert states.grad is not None
    expected = np.zeros(STATES.shape)
    for text, n in enumerate(LENGTHS):
        expected[1:, text, 1:n] = 1 / (n - 1)
    np.testing.assert_allclose(states.grad, expected, atol=1e-12)


def test_half_precision_is_summed_in_float32():
    states = torch.full((1, 1, 2001, 1), 0.1, dtype=torch.bfloat16)
    got = TopLayersMean(1)(states, torch.ones(1, 2001, dtype=torch.bool))
    assert got.dtype == torch.float32
    assert float(got) == pytest.approx(float(torch.tensor(0.1, dtype=torch.bfloat16)), abs=1e-5)


def test_an_encoder_hands_it_the_states_of_its_last_layers(enc):
    texts = ["one", "the cats were running away", ""]
    encoder = Encoder(enc.whole_model, enc.tokenizer, head=TopLayersMean(4))
    assert encoder.width == 4 * 384
    got = encoder.encode(texts, store=False, progress=False)
    for row, text in zip(got, texts, strict=True):
        with torch.no_grad():
            ids = enc.tokenizer(text, return_tensors="pt")["input_ids"]
            states = enc.whole_model(input_ids=ids, output_hidden_states=True).hidden_states
        expected = np.concatenate([states[layer][0, 1:].double().mean(dim=0).numpy() for layer in (3, 4, 5, 6)])
        np.testing.assert_allclose(row, expected, atol=1e-5)
    two = Encoder(enc.whole_model, enc.tokenizer, head=TopLayersMean(2))
    assert two.fingerprint != encoder.fingerprint


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: TopLayersMean(0), "count must be a whole number, at least 1, got 0"),
        (lambda: TopLayersMean(4)(STATES, MASK), r"with 4 layers or more, .* got shape \(3, 3, 4, 5\)"),
        (lambda: TopLayersMean(1)(STATES[0], MASK), r"must be \(layers, n, t, d\)"),
        (lambda: TopLayersMean(1)(STATES, MASK & torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 1, 1]]).bool()),
         "row 1 has no token but its first"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("counted[:, 0] = False", "counted[:, 0] = True"),
        ("states[-self.count :]", "states[: self.count]"),
        ("tokens[None, :, None]", "mask.sum(dim=1)[None, :, None]"),
        ("torch.cat(list(means), dim=1)", "torch.cat(list(means.flip(0)), dim=1)"),
    ],
)
def test_mutants_are_killed(old, new):
    def check(cls):
        np.testing.assert_allclose(cls(2)(STATES, MASK), by_hand(2), atol=1e-12)

    assert killed(top_layers, "TopLayersMean", old, new, check)
