"""A head over the vocabulary: its loss against numpy on transformers' own states, what it learns, what it leaves."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from torch import nn

from workbench.encoders import Encoder
from workbench.models import small_bert, small_decoder, train_wordpiece
from workbench.training.token_heads import fit_token_head, token_entropy, token_nats

TEXTS = [
    "to sort a list of words",
    "a file",
    "to read a file of many words and to close it again",
    "sort the words of a file",
    "write one word after another into a list",
] * 4


@pytest.fixture
def tokenizer():
    return train_wordpiece(TEXTS, vocabulary=120, max_length=32)


def made(tokenizer, **options):
    """An encoder whose word embeddings are as far from each other as trained ones."""
    model = small_bert(len(tokenizer), layers=2, width=32, positions=32, seed=0)
    with torch.no_grad():
        words = model.get_input_embeddings().weight
        words.copy_(torch.randn(words.shape, generator=torch.Generator().manual_seed(1)))
    return Encoder(model, tokenizer, **options)


def by_hand(encoder, head, texts):
    """Each text alone through transformers' model, and the head's four steps in float64."""
    gelu = np.vectorize(lambda z: 0.5 * z * (1 + math.erf(z / math.sqrt(2))))
    w = {name: p.detach().double().numpy() for name, p in head.named_parameters()}
    words = encoder.model.get_input_embeddings().weight.detach().double().numpy()
    losses = []
    for text in texts:
        ids = encoder.tokenizer(text, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            x = encoder.model.eval()(input_ids=ids)[0][0, 1:-1].double().numpy()  # [CLS] and [SEP] are left out
        x = gelu(x @ w["transform.dense.weight"].T + w["transform.dense.bias"])
        x = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-12)
        x = x * w["transform.LayerNorm.weight"] + w["transform.LayerNorm.bias"]
        logits = log_softmax(x @ words.T + w["bias"], axis=1)
        losses += [-logits[i, token] for i, token in enumerate(ids[0, 1:-1])]
    return float(np.mean(losses))


def test_the_loss_is_that_of_numpy(tokenizer):
    encoder = made(tokenizer)
    for steps in (1, 30):
        head = fit_token_head(encoder, TEXTS, steps=steps, seed=3)
        texts = [*TEXTS[:5], "words"]
        assert token_nats(encoder, head, texts) == pytest.approx(by_hand(encoder, head, texts), rel=1e-4)


def test_more_places_than_are_read_at_once(tokenizer, monkeypatch):
    encoder = made(tokenizer)
    head = fit_token_head(encoder, TEXTS, steps=2, seed=0)
    monkeypatch.setattr("workbench.training.token_heads.ROWS_AT_ONCE", 7)  # the last part is smaller
    assert token_nats(encoder, head, TEXTS[:5]) == pytest.approx(by_hand(encoder, head, TEXTS[:5]), rel=1e-4)


def test_it_learns_to_name_the_tokens(tokenizer):
    encoder = made(tokenizer)
    before = {name: p.clone() for name, p in encoder.model.named_parameters()}
    head = fit_token_head(encoder, TEXTS, steps=300, seed=0)
    entropy = token_entropy(tokenizer, TEXTS)
    assert token_nats(encoder, head, TEXTS) < 0.5 * entropy
    assert token_nats(encoder, fit_token_head(encoder, TEXTS, steps=1, seed=0), TEXTS) > entropy
    assert all(torch.equal(p, before[name]) for name, p in encoder.model.named_parameters())
    assert all(p.requires_grad for p in encoder.model.parameters())
    words = encoder.model.get_input_embeddings().weight
    assert torch.equal(head.decoder.weight, words)
    assert head.decoder.weight.data_ptr() == words.data_ptr()
    assert not any(p.requires_grad for p in head.parameters())
    assert not head.training
    assert head.decoder.bias is head.bias
    assert head.bias.abs().max() > 0


def test_the_entropy_is_that_of_the_frequencies(tokenizer):
    counts = Counter(tokenizer.tokenize(" ".join(TEXTS))).values()
    wanted = -sum(n / sum(counts) * math.log(n / sum(counts)) for n in counts)
    assert token_entropy(tokenizer, TEXTS) == pytest.approx(wanted, rel=1e-12)
    for texts in ([], ["", ""]):
        with pytest.raises(ValueError, match=f"{len(texts)} texts have none"):
            token_entropy(tokenizer, texts)


def test_the_seed_decides_and_no_generator_moves(tokenizer):
    encoder, state = made(tokenizer), torch.get_rng_state()
    one, same, other = (fit_token_head(encoder, TEXTS, steps=3, seed=seed) for seed in (5, 5, 6))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one.transform.dense.weight, other.transform.dense.weight)


def test_refused(tokenizer):
    encoder = made(tokenizer)
    count = sum(len(row) for row in tokenizer(TEXTS[:5], add_special_tokens=False)["input_ids"])
    assert count < 64
    with pytest.raises(ValueError, match=f"64 tokens or more that are not special, got {count}"):
        fit_token_head(encoder, TEXTS[:5], steps=1, seed=0)
    with pytest.raises(ValueError, match="steps must be 1 or more, got 0"):
        fit_token_head(encoder, TEXTS, steps=0, seed=0)
    head = fit_token_head(encoder, TEXTS, steps=1, seed=0)
    for texts in ([], [""]):
        with pytest.raises(ValueError, match="1 tokens or more that are not special, got 0"):
            token_nats(encoder, head, texts)
    decoder = Encoder(small_decoder(len(tokenizer), layers=1, width=16, heads=2, seed=0), tokenizer)
    with pytest.raises(TypeError, match="needs a BERT model, got"):
        token_nats(decoder, head, TEXTS)
    with pytest.raises(ValueError, match="without another head"):
        fit_token_head(made(tokenizer, head=nn.Linear(32, 4)), TEXTS, steps=1, seed=0)
    with pytest.raises(TypeError):
        token_nats(encoder, head, "a file")
