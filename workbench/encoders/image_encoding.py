"""Images checked, and encoded in batches, each distinct image once, through the vector store."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch

from workbench.encoders.encoding import BAR_FROM, Pending, finished, open_store
from workbench.encoders.output import Out, open_rows, written_rows
from workbench.encoders.store import VectorStore
from workbench.models.passes import evaluating

if TYPE_CHECKING:
    from workbench.encoders.images import ImageEncoder

__all__ = ["check_images", "encode_images", "image_key", "with_channels"]

CPU_IMAGES = 8
GPU_IMAGES = 256
WINDOW = 1024  # images looked up in the store at a time

Images = np.ndarray | Sequence[np.ndarray]


def check_images(images: object, *, channels: int = 3) -> Images:
    """`images` as an array (n, h, w) or (n, h, w, 3), or as a list of images (h, w) or (h, w, 3); all uint8.

    Raises:
        TypeError: not arrays, or not of uint8; names the index.
        ValueError: another shape, no pixels, or colour where `channels` is 1; names the index.
    """
    if isinstance(images, np.ndarray) and images.dtype != object:
        if images.ndim == 3 and images.shape[-1] == 3:
            raise ValueError(f"images of shape {images.shape} may be one colour image: put it in a list")
        if images.ndim not in (3, 4):
            raise ValueError(f"images must have shape (n, h, w) or (n, h, w, 3), got {images.shape}")
        _check_image(images[0] if len(images) else np.zeros(images.shape[1:], dtype=images.dtype), 0, channels)
        return images
    if isinstance(images, str | bytes) or not isinstance(images, Sequence):
        raise TypeError(f"images must be a uint8 array or a list of uint8 arrays, got {type(images).__name__}")
    for i, image in enumerate(images):
        _check_image(image, i, channels)
    return images


def with_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """The image as (h, w, channels): a grey one has equal channels."""
    return np.repeat(image[:, :, None], channels, axis=2) if image.ndim == 2 else image


def image_key(image: np.ndarray) -> str:
    """What the vector store knows an image by: "image:" and the SHA-256, in hex, of its shape and pixels."""
    digest = hashlib.sha256(f"{image.shape} ".encode())
    digest.update(np.ascontiguousarray(image).data)
    return f"image:{digest.hexdigest()}"


def encode_images(
    encoder: "ImageEncoder",
    images: Images,
    *,
    batch_images: int | None,
    progress: bool,
    normalize: bool,
    store: bool,
    out: Out,
) -> np.ndarray:
    """Rows for `images` in their order; see `ImageEncoder.encode`.

    Raises:
        ValueError: `batch_images` is below 1.
    """
    if batch_images is None:
        batch_images = CPU_IMAGES if encoder.device.type == "cpu" else GPU_IMAGES
    if batch_images < 1:
        raise ValueError(f"batch_images must be 1 or more, got {batch_images}")
    places: dict[str, list[int]] = {}
    for i, image in enumerate(images):
        places.setdefault(image_key(image), []).append(i)
    unique = list(places)
    vectors = open_store(encoder, normalize=normalize) if store and unique else None
    with (
        open_rows(out, (len(images), encoder.width)) as rows,
        evaluating(encoder.model),
        _progressing(len(unique), shown=progress and len(unique) >= BAR_FROM * batch_images) as advance,
    ):
        for start in range(0, len(unique), WINDOW):
            window = {key: places[key][0] for key in unique[start : start + WINDOW]}
            for keys, fresh in _window(encoder, images, window, vectors, batch_images, normalize):
                for key, vector in zip(keys, fresh, strict=True):
                    rows[places[key]] = vector
                advance(len(keys))
    return written_rows(out, rows)


def _window(
    encoder: "ImageEncoder",
    images: Images,
    window: dict[str, int],
    vectors: VectorStore | None,
    batch_images: int,
    normalize: bool,
) -> Iterator[tuple[list[str], np.ndarray | list[np.ndarray]]]:
    """Rows of the window's images, batch by batch: those the store knows, then the others, which it learns."""
    known = vectors.get(list(window)) if vectors is not None else {}
    if known:
        yield list(known), list(known.values())
    missing = [key for key in window if key not in known]
    pending = Pending(vectors)
    try:
        for start in range(0, len(missing), batch_images):
            keys = missing[start : start + batch_images]
            at = [window[key] for key in keys]
            with torch.inference_mode():
                pooled = encoder.pooled([images[i] for i in at])
            # outside the mode, which a suspended generator would leave on
            rows = finished(encoder, pooled, at, normalize, item="image")
            pending.add(keys, rows)
            yield keys, rows
    finally:
        pending.flush()


@contextmanager
def _progressing(total: int, *, shown: bool) -> Iterator[Callable[[int], object]]:
    if not shown:
        yield lambda _: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, unit="image", desc="encode") as bar:
        yield bar.update


def _check_image(image: object, index: int, channels: int) -> None:
    if not isinstance(image, np.ndarray):
        raise TypeError(f"image {index} must be a numpy array, got {type(image).__name__}")
    if image.dtype != np.uint8:
        raise TypeError(f"image {index} must be uint8, from 0 to 255, got {image.dtype}")
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3) or 0 in image.shape:
        raise ValueError(f"image {index} must have shape (h, w) or (h, w, 3), h and w above 0, got {image.shape}")
    if image.ndim == 3 and channels == 1:
        raise ValueError(f"image {index} has 3 channels, but the model takes grey images (h, w)")
