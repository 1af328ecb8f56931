"""Image encoders against pixels made by hand and transformers' own forward passes, on tiny random models."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import ResNetConfig, ResNetModel, ViTConfig, ViTForImageClassification, ViTImageProcessorPil, ViTModel

from tests.unit.vision_models import CROPPED, EYE, SQUARE, pixels_by_hand, saved, states, vit
from workbench.encoders import ImageEncoder, load_encoder

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def colours():
    return np.random.default_rng(0).integers(0, 256, size=(7, 20, 24, 3), dtype=np.uint8)


@pytest.fixture
def greys():
    return np.random.default_rng(1).integers(0, 256, size=(5, 28, 28), dtype=np.uint8)


@pytest.mark.parametrize("pooling", ["own", "cls", "mean", None])
def test_a_vision_models_vectors_are_those_of_pixels_made_by_hand(pooling, colours):
    model = vit()
    output = states(model, pixels_by_hand(colours))
    expected = {
        "own": output.pooler_output,
        "cls": output.last_hidden_state[:, 0],
        "mean": output.last_hidden_state.mean(dim=1),
    }[pooling or "own"]
    got = ImageEncoder(model, SQUARE, pooling=pooling).encode(colours)
    assert (got.dtype, got.shape) == (np.float32, (7, 16))
    np.testing.assert_allclose(got, expected.numpy(), atol=1e-5)
    assert np.abs(got[0] - got[1]).max() > 0.01  # random images, so not one constant


def test_a_grey_image_is_the_colour_image_with_equal_channels(greys):
    encoder = ImageEncoder(vit(), SQUARE)
    expected = states(vit(), pixels_by_hand(np.stack([greys] * 3, axis=-1))).pooler_output
    np.testing.assert_allclose(encoder.encode(greys), expected.numpy(), atol=1e-5)


def test_a_list_may_hold_grey_and_coloured_images_of_any_size(greys, colours):
    encoder = ImageEncoder(vit(), CROPPED)
    thin = np.zeros((3, 40, 3), dtype=np.uint8)  # three rows of pixels are not three channels
    thin[:, :20] = 200
    mixed = [colours[0], greys[0], colours[1, :17, :9], thin]
    given = [colours[0], np.stack([greys[0]] * 3, axis=-1), colours[1, :17, :9], thin]
    pixels = CROPPED(given, input_data_format="channels_last", return_tensors="pt")["pixel_values"]
    np.testing.assert_allclose(encoder.encode(mixed), states(vit(), pixels).pooler_output.numpy(), atol=1e-5)


def test_a_model_of_grey_images_takes_them_as_they_are(greys, colours):
    torch.manual_seed(0)
    model = ViTModel(ViTConfig(**EYE, num_channels=1)).eval()
    small = greys[:, :16, :16]
    expected = states(model, torch.tensor((small / 255 - 0.5) / 0.5, dtype=torch.float32)[:, None]).pooler_output
    processor = ViTImageProcessorPil(size={"height": 16, "width": 16}, image_mean=[0.5], image_std=[0.5])
    encoder = ImageEncoder(model, processor)
    np.testing.assert_allclose(encoder.encode(small), expected.numpy(), atol=1e-5)
    with pytest.raises(ValueError, match=r"image 0 has 3 channels"):
        encoder.encode(colours)


def test_a_processor_of_another_size_than_the_models_is_refused_at_once():
    with pytest.raises(ValueError, match=r"28\*28"):
        ImageEncoder(vit(), ViTImageProcessorPil(size={"height": 28, "width": 28}))


def test_a_convolutional_model_is_pooled_over_places(colours):
    torch.manual_seed(0)
    model = ResNetModel(ResNetConfig(embedding_size=4, hidden_sizes=[4, 6], depths=[1, 1], layer_type="basic")).eval()
    hidden = states(model, pixels_by_hand(colours)).last_hidden_state
    for pooling in ("own", "mean"):
        got = ImageEncoder(model, SQUARE, pooling=pooling).encode(colours)
        np.testing.assert_allclose(got, hidden.mean(dim=(2, 3)).numpy(), atol=1e-5)
    with pytest.raises(ValueError, match="convolutional"):
        ImageEncoder(model, SQUARE, pooling="cls")


def test_vectors_do_not_depend_on_what_is_encoded_beside_them(colours):
    encoder = ImageEncoder(vit(), SQUARE)
    whole = encoder.encode(colours, store=False)
    for size in (1, 3, 100):
        np.testing.assert_allclose(encoder.encode(colours, store=False, batch_images=size), whole, atol=1e-5)
    np.testing.assert_allclose(encoder.encode(colours[4:6], store=False), whole[4:6], atol=1e-5)


def test_a_model_in_training_encodes_without_dropout_and_goes_on_in_training(colours):
    torch.manual_seed(0)
    model = ViTModel(ViTConfig(**EYE, hidden_dropout_prob=0.5)).train()
    encoder = ImageEncoder(model, SQUARE)
    rows = encoder.encode(colours, store=False)
    np.testing.assert_array_equal(encoder.encode(colours, store=False), rows)
    assert all(module.training for module in model.modules())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device: torch finds none here")
def test_rows_of_the_gpu_are_those_of_the_cpu(colours):
    on_cpu = ImageEncoder(vit(), SQUARE).encode(colours, store=False)
    on_gpu = ImageEncoder(vit().to("cuda"), SQUARE).encode(colours, store=False)
    np.testing.assert_allclose(on_gpu, on_cpu, atol=1e-4)


def test_normalised_cut_and_projected_vectors(colours):
    head = nn.Linear(16, 6)
    plain = states(vit(), pixels_by_hand(colours)).pooler_output
    projected = (plain @ head.weight.detach().T + head.bias.detach()).numpy()
    encoder = ImageEncoder(vit(), SQUARE, head=head, dimensions=4)
    assert encoder.width == 4
    np.testing.assert_allclose(encoder.encode(colours), projected[:, :4], atol=1e-5)
    expected = projected[:, :4] / np.linalg.norm(projected[:, :4], axis=1, keepdims=True)
    np.testing.assert_allclose(encoder.encode(colours, normalize=True), expected, atol=1e-5)


def test_rows_go_into_a_file_or_an_array_and_no_images_give_no_rows(colours, tmp_path):
    encoder = ImageEncoder(vit(), SQUARE)
    whole = encoder.encode(colours, store=False)
    encoder.encode(colours, store=False, out=tmp_path / "x.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), whole)
    mine = np.zeros((7, 16), dtype=np.float32)
    assert encoder.encode(colours, store=False, out=mine) is mine
    np.testing.assert_array_equal(mine, whole)
    for none in ([], colours[:0], np.empty((0, 8, 8), dtype=np.uint8)):
        assert encoder.encode(none).shape == (0, 16)


def count_images(monkeypatch):
    seen = []
    whole = ImageEncoder.pooled

    def count(self, images):
        seen.append(len(images))
        return whole(self, images)

    monkeypatch.setattr(ImageEncoder, "pooled", count)
    return seen


def test_known_and_equal_images_do_not_reach_the_model_again(colours, monkeypatch):
    seen = count_images(monkeypatch)
    twice = np.concatenate([colours, colours])
    first = ImageEncoder(vit(), SQUARE).encode(twice)
    assert sum(seen) == 7
    np.testing.assert_array_equal(first[:7], first[7:])
    np.testing.assert_array_equal(ImageEncoder(vit(), SQUARE).encode(twice), first)  # another object, equal weights
    assert sum(seen) == 7
    changed = colours.copy()
    changed[3, 0, 0, 0] ^= 1
    ImageEncoder(vit(), SQUARE).encode([*changed, changed[0].reshape(24, 20, 3)])  # equal bytes, another shape
    assert sum(seen) == 9


@pytest.mark.parametrize("other", ["weights", "processor", "pooling", "head", "normalize", "in place"])
def test_another_model_or_setting_has_its_own_vectors(other, colours, monkeypatch):
    encoder = ImageEncoder(vit(), SQUARE)
    encoder.encode(colours)
    seen = count_images(monkeypatch)
    if other == "in place":
        with torch.no_grad():
            next(encoder.model.parameters()).add_(0.5)
    again = {
        "weights": lambda: ImageEncoder(vit(seed=1), SQUARE),
        "processor": lambda: ImageEncoder(vit(), ViTImageProcessorPil(size={"height": 16, "width": 16}, resample=3)),
        "pooling": lambda: ImageEncoder(vit(), SQUARE, pooling="cls"),
        "head": lambda: ImageEncoder(vit(), SQUARE, head=nn.Linear(16, 16)),
        "normalize": lambda: encoder,
        "in place": lambda: encoder,
    }[other]()
    got = again.encode(colours, normalize=other == "normalize")
    assert sum(seen) == 7
    np.testing.assert_allclose(got, again.encode(colours, normalize=other == "normalize", store=False), atol=1e-6)


@pytest.mark.parametrize(
    ("images", "error", "rule"),
    [
        (np.zeros((2, 8, 8)), TypeError, "image 0 must be uint8.*float64"),
        (np.zeros((8, 8), dtype=np.uint8), ValueError, r"\(n, h, w\) or \(n, h, w, 3\), got \(8, 8\)"),
        (np.zeros((8, 8, 3), dtype=np.uint8), ValueError, "one colour image: put it in a list"),
        (np.zeros((2, 8, 8, 4), dtype=np.uint8), ValueError, r"got \(8, 8, 4\)"),
        (np.zeros((2, 0, 8), dtype=np.uint8), ValueError, r"got \(0, 8\)"),
        ([np.zeros((8, 8), dtype=np.uint8), np.zeros((8,), dtype=np.uint8)], ValueError, "image 1"),
        ([np.zeros((8, 8), dtype=np.uint8), np.zeros((8, 8), dtype=np.int64)], TypeError, "image 1.*int64"),
        (["cat.png"], TypeError, "image 0 must be a numpy array, got str"),
        ("cat.png", TypeError, "got str"),
        (torch.zeros(2, 8, 8, dtype=torch.uint8), TypeError, "got Tensor"),
    ],
)
def test_what_is_no_image_is_refused_by_name(images, error, rule):
    with pytest.raises(error, match=rule):
        ImageEncoder(vit(), SQUARE).encode(images)


def test_wrong_options_are_refused(colours):
    with pytest.raises(ValueError, match="batch_images must be 1 or more, got 0"):
        ImageEncoder(vit(), SQUARE).encode(colours, batch_images=0)
    with pytest.raises(ValueError, match=r"'own', 'cls', 'mean'.*got 'max'"):
        ImageEncoder(vit(), SQUARE, pooling="max")
    with pytest.raises(ValueError, match="between 1 and 16, the model's width, got 17"):
        ImageEncoder(vit(), SQUARE, dimensions=17)
    with pytest.raises(ValueError, match="pools itself"):
        ImageEncoder(vit(add_pooling_layer=False), SQUARE, pooling="own")


def test_a_vector_that_is_not_finite_names_its_image(colours):
    encoder = ImageEncoder(vit(), SQUARE, head=nn.Linear(16, 4))
    with torch.no_grad():
        encoder.head.bias[2] = torch.inf
    with pytest.raises(ValueError, match="image 0 has a vector that is zero or not finite"):
        encoder.encode(colours)


def test_a_folder_of_a_vision_model_gives_an_image_encoder(colours, tmp_path):
    folder = saved(tmp_path / "vit", vit(), SQUARE)
    encoder = load_encoder(folder, device="cpu")
    assert isinstance(encoder, ImageEncoder)
    expected = states(vit(), pixels_by_hand(colours)).pooler_output.numpy()
    np.testing.assert_allclose(encoder.encode(colours), expected, atol=1e-5)
    cut = load_encoder(folder, device="cpu", pooling="cls", dimensions=5, dtype="bfloat16")
    cls = states(vit(), pixels_by_hand(colours)).last_hidden_state[:, 0, :5].numpy()
    got = cut.encode(colours)
    cosine = (got * cls).sum(axis=1) / np.linalg.norm(got, axis=1) / np.linalg.norm(cls, axis=1)
    assert got.dtype == np.float32
    assert cosine.min() > 0.999
    for name, value in (("max_length", 5), ("prompt", "a: "), ("layers", 1)):
        with pytest.raises(ValueError, match=f"{name}=.*no option of a model of kind 'image'"):
            load_encoder(folder, device="cpu", **{name: value})


def test_a_pooler_without_weights_is_left_out_rather_than_random(colours, tmp_path):
    torch.manual_seed(0)
    whole = ViTForImageClassification(ViTConfig(**EYE, initializer_range=0.3)).eval()
    folder = saved(tmp_path / "classifier", whole, SQUARE)
    hidden = states(whole.vit, pixels_by_hand(colours)).last_hidden_state
    for _ in range(2):
        got = load_encoder(folder, device="cpu").encode(colours, store=False)
        np.testing.assert_allclose(got, hidden.mean(dim=1).numpy(), atol=1e-5)
    with pytest.raises(ValueError, match="pools itself"):
        load_encoder(folder, device="cpu", pooling="own")


def test_folders_that_say_too_little_are_refused(tmp_path):
    bare = saved(tmp_path / "bare", vit())
    with pytest.raises(ValueError, match=r"no preprocessor_config\.json"):
        load_encoder(bare, device="cpu")
    holed = saved(tmp_path / "holed", vit(), SQUARE)
    tensors = load_file(holed / "model.safetensors")
    del tensors["layernorm.weight"]
    save_file(tensors, holed / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks 1 weights of ViTModel, such as 'layernorm.weight'"):
        load_encoder(holed, device="cpu")
