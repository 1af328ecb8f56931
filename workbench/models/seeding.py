"""Random weights by a seed: the same whatever was drawn before, and no generator moved."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["checked_count", "checked_seed", "seeded"]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """A block whose draws from torch, numpy and random depend on `seed` alone; every generator is put back.

    CUDA's generators are among them once CUDA was used: nothing here starts it.

    Raises:
        ValueError: a seed outside 0..2**32 - 1, which is what numpy takes.
    """
    checked_seed(seed)
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002 - libraries still draw from it
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices=devices):
        try:
            torch.default_generator.manual_seed(seed)
            if devices:  # torch.manual_seed would leave a seed for the CUDA that starts later
                torch.cuda.manual_seed_all(seed)
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)  # noqa: NPY002


def checked_seed(seed: int) -> int:
    """`seed`.

    Raises:
        ValueError: not a whole number in 0..2**32 - 1.
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise ValueError(f"seed must be a whole number in 0..2**32 - 1, got {seed!r}")
    return seed


def checked_count(name: str, value: int, *, least: int = 1) -> int:
    """`value`.

    Raises:
        ValueError: not a whole number, or below `least`.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number, at least {least}, got {value!r}")
    return value
