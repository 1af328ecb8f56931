"""Trained tokenizers: what they read worked out by hand, the same in every process, fit for our encoders."""

import json
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch

from tests.conftest import ROOT
from workbench.encoders import Encoder
from workbench.losses import masked_lm
from workbench.models.small import small_bert, small_decoder
from workbench.models.tokenizers import train_bpe, train_wordpiece

pytestmark = pytest.mark.usefixtures("home")

TEXTS = [
    "The lowest of the low.",
    "Lower, slower, slowest: the lowlands!",
    "the low and the slow",
    "héllo wörld 北京",
] * 3
TINY = {"layers": 2, "width": 16, "heads": 2}
AGAIN = """
import json, sys
from workbench.models.tokenizers import train_bpe, train_wordpiece
texts = json.loads(sys.argv[1])
print(json.dumps([train(texts, vocabulary=300).get_vocab() for train in (train_wordpiece, train_bpe)]))
"""


def test_the_first_numbers_are_the_special_tokens_and_the_characters():
    tokenizer = train_wordpiece(TEXTS, vocabulary=90)
    assert tokenizer.convert_ids_to_tokens(range(5)) == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    roles = "pad_token_id", "unk_token_id", "cls_token_id", "sep_token_id", "mask_token_id"
    assert [getattr(tokenizer, role) for role in roles] == [0, 1, 2, 3, 4]
    assert set(tokenizer.all_special_ids) == {0, 1, 2, 3, 4}
    assert sorted(tokenizer.added_tokens_decoder) == [0, 1, 2, 3, 4]  # pieces are no added tokens
    words = ["the", "lowest", "of", "low", "lower", "slower", "slowest", "lowlands", "and", "slow", "hello", "world"]
    inner = {f"##{c}" for word in words for c in word[1:]}
    letters = {c for word in words for c in word} | set(".,:!北京")
    vocabulary = tokenizer.get_vocab()
    assert {token for token, i in vocabulary.items() if 5 <= i < 5 + len(inner)} == inner
    assert letters <= vocabulary.keys()
    assert sorted(vocabulary.values()) == list(range(len(tokenizer)))


def test_words_are_cut_into_the_longest_pieces():
    tokenizer = train_wordpiece(TEXTS, vocabulary=90)
    vocabulary = set(tokenizer.get_vocab())

    def by_hand(word):
        pieces, start = [], 0
        while start < len(word):
            ends = (e for e in range(len(word), start, -1) if ("##" if start else "") + word[start:e] in vocabulary)
            end = next(ends)
            pieces.append(("##" if start else "") + word[start:end])
            start = end
        return pieces

    for word in ("lowest", "slowlands", "wolves".replace("v", "w")):
        assert tokenizer.tokenize(word.upper()) == by_hand(word)
    assert tokenizer.tokenize("Héllo 京") == [*by_hand("hello"), "京"]
    assert tokenizer.tokenize("zzz") == ["[UNK]"]


def test_one_merge_is_the_pair_with_the_best_count():
    texts = ["abab ab ab cd"] * 2
    counts = Counter()
    for text in texts:
        for word in text.split():
            counts.update(pairwise(word))
    assert max(counts, key=counts.__getitem__) == ("a", "b")
    tokenizer = train_bpe(texts, vocabulary=260)
    assert tokenizer.convert_ids_to_tokens(259) == "ab"


def test_pairs_have_two_token_types():
    tokenizer = train_wordpiece(TEXTS, vocabulary=90)
    read = tokenizer("low", "slow")
    tokens = tokenizer.convert_ids_to_tokens(read["input_ids"])
    first = tokens.index("[SEP]") + 1
    assert (tokens[0], tokens[-1], tokens.count("[SEP]")) == ("[CLS]", "[SEP]", 2)
    assert read["token_type_ids"] == [0] * first + [1] * (len(tokens) - first)


def test_case_and_accents_stay_where_asked():
    tokenizer = train_wordpiece(TEXTS, vocabulary=120, lower=False)
    assert "T" in tokenizer.get_vocab()
    assert tokenizer.decode(tokenizer("The lowest")["input_ids"], skip_special_tokens=True) == "The lowest"


def test_bytes_decode_to_the_text_itself():
    tokenizer = train_bpe(TEXTS, vocabulary=300)
    assert tokenizer.convert_ids_to_tokens(range(3)) == ["<pad>", "<s>", "</s>"]
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id) == (0, 1, 2)
    for text in ("  two  spaces, 北京 and \n a new 🙂 line", "The lowest", ""):
        ids = tokenizer(text)["input_ids"]
        assert ids[0] == 1
        assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert list(tokenizer("a")) == ["input_ids", "attention_mask"]


def test_equal_texts_give_equal_numbers_in_every_process():
    here = [train(TEXTS, vocabulary=300).get_vocab() for train in (train_wordpiece, train_bpe)]
    for _ in range(2):  # each with hash tables of its own
        command = [sys.executable, "-c", AGAIN, json.dumps(TEXTS)]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert json.loads(said) == here


def test_rare_characters_are_unknown_beyond_a_thousand():
    wide = [chr(0x4E00 + i) for i in range(1200)]
    tokenizer = train_wordpiece([" ".join(wide), " ".join(wide[200:])], vocabulary=1005)
    assert len(tokenizer) == 1005
    assert tokenizer.tokenize(wide[0]) == ["[UNK]"]
    assert tokenizer.tokenize(wide[1199]) == [wide[1199]]


def test_encoder_and_masked_language_model_take_the_tokenizer():
    tokenizer = train_wordpiece(TEXTS, vocabulary=90, max_length=32)
    assert tokenizer.model_max_length == 32
    model = small_bert(len(tokenizer), **TINY, head="masked_lm", seed=0)
    encoder = Encoder(model.base_model, tokenizer)
    rows = encoder.encode(TEXTS[:3], store=False)
    read = tokenizer(TEXTS[:3], padding=True, return_tensors="pt")
    with torch.no_grad():
        states = model.base_model(**read).last_hidden_state
    mask = read["attention_mask"].unsqueeze(-1)
    np.testing.assert_allclose(rows, ((states * mask).sum(1) / mask.sum(1)).numpy(), atol=1e-5)
    labels = torch.where(read["attention_mask"].bool(), read["input_ids"], -100)
    out = model(**read, labels=labels)
    assert masked_lm(out.logits, labels).item() == pytest.approx(out.loss.item(), rel=1e-6)


def test_decoder_takes_the_tokenizer():
    tokenizer = train_bpe(TEXTS, vocabulary=300)
    model = small_decoder(len(tokenizer), **TINY, seed=0)
    assert model.config.pad_token_id == tokenizer.pad_token_id
    assert model.config.bos_token_id == tokenizer.bos_token_id
    assert model.config.eos_token_id == tokenizer.eos_token_id
    alone = Encoder(model.base_model, tokenizer).encode(["the low"], store=False)
    both = Encoder(model.base_model, tokenizer).encode(["the low", "the slowest of the lowlands"], store=False)
    np.testing.assert_allclose(both[0], alone[0], atol=1e-5)


@pytest.mark.parametrize("train", [train_wordpiece, train_bpe])
def test_texts_that_cannot_be_read_are_refused(train):
    with pytest.raises(TypeError, match="texts must be a list of str, got one str"):
        train("one text", vocabulary=300)
    with pytest.raises(TypeError, match="text 1 must be a str, got int"):
        train(["a", 3], vocabulary=300)
    with pytest.raises(ValueError, match="one text or more, got none"):
        train([], vocabulary=300)
    with pytest.raises(ValueError, match="text 1 must be valid Unicode: lone surrogate at 2"):
        train(["a", "bc\ud800"], vocabulary=300)
    with pytest.raises(ValueError, match="max_length must be a whole number, at least 1, got 0"):
        train(["a"], vocabulary=300, max_length=0)


def test_a_vocabulary_without_room_is_refused():
    with pytest.raises(ValueError, match="5 special tokens and 5 characters, at least 10, got 9"):
        train_wordpiece(["abc"], vocabulary=9)  # a b c, ##b ##c
    assert len(train_wordpiece(["abc"], vocabulary=10)) == 10
    with pytest.raises(ValueError, match="vocabulary must be a whole number, at least 259, got 258"):
        train_bpe(["abc"], vocabulary=258)
    with pytest.raises(ValueError, match="texts must hold a character that is no space, none of 2 does"):
        train_wordpiece([" ", ""], vocabulary=100)
