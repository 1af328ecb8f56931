"""Encoding: what a vector may not depend on, what it is made of, and where the rows go."""

import numpy as np
import pytest
import torch

from workbench.encoders import Encoder, attention_temperature, load_encoder

pytestmark = pytest.mark.usefixtures("home")

TEXTS = [
    "a cat",
    "",
    "A dog runs over the hill and comes back.",
    "naïve café, 漢字, \U0001f600",
    "word " * 400,
    "a cat",
    "\n\t ",
    "Rows are texts, columns are dimensions, always.",
    "short",
]


def by_hand(enc, text, max_length=256):
    """One text, transformers' own classes, no batch: mean of the tokens' last states."""
    ids = enc.tokenizer(text, truncation=True, max_length=max_length, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return enc.model(input_ids=ids)[0][0].double().mean(dim=0).numpy()


def test_a_row_is_the_mean_of_the_last_states_of_its_text_alone(enc):
    rows = enc.encode(TEXTS, normalize=False, store=False)
    assert rows.dtype == np.float32
    for row, text in zip(rows, TEXTS, strict=True):
        np.testing.assert_allclose(row, by_hand(enc, text), atol=1e-5)


def test_rows_have_length_1_as_the_folder_says_unless_asked_otherwise(enc):
    rows, plain = enc.encode(TEXTS, store=False), enc.encode(TEXTS, normalize=False, store=False)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(rows, plain / np.linalg.norm(plain, axis=1, keepdims=True), atol=1e-6)
    assert (abs(np.linalg.norm(plain, axis=1) - 1) > 0.01).all()


@pytest.mark.parametrize("batch_tokens", [1, 64, 10_000])
def test_a_row_does_not_depend_on_the_batch_nor_on_the_order(enc, batch_tokens):
    alone = np.concatenate([enc.encode([text], store=False) for text in TEXTS])
    order = np.random.default_rng(0).permutation(len(TEXTS))
    mixed = enc.encode([TEXTS[i] for i in order], batch_tokens=batch_tokens, store=False)
    np.testing.assert_allclose(mixed, alone[order], atol=1e-5)


def test_equal_texts_are_encoded_once(enc):
    seen = []
    handle = enc.model.register_forward_pre_hook(
        lambda _m, _a, kwargs: seen.append(kwargs["input_ids"].shape[0]), with_kwargs=True
    )
    rows = enc.encode(["b", "a", "b", "b"], store=False)
    handle.remove()
    assert sum(seen) == 2
    assert (rows[0] == rows[2]).all()
    assert (rows[0] == rows[3]).all()


def test_no_texts_give_no_rows(enc, tmp_path):
    assert enc.encode([]).shape == (0, 384)
    assert enc.encode([], out=tmp_path / "none.npy").shape == (0, 384)
    assert np.load(tmp_path / "none.npy").shape == (0, 384)
    assert enc.hidden_states([]).shape == (7, 0, 384)
    assert enc.mean_word_embedding([]).shape == (0, 384)
    assert enc.count_tokens([]).shape == (0,)
    assert len(enc.token_states([])) == 0


@pytest.mark.parametrize("method", ["encode", "hidden_states", "token_states", "mean_word_embedding", "count_tokens"])
@pytest.mark.parametrize(
    ("texts", "words"), [("a text", "put it in a list"), (["a", "b", None], "text 2 must be a str"), ([b"a"], "text 0")]
)
def test_what_is_no_list_of_str_is_refused_by_index(enc, method, texts, words):
    with pytest.raises(TypeError, match=words):
        getattr(enc, method)(texts)


def test_half_a_surrogate_pair_is_refused(enc):
    with pytest.raises(ValueError, match="text 1 must be valid Unicode: lone surrogate at 2"):
        enc.encode(["a", "ab\ud800"])


def test_attention_is_fused_and_no_code_of_the_folder_runs(enc):
    assert enc.model.config._attn_implementation == "sdpa"
    assert type(enc.model).__module__ == "transformers.models.bert.modeling_bert"


def test_a_budget_below_1_is_refused(enc):
    with pytest.raises(ValueError, match="batch_tokens must be 1 or more, got 0"):
        enc.encode(["a"], batch_tokens=0)


def test_with_settings_shares_the_weights_and_changes_the_vectors(enc):
    short = enc.with_settings(max_length=16)
    assert short.whole_model is enc.whole_model
    assert enc.settings.max_length == 256
    np.testing.assert_allclose(
        short.encode(TEXTS[4:5], normalize=False, store=False)[0], by_hand(enc, TEXTS[4], 16), atol=1e-5
    )
    assert enc.with_settings(max_length=512).encode(["word " * 600], store=False).shape == (1, 384)
    with pytest.raises(ValueError, match="got 513"):
        enc.with_settings(max_length=513)
    with pytest.raises(TypeError, match="'max_length'"):
        enc.with_settings(maxlength=3)
    assert enc.with_settings(max_length=16).with_settings(max_length=None).settings.max_length == 256


def test_dimensions_are_cut_before_the_rows_are_scaled(enc):
    whole = enc.encode(TEXTS, normalize=False, store=False)[:, :64]
    cut = enc.with_settings(dimensions=64)
    assert cut.width == 64
    np.testing.assert_allclose(
        cut.encode(TEXTS, store=False), whole / np.linalg.norm(whole, axis=1, keepdims=True), atol=1e-6
    )


def test_a_prompt_stands_before_every_text_and_counts(enc):
    asked = enc.with_settings(prompt="query: ")
    expected = enc.encode(["query: " + text for text in TEXTS], store=False)
    np.testing.assert_allclose(asked.encode(TEXTS, store=False), expected, atol=1e-6)
    assert asked.count_tokens(["a"])[0] == enc.count_tokens(["query: a"])[0]


def test_fewer_layers_give_the_state_that_the_whole_model_has_there(enc):
    three = enc.with_settings(layers=3)
    assert (three.n_layers, enc.n_layers) == (3, 6)
    expected = enc.hidden_states(TEXTS, layers=[3])[0]
    np.testing.assert_allclose(three.encode(TEXTS, normalize=False, store=False), expected, atol=1e-5)
    shared = dict(enc.whole_model.named_parameters())
    assert all(shared[name] is value for name, value in three.model.named_parameters())
    assert three.with_settings(layers=None).n_layers == 6


def test_a_temperature_reaches_every_encoder_with_the_same_weights(enc):
    three = enc.with_settings(layers=3)
    with attention_temperature(three, 0.5):
        assert (three.attention_temperature, enc.attention_temperature) == (0.5, 0.5)
        cold = enc.encode(TEXTS, store=False)
        np.testing.assert_allclose(
            three.encode(TEXTS, normalize=False, store=False), enc.hidden_states(TEXTS, layers=[3])[0], atol=1e-5
        )
    assert enc.attention_temperature == 1.0
    with attention_temperature(enc, 0.5):
        np.testing.assert_array_equal(enc.encode(TEXTS, store=False), cold)
    assert abs(enc.encode(TEXTS, store=False) - cold).max() > 0.01


def test_half_precision_stays_close_and_comes_back_as_float32(enc):
    rows = enc.encode(TEXTS, store=False)
    half = enc.with_settings(dtype="bfloat16").encode(TEXTS, store=False)
    assert half.dtype == np.float32
    assert (rows * half).sum(axis=1).min() >= 0.999
    assert next(enc.model.parameters()).dtype == torch.float32
    with pytest.raises(ValueError, match="float64"):
        enc.with_settings(dtype="float64")


def test_count_tokens_is_before_truncation_with_the_special_ones(enc):
    counts = enc.count_tokens(TEXTS)
    assert counts.dtype == np.int64
    assert counts.tolist() == [len(enc.tokenizer.tokenize(text)) + 2 for text in TEXTS]
    assert counts[4] == 402


def test_rows_go_to_a_file_or_into_the_callers_array(enc, tmp_path):
    expected = enc.encode(TEXTS, store=False)
    path = tmp_path / "rows.npy"
    mapped = enc.encode(TEXTS, out=path, store=False)
    np.testing.assert_array_equal(np.load(path), expected)
    np.testing.assert_array_equal(mapped, expected)
    mine = np.lib.format.open_memmap(tmp_path / "mine.npy", mode="w+", dtype=np.float32, shape=expected.shape)
    assert enc.encode(TEXTS, out=mine, store=False) is mine
    np.testing.assert_array_equal(np.load(tmp_path / "mine.npy"), expected)


def test_an_output_that_does_not_fit_is_refused(enc, tmp_path):
    with pytest.raises(ValueError, match=r"shape \(2, 384\), got \(3, 384\)"):
        enc.encode(["a", "b"], out=np.empty((3, 384), dtype=np.float32))
    with pytest.raises(TypeError, match="float32, got float64"):
        enc.encode(["a"], out=np.empty((1, 384)))
    with pytest.raises(ValueError, match="ends in"):
        enc.encode(["a"], out=tmp_path / "rows.bin")


def test_a_run_that_fails_leaves_no_file_that_looks_whole(enc, tmp_path, monkeypatch):
    def fail(ids):
        raise RuntimeError("stop")

    monkeypatch.setitem(vars(enc), "pooled", fail)  # an attribute that was set would stay
    with pytest.raises(RuntimeError, match="stop"):
        enc.encode(TEXTS, out=tmp_path / "rows.npy", store=False)
    assert [p.name for p in tmp_path.iterdir() if p.name != "home"] == []


def test_a_vector_that_is_not_finite_is_refused_by_the_texts_index(enc, monkeypatch):
    whole = enc.pooled

    def spoil(ids):
        rows = whole(ids).clone()
        rows[[len(r) == 2 for r in ids]] = torch.nan
        return rows

    monkeypatch.setitem(vars(enc), "pooled", spoil)
    with pytest.raises(ValueError, match="text 1 has a vector"):
        enc.encode(TEXTS[:3], store=False)


def test_a_text_without_tokens_is_refused(enc):
    class Bare:
        is_fast, pad_token_id = False, 0

        def __call__(self, texts, **_):
            return {"input_ids": [[int(c) for c in text] for text in texts]}

    bare = Encoder(enc.whole_model, Bare())
    assert bare.encode(["12", "3"], store=False).shape == (2, 384)
    with pytest.raises(ValueError, match="text 3 has no tokens"):
        bare.encode(["12", "12", "12", ""], store=False)
    with pytest.raises(ValueError, match="fast tokenizer"):
        bare.token_states(["12"])


def test_the_model_comes_back_in_the_mode_it_had(enc):
    enc.whole_model.train()
    enc.whole_model.embeddings.eval()
    first = enc.encode(["a", "b"], store=False)
    assert enc.whole_model.training
    assert not enc.whole_model.embeddings.training
    np.testing.assert_array_equal(enc.encode(["a", "b"], store=False), first)  # no dropout
    enc.whole_model.eval()


def test_a_bar_is_shown_only_for_many_batches(enc, capsys):
    enc.encode(TEXTS, store=False)
    assert capsys.readouterr().err == ""
    many = [f"text number {i}" for i in range(60)]  # 60 texts of about 5 tokens: 50 batches of 6 tokens
    enc.encode(many, batch_tokens=6, store=False)
    assert "60/60" in capsys.readouterr().err
    enc.encode(many, batch_tokens=6, store=False, progress=False)
    assert capsys.readouterr().err == ""


def test_global_threads_are_left_alone(enc):
    before = torch.get_num_threads()
    enc.encode(TEXTS, store=False)
    assert torch.get_num_threads() == before


def test_a_device_that_is_not_here_is_refused():
    with pytest.raises(ValueError, match="got 'abacus'"):
        load_encoder("all-MiniLM-L6-v2", device="abacus")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="torch finds no GPU"):
            load_encoder("all-MiniLM-L6-v2", device="cuda")
