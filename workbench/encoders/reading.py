"""Read a model from its folder with transformers: of which kind it is, its weights, and what reads its input."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from workbench.models.texts import no_bar

__all__ = ["kind_of", "place_of", "read_model", "read_processor", "read_tokenizer", "refuse_foreign"]

_LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
_FOREIGN = {"text": (), "image": ("max_length", "prompt", "layers"), "dual": ("pooling", "layers")}
_PROCESSORS = ("preprocessor_config.json", "processor_config.json")


def kind_of(folder: Path) -> str:
    """What the model in `folder` takes: "text", "image", or "dual" for a model with a side for each.

    Raises:
        ValueError: one side of a dual model with its projection, which only the whole model tells apart.
    """
    from transformers import MODEL_MAPPING, AutoConfig

    config = AutoConfig.from_pretrained(folder, **_LOCAL)
    for architecture in config.architectures or ():
        if architecture.endswith("WithProjection"):
            raise ValueError(f"{folder} holds {architecture}, one side of a dual encoder: load the folder of the whole")
    found: Any = MODEL_MAPPING.get(type(config), None)
    model_class = found[0] if isinstance(found, tuple) else found
    if hasattr(model_class, "get_text_features") and hasattr(model_class, "get_image_features"):
        return "dual"
    return "image" if getattr(model_class, "main_input_name", "input_ids") == "pixel_values" else "text"


def refuse_foreign(kind: str, options: Mapping[str, object]) -> None:
    """Refuse options of other kinds of encoder.

    Raises:
        ValueError: names the option and the kind.
    """
    for name in _FOREIGN[kind]:
        if options[name] is not None:
            raise ValueError(f"{name}={options[name]!r} is no option of a model of kind {kind!r}")


def place_of(device: str | None) -> torch.device:
    """The device called `device`; None takes a GPU where there is one.

    Raises:
        ValueError: another kind of device, or a GPU where there is none.
    """
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind = device.partition(":")[0]
    if kind not in ("cpu", "cuda", "mps"):
        raise ValueError(f"device must be 'cpu', 'cuda', 'cuda:N' or 'mps', got {device!r}")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device {device!r} was asked for, but torch finds no GPU here")
    return torch.device(device)


def read_model(folder: Path, *, dtype: torch.dtype) -> nn.Module:
    """The model in `folder`, ready to encode; without its pooler where the folder has no weights for one.

    Raises:
        ValueError: the folder lacks other weights of the model, which would be random.
    """
    from transformers import AutoConfig, AutoModel, AutoModelForTextEncoding

    config = AutoConfig.from_pretrained(folder, **_LOCAL)
    # of an encoder-decoder, only the encoder makes vectors
    auto = AutoModelForTextEncoding if config.is_encoder_decoder else AutoModel
    with no_bar():
        model, report = auto.from_pretrained(
            folder, config=config, use_safetensors=True, dtype=dtype, output_loading_info=True, **_LOCAL
        )
    missing = sorted(report["missing_keys"])
    if missing and all(name.startswith("pooler.") for name in missing):
        model.pooler = None
    elif missing:
        raise ValueError(f"{folder} lacks {len(missing)} weights of {type(model).__name__}, such as {missing[0]!r}")
    return model.eval()


def read_tokenizer(folder: Path) -> Any:  # noqa: ANN401 - transformers has no common type for its tokenizers
    """The tokenizer in `folder`."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, **_LOCAL)


def read_processor(folder: Path) -> Any:  # noqa: ANN401 - nor for its image processors
    """The image processor in `folder`, on Pillow: the same pixels on every machine, whatever else is installed.

    Raises:
        ValueError: the folder does not say how images become pixels.
    """
    from transformers import AutoImageProcessor

    if not any((folder / name).is_file() for name in _PROCESSORS):
        raise ValueError(f"{folder} has no {_PROCESSORS[0]}: build ImageEncoder(model, processor) instead")
    return AutoImageProcessor.from_pretrained(folder, backend="pil", **_LOCAL)
