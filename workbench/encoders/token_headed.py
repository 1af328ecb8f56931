"""An encoder together with its own head over the vocabulary, where it was published with one."""

import json
from pathlib import Path
from typing import Any

from torch import nn

from workbench.encoders.encoder import Encoder
from workbench.encoders.loading import load_encoder
from workbench.encoders.settings import read_defaults
from workbench.encoders.sources import find_model
from workbench.models.texts import no_bar

__all__ = ["load_with_token_head"]


def load_with_token_head(
    name: str, *, pooling: str | None = None, max_length: int | None = None
) -> tuple[Encoder, nn.Module | None]:
    """The text encoder `name` on the CPU, and its masked-LM head; None for the head where the model has none.

    The head is frozen, and with it the word embeddings, which are tied to it: it maps states (..., d) to logits
    (..., v), and has `transform` and `decoder` as in transformers' BertForMaskedLM.

    Args:
        name: a folder, or a name that `find_model` knows.
        pooling: as in `load_encoder`; mean for a model with a head.
        max_length: tokens kept of a text, special ones included.

    Raises:
        UnknownModel: no such model, here or on the hub.
        ValueError: no safetensors, a model of images, or an option outside the model's limits.
    """
    options: dict[str, Any] = {"pooling": pooling, "max_length": max_length}
    folder = read_defaults(find_model(name)).transformer
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if "BertForMaskedLM" in (config.get("architectures") or []):
        model, tokenizer = _masked_lm(folder)
        head = model.cls.predictions
        for parameter in head.parameters():
            parameter.requires_grad_(False)
        return Encoder(model.base_model, tokenizer, name=name, options=options), head
    encoder = load_encoder(name, device="cpu", **options)
    if not isinstance(encoder, Encoder):
        raise ValueError(f"{name!r} must be a model of texts, got {encoder!r}")
    return encoder, None


def _masked_lm(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoTokenizer, BertForMaskedLM

    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    with no_bar():
        model = BertForMaskedLM.from_pretrained(folder, use_safetensors=True, **local)
    return model.float().eval(), AutoTokenizer.from_pretrained(folder, **local)
