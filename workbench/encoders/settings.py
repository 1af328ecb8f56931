"""How texts become vectors: what the model's folder says, and what the caller asked for instead."""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["DTYPES", "FolderDefaults", "Limits", "Settings", "read_defaults", "resolve"]

POOLINGS = ("mean", "cls", "last", "max", "own")
DTYPES = ("float32", "bfloat16", "float16")
OPTIONS = ("pooling", "max_length", "prompt", "dimensions", "layers", "device", "dtype")
_POOLING_NAMES = {"mean": "mean", "cls": "cls", "lasttoken": "last", "max": "max"}
_POOLING_FLAGS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last",
    "pooling_mode_max_tokens": "max",
}


@dataclass(frozen=True)
class Settings:
    """How an encoder turns a text into a vector; every field is part of the vector store's key."""

    pooling: str
    max_length: int  # tokens kept, special ones included
    prompt: str  # text put before every text
    dimensions: int | None  # leading dimensions kept, before normalisation; None: all
    layers: int | None  # first layers kept; None: all
    normalize: bool
    device: str
    dtype: str
    lower_case: bool = False
    fixed_length: bool = False  # every text filled up to max_length, with padding that the model reads


@dataclass(frozen=True)
class FolderDefaults:
    """What a model's own folder says about its use."""

    transformer: Path
    pooling: str = "mean"
    max_length: int | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt: str = ""
    normalize: bool = False
    lower_case: bool = False
    dtype: str = "float32"
    fixed_length: bool = False


@dataclass(frozen=True)
class Limits:
    """What a model can take: positions (None: unbounded), layers and dimensions."""

    positions: int | None
    layers: int
    width: int


def read_defaults(folder: Path) -> FolderDefaults:
    """What modules.json and its companions in `folder` say; mean pooling, not normalised, where they are absent.

    Raises:
        ValueError: a module or a pooling that this encoder does not have.
    """
    modules = _read(folder / "modules.json", default=[])
    paths = {m["type"].rsplit(".", 1)[-1]: folder / m["path"] for m in modules}
    unknown = paths.keys() - {"Transformer", "Pooling", "Normalize"}
    if unknown:
        raise ValueError(f"{folder / 'modules.json'}: {sorted(unknown)[0]!r} is no Transformer, Pooling or Normalize")
    transformer = paths.get("Transformer", folder)
    body = _read(transformer / "sentence_bert_config.json", default={})
    prompts = _read(folder / "config_sentence_transformers.json", default={})
    config = _read(transformer / "config.json", default={})
    return FolderDefaults(
        transformer=transformer,
        pooling=_pooling(paths["Pooling"] / "config.json") if "Pooling" in paths else "mean",
        max_length=body.get("max_seq_length"),
        prompts=prompts.get("prompts") or {},
        default_prompt=(prompts.get("prompts") or {}).get(prompts.get("default_prompt_name") or "", ""),
        normalize="Normalize" in paths,
        lower_case=bool(body.get("do_lower_case", False)),
        dtype=config.get("dtype") or config.get("torch_dtype") or "float32",
    )


def resolve(defaults: FolderDefaults, limits: Limits, options: Mapping[str, Any], *, device: str) -> Settings:
    """Settings from the folder's defaults and the caller's `options`; None means the folder's default.

    Raises:
        TypeError: an option that does not exist, or of the wrong type.
        ValueError: a value outside the model's limits; names the value and the rule.
    """
    for name in options.keys() - set(OPTIONS):
        near = difflib.get_close_matches(name, OPTIONS, n=1)
        raise TypeError(f"no setting {name!r}" + (f", nearest: {near[0]!r}" if near else f", there are {OPTIONS}"))
    asked = {name: options.get(name) for name in OPTIONS}
    positions = limits.positions
    length = _whole("max_length", asked["max_length"], 1, positions, "the model's positions")
    if length is None:
        length = min(defaults.max_length or positions or 512, positions or defaults.max_length or 512)
    return Settings(
        pooling=_choice("pooling", asked["pooling"] or defaults.pooling, POOLINGS),
        max_length=length,
        prompt=_prompt(asked["prompt"], defaults),
        dimensions=_whole("dimensions", asked["dimensions"], 1, limits.width, "the model's width"),
        layers=_whole("layers", asked["layers"], 1, limits.layers, "the model's layers"),
        normalize=defaults.normalize,
        device=device,
        dtype=_choice("dtype", asked["dtype"] or defaults.dtype, DTYPES),
        lower_case=defaults.lower_case,
        fixed_length=defaults.fixed_length,
    )


def _read(path: Path, *, default: Any) -> Any:  # noqa: ANN401 - whatever the JSON holds
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else default


def _pooling(path: Path) -> str:
    config = _read(path, default={})
    named = config.get("pooling_mode")
    if named is None:
        on = [key for key, value in config.items() if key.startswith("pooling_mode_") and value is True]
        named = _POOLING_FLAGS.get(on[0], on[0]) if len(on) == 1 else on
    else:
        named = _POOLING_NAMES.get(str(named), named)
    if named not in POOLINGS or config.get("include_prompt", True) is not True:
        raise ValueError(f"{path}: pooling {named!r} must be one of {POOLINGS}, prompt included")
    return str(named)


def _choice(name: str, value: object, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ValueError(f"{name} must be one of {choices}, got {value!r}")
    return str(value)


def _whole(name: str, value: object, low: int, high: int | None, what: str) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int, got {value!r}")
    if value < low or (high is not None and value > high):
        top = f"{high}, {what}" if high is not None else "any number"
        raise ValueError(f"{name} must be between {low} and {top}, got {value}")
    return value


def _prompt(value: object, defaults: FolderDefaults) -> str:
    if value is None:
        return defaults.default_prompt
    if not isinstance(value, str):
        raise TypeError(f"prompt must be a str, got {type(value).__name__}")
    if value in defaults.prompts:
        return defaults.prompts[value]
    if value.isidentifier():  # a mistyped name would otherwise be put before every text
        raise ValueError(
            f"prompt {value!r} is none of the model's {sorted(defaults.prompts)}; a literal one ends in ': '"
        )
    return value
