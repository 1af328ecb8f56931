"""Small models of images with seeded random weights, and a dual encoder of texts and images."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.models.seeding import checked_count
from workbench.models.small import build, checked_heads, checked_sizes

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["dual_encoder", "small_cnn", "small_vit"]


def small_vit(
    size: int,
    *,
    patch: int,
    channels: int = 3,
    layers: int = 4,
    width: int = 256,
    heads: int = 4,
    dropout: float = 0.0,
    head: str | None = None,
    classes: int | None = None,
    seed: int,
) -> "PreTrainedModel":
    """A vision transformer with random weights: transformers' ViTModel, or ViTForImageClassification.

    Equal arguments give equal weights, whatever was drawn before.

    Args:
        size: rows and columns of an image, in pixels.
        patch: rows and columns of a patch; (`size` / `patch`) ** 2 + 1 tokens.
        channels: 3, or 1 for grey images.
        layers: transformer layers.
        width: dimensions of a state; the inner layer of the feed-forward block has 4 times as many.
        heads: attention heads, `width` / `heads` dimensions each.
        dropout: share dropped of states and attention weights in train mode, in [0, 1).
        head: None (the states alone: `ImageEncoder` averages them), "pooler" (a pooled first token, which
            `dual_encoder` needs) or "classes" (`classes` logits for each image).
        classes: number of logits of the latter.
        seed: of the weights.

    Raises:
        ValueError: as `small_bert`, or `size` not divisible by `patch`.

    Reference: Dosovitskiy et al. 2021.
    """
    import transformers

    checked_sizes(width=width, heads=heads, dropout=dropout, layers=layers, size=size, patch=patch, channels=channels)
    if size % patch:
        raise ValueError(f"size must be divisible by patch, got size={size}, patch={patch}")
    config = transformers.ViTConfig(
        image_size=size,
        patch_size=patch,
        num_channels=channels,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        **checked_heads(head, classes, ("pooler", "classes")),
    )
    if head == "classes":
        return build(transformers.ViTForImageClassification, config, seed=seed)
    return build(transformers.ViTModel, config, seed=seed, add_pooling_layer=head == "pooler")


def small_cnn(
    *,
    channels: int = 3,
    widths: Sequence[int] = (32, 64, 128),
    blocks: int = 2,
    head: str | None = None,
    classes: int | None = None,
    seed: int,
) -> "PreTrainedModel":
    """A residual convolutional network with random weights: ResNetModel, or ResNetForImageClassification.

    Takes images of any size, 8 by 8 pixels or more: its stem and every stage but the first make a place of 4, then 2,
    pixels a side. What `ImageEncoder` reads is the mean over places of the last stage, `widths[-1]` dimensions. Equal
    arguments give equal weights, whatever was drawn before. In train mode its batch norms follow the batches.

    Args:
        channels: 3, or 1 for grey images.
        widths: channels of each stage.
        blocks: basic blocks, of two convolutions each, in every stage.
        head: None, or "classes" (`classes` logits for each image).
        classes: number of logits of the latter.
        seed: of the weights.

    Raises:
        ValueError: no stage, a size below 1, a head that does not exist, `classes` without one, a seed that is none.

    Reference: He et al. 2016.
    """
    import transformers

    sizes = [checked_count(f"widths[{i}]", width) for i, width in enumerate(widths)]
    if not sizes:
        raise ValueError("widths must name the channels of one stage or more, got none")
    config = transformers.ResNetConfig(
        num_channels=checked_count("channels", channels),
        embedding_size=sizes[0],
        hidden_sizes=sizes,
        depths=[checked_count("blocks", blocks)] * len(sizes),
        layer_type="basic",
        **checked_heads(head, classes, ("classes",)),
    )
    kind = transformers.ResNetForImageClassification if head == "classes" else transformers.ResNetModel
    return build(kind, config, seed=seed)


def dual_encoder(text_model: Any, image_model: Any, *, width: int, seed: int) -> Any:  # noqa: ANN401 - a VisionTextDualEncoderModel
    """Two models with a projection each into one space of `width` dimensions: VisionTextDualEncoderModel.

    The two models are taken as they are, not copied; the projections are drawn by `seed`. `model.get_text_features`
    and `model.get_image_features` give the vectors to train on, `model.logit_scale` the logarithm of 1 / temperature.
    To encode, compose the sides (`encoders.DualEncoder` takes both):
    `Encoder(model.text_model, tokenizer, options={"pooling": "own"}, head=model.text_projection)` and
    `ImageEncoder(model.vision_model, processor, head=model.visual_projection)`.

    Raises:
        ValueError: `width` below 1, a model that does not pool its states itself, such as one built without
            `head="pooler"`, or a seed that is none.
    """
    import transformers

    checked_count("width", width)
    for name, model in (("text_model", text_model), ("image_model", image_model)):
        if getattr(model, "pooler", None) is None or not hasattr(model.config, "hidden_size"):
            raise ValueError(f"{name} must pool its own states (head='pooler'), {type(model).__name__} does not")
    config: Any = transformers.VisionTextDualEncoderConfig.from_vision_text_configs(
        image_model.config, text_model.config, projection_dim=width
    )
    return build(transformers.VisionTextDualEncoderModel, config, image_model, text_model, seed=seed)
