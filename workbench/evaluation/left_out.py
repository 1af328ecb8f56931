"""A metric on all items and without each block of them: what sums and differences of metrics need for an interval."""

import numpy as np

from workbench.evaluation.base import Evaluation

__all__ = ["without_blocks"]


def without_blocks(evaluation: Evaluation, metric: str | None = None) -> np.ndarray:
    """`metric` (None: the main one) on all items, then without each block in turn, float64 (1 + B,), in its own unit.

    Blocks are those of `evaluation.blocks`, in rising order. What is computed from such arrays along this axis, such as
    a difference of two models or a mean over two tasks of equally many blocks, is at once computed for the jackknife:
    seeds in rows, `parts_interval` takes it. Tests of different items are independent, so pairing their blocks by
    number adds their variances.

    Raises:
        KeyError: a metric that the evaluation does not have.
        ValueError: fewer than 2 blocks, or a metric without its value in each of them.
    """
    name = metric or evaluation.main
    value = evaluation[name].value
    numbers = np.unique(evaluation.blocks)
    if len(numbers) < 2:
        raise ValueError(f"leaving out a block needs 2 or more, got {len(numbers)}")
    parts = evaluation.replicates.get(name)
    if parts is None and name in evaluation.arrays:
        items = evaluation.arrays[name]
        parts = np.array([items[evaluation.blocks != number].mean() for number in numbers])
    if parts is None or len(parts) != len(numbers):
        raise ValueError(f"{name} has no value for each of {len(numbers)} blocks")
    return np.concatenate([[value], parts])
