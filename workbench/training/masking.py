"""Which tokens a language model must guess."""

from collections.abc import Collection

import torch
from torch import Tensor

__all__ = ["mask_tokens"]


def mask_tokens(
    ids: Tensor,
    mask: Tensor,
    *,
    rate: float,
    replacement: int,
    special: Collection[int],
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """The ids with a share `rate` of each text's tokens replaced by `replacement`, and where: bool (n, t).

    Of a text of m tokens that are not special, round(rate m) are masked, at least one where m is above 0: every text
    has something to predict, and equal lengths have equally much. All become `replacement`; BERT leaves a tenth as they
    are and draws another token for a tenth, which keeps its states close to what unmasked text gives.

    Args:
        ids: (n, t).
        mask: (n, t), True on tokens, False on padding.
        rate: above 0, at most 1.
        replacement: number of the mask token.
        special: numbers of tokens that are never masked.
        generator: draws the places, on the CPU.

    Raises:
        ValueError: `rate` outside (0, 1], shapes that differ or are not 2-D, or no token at all that may be masked.

    Reference: Devlin et al. 2019, section 3.1 (rate 0.15).
    """
    if not 0 < rate <= 1:
        raise ValueError(f"rate must be above 0 and at most 1, got {rate}")
    if ids.ndim != 2 or ids.shape != mask.shape:
        raise ValueError(f"ids and mask must be of one shape (n, t), got {tuple(ids.shape)} and {tuple(mask.shape)}")
    open_ = mask.bool() & ~torch.isin(ids, torch.tensor(sorted(special), dtype=ids.dtype, device=ids.device))
    if not open_.any():
        raise ValueError(f"none of the {ids.numel()} places holds a token that may be masked")
    draws = torch.rand(ids.shape, generator=generator).to(ids.device).masked_fill(~open_, 2.0)
    counts = open_.sum(dim=1, keepdim=True)
    wanted = (rate * counts).round().clamp(min=1).minimum(counts)
    places = draws.argsort(dim=1).argsort(dim=1) < wanted
    return ids.masked_fill(places, replacement), places
