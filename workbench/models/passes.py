"""Forward passes over many rows of tokens: batches within a budget, in eval mode, padded on the right."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from workbench.models.seeding import checked_count

__all__ = ["checked_budget", "evaluating", "padded", "token_batches"]

CPU_TOKENS = 512  # as `Encoder.encode`
GPU_TOKENS = 8192  # fewer than there: the logits of 8,192 tokens over 150,000 words are 5 GB in float32


def checked_budget(batch_tokens: int | None, device: torch.device) -> int:
    """`batch_tokens`, or where it is None 512 on a CPU and 8192 on a GPU.

    Raises:
        ValueError: `batch_tokens` below 1.
    """
    if batch_tokens is None:
        return CPU_TOKENS if device.type == "cpu" else GPU_TOKENS
    return checked_count("batch_tokens", batch_tokens)


def token_batches(lengths: Sequence[int], *, budget: int) -> Iterator[list[int]]:
    """Indices, longest first, in batches whose rows times longest row stay within `budget`; a longer row is alone.

    Rows of similar length share a batch, so that little is padded.
    """
    batch: list[int] = []
    # numpy's stable sort: equal lengths keep their order, so that batches are the same in every run
    for i in np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable").tolist():
        if batch and (len(batch) + 1) * lengths[batch[0]] > budget:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def padded(
    rows: Sequence[Sequence[int]], fill: int, device: torch.device, *, left: bool = False
) -> tuple[Tensor, Tensor]:
    """`rows` as int64 (n, longest) on `device`, and the mask (n, longest) that is 1 on their tokens."""
    longest = max(map(len, rows))
    ids = np.full((len(rows), longest), fill, dtype=np.int64)
    mask = np.zeros((len(rows), longest), dtype=np.int64)
    for i, row in enumerate(rows):
        place = slice(longest - len(row), longest) if left else slice(0, len(row))
        ids[i, place], mask[i, place] = row, 1
    return torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """A block in which `module` and its parts are in eval mode; each is put back into the mode it had."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True
