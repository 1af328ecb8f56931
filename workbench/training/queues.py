"""Memories of a training run: a queue of past vectors, a teacher that is the average of past students."""

from typing import Any

import torch
from torch import Tensor, nn

from workbench.training.parts import buffers_of, named_parts, parameters_of

__all__ = ["VectorQueue", "update_average"]


class VectorQueue(nn.Module):
    """The last `size` vectors that were pushed, detached: negatives beyond the batch.

    All of it is buffers, which move with `.to` and lie in checkpoints. Each process has a queue of its own, of what was
    pushed there.

    Args:
        size: vectors that are kept, at least 1.
        width: numbers of a vector, at least 1.
        dtype: of the numbers; an integer one for labels or row numbers beside the vectors.

    Raises:
        ValueError: `size` or `width` below 1.

    Reference: He et al. 2020 (MoCo), Wang et al. 2020 (XBM).
    """

    def __init__(self, size: int, width: int, *, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        if size < 1 or width < 1:
            raise ValueError(f"size and width must be at least 1, got size={size}, width={width}")
        self.kept: Tensor
        self.pushed: Tensor
        self.register_buffer("kept", torch.zeros(size, width, dtype=dtype))
        self.register_buffer("pushed", torch.zeros((), dtype=torch.int64))

    def __len__(self) -> int:
        """Vectors there are, at most `size`."""
        return min(int(self.pushed), len(self.kept))

    @torch.no_grad()
    def push(self, vectors: Tensor) -> None:
        """Takes the rows of `vectors` (n, width) in their order; the oldest leave.

        Raises:
            TypeError: no tensor.
            ValueError: another width or number of axes, more rows than `size`, an integer queue given floats, or a row
                that is not finite, by its number; nothing is taken.
        """
        if not isinstance(vectors, Tensor):
            raise TypeError(f"vectors must be a tensor, got {type(vectors).__name__}")
        size, width = self.kept.shape
        if vectors.ndim != 2 or vectors.shape[1] != width or len(vectors) > size:
            raise ValueError(f"vectors must be (at most {size}, {width}), got shape {tuple(vectors.shape)}")
        if vectors.is_floating_point():
            if not self.kept.is_floating_point():
                raise ValueError(f"a queue of {self.kept.dtype} takes integers, got {vectors.dtype}")
            finite = torch.isfinite(vectors).all(dim=1)
            if not finite.all():
                raise ValueError(f"vectors: row {int(torch.argmin(finite.int()))} is not finite")
        places = (self.pushed + torch.arange(len(vectors), device=self.kept.device)) % size
        self.kept[places] = vectors.detach().to(self.kept)
        self.pushed += len(vectors)

    def rows(self) -> Tensor:
        """A copy of the vectors there are (len, width), oldest first, without gradient; later pushes leave it alone."""
        end, size = int(self.pushed), len(self.kept)
        if end <= size:
            return self.kept[:end].clone()
        return self.kept.roll(-(end % size), dims=0)


@torch.no_grad()
def update_average(teacher: Any, student: Any, *, decay: float) -> None:  # noqa: ANN401 - a module or an encoder
    """Moves the teacher's numbers to decay x teacher + (1 - decay) x student, in place.

    Both are modules or encoders of one architecture. Parameters and floating buffers are averaged, integer buffers
    copied; shared ones move once. 1 leaves the teacher as it is, 0 makes it the student. Keep the teacher in float32:
    in bfloat16 the steps of a decay near 1 are lost to rounding.

    Raises:
        TypeError: neither a module nor an encoder.
        ValueError: `decay` outside 0..1, names or shapes that differ (names the first), or a parameter that the two
            share.

    Reference: Tarvainen and Valpola 2017; He et al. 2020.
    """
    if not 0 <= decay <= 1:
        raise ValueError(f"decay must be in 0..1, got {decay}")
    old, new = _numbers(teacher, "teacher"), _numbers(student, "student")
    if differing := sorted(set(old) ^ set(new)):
        raise ValueError(f"teacher and student must have the same parameters and buffers, {differing[0]!r} is in one")
    for name, value in old.items():
        if value.shape != new[name].shape:
            raise ValueError(
                f"{name} must have one shape, got {tuple(value.shape)} in the teacher and {tuple(new[name].shape)}"
            )
        if isinstance(value, nn.Parameter) and value is new[name]:
            raise ValueError(f"teacher and student share {name}: copy the module first")
    for name, value in old.items():
        if value.is_floating_point():
            value.lerp_(new[name].to(value), 1 - decay)
        else:
            value.copy_(new[name])


def _numbers(one: Any, name: str) -> dict[str, Tensor]:  # noqa: ANN401 - checked in named_parts
    if not (isinstance(one, nn.Module) or hasattr(one, "whole_model") or hasattr(one, "text")):
        raise TypeError(f"{name} must be an nn.Module or an encoder, got {type(one).__name__}")
    parts = named_parts(one)
    return {**parameters_of(parts), **buffers_of(parts)}
