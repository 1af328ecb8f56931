"""A product quantiser whose codebook is trained: hard codes forwards, gradients of soft ones backwards."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from workbench.tensors import row_blocks

__all__ = ["ProductQuantiser"]

BLOCK_NUMBERS = 2**24  # distances held at a time while coding


class ProductQuantiser(nn.Module):
    """Rows (n, d) turned, cut into m parts, each part replaced by the nearest of its k centres.

    `forward` gives the quantised rows in the turned space. Their gradient is that of the soft assignment
    p = softmax(-squared distance / softness): hard + p - p.detach() in place of p (straight-through), so the chosen
    centre also moves by itself. Queries are not
    quantised: their products with quantised rows are those of `rotated` queries. The rotation is not trained.

    Args:
        centres: (m, k, d / m), trained from there.
        rotation: (d, d), orthogonal; None: none.
        softness: temperature of the soft assignment, in squared distances. Far below the differences between a part's
            distances no gradient passes the assignment; far above, all centres are pulled alike.

    Raises:
        ValueError: centres that are not (m, k, s) finite floats, a rotation of another shape or not orthogonal to
            1e-3, or `softness` that is not above 0.

    Reference: Xiao et al. 2022 (BiDR), contrastive quantisation; Jegou et al. 2011; Bengio et al. 2013 for the
    straight-through gradient.
    """

    rotation: Tensor

    def __init__(
        self, centres: np.ndarray | Tensor, *, rotation: np.ndarray | Tensor | None = None, softness: float = 1.0
    ) -> None:
        super().__init__()
        book = torch.as_tensor(centres).detach().clone()
        if book.ndim != 3 or not book.is_floating_point() or 0 in book.shape or not torch.isfinite(book).all():
            raise ValueError(f"centres must be (m, k, s) finite floats, got {book.dtype} of shape {tuple(book.shape)}")
        if not (math.isfinite(softness) and softness > 0):
            raise ValueError(f"softness must be above 0 and finite, got {softness}")
        self.centres, self.softness = nn.Parameter(book), softness
        turn = torch.eye(self.width) if rotation is None else torch.as_tensor(rotation).detach().clone()
        self.register_buffer("rotation", _orthogonal(turn.to(book), self.width))

    @property
    def width(self) -> int:
        """Number of dimensions of a row."""
        return self.centres.shape[0] * self.centres.shape[2]

    def extra_repr(self) -> str:
        """What the parameters' shapes do not tell."""
        return f"m={self.centres.shape[0]}, k={self.centres.shape[1]}, width={self.width}, softness={self.softness}"

    def rotated(self, rows: Tensor) -> Tensor:
        """Rows (n, d) in the space of the centres; differentiable.

        Raises:
            ValueError: not (n, d).
        """
        if rows.ndim != 2 or rows.shape[1] != self.width:
            raise ValueError(f"rows must be (n, {self.width}), got shape {tuple(rows.shape)}")
        return rows @ self.rotation.T

    @torch.no_grad()
    def codes(self, rows: Tensor) -> Tensor:
        """Number of the nearest centre of each part, int64 (n, m); of equally near ones the first.

        Raises:
            ValueError: not (n, d).
        """
        turned, found = self.rotated(rows), []
        for block in row_blocks(len(turned), max(1, BLOCK_NUMBERS // self.centres[:, :, 0].numel())):
            found.append(self._distances(turned[block]).argmin(dim=2))
        return torch.cat(found) if found else turned.new_zeros(0, len(self.centres), dtype=torch.int64)

    def decoded(self, codes: Tensor) -> Tensor:
        """The rows (n, d) that `codes` (n, m) stand for, in the turned space.

        Raises:
            ValueError: codes that are not (n, m) integers in 0..k - 1.
        """
        m, k, _ = self.centres.shape
        whole = codes.dtype in (torch.uint8, torch.int16, torch.int32, torch.int64)
        if codes.ndim != 2 or codes.shape[1] != m or not whole:
            raise ValueError(f"codes must be (n, {m}) integers, got {codes.dtype} of shape {tuple(codes.shape)}")
        if codes.numel() and not 0 <= int(codes.min()) <= int(codes.max()) < k:
            raise ValueError(f"codes must lie in 0..{k - 1}, got {int(codes.min())}..{int(codes.max())}")
        return self.centres[torch.arange(m, device=codes.device), codes.long()].flatten(1)

    def forward(self, rows: Tensor) -> Tensor:
        """Quantised rows (n, d) in the turned space, differentiable in rows and centres.

        Raises:
            ValueError: not (n, d).
        """
        far = self._distances(self.rotated(rows))
        hard = self.decoded(far.argmin(dim=2))
        soft = torch.einsum("nmk,mks->nms", (-far / self.softness).softmax(dim=2), self.centres.detach()).flatten(1)
        return hard + (soft - soft.detach())  # the value is that of the hard choice to the last bit

    def _distances(self, turned: Tensor) -> Tensor:
        """Squared distances (n, m, k)."""
        parts = turned.unflatten(1, (len(self.centres), -1))
        products = torch.einsum("nms,mks->nmk", parts, self.centres)
        return parts.square().sum(dim=2)[:, :, None] - 2 * products + self.centres.square().sum(dim=2)


def _orthogonal(rotation: Tensor, width: int) -> Tensor:
    if rotation.shape != (width, width):
        raise ValueError(f"rotation must be ({width}, {width}) as the centres are, got {tuple(rotation.shape)}")
    off = (rotation @ rotation.T - torch.eye(width).to(rotation)).abs().max()
    if not off < 1e-3:
        raise ValueError(f"rotation must be orthogonal, got rows whose products are off by {float(off):.2g}")
    return rotation
