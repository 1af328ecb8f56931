"""A linear head on frozen vectors, trained so that each row finds its partner."""

from functools import partial

import numpy as np
import torch
from torch import Tensor

from workbench.losses import info_nce
from workbench.models.seeding import seeded
from workbench.tensors import as_rows
from workbench.training.batches import Batches
from workbench.training.config import FitConfig, FitResult
from workbench.training.loop import fit
from workbench.training.steps import embed_step

__all__ = ["pair_head"]


def pair_head(
    left: np.ndarray | Tensor,
    right: np.ndarray | Tensor,
    *,
    config: FitConfig,
    size: int = 128,
    temperature: float = 0.05,
) -> tuple[np.ndarray, FitResult]:
    """Weights, float32 (d, d), of one linear map for both sides, and what `fit` says of the training.

    Apply them as `rows @ weights.T`. The map begins as the identity and has no bias; batches of `size` pairs (all,
    where there are fewer), InfoNCE from left to right with the cosine of the mapped rows. Order of the batches by
    `config.seed`.

    Args:
        left: vectors (n, d).
        right: vectors (n, d), row i the partner of row i.
        config: steps, rate, seed and folder of the training.
        size: pairs of a batch, each the others' wrong answers.
        temperature: divides the cosines.

    Raises:
        TypeError: neither arrays nor tensors.
        ValueError: not two matrices of one shape with 2 rows or more, a number that is not finite, `size` below 2, or a
            temperature that is not above 0.
    """
    rows = {name: as_rows(x, least=2, name=name).float() for name, x in (("left", left), ("right", right))}
    if rows["left"].shape != rows["right"].shape:
        shapes = [tuple(x.shape) for x in rows.values()]
        raise ValueError(f"left and right must be of one shape, got {shapes[0]} and {shapes[1]}")
    if size < 2 or not temperature > 0:
        raise ValueError(f"size must be 2 or more and temperature above 0, got {size} and {temperature}")
    n, width = rows["left"].shape
    with seeded(config.seed):  # what Linear draws is overwritten, and must not move the global generator
        head = torch.nn.Linear(width, width, bias=False)
    torch.nn.init.eye_(head.weight)
    step = embed_step(partial(info_nce, temperature=temperature), columns=("left", "right"))
    result = fit(head, Batches(rows, size=min(size, n), seed=config.seed), step=step, config=config)
    return head.weight.detach().cpu().numpy().copy(), result
