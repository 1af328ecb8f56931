"""What a trained pooling must beat: a plain pooling, with or without as many weights that see one token each."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from workbench.models.flat import wide
from workbench.models.heads import TokenPooling
from workbench.models.seeding import checked_count, seeded

__all__ = ["TokenMLP"]


class TokenMLP(TokenPooling):
    """Mean over the tokens or the first token, behind a GEGLU layer with residual that sees each token alone.

    The control of capacity for `LatentAttention` and its kin: it has 3 * width * inner + 2 * width numbers to train and
    nothing that attends, so what it gains over the plain pooling is a gain of weights. Before training it is the plain
    pooling exactly, for the layer ends in zeros.

    Args:
        width: dimensions of the states and of the vectors.
        inner: width of the layer (Shazeer 2020); 0 leaves it out, and there is nothing to train.
        read: "mean" over the tokens of the mask, or "first", the first token alone.
        seed: of the initial weights; the global generator stays as it was.

    Raises:
        ValueError: `width` below 1, `inner` below 0, or a `read` that does not exist.
    """

    def __init__(self, width: int, *, inner: int, read: str = "mean", seed: int) -> None:
        super().__init__()
        if read not in ("mean", "first"):
            raise ValueError(f"read must be 'mean' or 'first', got {read!r}")
        checked_count("width", width)
        self.inner, self.read = checked_count("inner", inner, least=0), read
        if not inner:
            return
        with seeded(seed):
            self.norm = nn.LayerNorm(width)
            self.up, self.down = nn.Linear(width, 2 * inner, bias=False), nn.Linear(inner, width, bias=False)
        nn.init.zeros_(self.down.weight)

    def extra_repr(self) -> str:
        """What the parameters' shapes do not tell."""
        return f"read={self.read!r}"

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Vectors (n, d) from one layer's states (n, t, d)."""
        if self.read == "first":
            states, mask = states[:, :1], torch.ones_like(mask[:, :1])
        if self.inner:
            value, gate = self.up(self.norm(states)).chunk(2, dim=-1)
            states = states + self.down(value * functional.gelu(gate))
        # masked_fill, for 0 times a padding state that is not finite would be NaN
        total = wide(states).masked_fill(~mask.unsqueeze(-1), 0.0).sum(dim=1)
        return (total / mask.sum(dim=1, keepdim=True)).to(states.dtype)
