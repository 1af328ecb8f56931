"""What makes two calls of `fit` the same run: its settings, its weights at the start, its batches."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.training.config import CheckpointError, FitConfig

__all__ = ["batch_digest", "identity_of", "refuse_other"]


def identity_of(
    config: FitConfig, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor], processes: int
) -> dict[str, Any]:
    """Settings, names and shapes, a SHA-256 of all weights at the start, and the number of processes."""
    settings = {k: v for k, v in asdict(config).items() if k not in ("folder", "save_every")}
    digest = hashlib.sha256()
    for tensor in (*parameters.values(), *buffers.values()):
        digest.update(_bytes(tensor))
    return {
        "settings": json.loads(json.dumps(settings)),
        "parameters": {name: list(p.shape) for name, p in parameters.items()},
        "weights at the start": digest.hexdigest(),
        "processes": processes,
        "torch": str(torch.__version__),
    }


def refuse_other(found: Mapping[str, Any], wanted: Mapping[str, Any], where: object) -> None:
    """Refuse a checkpoint of another run.

    Raises:
        CheckpointError: says in what the two differ.
    """
    for part, value in wanted.items():
        if found.get(part) == value:
            continue
        raise CheckpointError(
            f"{where} is of another run: {part} differ ({_difference(found.get(part), value)}). Give this run a folder "
            "of its own, or remove that one"
        )


def batch_digest(batch: Any) -> str:  # noqa: ANN401 - whatever a step takes
    """SHA-256, in hex, over the rows of a batch; of its type alone where it is neither texts nor numbers."""
    digest = hashlib.sha256()
    columns = batch if isinstance(batch, Mapping) else {"": batch}
    for name, rows in columns.items():
        digest.update(f"{name}\0{type(rows).__name__}\0".encode())
        if isinstance(rows, Tensor | np.ndarray):
            digest.update(_bytes(torch.as_tensor(rows)))
        elif isinstance(rows, list | tuple) and all(isinstance(row, str | int | float) for row in rows):
            digest.update("\0".join(map(str, rows)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()


def _difference(found: Any, wanted: Any) -> str:  # noqa: ANN401
    if isinstance(found, dict) and isinstance(wanted, dict):
        name = next(n for n in [*wanted, *found] if found.get(n) != wanted.get(n))
        return f"{name}: {found.get(name, 'none')} there, {wanted.get(name, 'none')} here"
    return f"{str(found)[:16]} there, {str(wanted)[:16]} here"
