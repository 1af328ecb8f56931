"""Dual encoders: texts and images in one space."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from workbench.encoders.encoder import Encoder
from workbench.encoders.images import ImageEncoder
from workbench.encoders.output import Out
from workbench.encoders.settings import FolderDefaults

__all__ = ["DualEncoder", "dual_of"]

# dual models of transformers whose two sides are proved equal to get_text_features and get_image_features
KINDS = ("clip", "siglip", "vision-text-dual-encoder")
# pools the last of max_length positions, padding or not, as it was trained
FIXED_LENGTH = ("siglip",)


class DualEncoder:
    """A text encoder and an image encoder whose vectors lie in one space of one width.

    `dual.text.encode(texts)` and `dual.image.encode(images)` have all options; their cosines compare texts with
    images. A model of CLIP's kind comes from `load_encoder`; others are composed of an `Encoder` and an
    `ImageEncoder`, each with its own projection as `head`.

    Args:
        text: the side of the texts.
        image: the side of the images.
        name: what the encoder is called.

    Raises:
        ValueError: the two sides have different widths.
    """

    def __init__(self, text: Encoder, image: ImageEncoder, *, name: str = "model") -> None:
        if text.width != image.width:
            raise ValueError(f"both sides must have one width, got {text.width} for texts and {image.width} for images")
        self.text, self.image, self.name = text, image, name

    def __repr__(self) -> str:
        return f"DualEncoder({self.name!r}, {self.width} dimensions)"

    @property
    def width(self) -> int:
        """Number of dimensions of the space."""
        return self.text.width

    def encode(
        self,
        items: np.ndarray | Iterable[object],
        *,
        progress: bool = True,
        normalize: bool | None = None,
        store: bool = True,
        out: Out = None,
    ) -> np.ndarray:
        """One vector per text or image, float32 (n, width): arrays go to the side of images, all else to that of texts.

        Raises:
            TypeError: as the side's own `encode`; a list of both texts and images is refused there, by its index.
            ValueError: as the side's own `encode`.
        """
        if not isinstance(items, np.ndarray | str | bytes):
            items = list(items)
        if len(items) and isinstance(items[0], np.ndarray):  # pyright: ignore[reportArgumentType, reportIndexIssue]
            return self.image.encode(items, progress=progress, normalize=normalize, store=store, out=out)  # pyright: ignore[reportArgumentType]
        return self.text.encode(items, progress=progress, normalize=normalize, store=store, out=out)


def dual_of(
    model: Any,  # noqa: ANN401 - a dual model of transformers
    tokenizer: Any,  # noqa: ANN401
    processor: Any,  # noqa: ANN401
    *,
    name: str,
    defaults: FolderDefaults,
    options: dict[str, Any],
    folder: Path | None = None,
) -> DualEncoder:
    """The two sides of a dual model, which was read from `folder`.

    Raises:
        ValueError: a kind of dual model whose sides are not known to be right here.
    """
    kind = model.config.model_type
    if kind not in KINDS:
        raise ValueError(f"dual encoders are those of {KINDS}, got a model of type {kind!r}")
    told = replace(defaults, pooling="own", fixed_length=kind in FIXED_LENGTH)
    heads = {side: getattr(model, f"{side}_projection", None) for side in ("text", "visual")}
    text = Encoder(
        model.text_model, tokenizer, name=name, defaults=told, options=options, folder=folder, head=heads["text"]
    )
    image = ImageEncoder(
        model.vision_model,
        processor,
        name=name,
        pooling="own",
        dimensions=options.get("dimensions"),
        folder=folder,
        head=heads["visual"],
    )
    return DualEncoder(text, image, name=name)
