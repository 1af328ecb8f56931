"""Load an encoder from a model's folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from workbench.encoders.encoder import Encoder
from workbench.encoders.settings import DTYPES, FolderDefaults, read_defaults
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
) -> Encoder:
    """The encoder `name`, used as its own folder says wherever an option is None.

    Args:
        name: a folder, or a name that `find_model` knows.
        pooling: "mean", "cls", "last" or "max"; mean where the folder says nothing.
        max_length: tokens kept of a text, special ones included; up to the model's positions.
        prompt: text put before every text, or the name of one of the model's prompts; "" for none.
        dimensions: leading dimensions kept, before normalisation (Matryoshka); None keeps all.
        layers: number of first layers kept, counted from the input; None keeps all.
        device: "cpu", "cuda", "cuda:1", ...; None takes a GPU where there is one.
        dtype: "float32", "bfloat16" or "float16" for the weights; vectors are always float32.

    Raises:
        UnknownModel: no such model here nor on the hub.
        ValueError: no safetensors, or an option outside the model's limits; names the value and the rule.
        TypeError: an option of the wrong type.
    """
    folder = find_model(name)
    defaults = read_defaults(folder)
    options = {
        "pooling": pooling,
        "max_length": max_length,
        "prompt": prompt,
        "dimensions": dimensions,
        "layers": layers,
        "device": device,
        "dtype": dtype,
    }
    model, tokenizer = _read_model(defaults, dtype=dtype, device=device)
    return Encoder(model, tokenizer, name=os.fspath(name), defaults=defaults, options=options, folder=folder)


def _place(device: str | None) -> torch.device:
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind = device.partition(":")[0]
    if kind not in ("cpu", "cuda", "mps"):
        raise ValueError(f"device must be 'cpu', 'cuda', 'cuda:N' or 'mps', got {device!r}")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device {device!r} was asked for, but torch finds no GPU here")
    return torch.device(device)


@contextmanager
def _no_bar() -> Iterator[None]:
    """No bar while weights are read, which takes less than a second; the caller's choice is put back."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _read_model(defaults: FolderDefaults, *, dtype: str | None, device: str | None) -> tuple[nn.Module, Any]:
    from transformers import AutoConfig, AutoModel, AutoModelForTextEncoding, AutoTokenizer

    wanted = dtype or defaults.dtype
    if wanted not in DTYPES:
        raise ValueError(f"dtype must be one of {DTYPES}, got {wanted!r}")
    place = _place(device)
    folder = defaults.transformer
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    config = AutoConfig.from_pretrained(folder, **local)
    # of an encoder-decoder, only the encoder makes vectors
    kind = AutoModelForTextEncoding if config.is_encoder_decoder else AutoModel
    with _no_bar():
        model = kind.from_pretrained(folder, config=config, use_safetensors=True, dtype=getattr(torch, wanted), **local)
    return model.eval().to(place), AutoTokenizer.from_pretrained(folder, **local)
