"""The vector store: what comes back is what was put, and nothing else ever comes back."""

import copy
import hashlib
import json
import os
import time
import unicodedata
import warnings

import numpy as np
import pytest
import torch

from tests.faults.tiny_bert import make_tiny_bert
from workbench.encoders import VectorStore, attention_temperature, load_encoder
from workbench.encoders.store import space_key

pytestmark = pytest.mark.usefixtures("home")

TEXTS = [f"text number {i}" for i in range(20)]


@pytest.fixture
def calls(enc, monkeypatch):
    """Numbers of texts that went through the model, call by call."""
    seen = []
    whole = type(enc).pooled

    def count(self, ids):
        seen.append(len(ids))
        return whole(self, ids)

    monkeypatch.setattr(type(enc), "pooled", count)
    return seen


def rows_for(texts, width=8):
    return np.stack([np.frombuffer(hashlib.sha256(t.encode()).digest(), "<u4")[:width] for t in texts]).astype("f4")


def test_rows_come_back_bit_for_bit_in_this_process_and_the_next(tmp_path):
    store = VectorStore("s" * 64, width=8, folder=tmp_path)
    store.put(TEXTS, rows_for(TEXTS))
    for reader in (store, VectorStore("s" * 64, width=8, folder=tmp_path)):
        found = reader.get([*TEXTS, "never put"])
        assert found.keys() == set(TEXTS)
        np.testing.assert_array_equal(np.stack([found[t] for t in TEXTS]), rows_for(TEXTS))


def test_what_a_killed_writer_left_is_swept_once_it_is_old(tmp_path):
    store = VectorStore("s" * 64, width=8, folder=tmp_path)
    store.put(TEXTS, rows_for(TEXTS))
    old, new = store.folder / ".part-old", store.folder / ".part-new"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    assert len(VectorStore("s" * 64, width=8, folder=tmp_path).get(TEXTS)) == 20
    assert (old.exists(), new.exists()) == (False, True)


def test_another_space_or_text_finds_nothing(tmp_path):
    VectorStore("a" * 64, width=8, folder=tmp_path).put(TEXTS, rows_for(TEXTS))
    assert VectorStore("b" * 64, width=8, folder=tmp_path).get(TEXTS) == {}
    assert VectorStore("a" * 32 + "b" * 32, width=8, folder=tmp_path).get(TEXTS) == {}  # same folder, other keys


def test_rows_put_by_another_process_are_seen(tmp_path):
    reader, writer = (VectorStore("s" * 64, width=8, folder=tmp_path) for _ in range(2))
    assert reader.get(TEXTS) == {}
    writer.put(TEXTS[:5], rows_for(TEXTS[:5]))
    assert reader.get(TEXTS).keys() == set(TEXTS[:5])


def damage(path, how):
    content = path.read_bytes()
    if how == "flip":
        spoilt = bytearray(content)
        spoilt[-3] ^= 1
        path.write_bytes(spoilt)
    elif how == "flipped key":
        spoilt = bytearray(content)
        spoilt[60] ^= 1
        path.write_bytes(spoilt)
    else:
        path.write_bytes({"torn": content[:-7], "empty": b"", "foreign": b"x" * 500, "grown": content + b"0"}[how])


@pytest.mark.parametrize("how", ["flip", "flipped key", "torn", "empty", "foreign", "grown"])
@pytest.mark.parametrize("known_before", [False, True])
def test_a_damaged_file_is_put_aside_and_none_of_its_rows_returned(how, known_before, tmp_path):
    store = VectorStore("s" * 64, width=8, folder=tmp_path)
    store.put(TEXTS[:5], rows_for(TEXTS[:5]))
    store.put(TEXTS[5:], rows_for(TEXTS[5:]))
    spoilt = next(p for p in store.folder.glob("*.rows") if p.stat().st_size < 500)
    damage(spoilt, how)
    reader = store if known_before else VectorStore("s" * 64, width=8, folder=tmp_path)
    with pytest.warns(UserWarning, match=spoilt.stem[:20]):
        assert reader.get(TEXTS).keys() == set(TEXTS[5:])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # warned once
        assert reader.get(TEXTS).keys() == set(TEXTS[5:])
        reader.put(TEXTS[:5], rows_for(TEXTS[:5]))
        assert reader.get(TEXTS).keys() == set(TEXTS)
        assert VectorStore("s" * 64, width=8, folder=tmp_path).get(TEXTS).keys() == set(TEXTS)


def test_rows_of_another_width_are_not_this_stores(tmp_path):
    VectorStore("s" * 64, width=4, folder=tmp_path).put(TEXTS, rows_for(TEXTS, 4))
    with pytest.warns(UserWarning, match="not a file of this store"):
        assert VectorStore("s" * 64, width=8, folder=tmp_path).get(TEXTS) == {}


def test_a_cleared_store_is_an_empty_one(tmp_path):
    store = VectorStore("s" * 64, width=8, folder=tmp_path)
    store.put(TEXTS, rows_for(TEXTS))
    for path in store.folder.iterdir():
        path.unlink()
    assert store.get(TEXTS) == {}
    store.put(TEXTS, rows_for(TEXTS))
    assert store.get(TEXTS).keys() == set(TEXTS)


def test_what_is_no_row_per_text_or_not_finite_is_never_stored(tmp_path):
    store = VectorStore("s" * 64, width=8, folder=tmp_path)
    with pytest.raises(ValueError, match=r"shape \(20, 8\), got \(20, 7\)"):
        store.put(TEXTS, rows_for(TEXTS)[:, :7])
    rows = rows_for(TEXTS)
    rows[3, 2] = np.nan
    with pytest.raises(ValueError, match="row 3 is not finite"):
        store.put(TEXTS, rows)
    assert not store.folder.exists()


def test_a_disk_that_takes_no_more_is_a_warning_and_leaves_nothing(enc, monkeypatch):
    expected = enc.encode(TEXTS, store=False)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.warns(UserWarning, match="not kept: .*No space left"):
        rows = enc.encode(TEXTS)
    np.testing.assert_allclose(rows, expected, atol=1e-6)
    (store,) = enc.stores.values()
    assert list(store.folder.iterdir()) == []


def test_known_texts_are_not_encoded_again(enc, calls):
    first = enc.encode(TEXTS[:10])
    assert sum(calls) == 10
    again = enc.encode(TEXTS)
    assert sum(calls) == 20
    np.testing.assert_array_equal(again[:10], first)
    enc.stores.clear()
    np.testing.assert_array_equal(enc.encode(TEXTS[::-1]), again[::-1])
    assert sum(calls) == 20


def test_store_false_neither_reads_nor_writes(enc, calls, home):
    enc.encode(TEXTS, store=False)
    assert not (home / "data" / "cache" / "vectors").exists()
    enc.encode(TEXTS)
    enc.encode(TEXTS, store=False)
    assert sum(calls) == 60


@pytest.mark.parametrize(
    "change",
    [
        {"max_length": 16},
        {"prompt": "q: "},
        {"pooling": "cls"},
        {"layers": 3},
        {"dimensions": 384},
        {"dtype": "bfloat16"},
    ],
    ids=lambda c: next(iter(c)),
)
def test_every_setting_has_its_own_vectors(enc, calls, change):
    enc.encode(TEXTS)
    other = enc.with_settings(**change)
    expected = other.encode(TEXTS, store=False)
    calls.clear()
    np.testing.assert_allclose(other.encode(TEXTS), expected, atol=1e-6)
    assert sum(calls) == 20


def test_normalisation_and_temperature_have_their_own_vectors_and_1_is_none(enc, calls):
    enc.encode(TEXTS)
    enc.encode(TEXTS, normalize=False)
    with attention_temperature(enc, 0.5):
        enc.encode(TEXTS)
    assert sum(calls) == 60
    with attention_temperature(enc, 1.0):
        enc.encode(TEXTS)
    assert sum(calls) == 60


@pytest.mark.parametrize("how", ["in place", "one value", "through data", "another tensor"])
def test_a_model_trained_in_place_never_meets_its_old_vectors(enc, how):
    trained = enc.with_settings(dtype="bfloat16")  # a copy: the loaded model stays as it is
    before, mark = trained.encode(TEXTS), trained.fingerprint
    weight = trained.model.encoder.layer[5].output.dense.weight
    with torch.no_grad():
        if how == "in place":
            weight.mul_(1.5)
        elif how == "one value":
            weight[7, 13] += 50
        elif how == "through data":
            weight.data.mul_(1.5)
        else:
            trained.model.encoder.layer[5].output.dense.weight = torch.nn.Parameter(weight * 1.5)
    assert trained.fingerprint != mark
    after = trained.encode(TEXTS)
    np.testing.assert_allclose(after, trained.encode(TEXTS, store=False), atol=1e-6)
    assert abs(after - before).max() > 0.01


def test_a_fingerprint_in_memory_is_of_the_values(enc):
    one, two = (enc.with_settings(dtype="bfloat16") for _ in range(2))
    assert one.fingerprint == two.fingerprint != enc.fingerprint
    assert enc.with_settings(max_length=16).fingerprint == enc.fingerprint


def test_a_hooked_model_is_kept_out_of_the_store(enc, calls):
    enc.encode(TEXTS)
    handle = enc.model.encoder.layer[2].register_forward_hook(lambda _m, _a, out: out * 0.5)
    hooked = enc.encode(TEXTS)
    handle.remove()
    assert abs(hooked - enc.encode(TEXTS)).max() > 0.001
    assert sum(calls) == 40
    enc.model(input_ids=torch.ones(1, 2, dtype=torch.long), output_hidden_states=True)  # leaves listening hooks behind
    enc.encode(TEXTS)
    assert sum(calls) == 40


def test_work_done_before_an_interruption_is_kept(enc, calls, monkeypatch):
    whole = type(enc).pooled

    def interrupted(self, ids):
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole(self, ids)

    monkeypatch.setattr(type(enc), "pooled", interrupted)
    with pytest.raises(KeyboardInterrupt):
        enc.encode(TEXTS, batch_tokens=20)
    done = sum(calls)
    monkeypatch.setattr(type(enc), "pooled", whole)
    assert 0 < done < 20
    enc.encode(TEXTS)
    assert sum(calls) == 20


def test_reading_1000_rows_back_takes_well_under_half_a_second(tmp_path):
    texts = [f"text {i} " * 20 for i in range(1000)]
    rows = np.random.default_rng(0).normal(size=(1000, 384)).astype("f4")
    VectorStore("s" * 64, width=384, folder=tmp_path).put(texts, rows)
    started = time.thread_time()
    found = VectorStore("s" * 64, width=384, folder=tmp_path).get(texts)
    assert time.thread_time() - started < 0.25
    assert len(found) == 1000


def test_texts_that_only_unicode_normalisation_makes_equal_have_rows_of_their_own(tmp_path):
    texts = ["caf\u00e9", "cafe\u0301", "\ufb01", "fi", "\u212b", "\u00c5", "a", "a\u200b", "a ", "A"]
    assert len({unicodedata.normalize("NFKC", t) for t in texts}) == 7  # a mistyped list would test nothing
    rows = np.arange(80, dtype="f4").reshape(10, 8)
    VectorStore("s" * 64, width=8, folder=tmp_path).put(texts, rows)
    found = VectorStore("s" * 64, width=8, folder=tmp_path).get(texts[::-1])
    np.testing.assert_array_equal(np.stack([found[t] for t in texts]), rows)


def change_json(path, change):
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def change_a_weight(folder):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][5, 3] += 1
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


FILE_CHANGES = {
    "a word's number": lambda f: change_json(
        f / "tokenizer.json", lambda c: c["model"]["vocab"].update({"text": 15, "number": 14})
    ),
    "no normaliser": lambda f: change_json(f / "tokenizer.json", lambda c: c.update(normalizer=None)),
    "the tokenizer's configuration": lambda f: change_json(
        f / "tokenizer_config.json", lambda c: c.update(model_max_length=9)
    ),
    "one weight": change_a_weight,
    "the model's configuration": lambda f: change_json(f / "config.json", lambda c: c.update(layer_norm_eps=0.1)),
}


@pytest.mark.parametrize("change", FILE_CHANGES.values(), ids=FILE_CHANGES.keys())
def test_another_file_of_the_model_has_its_own_vectors(tmp_path, home, change):
    folder = make_tiny_bert(tmp_path / "model")
    first = load_encoder(folder, device="cpu")
    before = first.encode(TEXTS)
    change(folder)
    second = load_encoder(folder, device="cpu")
    assert second.fingerprint != first.fingerprint
    np.testing.assert_allclose(second.encode(TEXTS), second.encode(TEXTS, store=False), atol=1e-6)
    assert len(list((home / "data" / "cache" / "vectors").glob("*/*.rows"))) == 2
    np.testing.assert_array_equal(first.encode(TEXTS), before)


def test_rows_are_copies_that_hold_no_file_in_memory(tmp_path):
    store = VectorStore("s" * 64, width=8, folder=tmp_path)
    store.put(TEXTS, rows_for(TEXTS))
    (row,) = store.get(TEXTS[:1]).values()
    assert row.base is None or row.base.nbytes == row.nbytes


@pytest.mark.parametrize("to_file", [False, True])
@pytest.mark.parametrize("store", [False, True])
def test_the_model_sees_each_distinct_text_once(enc, calls, tmp_path, store, to_file):
    texts = [f"text number {i % 7}" for i in range(40)] + ["", "text number 3 ", ""]
    rows = enc.encode(texts, store=store, out=tmp_path / "rows.npy" if to_file else None)
    assert sum(calls) == len(set(texts)) == 9
    alone = {text: enc.encode([text], store=False)[0] for text in set(texts)}
    np.testing.assert_allclose(rows, np.stack([alone[t] for t in texts]), atol=1e-6)


def test_the_store_says_which_model_a_space_is_of(enc, home):
    enc.with_settings(max_length=16).encode(TEXTS)
    (path,) = (home / "data" / "cache" / "vectors").glob("*/space.json")
    note = json.loads(path.read_text())
    assert (note["name"], note["max_length"], note["pooling"]) == ("all-MiniLM-L6-v2", 16, "mean")
    assert (note["width"], note["model"], note["temperature"]) == (384, enc.fingerprint, 1.0)


def test_a_limit_that_is_no_size_is_refused_before_a_text_is_encoded(enc, calls, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE_GB", "0")
    with pytest.raises(ValueError, match="WORKBENCH_CACHE_GB must be a finite number of gigabytes above 0, got '0'"):
        enc.encode(TEXTS)
    assert calls == []
    assert len(enc.encode(TEXTS, store=False)) == 20


def test_a_full_disk_is_warned_of_once_a_store_not_once_a_flush(enc, monkeypatch, recwarn):
    monkeypatch.setattr("workbench.encoders.encoding.FLUSH_ROWS", 2)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    enc.encode(TEXTS, batch_tokens=20)
    assert [str(w.message) for w in recwarn.list if "not kept" in str(w.message)] == [
        "vectors are not kept: [Errno 28] No space left on device"
    ]


def test_the_key_of_a_space_is_of_its_contents_not_of_their_order():
    a = space_key({"x": 1, "y": 2})
    assert a == space_key({"y": 2, "x": 1}) != space_key({"x": 1, "y": 3})
    assert copy.copy(a) == a
    assert len(a) == 64


def test_files_that_change_after_loading_do_not_lend_their_name_to_the_old_weights(home, tmp_path):
    folder = make_tiny_bert(tmp_path / "model")
    loaded = load_encoder(folder, device="cpu")
    before = loaded.encode(["rows are texts"], store=False)
    make_tiny_bert(folder, seed=1)
    np.testing.assert_array_equal(loaded.encode(["rows are texts"]), before)
    again = load_encoder(folder, device="cpu")
    assert again.fingerprint != loaded.fingerprint
    assert np.abs(again.encode(["rows are texts"]) - before).max() > 0.01


def test_a_tokenizer_changed_in_memory_has_vectors_of_its_own(home, tmp_path):
    from tokenizers import normalizers

    loaded = load_encoder(make_tiny_bert(tmp_path / "model"), device="cpu")
    before = loaded.encode(["ROWS are texts"])
    loaded.tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    after = loaded.encode(["ROWS are texts"])
    np.testing.assert_array_equal(after, loaded.encode(["ROWS are texts"], store=False))
    assert np.abs(after - before).max() > 0.01
