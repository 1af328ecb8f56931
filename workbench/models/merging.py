"""Merging models of equal shape: averages, arcs, task vectors, and a position among them that is searched for.

Parameters are merged, buffers and integers never: a merged state dict is complete, with those of the first model (or of
the base) as they are, so `module.load_state_dict(merged)` takes it. Give modules rather than copied
state dicts where weights are tied: a copy no longer shows that two names are one tensor.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from workbench.models.flat import (
    Weights,
    alike,
    arc_coefficients,
    full_state,
    gram,
    names_under,
    summed,
    wide,
)
from workbench.models.positions import FoundPosition, moved, of_base, position, search_position, shares_of

__all__ = [
    "FoundPosition",
    "Soup",
    "add_task_vectors",
    "average",
    "greedy_soup",
    "position",
    "search_position",
    "slerp",
    "task_vector",
    "ties",
]


@dataclass(frozen=True)
class Soup:
    """What `greedy_soup` kept."""

    state: dict[str, Tensor]
    kept: tuple[int, ...]  # numbers of the models in the soup, in the order they entered
    score: float  # of the soup
    scores: tuple[float, ...]  # of each model alone


def average(models: Sequence[Weights], *, weights: Sequence[float] | np.ndarray | None = None) -> dict[str, Tensor]:
    """The weighted mean of the models' parameters, as a state dict; equal weights unless told.

    Raises:
        ValueError: models that are not alike, or weights that are negative, not finite, all 0 or not one per model.
    """
    found = alike(models)
    shares = shares_of([1.0] * len(found) if weights is None else weights, len(found))
    return full_state(models[0], summed(found, (shares / shares.sum()).tolist()))


def slerp(a: Weights, b: Weights, t: float) -> dict[str, Tensor]:
    """The state at `t` on the arc from `a` (t = 0) to `b` (t = 1), all parameters taken as one flat vector.

    sin((1 - t) alpha) / sin(alpha) * a + sin(t alpha) / sin(alpha) * b with the angle alpha between them (Shoemake
    1985). Lengths are not normalised, so they pass from one to the other; below an angle of 1e-4 the arc is a line.

    Raises:
        ValueError: `t` outside 0..1, models that are not alike, zero, or of opposite directions.
    """
    if not 0 <= t <= 1:
        raise ValueError(f"t must be between 0 and 1, got {t}")
    found = alike([a, b], names="a and b")
    parts = arc_coefficients(gram(found), torch.tensor(t, dtype=torch.float64), names="a and b")
    return full_state(a, summed(found, [float(x) for x in parts]))


def task_vector(base: Weights, tuned: Weights, *, leave: Sequence[str] = ()) -> dict[str, Tensor]:
    """What tuning added, tuned - base by name (Ilharco 2023), float32 or float64: parameters only.

    Args:
        base: the model before.
        tuned: the model after.
        leave: names or beginnings of names ("embeddings.position_embeddings") to leave out: they stay at the base.

    Raises:
        ValueError: models that are not alike, or a name in `leave` that they do not have.
    """
    before, after = alike([base, tuned], names="base and tuned")
    left = set(names_under(before, leave))
    return {name: wide(after[name]) - wide(before[name]) for name in before if name not in left}


def add_task_vectors(
    base: Weights, vectors: Sequence[Mapping[str, Tensor]], weights: Sequence[float] | np.ndarray | Tensor
) -> dict[str, Tensor]:
    """State at base + the sum of weights[i] * vectors[i]; a negative weight forgets. Differentiable in the weights.

    Raises:
        ValueError: vectors that are not alike or not of the base, or not one weight per vector.
    """
    found = of_base(base, vectors)
    if len(weights) != len(found):
        raise ValueError(f"weights must be one per vector, got {len(weights)} for {len(found)} vectors")
    return moved(base, summed(found, weights))


def ties(base: Weights, tuned: Sequence[Weights], *, density: float = 0.2, length: float = 1.0) -> dict[str, Tensor]:
    """TIES merging (Yadav 2023): trim each task vector, elect a sign per number, average what agrees with it.

    Args:
        base: the model that all were tuned from.
        tuned: the models.
        density: share of the numbers of each task vector that is kept, the largest by magnitude over the whole model.
        length: the merged task vector is multiplied by it.

    Raises:
        ValueError: `density` outside (0, 1], `length` not finite, or models that are not alike.
    """
    if not 0 < density <= 1:
        raise ValueError(f"density must be above 0 and at most 1, got {density}")
    if not math.isfinite(length):
        raise ValueError(f"length must be finite, got {length}")
    vectors = [task_vector(base, model) for model in tuned]
    if not vectors:
        raise ValueError("tuned must not be empty")
    limits = [_limit(vector, density) for vector in vectors]
    merged = {}
    for name in vectors[0]:
        kept = torch.stack([v[name] * (v[name].abs() >= least) for v, least in zip(vectors, limits, strict=True)])
        agrees = kept.sign() == kept.sum(dim=0).sign()
        count = agrees.sum(dim=0).clamp(min=1)  # where the sum is 0 so is what is kept: nothing is counted amiss
        merged[name] = length * (kept * agrees).sum(dim=0) / count
    return moved(base, merged)


def greedy_soup(models: Sequence[Weights], score: Callable[[dict[str, Tensor]], float]) -> Soup:
    """The greedy soup (Wortsman 2022): from the best model on, each next one stays if the average does not score less.

    `score` takes a state dict, which it may load into a module that is none of the models, and gives a finite number,
    higher is better; it must not be measured on test data.

    Raises:
        ValueError: models that are not alike, or a score that is not finite.
    """
    found = alike(models)
    alone = [_scored(score, full_state(models[0], tensors), f"model {i}") for i, tensors in enumerate(found)]
    order = sorted(range(len(found)), key=lambda i: -alone[i])  # stable: of equals the first comes first
    kept, best, total = [order[0]], alone[order[0]], summed([found[order[0]]], [1.0])
    for i in order[1:]:
        trial = summed([total, found[i]], [1.0, 1.0])
        state = full_state(models[0], {name: x / (len(kept) + 1) for name, x in trial.items()})
        reached = _scored(score, state, f"the soup with model {i}")
        if reached >= best:
            kept, best, total = [*kept, i], reached, trial
    soup = full_state(models[0], {name: x / len(kept) for name, x in total.items()})
    return Soup(soup, tuple(kept), best, tuple(alone))


def _limit(vector: Mapping[str, Tensor], density: float) -> Tensor:
    """The magnitude of the smallest number that is kept."""
    flat = torch.cat([x.abs().reshape(-1) for x in vector.values()])
    place = flat.numel() - max(1, round(density * flat.numel()))
    # on a CPU numpy's selection is several times as fast as torch.kthvalue
    return torch.from_numpy(np.partition(flat.cpu().numpy(), place)[place : place + 1]).to(flat.device)[0]


def _scored(score: Callable[[dict[str, Tensor]], float], state: dict[str, Tensor], what: str) -> float:
    value = float(score(state))
    if not math.isfinite(value):
        raise ValueError(f"score must be a finite number, got {value} for {what}")
    return value
