"""Positions beyond the learned ones against numpy's interpolation and against the layers run by hand; windows."""

import types

import numpy as np
import pytest
import torch
from transformers import XLMRobertaConfig, XLMRobertaModel

from workbench.encoders import Encoder, extended_positions, window_vectors
from workbench.encoders.long_texts import interpolated_rows, position_rows
from workbench.models import small_bert, small_decoder, train_wordpiece

WORDS = [f"{a}{b}" for a in "bdfgk" for b in "aeiou"]
LONG = " ".join(WORDS[i * 7 % 25] for i in range(18))  # 20 tokens with the special ones
SHORT = "ba di fo"
HAND = {  # old row that each of 20 tokens reads, as a number that may lie between two rows
    "interpolated": [i / 3 for i in range(20)],
    "grouped": [i // 3 for i in range(20)],
    "recurrent": [i % 8 for i in range(20)],
}


@pytest.fixture(scope="module")
def short():
    """An encoder with 8 positions."""
    tokenizer = train_wordpiece([" ".join(WORDS)] * 3, vocabulary=200)
    model = small_bert(len(tokenizer), layers=2, width=16, heads=2, positions=8, seed=0)
    with torch.no_grad():  # as drawn they are too small to matter
        model.embeddings.position_embeddings.weight.mul_(50)
    return Encoder(model, tokenizer)


def ids_of(encoder, text):
    return torch.tensor([encoder.tokenizer(text)["input_ids"]])


def by_hand(encoder, text, positions):
    """Mean state of one text whose tokens have these rows for their positions, layer by layer."""
    part, ids = encoder.model.embeddings, ids_of(encoder, text)
    with torch.no_grad():
        rows = part.word_embeddings(ids) + part.token_type_embeddings.weight[0] + torch.as_tensor(positions)
        return encoder.model.encoder(part.LayerNorm(rows))[0].mean(dim=1)[0].numpy()


def between(table, places):
    """Rows at fractional places, column by column; numpy keeps the last row behind the end."""
    return np.stack([np.interp(places, np.arange(len(table)), column) for column in table.T], axis=1).astype("float32")


@pytest.mark.parametrize("stretch", [1, 2, 5])
def test_the_long_table_is_numpys_interpolation_and_holds_the_old_rows(stretch):
    table = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    got = interpolated_rows(torch.from_numpy(table), stretch).numpy()
    np.testing.assert_allclose(got, between(table, np.arange(7 * stretch) / stretch), atol=1e-6)
    np.testing.assert_array_equal(got[::stretch], table)


def test_rows_of_tokens_are_those_of_the_definition():
    rows = {how: position_rows(12, positions=4, stretch=3, how=how).tolist() for how in [*HAND, "shuffled"]}
    assert rows["interpolated"] == list(range(12))
    assert rows["grouped"] == [0, 0, 0, 3, 3, 3, 6, 6, 6, 9, 9, 9]
    assert rows["recurrent"] == [0, 3, 6, 9] * 3
    assert sorted(rows["shuffled"]) == list(range(12)) != rows["shuffled"]
    assert position_rows(7, positions=4, stretch=3, how="shuffled").tolist() == rows["shuffled"][:7]
    assert position_rows(12, positions=4, stretch=3, how="shuffled", seed=1).tolist() != rows["shuffled"]
    for how in rows:
        assert position_rows(4, positions=4, stretch=3, how=how).tolist() == [0, 3, 6, 9]
        assert position_rows(2, positions=4, stretch=3, how=how).tolist() == [0, 3]


@pytest.mark.parametrize("how", HAND)
def test_a_long_text_has_the_vector_of_its_layers_run_by_hand(short, how):
    table = short.model.embeddings.position_embeddings.weight.detach().numpy()
    long = extended_positions(short, 20, how=how)
    wanted = by_hand(short, LONG, between(table, HAND[how]))
    np.testing.assert_allclose(long.encode([LONG, SHORT])[0], wanted, atol=2e-6)
    others = [long.encode([LONG])[0] for how in HAND if (long := extended_positions(short, 20, how=how))]
    assert min(np.abs(a - b).max() for i, a in enumerate(others) for b in others[:i]) > 1e-3  # the rows matter


def test_shuffled_rows_are_the_long_table_in_another_order(short):
    table = interpolated_rows(short.model.embeddings.position_embeddings.weight.detach(), 3).numpy()
    order = position_rows(20, positions=8, stretch=3, how="shuffled", seed=4)
    got = extended_positions(short, 20, how="shuffled", seed=4).encode([LONG])
    np.testing.assert_allclose(got[0], by_hand(short, LONG, table[order]), atol=2e-6)


@pytest.mark.parametrize("how", [*HAND, "shuffled"])
def test_short_texts_keep_their_vector_bit_for_bit(short, enc, how):
    for old, new in ((short, extended_positions(short, 20, how=how)), (enc, extended_positions(enc, 1024, how=how))):
        for text in ("", SHORT, "one two three four five six"):
            np.testing.assert_array_equal(new.encode([text]), old.encode([text], store=False))
    batch = new.encode([SHORT, "word " * 600])  # padded far beyond the old positions
    np.testing.assert_allclose(batch[0], enc.encode([SHORT], store=False)[0], atol=1e-5)


def test_the_encoder_itself_stays_and_shares_its_other_weights(short):
    before, mark = short.encode([LONG, SHORT], store=False), short.fingerprint
    long = extended_positions(short, 20)
    assert (long.settings.max_length, short.settings.max_length) == (20, 8)
    assert long.count_tokens([LONG]).tolist() == [20]
    assert long.model.embeddings.word_embeddings.weight is short.model.embeddings.word_embeddings.weight
    assert long.model.embeddings.position_embeddings.weight.shape == (24, 16)
    long.encode([LONG])
    assert not long.stores
    np.testing.assert_array_equal(short.encode([LONG, SHORT], store=False), before)
    assert short.fingerprint == mark != long.fingerprint


def test_the_first_layers_alone_are_extended_as_well(short):
    first = short.with_settings(layers=1)
    long = extended_positions(first, 20)
    assert long.n_layers == 1
    np.testing.assert_array_equal(long.encode([SHORT]), first.encode([SHORT], store=False))


def test_windows_are_cut_by_hand(short):
    cls, *inner, sep = ids_of(short, LONG)[0].tolist()
    hand = [inner[0:6], inner[6:12], inner[12:18]]
    got = window_vectors(short, [LONG, SHORT, ""], length=20)
    assert [rows.shape for rows in got] == [(3, 16), (1, 16), (1, 16)]
    for row, ids in zip(got[0], hand, strict=True):
        with torch.no_grad():
            state = short.model(input_ids=torch.tensor([[cls, *ids, sep]]))[0]
        np.testing.assert_allclose(row, state.mean(dim=1)[0].numpy(), atol=2e-6)
    np.testing.assert_allclose(np.stack([got[1][0], got[2][0]]), short.encode([SHORT, ""], store=False), atol=2e-6)
    moved = window_vectors(short, [LONG], length=17)[0]  # 15 tokens of its own: the last window begins at 9
    with torch.no_grad():
        state = short.model(input_ids=torch.tensor([[cls, *inner[9:15], sep]]))[0]
    assert len(moved) == 3
    np.testing.assert_allclose(moved[2], state.mean(dim=1)[0].numpy(), atol=2e-6)
    assert window_vectors(short, [], length=20) == []


def test_positions_that_cannot_be_extended_are_refused(short):
    roberta = XLMRobertaConfig(
        vocab_size=99, hidden_size=16, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2
    )
    for model in (XLMRobertaModel(roberta), small_decoder(99, layers=1, width=16, heads=2, head=None, seed=0)):
        with pytest.raises(ValueError, match="no table of learned positions"):
            extended_positions(Encoder(model, short.tokenizer), 1024)
    with pytest.raises(ValueError, match="above the model's 8 positions, got 8"):
        extended_positions(short, 8)
    with pytest.raises(ValueError, match="how must be one of"):
        extended_positions(short, 20, how="linear")
    with pytest.raises(ValueError, match="seed must be"):
        extended_positions(short, 20, how="shuffled", seed=-1)
    long = extended_positions(short, 20)
    with pytest.raises(ValueError, match="has hooks already"):
        extended_positions(long, 40)
    with pytest.raises(ValueError, match="need attention_mask"):
        long.model(input_ids=ids_of(short, LONG))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"length": 0}, "length must be a whole number"),
        ({"length": 13}, r"at most 4 positions \* 3, got 13"),
        ({"positions": 0}, "positions must be"),
        ({"stretch": 0}, "stretch must be"),
        ({"how": "linear"}, "how must be one of"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_rows_that_do_not_exist_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        position_rows(**({"length": 5, "positions": 4, "stretch": 3, "how": "grouped"} | options))


def test_tables_that_cannot_be_stretched_are_refused():
    for table, stretch, words in (
        (torch.zeros(3), 2, "2-D"),
        (torch.zeros(0, 3), 2, "2-D"),
        (torch.zeros(2, 3), 0, "stretch"),
    ):
        with pytest.raises(ValueError, match=words):
            interpolated_rows(table, stretch)


def test_windows_that_cannot_be_cut_are_refused(short):
    with pytest.raises(TypeError, match="one str"):
        window_vectors(short, LONG, length=20)
    with pytest.raises(ValueError, match="must not be below the encoder's max_length of 8, got 7"):
        window_vectors(short, [LONG], length=7)
    with pytest.raises(ValueError, match="above the 2 special tokens, got 2"):
        window_vectors(short.with_settings(max_length=2), [LONG], length=20)


@pytest.mark.parametrize(("fast", "words"), [(False, "Bare does not tell"), (True, "text 0 has no tokens")])
def test_tokenizers_that_do_not_tell_their_special_tokens_or_have_none_are_refused(short, fast, words):
    class Read(dict):
        encodings = (types.SimpleNamespace(special_tokens_mask=[]),)

    class Bare:
        is_fast, pad_token_id = fast, 0

        def __call__(self, texts, **_):
            return Read(input_ids=[[] for _ in texts])

    with pytest.raises(ValueError, match=words):
        window_vectors(Encoder(short.whole_model, Bare()), ["a text"], length=20)
