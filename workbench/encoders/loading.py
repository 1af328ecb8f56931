"""Load an encoder from a model's folder: of texts, of images, or of both."""

import os
from pathlib import Path
from typing import Any

from workbench.encoders.dual import DualEncoder, dual_of
from workbench.encoders.encoder import Encoder
from workbench.encoders.images import ImageEncoder
from workbench.encoders.precision import checked_dtype, warn_of_slow
from workbench.encoders.reading import (
    kind_of,
    place_of,
    read_model,
    read_processor,
    read_tokenizer,
    refuse_foreign,
)
from workbench.encoders.settings import read_defaults
from workbench.encoders.sources import find_model

__all__ = ["load_encoder"]


def load_encoder(
    name: str | os.PathLike[str],
    *,
    pooling: str | None = None,
    max_length: int | None = None,
    prompt: str | None = None,
    dimensions: int | None = None,
    layers: int | None = None,
    device: str | None = None,
    dtype: str | None = None,
) -> Encoder | ImageEncoder | DualEncoder:
    """The encoder `name`, used as its own folder says wherever an option is None.

    A text model gives an `Encoder`, a vision model (ViT, DINOv2, ConvNeXt, ...) an `ImageEncoder`, a model of both
    (CLIP, SigLIP, vision-text-dual-encoder) a `DualEncoder`, whose two sides share one space.

    Args:
        name: a folder, or a name that `find_model` knows.
        pooling: "mean", "cls", "last", "max" or "own" (what the model pools itself); mean where the folder says
            nothing. Of images "own", "cls" or "mean".
        max_length: tokens kept of a text, special ones included; up to the model's positions.
        prompt: text put before every text, or the name of one of the model's prompts; "" for none.
        dimensions: leading dimensions kept, before normalisation (Matryoshka); None keeps all.
        layers: number of first layers kept, counted from the input; None keeps all.
        device: "cpu", "cuda", "cuda:1", ...; None takes a GPU where there is one.
        dtype: "float32", "bfloat16" or "float16" for the weights; vectors are always float32.

    Raises:
        UnknownModel: no such model here nor on the hub.
        ValueError: no safetensors or not all weights, or an option outside the model's limits or of another kind of
            encoder; names the value and the rule.
        TypeError: an option of the wrong type.
    """
    folder = find_model(name)
    options: dict[str, Any] = {
        "pooling": pooling,
        "max_length": max_length,
        "prompt": prompt,
        "dimensions": dimensions,
        "layers": layers,
        "device": device,
        "dtype": dtype,
    }
    encoder = _read(folder, os.fspath(name), options)
    warn_of_slow((encoder.text if isinstance(encoder, DualEncoder) else encoder).parts)
    return encoder


def _read(folder: Path, name: str, options: dict[str, Any]) -> Encoder | ImageEncoder | DualEncoder:
    defaults = read_defaults(folder)
    inner = defaults.transformer
    dtype, place, kind = checked_dtype(options["dtype"] or defaults.dtype), place_of(options["device"]), kind_of(inner)
    refuse_foreign(kind, options)
    processor = None if kind == "text" else read_processor(inner)
    tokenizer = None if kind == "image" else read_tokenizer(inner)
    model = read_model(inner, dtype=dtype).to(place)
    if kind == "dual":
        return dual_of(model, tokenizer, processor, name=name, defaults=defaults, options=options, folder=folder)
    if kind == "text":
        return Encoder(model, tokenizer, name=name, defaults=defaults, options=options, folder=folder)
    pooling, dimensions = options["pooling"], options["dimensions"]
    return ImageEncoder(model, processor, name=name, pooling=pooling, dimensions=dimensions, folder=folder)
