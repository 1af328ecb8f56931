"""How strongly attention averages: the high-pass part of an attention matrix."""

import math

import numpy as np
import torch
from torch import Tensor

__all__ = ["sigma_a", "sigma_a_gaussian"]


def sigma_a(attention: np.ndarray | Tensor) -> np.ndarray:
    """Largest singular value of (I - 11'/n) A for each attention matrix A in `attention` (..., n, n).

    One layer of self-attention cannot keep more of what differs between tokens than sigma_a times the norm of
    its value map. In [0, sqrt(n)]: 0 when every row of A is the same (only the mean is left), 1 for the identity,
    falling with n when attention is spread out. Float64, through the eigenvalues of the n x n Gram matrix.
    Returns shape (...).

    Raises:
        ValueError: matrices that are not square, not finite, or whose rows do not sum to 1 within 1e-3
            (padding must be cut off first).

    Reference: Zhou et al. 2025, the theorem on one layer of self-attention.
    """
    a = torch.as_tensor(attention).double()
    if a.ndim < 2 or a.shape[-1] != a.shape[-2] or a.shape[-1] < 2:
        raise ValueError(f"attention must be (..., n, n) with n of 2 or more, got {tuple(a.shape)}")
    if not torch.isfinite(a).all() or (a.sum(-1) - 1).abs().max() > 1e-3:
        raise ValueError("every row of an attention matrix must sum to 1 within 1e-3: cut padding rows and columns off")
    high = a - a.mean(dim=-2, keepdim=True)
    largest = torch.linalg.eigvalsh(high.mT @ high)[..., -1]
    return largest.clamp_min(0).sqrt().numpy()


def sigma_a_gaussian(n: int, *, logit_deviation: float) -> float:
    """The paper's closed form for `sigma_a` of n tokens when logits are Gaussian with this standard deviation.

    Falls as about n^(-1/4), rises with the deviation. It is no true bound away from small deviations: a numerical
    check at n = 256 gives 0.303 against its 0.172 for a deviation of 1. Draw it as the paper's curve.

    Raises:
        ValueError: n below 2, or a deviation that is not finite and above 0.

    Reference: Zhou et al. 2025, the theorem on length.
    """
    if n < 2:
        raise ValueError(f"n must be 2 or more, got {n}")
    if not (math.isfinite(logit_deviation) and logit_deviation > 0):
        raise ValueError(f"logit_deviation must be finite and above 0, got {logit_deviation}")
    return math.sqrt(n / (2 * math.sqrt(1 + math.exp(-2 * logit_deviation**2)) * (n - 1) ** 1.5 + 1))
