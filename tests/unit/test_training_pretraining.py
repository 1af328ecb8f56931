"""A small language model: what it learns, against the frequencies of single tokens; its loss, against transformers'."""

import math
from collections import Counter

import pytest
import torch

from workbench.models.small import small_bert, small_decoder
from workbench.models.tokenizers import train_wordpiece
from workbench.training.masking import mask_tokens
from workbench.training.pretraining import masked_nats, pretrain_bert, token_entropy

PAIRS = [("one", "red"), ("two", "blue"), ("three", "green"), ("four", "black")]
TEXTS = [f"{number} {colour}" for i, (number, colour) in enumerate(PAIRS) for _ in range(17 + 2 * i)]
SIZES = {"vocabulary": 200, "layers": 1, "width": 32, "max_length": 8}


def test_it_learns_what_context_tells():
    """The other word of a text settles this one, so a masked token costs less than its own frequency says."""
    model, tokenizer = pretrain_bert(TEXTS, steps=250, seed=0, **SIZES)
    counts = Counter(word for text in TEXTS for word in text.split())
    entropy = -sum(n / counts.total() * math.log(n / counts.total()) for n in counts.values())
    assert token_entropy(tokenizer, TEXTS) == pytest.approx(entropy, rel=1e-12)
    assert masked_nats(model, tokenizer, TEXTS, max_length=8) < 0.5 * entropy
    fresh, _ = pretrain_bert(TEXTS, steps=3, seed=0, **SIZES)
    assert masked_nats(fresh, tokenizer, TEXTS, max_length=8) > 0.9 * entropy


def test_equal_seeds_give_equal_weights_and_the_tokenizer_depends_on_the_texts_alone():
    (one, reader), (same, _), (other, second) = (
        pretrain_bert(TEXTS, steps=3, seed=seed, **SIZES) for seed in (5, 5, 6)
    )
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert reader.get_vocab() == second.get_vocab()
    assert one.get_input_embeddings().weight is one.cls.predictions.decoder.weight


def test_the_loss_is_transformers_own():
    tokenizer = train_wordpiece(TEXTS, vocabulary=200, max_length=8)
    model = small_bert(len(tokenizer), layers=2, width=16, positions=8, head="masked_lm", seed=1).train()
    read = tokenizer(TEXTS, padding=True, return_tensors="pt")
    ids, mask = read["input_ids"], read["attention_mask"].bool()
    rng, special = torch.Generator().manual_seed(4), tokenizer.all_special_ids
    seen, places = mask_tokens(ids, mask, rate=0.15, replacement=4, special=special, generator=rng)
    got = masked_nats(model, tokenizer, TEXTS, max_length=8, seed=4)
    assert model.training, "the mode is put back"
    with torch.no_grad():
        labels = ids.masked_fill(~places, -100)
        expected = model.eval()(input_ids=seen, attention_mask=mask, labels=labels).loss.item()
    assert got == pytest.approx(expected, rel=1e-5)


def test_refused():
    with pytest.raises(ValueError, match="64 texts or more, got 63"):
        pretrain_bert(TEXTS[:63], steps=3, seed=0, **SIZES)
    with pytest.raises(ValueError, match="steps must be 1 or more, got 0"):
        pretrain_bert(TEXTS, steps=0, seed=0, **SIZES)
    tokenizer = train_wordpiece(TEXTS, vocabulary=200, max_length=8)
    model = small_bert(len(tokenizer), layers=1, width=16, positions=8, head="masked_lm", seed=1)
    with pytest.raises(ValueError, match="one text or more"):
        masked_nats(model, tokenizer, [], max_length=8)
    with pytest.raises(ValueError, match="may be masked"):
        masked_nats(model, tokenizer, ["", ""], max_length=8)
    for texts in ([], ["", ""]):
        with pytest.raises(ValueError, match=f"{len(texts)} texts have none"):
            token_entropy(tokenizer, texts)
    with pytest.raises(TypeError, match="BertForMaskedLM"):
        masked_nats(small_decoder(60, layers=1, width=16, heads=2, seed=0), tokenizer, TEXTS, max_length=8)
