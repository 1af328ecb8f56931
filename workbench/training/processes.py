"""One training run in several processes: each its share of every batch, all with the gradient of the whole."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

__all__ = ["barrier", "first_decides", "gathered", "mean", "place", "same_weights", "share_of", "whole_gradient"]

BUCKET = 25_000_000  # numbers sent at a time: 100 MB of float32


def place() -> tuple[torch.device, int, int]:
    """Device of this process, its number, and how many there are; accelerate decides, as torchrun was started.

    The environment variable ACCELERATE_USE_CPU=true keeps training off a GPU.
    """
    from accelerate import PartialState

    # told of the CPU, accelerate also joins processes that have no GPU
    state = PartialState(cpu=not torch.cuda.is_available() and not torch.backends.mps.is_available())
    device = torch.device(state.device or "cpu")
    # "cpu:0", as accelerate calls it, is not where tensors made on "cpu" say they are
    return torch.device("cpu") if device.type == "cpu" else device, state.process_index, state.num_processes


def share_of(batch: Any, rank: int, processes: int) -> Any:  # noqa: ANN401 - whatever a step takes
    """Rows of `batch` that process `rank` trains on: contiguous, in order, equally many for each.

    Raises:
        TypeError: a batch that is no mapping of columns, which cannot be divided.
        ValueError: a number of rows that the processes do not divide.
    """
    if processes == 1:
        return batch
    if not isinstance(batch, Mapping):
        raise TypeError(
            f"{processes} processes divide batches that are mappings of columns, got {type(batch).__name__}"
        )
    n = len(next(iter(batch.values())))
    if n % processes:
        raise ValueError(f"a batch of {n} rows cannot be divided among {processes} processes")
    size = n // processes
    return {name: rows[rank * size : (rank + 1) * size] for name, rows in batch.items()}


def gathered(rows: Tensor) -> Tensor:
    """Rows (n, ...) of all processes, in the order of the whole batch: (processes x n, ...); one process: `rows`.

    Gradients come back from every process's loss, so with the mean over processes that `fit` takes, a loss of
    gathered rows has the gradient that one process has for the whole batch.

    Raises:
        ValueError: processes with different numbers of rows.
    """
    if not _several():
        return rows
    from torch.distributed.nn.functional import all_gather

    least = torch.tensor([len(rows), -len(rows)], device=rows.device)
    dist.all_reduce(least, op=dist.ReduceOp.MIN)
    if int(least[0]) != -int(least[1]):
        raise ValueError(f"processes must gather equally many rows, got {int(least[0])} to {-int(least[1])}")
    return torch.cat(all_gather(rows.contiguous()))


def same_weights(parameters: Mapping[str, nn.Parameter]) -> None:
    """Give every process the weights of the first."""
    if _several():
        with torch.no_grad():
            for parameter in parameters.values():
                dist.broadcast(parameter, src=0)


def whole_gradient(parameters: list[nn.Parameter]) -> None:
    """Replace each gradient by its mean over processes; a parameter that no process used stays without one."""
    if not _several():
        return
    used = torch.tensor([p.grad is not None for p in parameters], dtype=torch.uint8, device=parameters[0].device)
    dist.all_reduce(used, op=dist.ReduceOp.MAX)
    wanted = [p for p, flag in zip(parameters, used.tolist(), strict=True) if flag]
    for parameter in wanted:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    bucket: list[nn.Parameter] = []
    for i, parameter in enumerate(wanted):
        bucket.append(parameter)
        full = sum(p.numel() for p in bucket) >= BUCKET
        if full or i + 1 == len(wanted) or wanted[i + 1].dtype != parameter.dtype:
            _mean_of(bucket)
            bucket = []


def mean(value: Tensor) -> Tensor:
    """Mean of a number over processes."""
    if _several():
        dist.all_reduce(value)
        value = value / dist.get_world_size()
    return value


def barrier() -> None:
    """Wait until every process is here."""
    if _several():
        dist.barrier()


def first_decides(choice: bool, device: torch.device) -> bool:
    """The choice of the first process, in all."""
    flag = torch.tensor([choice], dtype=torch.uint8, device=device)
    dist.broadcast(flag, src=0)
    return bool(flag)


def _mean_of(bucket: list[nn.Parameter]) -> None:
    grads = [p.grad for p in bucket if p.grad is not None]
    flat = torch.cat([grad.flatten() for grad in grads])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for grad, part in zip(grads, flat.split([grad.numel() for grad in grads]), strict=True):
        grad.copy_(part.view_as(grad))


def _several() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
