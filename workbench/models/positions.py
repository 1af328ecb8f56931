"""Positions among task vectors: arcs taken one after another, and the weights for them found by gradient descent."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from workbench.models.flat import Weights, alike, arc_coefficients, full_state, gram, merged_tensors, summed, wide

__all__ = ["FoundPosition", "moved", "of_base", "position", "search_position", "shares_of"]

SMALLEST_WEIGHT = 1e-4  # a searched weight stays above it: at 0 its vector would be out of the search for good


@dataclass(frozen=True)
class FoundPosition:
    """Where `search_position` ended."""

    state: dict[str, Tensor]
    weights: np.ndarray  # float64 (n,)
    length: float
    path: np.ndarray  # float64 (steps + 1, n + 1): the weights and the length before each step, and at the end
    losses: np.ndarray  # float64 (steps,): what was minimised, the penalty included


def position(
    base: Weights,
    vectors: Sequence[Mapping[str, Tensor]],
    weights: Sequence[float] | np.ndarray | Tensor,
    length: float | Tensor,
) -> dict[str, Tensor]:
    """State at base + length * V, V the vectors joined on arcs one after another (Li 2024, Self Positioning).

    The k-th vector joins with weight a_k against the mean of a_1..a_(k-1): t = a_k / (a_k + mean) on the arc, as in
    `slerp`. Differentiable in weights and length, which may be tensors. All weight on one vector and length 1 gives
    its tuned model; length 0 gives the base.

    Raises:
        ValueError: vectors that are not alike, not of the base or zero; weights that are negative, not finite, all 0
            or not one per vector; a length that is not finite.
    """
    found = of_base(base, vectors)
    factor = torch.as_tensor(length, dtype=torch.float64)
    if factor.numel() != 1 or not math.isfinite(float(factor.detach())):
        raise ValueError(f"length must be one finite number, got {length}")
    return moved(base, summed(found, factor.reshape(()) * _on_arcs(gram(found), shares_of(weights, len(found)))))


def search_position(
    module: nn.Module,
    vectors: Sequence[Mapping[str, Tensor]],
    objective: Callable[[nn.Module, int], Tensor],
    *,
    steps: int,
    lr: float = 5e-3,
    penalty: float = 0.0,
    start: Sequence[float] | None = None,
) -> FoundPosition:
    """Weights and length of `position` learned by Adam: objective + penalty * length is minimised.

    Only the n weights and the length are learned; `module` keeps its own weights, and is without dropout meanwhile.

    Args:
        module: the base, which must hold the parameters that the vectors move.
        vectors: task vectors of that base.
        objective: objective(module, step), a scalar to minimise, such as a loss on the step's own probe batch. During
            the call the module, and whatever holds it (an Encoder), has the weights of the position.
            Not through a gradient cache, which runs the module again after the call.
        steps: number of Adam steps.
        lr: learning rate, the same for weights and length.
        penalty: mu of the paper; prefers a shorter way from the base.
        start: n weights and the length to start from; all 1 where None.

    Raises:
        ValueError: as in `position`; steps below 1, a rate that is not positive, a `start` of another length, or an
            objective that is no finite scalar or does not depend on the module's weights.
    """
    found = of_base(module, vectors)
    _check_search(steps, lr, penalty)
    values = [1.0] * (len(found) + 1) if start is None else list(start)
    if len(values) != len(found) + 1:
        raise ValueError(f"start must be {len(found)} weights and a length, got {len(values)} numbers")
    shares_of(values[:-1], len(found))
    products, base = gram(found), {name: x for name, x in merged_tensors(module).items() if name in found[0]}
    place = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    adam, called = torch.optim.Adam([place], lr=lr), _Called(module, objective)
    path, losses = [place.detach().numpy().copy()], []
    training = [m for m in module.modules() if m.training]
    module.eval()
    try:
        for step in range(steps):
            vector = summed(found, place[-1] * _on_arcs(products, place[:-1]))
            state = {f"module.{name}": (wide(base[name]) + x).to(base[name].dtype) for name, x in vector.items()}
            loss = _checked_loss(torch.func.functional_call(called, state, (step,)), step) + penalty * place[-1]
            (place.grad,) = torch.autograd.grad(loss, [place])
            adam.step()
            with torch.no_grad():
                place[:-1].clamp_(min=SMALLEST_WEIGHT)
            losses.append(float(loss.detach()))
            path.append(place.detach().numpy().copy())
    finally:
        for m in training:
            m.training = True
    end = path[-1]
    return FoundPosition(
        state=position(module, found, end[:-1].tolist(), float(end[-1])),
        weights=end[:-1],
        length=float(end[-1]),
        path=np.stack(path),
        losses=np.array(losses),
    )


def of_base(base: Weights, vectors: Sequence[Mapping[str, Tensor]]) -> list[dict[str, Tensor]]:
    """The vectors, which must be alike and of parameters that the base has.

    Raises:
        ValueError: they are not.
    """
    found, own = alike(vectors, names="vectors"), merged_tensors(base)
    for name, tensor in found[0].items():
        if name not in own or own[name].shape != tensor.shape:
            shape = tuple(own[name].shape) if name in own else None
            raise ValueError(f"vectors must be of the base: {name!r} is {tuple(tensor.shape)}, of the base {shape}")
    return found


def moved(base: Weights, vector: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of `base` with `vector` added to its parameters."""
    own = merged_tensors(base)
    return full_state(base, {name: wide(own[name]) + x for name, x in vector.items()})


def shares_of(weights: Sequence[float] | np.ndarray | Tensor, n: int) -> Tensor:
    """Weights as float64 (n,), finite, not negative and not all 0; a tensor keeps its gradient.

    Raises:
        ValueError: they are not.
    """
    shares = torch.as_tensor(weights, dtype=torch.float64)
    if shares.shape != (n,):
        raise ValueError(f"weights must be one per model, got shape {tuple(shares.shape)} for {n}")
    for i, x in enumerate(shares.tolist()):
        if not (math.isfinite(x) and x >= 0):
            raise ValueError(f"weights must be finite and not negative, got {x} for number {i}")
    if not bool(shares.any()):
        raise ValueError("weights must not all be 0")
    return shares


class _Called(nn.Module):
    """The objective as a module's forward: the module inside it carries other weights while it is called."""

    def __init__(self, module: nn.Module, objective: Callable[[nn.Module, int], Tensor]) -> None:
        super().__init__()
        self.module, self.objective = module, objective

    def forward(self, step: int) -> Any:  # noqa: ANN401 - what the objective returns is checked afterwards
        return self.objective(self.module, step)


def _on_arcs(products: Tensor, weights: Tensor) -> Tensor:
    """Coefficients (n,) of the vectors whose Gram matrix is `products` after interpolation one after another."""
    mixed = torch.zeros_like(weights)
    one = torch.eye(len(weights), dtype=weights.dtype)
    mixed = mixed + one[0]
    for k in range(1, len(weights)):
        before, new = weights[:k].mean(), weights[k]
        total = before + new
        t = new / total if float(total.detach()) > 0 else torch.full_like(total, 0.5)
        pair = torch.stack([mixed, one[k]])
        left, right = arc_coefficients(pair @ products @ pair.T, t, names="task vectors")
        mixed = left * mixed + right * one[k]
    return mixed


def _check_search(steps: int, lr: float, penalty: float) -> None:
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    if not 0 < lr < math.inf:
        raise ValueError(f"lr must be finite and above 0, got {lr}")
    if not 0 <= penalty < math.inf:
        raise ValueError(f"penalty must be finite and not negative, got {penalty}")


def _checked_loss(loss: Any, step: int) -> Tensor:  # noqa: ANN401 - what it is stands in the error
    if not isinstance(loss, Tensor) or loss.ndim:
        got = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
        raise ValueError(f"objective must give a scalar tensor, got {got} in step {step}")
    if not loss.requires_grad:
        raise ValueError(f"objective does not depend on the module's weights in step {step}: call the module itself")
    if not math.isfinite(float(loss.detach())):
        raise ValueError(f"objective must be finite, got {float(loss.detach())} in step {step}")
    return loss
