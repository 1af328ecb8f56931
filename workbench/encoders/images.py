"""The image encoder: images in, one float32 vector per image out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from workbench.encoders import attention
from workbench.encoders.image_encoding import check_images, encode_images, with_channels
from workbench.encoders.output import Out
from workbench.encoders.pooling import own_pooled, through
from workbench.encoders.precision import dtype_of
from workbench.encoders.store import VectorStore
from workbench.encoders.weights import Identity
from workbench.models.passes import evaluating

__all__ = ["ImageEncoder", "ImageSettings"]

POOLINGS = ("own", "cls", "mean")


@dataclass(frozen=True)
class ImageSettings:
    """How an encoder turns an image into a vector; every field is part of the vector store's key."""

    pooling: str
    dimensions: int | None  # leading dimensions kept, before normalisation; None: all
    device: str
    dtype: str
    normalize: bool = False


class ImageEncoder:
    """A vision model of transformers, its image processor, and how the two turn an image into a vector.

    Resizing, cropping and scaling are the processor's; transformers' processors on Pillow (`ViTImageProcessorPil`
    and its like, or `AutoImageProcessor.from_pretrained(folder, backend="pil")`) give the same pixels everywhere.

    Args:
        model: a vision model of transformers; it may go on being trained, vectors follow its weights.
        processor: the model's image processor.
        name: what the encoder is called.
        pooling: "own" (what the model pools itself), "cls" (its first token) or "mean" (over all tokens, or over
            the places of a convolutional network); None: "own" where the model pools itself, else "mean".
        dimensions: leading dimensions kept, before normalisation; None keeps all.
        folder: where the weights were read from, if they were.
        head: a module that maps pooled vectors (n, d) into the space of `encode`, such as a projection.

    Raises:
        ValueError: a pooling that the model does not have, or dimensions that it does not reach.
    """

    def __init__(
        self,
        model: nn.Module,
        processor: Any,  # noqa: ANN401 - transformers has no common type for its processors
        *,
        name: str = "model",
        pooling: str | None = None,
        dimensions: int | None = None,
        folder: Path | None = None,
        head: nn.Module | None = None,
    ) -> None:
        if pooling not in (None, *POOLINGS):
            raise ValueError(f"pooling of images must be one of {POOLINGS}, got {pooling!r}")
        self.name, self.processor = name, processor
        self.model = self.whole_model = model
        self.head = head
        self.stores: dict[str, VectorStore] = {}
        black = np.zeros((32, 32), dtype=np.uint8)
        with torch.inference_mode(), evaluating(model):
            output = self._run([black])
            if pooling is None:
                pooling = "own" if getattr(output, "pooler_output", None) is not None else "mean"
            width = through(head, _pooled(output, how=pooling)).shape[1]
        if dimensions is not None and not 1 <= dimensions <= width:
            raise ValueError(f"dimensions must be between 1 and {width}, the model's width, got {dimensions}")
        self.width: int = dimensions or width
        self.settings = ImageSettings(pooling, dimensions, str(self.device), dtype_of(model))
        self._identity = Identity(self.parts, processor, folder=folder)

    def __repr__(self) -> str:
        return f"ImageEncoder({self.name!r}, {self.width} dimensions, {self.settings.pooling} pooling)"

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.model.parameters()).device

    @property
    def channels(self) -> int:
        """Number of channels of the images that the model takes: 3, or 1 for a model of grey images."""
        return int(getattr(self.model.config, "num_channels", 3))

    @property
    def parts(self) -> nn.Module:
        """Everything whose weights decide a vector: the model, and the head where there is one."""
        return self.model if self.head is None else nn.ModuleList([self.model, self.head])

    @property
    def attention_temperature(self) -> float:
        """The temperature that divides the attention scores now; 1 outside `attention_temperature`."""
        return attention.temperature_of(self.model)

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of the files the model was read from, or of its weights where they changed since."""
        return self._identity.fingerprint

    def encode(
        self,
        images: np.ndarray | Iterable[object],
        *,
        batch_images: int | None = None,
        progress: bool = True,
        normalize: bool | None = None,
        store: bool = True,
        out: Out = None,
    ) -> np.ndarray:
        """One vector per image, float32 (n, width); the same whatever else is encoded beside it, to 1e-5.

        A grey image is encoded as the colour image with three equal channels. Equal images are encoded once.

        Args:
            images: uint8 (n, h, w) or (n, h, w, 3), or a list of such images (h, w) or (h, w, 3) of any sizes.
            batch_images: images per batch; None: 8 on a CPU, 256 on a GPU.
            progress: show a bar when there are many batches.
            normalize: scale rows to length 1; None does not.
            store: take known vectors from the store under data/cache/vectors, and put new ones there.
            out: an .npy path or a float32 array (n, width) to write the rows into.

        Raises:
            TypeError: not arrays, or not of uint8.
            ValueError: another shape, an image without pixels, a colour image for a model of grey ones, or a vector
                that is zero or not finite; names its index.
        """
        checked = check_images(images, channels=self.channels)
        if normalize is None:
            normalize = self.settings.normalize
        return encode_images(
            self, checked, batch_images=batch_images, progress=progress, normalize=normalize, store=store, out=out
        )

    def pooled(self, images: Sequence[np.ndarray]) -> Tensor:
        """Vectors of one batch of images, float32 (n, d); neither normalised nor cut to `dimensions`."""
        return through(self.head, _pooled(self._run(images), how=self.settings.pooling))

    def _run(self, images: Sequence[np.ndarray]) -> Any:  # noqa: ANN401 - the output of any model of transformers
        same = [with_channels(image, self.channels) for image in images]
        # said, because a picture 3 pixels high would be taken for one with its channels first
        pixels = self.processor(same, input_data_format="channels_last", return_tensors="pt")["pixel_values"]
        weight = next(self.model.parameters())
        # on a GPU, convolutions of float32 would else be rounded to the 10 bits of TF32
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            return self.model(pixel_values=pixels.to(device=weight.device, dtype=weight.dtype))


def _pooled(output: Any, *, how: str) -> Tensor:  # noqa: ANN401 - as in _run
    if how == "own":
        return own_pooled(output)
    hidden = output[0].float()
    if hidden.ndim == 4:  # convolutional: (n, d, h, w)
        if how == "cls":
            raise ValueError("pooling 'cls' needs a model of tokens, this one is convolutional")
        return hidden.flatten(2).mean(dim=2)
    return hidden[:, 0] if how == "cls" else hidden.mean(dim=1)
