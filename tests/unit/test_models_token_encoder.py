import numpy as np
import pytest
import torch

from workbench.models.small import small_bert
from workbench.models.token_encoder import TokenEncoder
from workbench.models.tokenizers import train_wordpiece

TEXTS = ["one two three", "four", "two four five six seven eight nine"]


@pytest.fixture(scope="module")
def tokenizer():
    return train_wordpiece(TEXTS * 5, vocabulary=60)


def tokens(tokenizer, **how):
    model = small_bert(len(tokenizer), layers=1, width=16, heads=2, positions=16, seed=0)
    return TokenEncoder(model, tokenizer, **({"width": 6, "max_length": 8, "seed": 0} | how))


def test_states_are_the_projected_states_of_transformers_scaled(tokenizer):
    module = tokens(tokenizer).eval()
    states, mask = module(TEXTS)
    for row, text in enumerate(TEXTS):
        ids = tokenizer(text, truncation=True, max_length=8, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            alone = module.model(input_ids=ids).last_hidden_state[0].numpy() @ module.projection.weight.numpy().T
        assert int(mask[row].sum()) == ids.shape[1]
        wanted = alone / np.linalg.norm(alone, axis=1, keepdims=True)
        np.testing.assert_allclose(states[row, : ids.shape[1]].detach().numpy(), wanted, atol=2e-6)


@pytest.mark.parametrize("batch", [1, 2, 32])
def test_encode_is_forward_without_dropout_whatever_the_batch(tokenizer, batch):
    module = tokens(tokenizer)
    module.model.train()
    module.projection.eval()
    got, mask = module.encode(TEXTS, batch=batch)
    assert module.model.training
    assert not module.projection.training
    module.eval()
    states, wanted = module(TEXTS)
    np.testing.assert_allclose(got.numpy(), (states * wanted[..., None]).detach().numpy(), atol=2e-6)
    assert torch.equal(mask, wanted)
    assert not got.requires_grad


def test_gradients_reach_model_and_projection(tokenizer):
    module = tokens(tokenizer)
    module(TEXTS)[0][..., 0].sum().backward()
    assert all(p.grad is not None for p in (module.projection.weight, *module.model.encoder.parameters()))


def test_the_projection_is_its_seed_whatever_was_drawn_before(tokenizer):
    one = tokens(tokenizer).projection.weight
    torch.rand(3)
    before = torch.get_rng_state()
    assert torch.equal(one, tokens(tokenizer).projection.weight)
    assert torch.equal(before, torch.get_rng_state())
    assert not torch.equal(one, tokens(tokenizer, seed=1).projection.weight)


@pytest.mark.parametrize("how", [{"width": 0}, {"max_length": 0}])
def test_sizes_below_1_are_refused(tokenizer, how):
    with pytest.raises(ValueError, match=next(iter(how))):
        tokens(tokenizer, **how)


def test_a_tokenizer_without_padding_is_refused(tokenizer):
    import copy

    bare = copy.deepcopy(tokenizer)
    bare.pad_token = None
    with pytest.raises(ValueError, match="padding token"):
        tokens(bare)


def test_no_texts_are_refused(tokenizer):
    with pytest.raises(ValueError, match="at least one text"):
        tokens(tokenizer)([])
    with pytest.raises(ValueError, match="1 text or more"):
        tokens(tokenizer).encode([])
    with pytest.raises(ValueError, match="batch of 1 or more"):
        tokens(tokenizer).encode(TEXTS, batch=0)
