"""Dual encoders against transformers' own features of texts and images, on tiny random models."""

import numpy as np
import pytest
import torch
from torch import nn
from transformers import CLIPSegConfig, CLIPSegModel, CLIPTextModelWithProjection, SiglipImageProcessorPil
from transformers.models.bert import BertConfig, BertModel

from tests.unit.vision_models import (
    CROPPED,
    EYE,
    READER,
    SQUARE,
    bert,
    clip,
    pixels_by_hand,
    saved,
    siglip,
    states,
    tokenizer,
    two_towers,
    vit,
)
from workbench.encoders import DualEncoder, Encoder, ImageEncoder, attention_temperature, load_encoder

pytestmark = pytest.mark.usefixtures("home")

LONG = "the cat the dog the tree the house the cat a photo of a tree"  # longer than the 12 positions
TEXTS = ["a photo of the red house", "dog", "", LONG, "blue tree"]


@pytest.fixture
def colours():
    return np.random.default_rng(0).integers(0, 256, size=(7, 20, 24, 3), dtype=np.uint8)


DUALS = {
    "clip": (clip, CROPPED, 8),
    "siglip": (siglip, SiglipImageProcessorPil(size={"height": 16, "width": 16}), 16),
    "two towers": (two_towers, SQUARE, 512),
}


@torch.no_grad()
def their_texts(model, texts, padding):
    read = tokenizer()
    rows = []
    for text in texts:
        ids = read([text], truncation=True, max_length=12, padding=padding, return_tensors="pt")["input_ids"]
        rows.append(model.get_text_features(input_ids=ids).pooler_output[0])
    return torch.stack(rows).numpy()


@pytest.fixture(params=DUALS)
def dual(request, tmp_path):
    """A dual encoder loaded from its folder, and transformers' own features of its texts and of images."""
    make, processor, width = DUALS[request.param]
    folder = saved(tmp_path / "dual", make(), tokenizer(), processor)
    padding = "max_length" if request.param == "siglip" else False
    loaded = load_encoder(folder, device="cpu")
    assert loaded.width == width

    @torch.no_grad()
    def images(given):
        pixels = processor(list(given), return_tensors="pt")["pixel_values"]
        return make().get_image_features(pixel_values=pixels).pooler_output.numpy()

    return loaded, (lambda texts: their_texts(make(), texts, padding)), images


def test_both_sides_of_a_dual_encoder_are_the_models_own_features(dual, colours):
    loaded, texts, images = dual
    assert isinstance(loaded, DualEncoder)
    np.testing.assert_allclose(loaded.text.encode(TEXTS), texts(TEXTS), atol=1e-5)
    np.testing.assert_allclose(loaded.image.encode(colours), images(colours), atol=1e-5)
    np.testing.assert_array_equal(loaded.encode(TEXTS), loaded.text.encode(TEXTS))
    np.testing.assert_array_equal(loaded.encode(colours), loaded.image.encode(colours))
    np.testing.assert_array_equal(loaded.encode(list(colours)), loaded.image.encode(colours))
    for i, text in enumerate(TEXTS):  # whatever else is in the batch
        np.testing.assert_allclose(loaded.text.encode([text], store=False), texts(TEXTS)[i : i + 1], atol=1e-5)


def test_the_second_call_of_a_dual_encoder_asks_neither_model(dual, colours, monkeypatch):
    loaded, _, _ = dual
    rows = loaded.encode(TEXTS), loaded.encode(colours)

    def never(*_):
        raise AssertionError("the model was called")

    monkeypatch.setattr(ImageEncoder, "pooled", never)
    monkeypatch.setattr(Encoder, "pooled", never)
    np.testing.assert_array_equal(loaded.encode(TEXTS), rows[0])
    np.testing.assert_array_equal(loaded.encode(colours), rows[1])
    assert not set(loaded.text.stores) & set(loaded.image.stores)


def test_options_of_a_dual_encoder(tmp_path, colours):
    folder = saved(tmp_path / "clip", clip(), tokenizer(), CROPPED)
    cut = load_encoder(folder, device="cpu", dimensions=3, prompt="a photo of ", max_length=7)
    assert (cut.width, cut.text.width, cut.image.width) == (3, 3, 3)
    prompted = ["a photo of the cat", "a photo of dog"]
    np.testing.assert_allclose(cut.encode(["the cat", "dog"]), their_texts(clip(), prompted, False)[:, :3], atol=1e-5)
    for name, value in (("pooling", "mean"), ("layers", 1)):
        with pytest.raises(ValueError, match=f"{name}=.*no option of a model of kind 'dual'"):
            load_encoder(folder, device="cpu", **{name: value})
    with pytest.raises(TypeError, match="text 1 must be a str, got ndarray"):
        cut.encode(["a cat", colours[0]])
    with pytest.raises(TypeError, match="put it in a list"):
        cut.encode("a cat")


def test_inside_the_text_side_are_the_text_models_own_states(tmp_path):
    dual = load_encoder(saved(tmp_path / "clip", clip(), tokenizer(), CROPPED), device="cpu")
    ids = tokenizer()(["red dog"], return_tensors="pt")["input_ids"]
    with torch.no_grad():
        expected = clip().text_model(input_ids=ids).last_hidden_state[0].numpy()
    np.testing.assert_allclose(dual.text.token_states(["red dog"]).values[0][-1], expected, atol=1e-5)
    before = dual.text.encode(TEXTS, store=False)
    with attention_temperature(dual.text, 1.0):
        np.testing.assert_allclose(dual.text.encode(TEXTS, store=False), before, atol=1e-6)
    with attention_temperature(dual.text, 0.01):
        assert np.abs(dual.text.encode(TEXTS, store=False) - before).max() > 1e-4


def test_a_dual_encoder_of_two_models_with_heads(colours):
    torch.manual_seed(3)
    to_text, to_image = nn.Linear(16, 6), nn.Linear(16, 6, bias=False)
    text = Encoder(bert(), tokenizer(), options={"pooling": "cls"}, head=to_text)
    dual = DualEncoder(text, ImageEncoder(vit(), SQUARE, head=to_image), name="mine")
    ids = tokenizer()(["red dog"], return_tensors="pt")["input_ids"]
    with torch.no_grad():
        words = to_text(bert()(input_ids=ids).last_hidden_state[:, 0]).numpy()
        pictures = to_image(states(vit(), pixels_by_hand(colours)).pooler_output).numpy()
    np.testing.assert_allclose(dual.encode(["red dog"]), words, atol=1e-5)
    np.testing.assert_allclose(dual.encode(colours), pictures, atol=1e-5)
    assert (dual.width, text.whole_width) == (6, 16)
    assert text.hidden_states(["red dog"]).shape == (3, 1, 16)
    relu = bert()
    relu.config.hidden_act = "relu"  # equal weights, another model
    assert Encoder(relu, tokenizer(), options={"pooling": "cls"}, head=to_text).fingerprint != text.fingerprint
    with torch.no_grad():
        to_text.weight.mul_(2)  # a head trained further: the store has none of its vectors
    np.testing.assert_allclose(dual.encode(["red dog"]), 2 * words - to_text.bias.detach().numpy(), atol=1e-5)
    with pytest.raises(ValueError, match="one width, got 6 for texts and 16 for images"):
        DualEncoder(text, ImageEncoder(vit(), SQUARE))


def test_a_text_models_own_pooling_and_what_is_no_head():
    ids = tokenizer()(["red dog"], return_tensors="pt")["input_ids"]
    with torch.no_grad():
        expected = bert()(input_ids=ids).pooler_output.numpy()
    own = Encoder(bert(), tokenizer(), options={"pooling": "own"})
    np.testing.assert_allclose(own.encode(["red dog"]), expected, atol=1e-5)
    with pytest.raises(ValueError, match="'own'"):
        own.hidden_states(["red dog"])
    bare = BertModel(BertConfig(**READER), add_pooling_layer=False)
    with pytest.raises(ValueError, match="pools itself"):
        Encoder(bare, tokenizer(), options={"pooling": "own"}).encode(["red dog"])
    with pytest.raises(ValueError, match="head must take vectors of 16 dimensions"):
        Encoder(bert(), tokenizer(), head=nn.Linear(15, 4))
    with pytest.raises(ValueError, match=r"head must map rows \(n, 16\) to rows"):
        Encoder(bert(), tokenizer(), head=nn.Sequential(nn.Linear(16, 4), nn.Unflatten(1, (2, 2))))


def test_a_side_alone_and_an_unknown_kind_are_refused(tmp_path):
    half = saved(tmp_path / "half", CLIPTextModelWithProjection(clip().config.text_config), tokenizer())
    with pytest.raises(ValueError, match="CLIPTextModelWithProjection, one side of a dual encoder"):
        load_encoder(half, device="cpu")
    ends = {**READER, "eos_token_id": 39, "bos_token_id": 38, "pad_token_id": 0}
    other = CLIPSegModel(CLIPSegConfig(text_config=ends, vision_config=EYE, projection_dim=8))
    unknown = saved(tmp_path / "unknown", other, tokenizer(), CROPPED)
    with pytest.raises(ValueError, match="got a model of type 'clipseg'"):
        load_encoder(unknown, device="cpu")
