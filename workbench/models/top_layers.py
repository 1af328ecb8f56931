"""A pooling with nothing to train: the means of the last layers, side by side."""

from typing import ClassVar

import torch
from torch import Tensor

from workbench.models.flat import wide
from workbench.models.heads import TokenPooling
from workbench.models.seeding import checked_count

__all__ = ["TopLayersMean"]


class TopLayersMean(TokenPooling):
    """The means over tokens of the last `count` layers, side by side, the lowest of them first: (n, count * d).

    The first token, BERT's [CLS], is left out; the last one, [SEP], is not. The output of the embeddings counts as the
    lowest layer, so `count` is at most the encoder's layers and 1. In float32 for half-precision states.

    Args:
        count: number of layers, counted from the output.

    Raises:
        ValueError: `count` below 1; later, states of fewer layers or not (layers, n, t, d), or a text that has no token
            but its first.

    Reference: Barkan et al. 2020 (Distilled Sentence Embedding), its "concat_top_mean" with 4 layers.
    """

    all_layers: ClassVar[bool] = True

    def __init__(self, count: int = 4) -> None:
        super().__init__()
        self.count = checked_count("count", count)

    def extra_repr(self) -> str:
        """The number of layers."""
        return f"count={self.count}"

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Vectors (n, count * d) from the states of all layers (layers, n, t, d)."""
        if states.ndim != 4 or len(states) < self.count:
            raise ValueError(
                f"states must be (layers, n, t, d) with {self.count} layers or more, the embeddings' output included, "
                f"got shape {tuple(states.shape)}"
            )
        counted = mask.clone()
        counted[:, 0] = False
        tokens = counted.sum(dim=1)
        if not bool((tokens > 0).all()):
            raise ValueError(f"row {int((tokens == 0).nonzero()[0])} has no token but its first")
        top = wide(states[-self.count :])
        # masked_fill, for 0 times a padding state that is not finite would be NaN
        means = top.masked_fill(~counted[None, :, :, None], 0.0).sum(dim=2) / tokens[None, :, None]
        return torch.cat(list(means), dim=1)
