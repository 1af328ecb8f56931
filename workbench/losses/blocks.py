"""A sum over rows, worked out in blocks of rows forward and backward: no more than one block is alive at a time."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from workbench.tensors import row_blocks, unit

__all__ = ["lean_unit", "summed_in_blocks"]

PART = 1024  # rows that are scaled at a time

Parts = tuple[Any, ...]  # a tensor each, or None where a loss has no such part
BlockLoss = Callable[[int, Parts, Parts], Tensor]


def summed_in_blocks(loss_of: BlockLoss, rowwise: Parts, whole: Parts, *, chunk: int | None) -> Tensor:
    """The sum of `loss_of(first_row, rowwise_parts, whole)` over blocks of `chunk` rows.

    `rowwise` tensors are cut along their first axis, `whole` ones reach every block; the first of `rowwise` sets the
    number of rows. `chunk=None` is one block, by plain autograd. Otherwise each block's gradient is taken on the way
    forward, while its logits exist: beside the inputs this needs their gradients and one block, and no second forward.

    Raises:
        ValueError: `chunk` is below 1.
    """
    if chunk is None:
        return loss_of(0, rowwise, whole)
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1, got {chunk}")
    tensors = rowwise + whole
    if not torch.is_grad_enabled():
        tensors = tuple(None if x is None else x.detach() for x in tensors)
    return _Summed.apply(loss_of, chunk, len(rowwise), *tensors)


def lean_unit(x: Tensor) -> Tensor:
    """As `unit`, which keeps two copies of its rows for the way back: here they are worked out again, part by part."""
    return _LeanUnit.apply(x)


class _Summed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, loss_of: BlockLoss, chunk: int, cut: int, *tensors: Any) -> Tensor:  # noqa: ANN401
        wanted = [i for i, needed in enumerate(ctx.needs_input_grad[3:]) if needed]
        gradients = {i: torch.zeros_like(tensors[i]) for i in wanted}
        total = tensors[0].new_zeros(())
        for block in row_blocks(len(tensors[0]), chunk):
            parts: list[Any] = [
                x if x is None else (x[block] if i < cut else x).detach() for i, x in enumerate(tensors)
            ]
            for i in wanted:
                parts[i].requires_grad_()
            with torch.enable_grad():
                loss = loss_of(block.start, tuple(parts[:cut]), tuple(parts[cut:]))
            total += loss.detach()
            found = torch.autograd.grad(loss, [parts[i] for i in wanted]) if wanted else ()
            for i, gradient in zip(wanted, found, strict=True):
                gradients[i][block if i < cut else ...] += gradient
            del found, loss, parts  # else they live beside the next block's
        ctx.save_for_backward(*(gradients.get(i) for i in range(len(tensors))))
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        return (None, None, None, *(x if x is None else x * outer for x in ctx.saved_tensors))


class _LeanUnit(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(x)
        out = torch.empty_like(x)
        for block in row_blocks(len(x), PART):
            out[block] = unit(x[block])
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> Tensor:  # noqa: ANN401
        (x,) = ctx.saved_tensors
        gradient = torch.empty_like(x)
        for block in row_blocks(len(x), PART):
            part = x[block].detach().requires_grad_()
            with torch.enable_grad():
                (gradient[block],) = torch.autograd.grad(unit(part), part, outer[block])
        return gradient
