"""What makes equal calls equal: a run's own generators, their states as tensors and JSON, and sums in a fixed order."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["generator_states", "own_randomness", "restore_generators", "sums_in_order"]


@contextmanager
def own_randomness(seed: int) -> Iterator[None]:
    """torch's, numpy's and Python's global generators seeded inside, and as they were outside."""
    before = generator_states()
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - what batches of others may draw from
    random.seed(seed)
    try:
        yield
    finally:
        restore_generators(*before)


@contextmanager
def sums_in_order(device: torch.device) -> Iterator[None]:
    """On a CPU the gradient of `table[rows]` is summed in one order inside: by default its threads add as they come.

    A GPU keeps its own way: several operations there have no deterministic form, and others get much slower.
    """
    before, warned = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    memory: Any = torch.utils.deterministic
    filled = memory.fill_uninitialized_memory
    if device.type == "cpu" and not before:
        torch.use_deterministic_algorithms(True, warn_only=True)
        memory.fill_uninitialized_memory = False  # costs a pass over all that is made
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warned)
        memory.fill_uninitialized_memory = filled


def generator_states() -> tuple[dict[str, Tensor], dict[str, Any]]:
    """States of the global generators: tensors by name, and what JSON can hold."""
    tensors = {"torch": torch.get_rng_state()}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        tensors |= {f"cuda{i}": state for i, state in enumerate(torch.cuda.get_rng_state_all())}
    kind, keys, place, has_gauss, gauss = np.random.get_state()  # noqa: NPY002
    tensors["numpy"] = torch.from_numpy(np.asarray(keys).astype(np.int64))
    version, words, spare = random.getstate()
    tensors["python"] = torch.tensor(words, dtype=torch.int64)
    return tensors, {"numpy": [kind, place, has_gauss, gauss], "python": [version, spare]}


def restore_generators(tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
    """The global generators in the states that `generator_states` gave."""
    torch.set_rng_state(tensors["torch"].cpu())
    for i in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        if f"cuda{i}" in tensors:
            torch.cuda.set_rng_state(tensors[f"cuda{i}"].cpu(), i)
    kind, place, has_gauss, gauss = plain["numpy"]
    np.random.set_state((kind, tensors["numpy"].numpy().astype(np.uint32), place, has_gauss, gauss))  # noqa: NPY002
    version, spare = plain["python"]
    random.setstate((version, tuple(tensors["python"].tolist()), spare))
