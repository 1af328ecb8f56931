"""The autoencoder's two predictions against the model's own layers, run by hand."""

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM

from workbench.models.autoencoder import ExitAutoencoder

IDS = torch.tensor([[2, 7, 8, 9, 3], [2, 6, 3, 0, 0]])
MASK = IDS != 0
PLACES = torch.tensor([[0, 1, 0, 1, 0], [0, 1, 0, 0, 0]], dtype=torch.bool)


def bert(seed=0):
    torch.manual_seed(seed)
    config = BertConfig(vocab_size=20, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16)
    return BertForMaskedLM(config).eval()


@pytest.fixture
def auto():
    return ExitAutoencoder(bert(), seed=1).eval()


def test_uncut_states_give_the_models_own_logits(auto):
    states = auto.states(IDS, MASK)
    assert len(states) == 3
    expected = auto.model(input_ids=IDS, attention_mask=MASK).logits
    torch.testing.assert_close(auto.token_logits(states[-1]), expected)


def test_a_cut_state_is_one_whose_other_dimensions_are_zero(auto):
    """Cutting the input side of the head's first layer is the same as filling up with zeros."""
    state = auto.states(IDS, MASK)[1]
    filled = state.clone()
    filled[..., 3:] = 0
    expected = auto.model.cls(filled)
    torch.testing.assert_close(auto.token_logits(state[..., :3]), expected)


def test_the_decoder_reads_the_sentence_in_the_first_place(auto):
    first = auto.states(IDS, MASK)[1][:, 0, :3]
    got = auto.decoded_logits(first, IDS, MASK, PLACES)
    head = auto.model.cls.predictions
    rows = []
    for ids, sentence, places in zip(IDS, first, PLACES, strict=True):
        kept = ids[ids != 0]  # each text alone, without padding
        sentence = torch.cat([sentence, torch.zeros(5)])
        inputs = auto.model.bert.embeddings(input_ids=kept[None])
        inputs[0, 0] = head.transform(sentence[None])[0]
        out = auto.decoder(inputs)
        out = (out[0] if isinstance(out, tuple) else out)[0]
        rows.append(auto.model.cls(out)[places[: len(kept)]])
    torch.testing.assert_close(got, torch.cat(rows))


def test_the_first_token_itself_plays_no_part_and_the_sentence_does(auto):
    first = auto.states(IDS, MASK)[1][:, 0, :3]
    base = auto.decoded_logits(first, IDS, MASK, PLACES)
    other = IDS.clone()
    other[:, 0] = 15
    torch.testing.assert_close(auto.decoded_logits(first, other, MASK, PLACES), base)
    assert not torch.allclose(auto.decoded_logits(first + 1, IDS, MASK, PLACES), base)


def test_gradients_reach_the_encoder_through_both():
    for predict in (
        lambda auto, states: auto.token_logits(states[1][..., :3]),
        lambda auto, states: auto.decoded_logits(states[1][:, 0, :3], IDS, MASK, PLACES),
    ):
        auto = ExitAutoencoder(bert(), seed=1)
        predict(auto, auto.states(IDS, MASK)).square().sum().backward()
        layers = auto.model.bert.encoder.layer
        assert layers[0].attention.self.query.weight.grad.abs().max() > 0
        assert layers[1].attention.self.query.weight.grad is None  # behind the exit


def test_a_seed_draws_the_decoder_and_nothing_else():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    a, b, c = (ExitAutoencoder(bert(), seed=s) for s in (1, 1, 2))
    torch.manual_seed(5)
    ExitAutoencoder(a.model, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    same = [torch.equal(x, y) for x, y in zip(a.decoder.parameters(), b.decoder.parameters(), strict=True)]
    assert all(same)
    assert not torch.equal(a.decoder.attention.self.query.weight, c.decoder.attention.self.query.weight)
    drawn = a.decoder.attention.self.query.weight.detach()
    assert float(drawn.std()) == pytest.approx(0.02, rel=0.3)  # the model's own rule
    assert a.width == 8


def test_refused(auto):
    with pytest.raises(TypeError, match="BertForMaskedLM"):
        ExitAutoencoder(bert().bert, seed=0)
    for size in (0, 9):
        with pytest.raises(ValueError, match=r"1\.\.8"):
            auto.token_logits(torch.ones(2, size))
