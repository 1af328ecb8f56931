"""In which precision a model computes, and whether the processor at hand has instructions for it."""

import copy
import warnings

import torch
from torch import nn

from workbench.encoders.settings import DTYPES

__all__ = ["bfloat16_instructions", "checked_dtype", "dtype_of", "moved", "warn_of_slow"]


def bfloat16_instructions() -> bool:
    """Whether this processor multiplies bfloat16 matrices itself (avx512_bf16, amx_bf16, or ARM's bf16)."""
    capabilities = torch.cpu.get_capabilities()
    return any(bool(has) for name, has in capabilities.items() if name.endswith("bf16"))


def checked_dtype(name: str) -> torch.dtype:
    """The dtype called `name`.

    Raises:
        ValueError: none that an encoder computes in.
    """
    if name not in DTYPES:
        raise ValueError(f"dtype must be one of {DTYPES}, got {name!r}")
    return getattr(torch, name)


def dtype_of(model: nn.Module) -> str:
    """Name of the dtype of the weights, such as "float32"."""
    return str(next(model.parameters()).dtype).removeprefix("torch.")


def moved(model: nn.Module, *, device: str | None, dtype: str | None) -> nn.Module:
    """The model on that device and in that dtype: itself where it is so already, else a copy.

    Raises:
        ValueError: a dtype that an encoder does not compute in.
    """
    if device in (None, str(next(model.parameters()).device)) and dtype in (None, dtype_of(model)):
        return model
    wanted = checked_dtype(dtype) if dtype is not None else None
    return copy.deepcopy(model).to(device=device, dtype=wanted)


def warn_of_slow(model: nn.Module) -> None:
    """Say so where half precision costs time instead of saving it, as it does on many processors."""
    weight = next(model.parameters())
    if weight.device.type == "cpu" and dtype_of(model) == "bfloat16" and not bfloat16_instructions():
        warnings.warn(
            "this CPU has no bfloat16 instructions (avx512_bf16, amx_bf16): dtype='float32' is faster here, "
            "by up to ten times",
            stacklevel=3,
        )
