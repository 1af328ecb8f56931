"""The last layers alone, against the whole model of transformers that they were taken from."""

import numpy as np
import pytest
import torch
from torch import nn

from workbench.encoders import Encoder, LastLayers
from workbench.models import small_bert, train_wordpiece

TEXTS = ["to sort a list", "a", "to read a file of many words and to close it again", "sort the words of a file", ""]
LAYERS = 3


def made(pooling="mean", **options):
    tokenizer = train_wordpiece(TEXTS * 3, vocabulary=120, max_length=64)
    model = small_bert(len(tokenizer), layers=LAYERS, width=16, heads=2, positions=64, seed=0)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.2 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    return Encoder(model, tokenizer, options={"pooling": pooling}, **options)


def states_of(encoder, count):
    kept = encoder.token_states(TEXTS, layers=[encoder.n_layers - count]).values
    return [torch.from_numpy(one[0]) for one in kept]


@pytest.mark.parametrize("pooling", ["mean", "cls", "last", "max"])
@pytest.mark.parametrize("count", [1, 2, LAYERS])
def test_the_vectors_are_those_of_the_whole_model(pooling, count):
    encoder = made(pooling)
    with torch.no_grad():
        found = LastLayers(encoder, count)(states_of(encoder, count))
    wanted = encoder.encode(TEXTS, normalize=False, store=False, progress=False)
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-5)


def test_minilm_cut_short_and_in_many_parts(enc):
    texts = [f"text {'and more ' * (i % 9)}{i}" for i in range(60)]
    cut = enc.with_settings(layers=3)
    states = [torch.from_numpy(one[0]) for one in cut.token_states(texts, layers=[2]).values]
    with torch.no_grad():
        found = LastLayers(cut)(states)
    wanted = cut.encode(texts, normalize=False, store=False, progress=False)
    np.testing.assert_allclose(found.numpy(), wanted, atol=2e-5)


def test_the_gradient_is_that_of_the_whole_model():
    encoder, weights = made(), torch.randn(len(TEXTS), 16, generator=torch.Generator().manual_seed(1))
    whole = encoder.model.eval()
    (encoder.pooled([encoder.tokenizer(text)["input_ids"] for text in TEXTS]) * weights).sum().backward()
    last = LastLayers(encoder, 1)
    (last(states_of(encoder, 1)) * weights).sum().backward()
    wanted = dict(whole.encoder.layer[-1].named_parameters())
    found = dict(last.model.encoder.layer[0].named_parameters())
    assert found.keys() == wanted.keys()
    for name, p in found.items():
        torch.testing.assert_close(p.grad, wanted[name].grad, atol=1e-4, rtol=1e-3)


def test_only_the_last_layers_are_there_and_the_encoder_stays():
    encoder = made()
    before = {name: p.clone() for name, p in encoder.model.named_parameters()}
    last = LastLayers(encoder, 2)
    assert {name.split(".")[3] for name, _ in last.named_parameters()} == {"0", "1"}
    assert not last.training
    with torch.no_grad():
        for p in last.parameters():
            p.zero_()
    assert all(torch.equal(p, before[name]) for name, p in encoder.model.named_parameters())


@pytest.mark.parametrize("count", [0, LAYERS + 1])
def test_layers_that_are_not_there_are_refused(count):
    with pytest.raises(ValueError, match=f"between 1 and {LAYERS}.* got {count}"):
        LastLayers(made(), count)


def test_what_is_no_plain_stack_is_refused():
    with pytest.raises(ValueError, match="without a head"):
        LastLayers(made(head=nn.Linear(16, 4)))
    with pytest.raises(ValueError, match="without a head"):
        LastLayers(made("own"))
    encoder = made()
    encoder.model.embeddings = None
    with pytest.raises(ValueError, match="no part 'embeddings'"):
        LastLayers(encoder)


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ([], "one text or more"),
        ([torch.ones(3, 16), torch.ones(0, 16)], "text 1 must be"),
        ([torch.ones(3, 15)], r"\(tokens, 16\), got shape \(3, 15\)"),
        ([torch.ones(16)], "text 0 must be"),
    ],
)
def test_states_of_another_shape_are_refused(states, words):
    with pytest.raises(ValueError, match=words):
        LastLayers(made())(states)
