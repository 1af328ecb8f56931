"""Small models against transformers' own forward passes, and their seeds against generators moved on purpose."""

import random

import numpy as np
import pytest
import torch
from transformers import ViTImageProcessorPil

from workbench.encoders import DualEncoder, Encoder, ImageEncoder
from workbench.models.seeding import seeded
from workbench.models.small import small_bert, small_decoder, small_t5
from workbench.models.small_vision import dual_encoder, small_cnn, small_vit
from workbench.models.tokenizers import train_wordpiece

pytestmark = pytest.mark.usefixtures("home")

TEXTS = ["a red house", "the blue tree", "a house"]
TINY = {"layers": 2, "width": 16, "heads": 2}
IDS = torch.tensor([[2, 7, 9, 3], [2, 8, 6, 3]])
PIXELS = torch.linspace(-1, 1, 2 * 3 * 16 * 16).reshape(2, 3, 16, 16)
BUILDERS = {
    "bert": lambda seed: small_bert(20, **TINY, seed=seed),
    "masked lm": lambda seed: small_bert(20, **TINY, head="masked_lm", seed=seed),
    "decoder": lambda seed: small_decoder(20, **TINY, seed=seed),
    "t5": lambda seed: small_t5(20, **TINY, seed=seed),
    "vit": lambda seed: small_vit(16, patch=4, **TINY, seed=seed),
    "cnn": lambda seed: small_cnn(widths=(4, 8), blocks=1, seed=seed),
    "dual": lambda seed: dual_encoder(
        small_bert(20, **TINY, head="pooler", seed=1),
        small_vit(16, patch=4, **TINY, head="pooler", seed=2),
        width=8,
        seed=seed,
    ),
}


def weights(model):
    return torch.cat([t.detach().double().reshape(-1) for t in model.state_dict().values()])


def states_of_generators():
    return torch.get_rng_state().tolist(), str(np.random.get_state())  # noqa: NPY002


@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
def test_a_seed_gives_the_same_weights_whatever_was_drawn_before_and_moves_no_generator(build):
    first = weights(build(3))
    torch.rand(5)
    before = states_of_generators()  # of Python's own the checks of types draw, under pytest
    assert torch.equal(weights(build(3)), first)
    assert states_of_generators() == before
    assert not torch.equal(weights(build(4)), first)


def test_a_seed_gives_the_weights_that_torch_draws_from_it_outside():
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=20,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=256,
    )
    with torch.random.fork_rng():
        torch.manual_seed(5)
        theirs = BertModel(config, add_pooling_layer=False)
    assert torch.equal(weights(small_bert(20, **TINY, seed=5)), weights(theirs))


def test_another_default_dtype_changes_no_weight():
    first = weights(small_bert(20, **TINY, seed=0))
    torch.set_default_dtype(torch.float64)
    try:
        model = small_bert(20, **TINY, seed=0)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert model.dtype == torch.float32
    assert torch.equal(weights(model), first)


def test_generators_are_put_back_when_the_block_fails():
    before = states_of_generators(), random.getstate()

    def fail():
        with seeded(1):
            np.random.rand()  # noqa: NPY002
            random.random()
            torch.rand(2)
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail()
    assert (states_of_generators(), random.getstate()) == before


def test_numpy_and_random_are_seeded_inside():
    with seeded(7):
        drawn = np.random.rand(), random.random(), torch.rand(()).item()  # noqa: NPY002
    assert drawn[0] == np.random.RandomState(7).rand()
    assert drawn[1] == random.Random(7).random()
    assert drawn[2] == torch.rand((), generator=torch.Generator().manual_seed(7)).item()


@pytest.mark.parametrize(
    ("head", "classes", "shape"),
    [("masked_lm", None, (2, 4, 20)), ("tokens", 3, (2, 4, 3)), ("classes", 5, (2, 5))],
)
def test_heads_of_bert_give_logits_above_the_bare_model(head, classes, shape):
    model = small_bert(20, **TINY, head=head, classes=classes, seed=0)
    assert model(input_ids=IDS).logits.shape == shape
    assert model.base_model(input_ids=IDS).last_hidden_state.shape == (2, 4, 16)
    assert not model.training


def test_the_language_head_is_tied_to_the_embeddings():
    bert = small_bert(20, **TINY, head="masked_lm", seed=0)
    assert bert.get_output_embeddings().weight is bert.get_input_embeddings().weight
    decoder = small_decoder(20, **TINY, seed=0)
    assert decoder.get_output_embeddings().weight is decoder.get_input_embeddings().weight


def test_every_weight_of_a_bare_bert_takes_part_in_a_mean():
    model = small_bert(20, layers=1, width=16, heads=2, seed=0)
    model(input_ids=IDS, token_type_ids=torch.ones_like(IDS)).last_hidden_state.square().mean().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_a_decoder_sees_nothing_to_its_right():
    model = small_decoder(20, **TINY, seed=0)
    longer = torch.cat([IDS, torch.tensor([[5], [6]])], dim=1)
    torch.testing.assert_close(model(input_ids=longer).logits[:, :4], model(input_ids=IDS).logits)
    assert small_decoder(20, **TINY, head=None, seed=0)(input_ids=IDS).last_hidden_state.shape == (2, 4, 16)
    assert small_decoder(20, **TINY, head="classes", classes=3, seed=0)(input_ids=IDS).logits.shape == (2, 3)


def test_t5_starts_with_padding_and_its_encoder_stands_alone():
    model = small_t5(20, **TINY, seed=0)
    made = model.generate(input_ids=IDS, max_new_tokens=3, do_sample=False)
    assert made[:, 0].tolist() == [0, 0]
    shifted = torch.tensor([[0, 7, 9, 4], [0, 8, 6, 5]])
    labels = torch.tensor([[7, 9, 4, 2], [8, 6, 5, 2]])
    torch.testing.assert_close(
        model(input_ids=IDS, labels=labels).logits, model(input_ids=IDS, decoder_input_ids=shifted).logits
    )
    assert small_t5(20, **TINY, decoder=False, seed=0)(input_ids=IDS).last_hidden_state.shape == (2, 4, 16)


def test_images_have_a_token_for_each_patch_and_the_cnn_a_mean_over_places():
    bare = small_vit(16, patch=4, **TINY, seed=0)
    assert bare(pixel_values=PIXELS).last_hidden_state.shape == (2, 17, 16)
    assert small_vit(16, patch=4, channels=1, **TINY, head="classes", classes=3, seed=0)(
        pixel_values=PIXELS[:, :1]
    ).logits.shape == (2, 3)
    out = small_cnn(widths=(4, 8), blocks=1, seed=0)(pixel_values=PIXELS)
    torch.testing.assert_close(out.pooler_output.flatten(1), out.last_hidden_state.mean(dim=(2, 3)))
    small = PIXELS[:, :1, :8, :8]
    model = small_cnn(channels=1, widths=(4, 8), blocks=1, head="classes", classes=3, seed=0)
    assert model(pixel_values=small).logits.shape == (2, 3)


def test_a_dual_encoder_keeps_its_parts_and_both_sides_give_its_own_features():
    tokenizer = train_wordpiece(TEXTS, vocabulary=60)
    text = small_bert(len(tokenizer), **TINY, head="pooler", seed=1)
    image = small_vit(16, patch=4, **TINY, head="pooler", seed=2)
    kept = weights(text), weights(image)
    model = dual_encoder(text, image, width=8, seed=3)
    assert model.text_model is text
    assert torch.equal(weights(text), kept[0])
    assert torch.equal(weights(image), kept[1])
    processor = ViTImageProcessorPil(size={"height": 16, "width": 16})
    both = DualEncoder(
        Encoder(model.text_model, tokenizer, options={"pooling": "own"}, head=model.text_projection),
        ImageEncoder(model.vision_model, processor, head=model.visual_projection),
    )
    images = np.random.default_rng(0).integers(0, 256, size=(3, 16, 16, 3), dtype=np.uint8)
    with torch.no_grad():
        texts = model.get_text_features(**tokenizer(TEXTS, padding=True, return_tensors="pt")).pooler_output
        seen = model.get_image_features(**processor(list(images), return_tensors="pt")).pooler_output
    np.testing.assert_allclose(both.encode(TEXTS), texts.numpy(), atol=1e-5)
    np.testing.assert_allclose(both.encode(images), seen.numpy(), atol=1e-5)
    assert both.width == 8


REFUSED = [
    (lambda: small_bert(20, width=10, heads=4, seed=0), "width must be divisible by heads, got width=10, heads=4"),
    (lambda: small_bert(20, layers=0, seed=0), "layers must be a whole number, at least 1, got 0"),
    (lambda: small_bert(4, seed=0), "vocabulary must be a whole number, at least 5, got 4"),
    (lambda: small_bert(20, dropout=1.0, seed=0), r"dropout must be in \[0, 1\), got 1.0"),
    (lambda: small_bert(20, dropout=float("nan"), seed=0), "dropout must be in"),
    (lambda: small_bert(20, head="lm", seed=0), "head must be None or one of .*masked_lm.*got 'lm'"),
    (lambda: small_bert(20, head="classes", seed=0), "head='classes' needs classes"),
    (lambda: small_bert(20, head="tokens", classes=0, seed=0), "classes must be a whole number, at least 1, got 0"),
    (lambda: small_bert(20, classes=3, seed=0), "classes=3 is no option of head=None"),
    (lambda: small_bert(20, seed=-1), "seed must be a whole number in"),
    (lambda: small_bert(20, seed=True), "seed must be a whole number in"),
    (lambda: small_decoder(20, width=12, heads=4, seed=0), "width / heads must be even .*got 12 / 4"),
    (lambda: small_decoder(20, head="masked_lm", seed=0), "head must be None or one of"),
    (lambda: small_t5(20, heads=3, seed=0), "width must be divisible by heads, got width=256, heads=3"),
    (lambda: small_vit(16, patch=5, seed=0), "size must be divisible by patch, got size=16, patch=5"),
    (lambda: small_vit(16, patch=4, channels=0, seed=0), "channels must be"),
    (lambda: small_cnn(widths=(), seed=0), "widths must name the channels of one stage or more"),
    (lambda: small_cnn(widths=(4, 0), seed=0), r"widths\[1\] must be a whole number, at least 1, got 0"),
    (lambda: small_cnn(blocks=0, seed=0), "blocks must be"),
]


@pytest.mark.parametrize(("build", "rule"), REFUSED, ids=[rule for _, rule in REFUSED])
def test_sizes_of_which_no_network_can_be_built_are_refused(build, rule):
    with pytest.raises(ValueError, match=rule):
        build()


def test_a_dual_encoder_refuses_a_side_that_does_not_pool():
    text, image = small_bert(20, **TINY, head="pooler", seed=0), small_vit(16, patch=4, **TINY, seed=0)
    with pytest.raises(ValueError, match=r"image_model must pool its own states .*ViTModel does not"):
        dual_encoder(text, image, width=8, seed=0)
    with pytest.raises(ValueError, match=r"image_model must pool its own states .*ResNetModel does not"):
        dual_encoder(text, small_cnn(widths=(4,), blocks=1, seed=0), width=8, seed=0)
    pooled = small_vit(16, patch=4, **TINY, head="pooler", seed=0)
    with pytest.raises(ValueError, match="text_model must pool"):
        dual_encoder(small_bert(20, **TINY, seed=0), pooled, width=8, seed=0)
    with pytest.raises(ValueError, match="width must be a whole number"):
        dual_encoder(text, pooled, width=0, seed=0)
