"""A masked language model read back from a folder, against the model that was written there."""

import pytest
import torch

from workbench.encoders.masked import load_masked_lm
from workbench.models.small import small_bert
from workbench.models.tokenizers import train_wordpiece

TEXTS = ["one two three", "three two one"]


@pytest.fixture
def tokenizer():
    return train_wordpiece(TEXTS, vocabulary=40, max_length=8)


def written(folder, tokenizer, head):
    model = small_bert(len(tokenizer), layers=1, width=16, heads=2, positions=8, head=head, seed=3)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def test_the_head_comes_with_the_model(tmp_path, tokenizer):
    model = written(tmp_path, tokenizer, "masked_lm")
    read, reader = load_masked_lm(str(tmp_path))
    ids = reader(TEXTS, return_tensors="pt")["input_ids"]
    assert ids.tolist() == tokenizer(TEXTS)["input_ids"]
    with torch.no_grad():
        torch.testing.assert_close(read(input_ids=ids).logits, model(input_ids=ids).logits)
    assert not read.training
    assert read.get_input_embeddings().weight is read.cls.predictions.decoder.weight


def test_a_model_without_that_head_is_refused(tmp_path, tokenizer):
    written(tmp_path, tokenizer, None)
    with pytest.raises(ValueError, match=r"must be a BertForMaskedLM, its config names \['BertModel'\]"):
        load_masked_lm(str(tmp_path))
