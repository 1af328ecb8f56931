"""Token prepending against the layers of a decoder run one by one by hand, and what a causal mask must still hide."""

import numpy as np
import pytest
import torch

from workbench.encoders import Encoder, token_prepending
from workbench.models import small_bert, small_decoder, train_bpe

PLACE, LAYERS = 5, 4


@pytest.fixture(scope="module")
def model():
    """A decoder whose layers move a state about as much as the embeddings are large."""
    made = small_decoder(300, layers=LAYERS, width=16, heads=2, head=None, seed=0)
    with torch.no_grad():
        for weight in made.parameters():
            weight.mul_(10 if weight.ndim == 2 else 1)
    return made


def texts(n=3, length=9, place=2, seed=1):
    ids = torch.randint(6, 300, (n, length), generator=torch.Generator().manual_seed(seed))
    ids[:, place] = PLACE
    return ids


def by_hand(model, ids, start, stop, *, direction=None):
    """States behind every layer of one text without padding, (layers + 1, tokens, d); the last is normalised."""
    with torch.no_grad():
        state = model.embed_tokens(ids[None])
        turned = model.rotary_emb(state, position_ids=torch.arange(len(ids))[None])
        states, place = [state[0].clone()], ids.tolist().index(PLACE)
        for number, layer in enumerate(model.layers):
            if start <= number < stop:
                summary = state[0, -1].clone()
                state = state.clone()
                state[0, place] = summary if direction is None else direction * summary.norm()
            state = layer(state, position_embeddings=turned)
            states.append(state[0].clone())
        return torch.stack([*states[:-1], model.norm(state)[0]])


def run(model, ids, mask=None):
    with torch.no_grad():
        return model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states


@pytest.mark.parametrize(("start", "stop"), [(1, 2), (1, 4), (0, 1), (2, 3)])
def test_states_are_those_of_the_layers_run_by_hand(model, start, stop):
    ids = texts()
    with token_prepending(model, PLACE, start=start, stop=stop):
        got = torch.stack(run(model, ids)).numpy()
    assert got.shape == (LAYERS + 1, 3, 9, 16)
    for row in range(3):
        wanted = by_hand(model, ids[row], start, stop).numpy()
        words = [i for i in range(9) if i != 2]  # transformers keeps the overwritten input of a layer as its state
        np.testing.assert_allclose(got[:, row, words], wanted[:, words], rtol=2e-5, atol=2e-5)
    plain = torch.stack(run(model, ids)).numpy()
    np.testing.assert_allclose(plain[:, 0], by_hand(model, ids[0], 0, 0).numpy(), rtol=2e-5, atol=2e-5)
    assert np.abs(plain - got)[start + 1, :, 3:].min(axis=-1).max() > 0  # and the block is over


def test_a_random_vector_has_the_length_of_the_state_and_depends_on_the_seed(model):
    ids = texts()
    direction = torch.nn.functional.normalize(torch.randn(16, generator=torch.Generator().manual_seed(3)), dim=0)
    with token_prepending(model, PLACE, stop=3, random=3):
        got = run(model, ids)[-1]
    np.testing.assert_allclose(got[0, 3:], by_hand(model, ids[0], 1, 3, direction=direction)[-1, 3:], atol=2e-5)
    with token_prepending(model, PLACE, stop=3, random=4):
        assert (run(model, ids)[-1] - got).abs().max() > 1e-3


@pytest.mark.parametrize(("start", "first"), [(1, 2), (2, 3)])
def test_an_early_word_sees_the_last_one_from_the_output_of_the_first_layer_on(model, start, first):
    one, other = texts(n=1), texts(n=1)
    other[0, -2] = 7 if other[0, -2] != 7 else 8

    def change():
        a, b = (torch.stack(run(model, ids))[:LAYERS, 0, 3] for ids in (one, other))
        return (a - b).norm(dim=1).tolist()

    assert change() == [0.0] * LAYERS
    with token_prepending(model, PLACE, start=start, stop=start + 1):
        found = change()
    assert found[:first] == [0.0] * first
    assert min(found[first:]) > 1e-3


@pytest.mark.parametrize("left", [False, True])
def test_padding_on_either_side_changes_nothing(model, left):
    ids = texts(n=2)
    short = ids[1, :7]
    place = slice(2, 9) if left else slice(0, 7)
    padded, mask = ids.clone(), torch.ones_like(ids)
    padded[1], mask[1] = 0, 0
    padded[1, place], mask[1, place] = short, 1
    with token_prepending(model, PLACE, stop=3):
        got = run(model, padded, mask)[-1][1, place]
    np.testing.assert_allclose(got, by_hand(model, short, 1, 3)[-1], atol=1e-4)


def test_an_encoder_pools_the_last_token_and_keeps_its_vectors_to_itself(home):
    words = ["alpha beta gamma", "delta epsilon"]
    tokenizer = train_bpe(words, vocabulary=270)
    tokenizer.add_tokens(["<PST>"], special_tokens=True)
    token = tokenizer.convert_tokens_to_ids("<PST>")
    whole = small_decoder(len(tokenizer), layers=3, width=16, heads=2, seed=0)
    encoder = Encoder(whole.base_model, tokenizer, options={"pooling": "last"})
    prompts = [f"word :<PST> {word}" for word in words]
    inert = encoder.encode(prompts)
    assert len(encoder.stores) == 1
    with token_prepending(encoder, token, stop=2):
        got, states = encoder.encode(prompts), encoder.hidden_states(prompts)
    np.testing.assert_array_equal(encoder.encode(prompts), inert)
    assert np.abs(got - inert).max() > 1e-6
    for row, text in enumerate(prompts):
        ids = torch.tensor(tokenizer(text)["input_ids"])
        assert ids.tolist().count(token) == 1
        with torch.no_grad():
            state = encoder.model.embed_tokens(ids[None])
            turned = encoder.model.rotary_emb(state, position_ids=torch.arange(len(ids))[None])
            for number, layer in enumerate(encoder.model.layers):
                if number == 1:
                    state[0, ids.tolist().index(token)] = state[0, -1].clone()
                np.testing.assert_allclose(states[number, row], state[0, -1], atol=1e-5)
                state = layer(state, position_embeddings=turned)
            last = encoder.model.norm(state)[0, -1]
        np.testing.assert_allclose(got[row], last, atol=1e-5)
        np.testing.assert_allclose(states[-1, row], last, atol=1e-5)


def test_hooks_are_gone_behind_the_block_whatever_happened(model):
    before = torch.stack(run(model, texts()))
    with pytest.raises(RuntimeError, match="inside"), token_prepending(model, PLACE, stop=2):
        raise RuntimeError("inside")
    assert torch.equal(torch.stack(run(model, texts())), before)
    assert not any(part._forward_pre_hooks for part in [model, *model.layers])


@pytest.mark.parametrize(("start", "stop"), [(2, 2), (-1, 2), (1, 5)])
def test_layers_that_are_not_there_are_refused(model, start, stop):
    with (
        pytest.raises(ValueError, match=f"start < stop <= 4, got start={start} and stop={stop}"),
        token_prepending(model, PLACE, start=start, stop=stop),
    ):
        pass


def test_texts_without_one_placeholder_before_their_end_are_refused(model):
    none, two, last = texts(), texts(), texts()
    none[1, 2], two[2, 4], last[0, 2], last[0, 8] = 9, PLACE, 9, PLACE
    with token_prepending(model, PLACE, stop=2):
        for ids, words in ((none, "row 1 .* got it 0"), (two, "row 2 .* got it 2"), (last, "row 0 .* at 8 of 8")):
            with pytest.raises(ValueError, match=words):
                run(model, ids)
        with pytest.raises(ValueError, match="among input_ids"):
            model(inputs_embeds=torch.zeros(1, 3, 16))


def test_a_seed_that_is_none_and_layers_that_are_not_one_list_are_refused(model):
    with pytest.raises(ValueError, match="seed must be"), token_prepending(model, PLACE, stop=2, random=-1):
        pass
    whole = small_bert(99, layers=2, width=16, heads=2, seed=0)
    whole.layers_kept = 3  # no list has so many
    with pytest.raises(ValueError, match="one list"), token_prepending(whole, PLACE, stop=2):
        pass
