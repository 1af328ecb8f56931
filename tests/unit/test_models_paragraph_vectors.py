"""Paragraph vectors against their definition, and bits against rounding and the sigmoid's slope."""

import numpy as np
import pytest
import torch

from workbench.models.paragraph_vectors import ParagraphVectors, straight_through


def test_bits_forwards_and_the_slope_of_the_sigmoid_backwards():
    x = torch.tensor([-2.0, -1e-3, 0.0, 1e-3, 3.0], dtype=torch.float64, requires_grad=True)
    bits = straight_through(x)
    assert bits.tolist() == [0, 0, 0, 1, 1]
    weights = torch.arange(1.0, 6.0, dtype=torch.float64)
    (slope,) = torch.autograd.grad((bits * weights).sum(), x)
    h = 1 / (1 + np.exp(-x.detach().numpy()))
    assert slope.numpy() == pytest.approx(np.arange(1, 6) * h * (1 - h), rel=1e-12)


@pytest.mark.parametrize(("bits", "shape"), [(None, 6), (6, 6), (3, 3)])
def test_what_words_are_predicted_from(bits, shape):
    model = ParagraphVectors(5, 7, width=6, bits=bits, seed=0)
    rows = torch.tensor([4, 0, 4])
    got = model(rows)
    vectors = model.vectors.detach().numpy()[[4, 0, 4]]
    if bits == 3:
        vectors = vectors @ model.projection.weight.detach().numpy().T
    expected = vectors if bits is None else (vectors > 0).astype(float)
    assert got.detach().numpy() == pytest.approx(expected, abs=1e-6)
    assert model.outputs.shape == (7, shape)
    assert model.bias.tolist() == [0] * 7
    if bits is not None:
        assert model.codes().dtype == bool
        assert (model.codes()[[4, 0, 4]] == got.detach().numpy()).all()
    assert (model.numbers() == model.vectors.detach().numpy()).all()
    model.numbers()[:] = 0
    assert model.vectors.abs().sum() > 0


def test_every_part_has_a_gradient_through_the_bits():
    model = ParagraphVectors(5, 7, width=6, bits=3, seed=0)
    (model(torch.arange(5)) @ model.outputs.T + model.bias).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_the_seed_alone_decides_and_no_generator_moves():
    before = torch.get_rng_state()
    one, same, other = (ParagraphVectors(5, 7, width=4, bits=2, seed=s) for s in (0, 0, 1))
    assert (torch.get_rng_state() == before).all()
    assert (one.vectors == same.vectors).all()
    assert (one.projection.weight == same.projection.weight).all()
    assert (one.vectors != other.vectors).any()


def test_other_texts_share_words_that_do_not_train():
    model = ParagraphVectors(5, 7, width=4, bits=2, seed=0)
    other = model.for_texts(9, seed=1)
    assert other.vectors.shape == (9, 4)
    assert {name for name, p in other.named_parameters() if p.requires_grad} == {"vectors"}
    for name in ("outputs", "bias"):
        assert (getattr(other, name) == getattr(model, name)).all()
    assert (other.projection.weight == model.projection.weight).all()
    assert model.outputs.requires_grad
    assert model.vectors.shape == (5, 4)
    assert (model.for_texts(9, seed=1).vectors == other.vectors).all()


MODEL = ParagraphVectors(5, 7, width=4, seed=0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ParagraphVectors(0, 7, width=4, seed=0), "texts"),
        (lambda: ParagraphVectors(5, 0, width=4, seed=0), "words"),
        (lambda: ParagraphVectors(5, 7, width=0, seed=0), "width"),
        (lambda: ParagraphVectors(5, 7, width=4, bits=0, seed=0), "bits"),
        (lambda: ParagraphVectors(5, 7, width=4, seed=-1), "seed"),
        (lambda: MODEL.codes(), "no codes"),
        (lambda: MODEL.for_texts(0, seed=0), "texts"),
        (lambda: MODEL.for_texts(1, seed=-1), "seed"),
        (lambda: MODEL(torch.tensor([0.0])), r"rows must be integers \(n,\)"),
        (lambda: MODEL(torch.tensor([[0]])), r"rows must be integers \(n,\)"),
        (lambda: MODEL(torch.tensor([5])), "rows must lie in 0..4, got 5..5"),
        (lambda: MODEL(torch.tensor([-1])), "got -1..-1"),
    ],
)
def test_what_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
