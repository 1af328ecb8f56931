"""The autoencoder's step against the losses of its parts, and what it learns."""

import pytest
import torch
from torch.nn import functional

from workbench.models.autoencoder import ExitAutoencoder
from workbench.models.small import small_bert
from workbench.models.tokenizers import train_wordpiece
from workbench.training.autoencoding import autoencode_step
from workbench.training.masking import mask_tokens

TEXTS = ["one two three four", "two three one four two one", "three two"]
EXITS = [(1, 4), (2, 8)]


@pytest.fixture
def tokenizer():
    return train_wordpiece(TEXTS, vocabulary=40, max_length=16)


@pytest.fixture
def model(tokenizer):
    bert = small_bert(len(tokenizer), layers=2, width=8, heads=2, positions=16, head="masked_lm", seed=0)
    return ExitAutoencoder(bert, seed=0).eval()


def state(seed=0):
    return {"rng": torch.Generator().manual_seed(seed)}


def test_masked_language_modelling_is_transformers_own_loss(tokenizer, model):
    step = autoencode_step(tokenizer, [(2, 8)], max_length=16, rate=0.5, decoder_rate=None)
    got = step(model, {"text": TEXTS}, state())
    read = tokenizer(TEXTS, padding=True, return_tensors="pt")
    ids, mask = read["input_ids"], read["attention_mask"].bool()
    seen, places = mask_tokens(
        ids,
        mask,
        rate=0.5,
        replacement=tokenizer.mask_token_id,
        special=tokenizer.all_special_ids,
        generator=state()["rng"],
    )
    labels = ids.masked_fill(~places, -100)
    torch.testing.assert_close(got, model.model(input_ids=seen, attention_mask=mask, labels=labels).loss)


def test_each_exit_averages_its_own_guesses_and_its_decoders(tokenizer, model):
    step = autoencode_step(tokenizer, EXITS, max_length=16)
    got = step(model, {"text": TEXTS}, state())
    read = tokenizer(TEXTS, padding=True, return_tensors="pt")
    ids, mask = read["input_ids"], read["attention_mask"].bool()
    rng, special = state()["rng"], tokenizer.all_special_ids
    seen, places = mask_tokens(ids, mask, rate=0.2, replacement=4, special=special, generator=rng)
    other, hidden = mask_tokens(ids, mask, rate=0.4, replacement=4, special=special, generator=rng)
    hs = model.model.bert(input_ids=seen, attention_mask=mask, output_hidden_states=True).hidden_states
    terms = []
    for layer, size in EXITS:
        cut = hs[layer][..., :size]
        terms.append(functional.cross_entropy(model.token_logits(cut)[places], ids[places]))
        logits = model.decoded_logits(cut[:, 0], other, mask, torch.ones_like(mask)).reshape(*ids.shape, -1)
        terms.append(functional.cross_entropy(logits[hidden], ids[hidden]))
    torch.testing.assert_close(got, torch.stack(terms).mean())


def test_training_brings_the_loss_down(tokenizer, model):
    step = autoencode_step(tokenizer, EXITS, max_length=16)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    drawn, losses = state(), []
    for _ in range(60):
        loss = step(model, {"text": TEXTS}, drawn)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-10:]) < 0.7 * sum(losses[:10])


def test_refused(tokenizer, model):
    with pytest.raises(ValueError, match="exits must"):
        autoencode_step(tokenizer, [], max_length=16)
    for layer in (0, 3):
        with pytest.raises(ValueError, match=r"1\.\.2"):
            autoencode_step(tokenizer, [(layer, 4)], max_length=16)(model, {"text": TEXTS}, state())
    tokenizer.mask_token = None
    with pytest.raises(ValueError, match="no mask token"):
        autoencode_step(tokenizer, EXITS, max_length=16)
