"""Hidden and token states against transformers' own, word embeddings against the matrix."""

import numpy as np
import pytest
import torch

from workbench.encoders.layers import keep_layers, layer_stack, recorded_layers

TEXTS = ["The cats weren't running.", "", "one", "word " * 300]


def theirs(enc, text):
    """Ids and (layers, tokens, d) of one text, through output_hidden_states."""
    ids = enc.tokenizer(text, truncation=True, max_length=256, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        states = enc.model(input_ids=ids, output_hidden_states=True).hidden_states
    return ids[0].tolist(), torch.stack(states)[:, 0].numpy()


def test_hidden_states_are_the_means_of_transformers_own(enc):
    rows = enc.hidden_states(TEXTS)
    assert (rows.shape, rows.dtype) == ((7, 4, 384), np.float32)
    for i, text in enumerate(TEXTS):
        np.testing.assert_allclose(rows[:, i], theirs(enc, text)[1].mean(axis=1), atol=1e-5)
    np.testing.assert_allclose(rows[-1], enc.encode(TEXTS, normalize=False, store=False), atol=1e-6)


def test_chosen_layers_come_in_their_order_and_into_a_file(enc, tmp_path):
    whole = enc.hidden_states(TEXTS)
    np.testing.assert_array_equal(enc.hidden_states(TEXTS, layers=[6, 0, 2]), whole[[6, 0, 2]])
    mapped = enc.hidden_states(TEXTS, layers=[1, 5], out=tmp_path / "h.npy")
    np.testing.assert_array_equal(mapped, whole[[1, 5]])
    np.testing.assert_array_equal(np.load(tmp_path / "h.npy"), whole[[1, 5]])


@pytest.mark.parametrize("method", ["hidden_states", "token_states"])
@pytest.mark.parametrize("layer", [7, -1])
def test_a_layer_that_is_not_there_is_refused(enc, method, layer):
    with pytest.raises(ValueError, match=f"between 0 .* and 6, got {layer}"):
        getattr(enc, method)(TEXTS, layers=[layer])


def test_token_states_are_transformers_own_without_padding(enc):
    got = enc.token_states(TEXTS)
    assert len(got) == 4
    for i, text in enumerate(TEXTS):
        ids, states = theirs(enc, text)
        assert got.values[i].shape == (7, len(ids), 384)
        assert got.pieces[i] == enc.tokenizer.convert_ids_to_tokens(ids)
        np.testing.assert_allclose(got.values[i], states, atol=2e-5)


def test_offsets_and_words_say_where_a_token_lies(enc):
    got = enc.token_states(TEXTS[:1], layers=[0])
    spans = [TEXTS[0][a:b].lower() for a, b in got.offsets[0]]
    assert spans == ["", "the", "cats", "weren", "'", "t", "running", ".", ""]
    assert got.words[0].tolist() == [-1, 0, 1, 2, 3, 4, 5, 6, -1]
    assert got.values[0].shape == (1, 9, 384)
    prompted = enc.with_settings(prompt="find: ").token_states(["cats"], layers=[0])
    assert [("find: cats")[a:b] for a, b in prompted.offsets[0]] == ["", "find", ":", "cats", ""]


def test_mean_word_embedding_averages_rows_of_the_matrix(enc):
    matrix = enc.model.embeddings.word_embeddings.weight.detach().double().numpy()
    got = enc.mean_word_embedding(TEXTS)
    assert got.dtype == np.float32
    for row, text in zip(got, TEXTS, strict=True):
        ids = enc.tokenizer(text, truncation=True, max_length=256)["input_ids"]
        np.testing.assert_allclose(row, matrix[ids].mean(axis=0), atol=1e-6)


def test_attention_maps_of_a_text_are_eager_attention(enc):
    maps = enc.attention_maps(TEXTS[0], layers=[5, 0])
    assert (maps.shape, maps.dtype) == ((2, 12, 9, 9), np.float32)
    ids = enc.tokenizer(TEXTS[0], return_tensors="pt")["input_ids"]
    enc.model.set_attn_implementation("eager")
    with torch.no_grad():
        eager = enc.model(input_ids=ids, output_attentions=True).attentions
    enc.model.set_attn_implementation("sdpa")
    for got, layer in zip(maps, [5, 0], strict=True):
        np.testing.assert_allclose(got, eager[layer][0].numpy(), atol=1e-6)
    with pytest.raises(TypeError):
        enc.attention_maps([TEXTS[0]])


def test_layers_that_are_one_and_the_same_cannot_be_told_apart():
    from transformers import AlbertConfig, AlbertModel

    config = AlbertConfig(
        vocab_size=50,
        embedding_size=8,
        hidden_size=16,
        num_attention_heads=2,
        num_hidden_layers=4,
        intermediate_size=16,
    )
    model = AlbertModel(config)
    for act in (layer_stack, lambda m: keep_layers(m, 2), lambda m: recorded_layers(m, [0]).__enter__()):
        with pytest.raises(ValueError, match="AlbertModel does not keep its layers in one list"):
            act(model)


@pytest.mark.parametrize("kind", ["llama", "modernbert", "t5"])
def test_other_stacks_are_cut_and_recorded_alike(kind):
    import transformers as hf

    small = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 4}
    small |= {"num_attention_heads": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    torch.manual_seed(0)
    model = {
        "llama": lambda: hf.LlamaModel(hf.LlamaConfig(**small)),
        "modernbert": lambda: hf.ModernBertModel(hf.ModernBertConfig(**small, cls_token_id=1, sep_token_id=2)),
        "t5": lambda: hf.T5EncoderModel(
            hf.T5Config(vocab_size=50, d_model=16, d_kv=8, d_ff=16, num_layers=4, num_heads=2)
        ),
    }[kind]().eval()
    ids = torch.randint(3, 50, (2, 6), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        with recorded_layers(model, range(5)) as states:
            model(input_ids=ids)
        expected = model(input_ids=ids, output_hidden_states=True).hidden_states
        for number in range(4):  # the fifth is the model's own output
            torch.testing.assert_close(states[number], expected[number])
        cut = keep_layers(model, 2)
        with recorded_layers(cut, [0, 1]) as states:
            cut(input_ids=ids)
        torch.testing.assert_close(states[1], expected[1])
        stack = list(layer_stack(model))
        assert len(stack) == 4
        assert list(layer_stack(cut)) == stack[:2]
        import copy

        short = copy.deepcopy(model)
        path = next(name for name, m in short.named_modules() if isinstance(m, torch.nn.ModuleList) and len(m) == 4)
        parent, _, last = path.rpartition(".")
        setattr(short.get_submodule(parent), last, layer_stack(short)[:2])
        short.config.num_hidden_layers = 2
        torch.testing.assert_close(cut(input_ids=ids)[0], short(input_ids=ids)[0])
