"""What a loss asks of its rows before it works, and the precision that it works in."""

import math

import torch
from torch import Tensor

from workbench.tensors import as_rows

__all__ = ["checked_rows", "checked_temperature", "checked_weights", "full_precision", "not_negative"]


def checked_rows(*rows: Tensor, names: str, least: int = 1, scaled: bool = True) -> tuple[Tensor, ...]:
    """Matrices (n, d) of one shape, of finite floats, raised to float32 or to the widest of them.

    `names` are their names in order, separated by spaces. `scaled`: the loss scales rows to length 1.

    Raises:
        ValueError: as in `as_rows`, fewer than `least` rows, shapes that differ, or with `scaled` a row that is zero.
    """
    checked = [as_rows(x, least=least, name=name) for x, name in zip(rows, names.split(), strict=True)]
    shapes = [tuple(x.shape) for x in checked]
    if len(set(shapes)) > 1:
        raise ValueError(f"{names.replace(' ', ', ')} must be of one shape, got {', '.join(map(str, shapes))}")
    for x, name in zip(checked, names.split(), strict=True):
        empty = torch.zeros(0) if not scaled else torch.nonzero(x.detach().abs().amax(dim=1) == 0)
        if len(empty):
            raise ValueError(f"{name}: row {int(empty[0])} is zero and has no direction")
    double = any(x.dtype == torch.float64 for x in checked)
    return tuple(x.to(torch.float64 if double else torch.float32) for x in checked)


def checked_temperature(temperature: float | Tensor, like: Tensor) -> Tensor:
    """A temperature as a tensor of no axes beside `like`; a learned one keeps its gradient.

    Raises:
        ValueError: not a single number, or not finite and above 0.
    """
    # a number must not pass through float32 on its way to float64
    dtype = temperature.dtype if isinstance(temperature, Tensor) else torch.float64
    value = torch.as_tensor(temperature, dtype=dtype)
    if value.numel() != 1:
        raise ValueError(f"temperature must be one number, got shape {tuple(value.shape)}")
    if not 0 < float(value.detach()) < math.inf:  # also refuses NaN
        raise ValueError(f"temperature must be finite and above 0, got {float(value.detach())}")
    return value.reshape(()).to(like)


def checked_weights(weights: Tensor | None, like: Tensor) -> Tensor:
    """One weight per row of `like`, all 1 where none are given.

    Raises:
        ValueError: not (n,), a weight that is negative or not finite, or nothing but zeros.
    """
    if weights is None:
        return like.new_ones(len(like))
    if weights.shape != like.shape[:1]:
        raise ValueError(f"weights must be of shape ({len(like)},), got {tuple(weights.shape)}")
    wrong = torch.nonzero(~(torch.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        raise ValueError(
            f"weights must be finite and not negative, got {float(weights[wrong[0]])} in row {int(wrong[0])}"
        )
    if not weights.any():
        raise ValueError("weights must not all be 0: there is nothing to average")
    return weights.to(like)


def not_negative(value: float, name: str) -> float:
    """`value`, finite and at least 0.

    Raises:
        ValueError: it is not.
    """
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} must be finite and not negative, got {value}")
    return value


def full_precision(x: Tensor) -> torch.autocast:
    """A context without autocast, which would multiply in half precision however wide the rows are."""
    return torch.autocast(x.device.type, enabled=False)
