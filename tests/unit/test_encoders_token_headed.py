"""An encoder and its head read back from a folder, against the model that was written there."""

import pytest
import torch
from transformers import ViTImageProcessorPil

from workbench.encoders.token_headed import load_with_token_head
from workbench.models import small_bert, small_vit, train_wordpiece

TEXTS = ["one two three", "three two one"]


@pytest.fixture
def tokenizer():
    return train_wordpiece(TEXTS, vocabulary=40, max_length=8)


def written(folder, tokenizer, head):
    model = small_bert(len(tokenizer), layers=1, width=16, heads=2, positions=8, head=head, seed=3)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model.eval()


def test_the_head_comes_with_the_encoder(tmp_path, tokenizer):
    model = written(tmp_path, tokenizer, "masked_lm")
    encoder, head = load_with_token_head(str(tmp_path), pooling="cls", max_length=6)
    ids = tokenizer(["one"], return_tensors="pt")["input_ids"]
    state = torch.from_numpy(encoder.token_states(["one"]).values[0][-1])
    with torch.no_grad():
        torch.testing.assert_close(head(state), model(input_ids=ids).logits[0], atol=1e-5, rtol=1e-4)
    assert (encoder.settings.pooling, encoder.settings.max_length) == ("cls", 6)
    assert head.decoder.weight is encoder.model.get_input_embeddings().weight
    assert not any(p.requires_grad for p in head.parameters())
    assert all(p.requires_grad for p in encoder.model.encoder.parameters())


def test_a_model_without_a_head(tmp_path, tokenizer):
    written(tmp_path, tokenizer, None)
    encoder, head = load_with_token_head(str(tmp_path))
    assert head is None
    assert encoder.settings.pooling == "mean"
    assert encoder.device.type == "cpu"


def test_a_model_of_images_is_refused(tmp_path):
    small_vit(8, patch=4, layers=1, width=16, heads=2, seed=0).save_pretrained(tmp_path)
    ViTImageProcessorPil(size={"height": 8, "width": 8}).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="must be a model of texts"):
        load_with_token_head(str(tmp_path))
