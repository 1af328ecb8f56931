"""From one vector per token to one vector per text."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["pool"]


def pool(hidden: Float[Tensor, "n t d"], mask: Bool[Tensor, "n t"], *, how: str) -> Float[Tensor, "n d"]:
    """One float32 vector per text from its token vectors; `mask` is True on tokens, padding on the right.

    `how` is "mean", "cls" (the first token), "last" (the last token) or "max" (per dimension).

    Raises:
        ValueError: a text without tokens, or a `how` that does not exist.
    """
    lengths = mask.sum(dim=1)
    if not bool((lengths > 0).all()):
        raise ValueError(f"row {int((lengths == 0).nonzero()[0])} has no tokens to pool")
    hidden = hidden.float()  # sums over hundreds of tokens lose digits in half precision
    if how == "mean":
        return (hidden * mask.unsqueeze(-1)).sum(dim=1) / lengths.unsqueeze(-1)
    if how == "cls":
        return hidden[:, 0]
    if how == "last":
        return hidden[torch.arange(len(hidden), device=hidden.device), lengths - 1]
    if how == "max":
        return hidden.masked_fill(~mask.unsqueeze(-1), -torch.inf).amax(dim=1)
    raise ValueError(f"pooling must be 'mean', 'cls', 'last' or 'max', got {how!r}")
