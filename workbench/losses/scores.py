"""Scores, logits, masks and labels as a loss takes them: refused once by value, raised to float32 or better."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["all_weights", "candidate_lists", "checked_mask", "integers", "raised"]


def raised(x: Tensor) -> Tensor:
    """`x` in float32, or in float64 where it is that already."""
    return x if x.dtype == torch.float64 else x.float()


def checked_mask(mask: Tensor | None, like: Tensor) -> Tensor:
    """`mask` as it is, or True everywhere where it is None, in the shape and on the device of `like`.

    Raises:
        ValueError: not of dtype bool, or of another shape.
    """
    if mask is None:
        return torch.ones(like.shape, dtype=torch.bool, device=like.device)
    if mask.dtype != torch.bool:
        raise ValueError(f"mask must be of dtype bool, True for what counts, got {mask.dtype}")
    if mask.shape != like.shape:
        raise ValueError(f"mask must be of shape {tuple(like.shape)}, got {tuple(mask.shape)}")
    return mask


def integers(x: Tensor, name: str) -> Tensor:
    """`x` as int64, once it holds integers.

    Raises:
        ValueError: of a floating, complex or bool dtype.
    """
    if x.is_floating_point() or x.is_complex() or x.dtype == torch.bool:
        raise ValueError(f"{name} must hold integers, got {x.dtype}")
    return x.long()


def all_weights(weights: Sequence[float] | None, n: int, of: str) -> list[float]:
    """`weights` as a list, or 1 for each of the `n` terms where it is None.

    Raises:
        ValueError: another number of them, one that is negative or not finite, or none above 0.
    """
    if weights is None:
        return [1.0] * n
    if len(weights) != n:
        raise ValueError(f"weights must be one for each of the {n} {of}, got {len(weights)}")
    if not all(math.isfinite(w) and w >= 0 for w in weights) or not any(weights):
        raise ValueError(f"weights must be finite, 0 or more and not all 0, got {list(weights)}")
    return list(weights)


def candidate_lists(
    scores: Tensor, target: Tensor, mask: Tensor | None, *, names: tuple[str, str]
) -> tuple[Tensor, Tensor, Tensor]:
    """Both (n, k) raised to one dtype, 0 where `mask` is False, and the mask: a row per list, a column per candidate.

    Raises:
        ValueError: `scores` not of a floating dtype, `target` bool or complex, not 2-D, no row, shapes that differ, a
            mask as refused by `checked_mask`, a list of fewer than 2 candidates, or a number that counts and is not
            finite.
    """
    if not scores.is_floating_point():
        raise ValueError(f"{names[0]} must be of a floating dtype, got {scores.dtype}")
    if target.is_complex() or target.dtype == torch.bool:
        raise ValueError(f"{names[1]} must hold real numbers, got {target.dtype}")
    if scores.ndim != 2 or len(scores) == 0 or scores.shape != target.shape:
        both = f"{tuple(scores.shape)} and {tuple(target.shape)}"
        raise ValueError(f"{names[0]} and {names[1]} must be 2-D, of one shape and one list or more, got {both}")
    kept = checked_mask(mask, scores)
    few = torch.nonzero(kept.sum(dim=1) < 2)
    if len(few):
        row = int(few[0])
        raise ValueError(f"a list needs 2 candidates or more, row {row} has {int(kept[row].sum())}")
    for name, values in zip(names, (scores, target), strict=True):
        wrong = torch.nonzero((kept & ~torch.isfinite(values)).any(dim=1))
        if len(wrong):
            raise ValueError(f"{name}: row {int(wrong[0])} is not finite")
    # what is left out may hold anything, NaN too: it must reach neither the value nor the gradient
    left, right = _one_dtype(scores, target)
    return left.masked_fill(~kept, 0), right.masked_fill(~kept, 0), kept


def _one_dtype(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    dtype = torch.promote_types(raised(a).dtype, b.dtype)
    return a.to(dtype), b.to(dtype)
