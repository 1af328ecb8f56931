"""The weights of a model as one flat vector: which tensors belong to it, products, and the arc between two of them."""

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from workbench.tensors import row_blocks

__all__ = [
    "Weights",
    "alike",
    "arc_coefficients",
    "full_state",
    "gram",
    "merged_tensors",
    "names_under",
    "summed",
    "wide",
]

Weights = nn.Module | Mapping[str, Tensor]  # a module, or its state dict

BLOCK = 2**20  # numbers raised to float64 at a time
NEARLY_PARALLEL = 1e-4  # radians; below it the straight line differs from the arc by 2e-9 of its length


def wide(x: Tensor) -> Tensor:
    """`x` in float32, or in float64 where it is: sums of half-precision weights lose the small differences."""
    return x if x.dtype == torch.float64 else x.float()


def merged_tensors(model: Weights) -> dict[str, Tensor]:
    """The tensors that merging touches, detached, each once under its first name.

    Of a module its floating parameters; of a state dict every floating tensor, for nothing there tells a buffer from
    a parameter. Weights that are tied are one tensor with several names.
    """
    if isinstance(model, nn.Module):
        return {name: p.detach() for name, p in model.named_parameters() if p.is_floating_point()}
    first: dict[object, str] = {}
    for name, tensor in model.items():
        if tensor.is_floating_point():
            first.setdefault(_place(name, tensor), name)
    return {name: model[name].detach() for name in first.values()}


def full_state(model: Weights, merged: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The whole state dict of `model` with `merged` in its place, in the model's dtypes; the rest is copied.

    A tied weight is the same tensor under each of its names.
    """
    state = model.state_dict() if isinstance(model, nn.Module) else model
    own = merged_tensors(model)
    new = {name: x.to(own[name].dtype) if name in own else x for name, x in merged.items()}
    by_place = {_place(name, own[name]): new[name] for name in new}
    full = {}
    for name, tensor in state.items():
        replaced = by_place.get(_place(name, tensor))
        full[name] = tensor.detach().clone() if replaced is None else replaced
    return full


def alike(models: Sequence[Weights], *, names: str = "models") -> list[dict[str, Tensor]]:
    """`merged_tensors` of each model, which must have the same names and shapes as the first.

    Raises:
        ValueError: no models, nothing to merge, a name that one of them lacks, or shapes that differ.
    """
    found = [merged_tensors(model) for model in models]
    if not found:
        raise ValueError(f"{names} must not be empty")
    if not found[0]:
        raise ValueError(f"{names} have no floating weights to merge")
    for i, other in enumerate(found[1:], start=1):
        alone = sorted(set(found[0]) ^ set(other))
        if alone:
            raise ValueError(f"{names} must have the same weights: {alone[0]!r} is in only one of 0 and {i}")
        for name, tensor in other.items():
            if tensor.shape != found[0][name].shape:
                shapes = f"{tuple(found[0][name].shape)} in 0 and {tuple(tensor.shape)} in {i}"
                raise ValueError(f"{names} must be of equal shapes: {name!r} is {shapes}")
    return found


def names_under(known: Iterable[str], prefixes: Sequence[str]) -> list[str]:
    """The names of `known` that are one of `prefixes` or lie under one, in the order of `known`; "" is all.

    Raises:
        ValueError: a prefix that no name has; says which is nearest.
    """
    names = list(known)
    for prefix in prefixes:
        if not any(_under(name, prefix) for name in names):
            near = difflib.get_close_matches(prefix.rstrip("."), _all_prefixes(names), n=1, cutoff=0)
            raise ValueError(f"no weights are named {prefix!r}; the nearest is {near[0] if near else None!r}")
    return [name for name in names if any(_under(name, prefix) for prefix in prefixes)]


def gram(vectors: Sequence[Mapping[str, Tensor]]) -> Tensor:
    """Inner products of the flat vectors, float64 (n, n) on the CPU; the vectors must be alike."""
    total = torch.zeros(len(vectors), len(vectors), dtype=torch.float64)
    for name in vectors[0]:
        flat = [vector[name].detach().reshape(-1) for vector in vectors]
        for block in row_blocks(flat[0].numel(), BLOCK):
            part = torch.stack([x[block].double() for x in flat])
            total += (part @ part.T).cpu()
    return total


def arc_coefficients(products: Tensor, t: Tensor, *, names: str = "vectors") -> tuple[Tensor, Tensor]:
    """How much of each of two vectors lies at `t` on the arc between them; `products` is their Gram matrix (2, 2).

    sin((1 - t) alpha) / sin(alpha) and sin(t alpha) / sin(alpha), which keep the lengths as they are; 1 - t and t where
    the angle alpha is below 1e-4. Differentiable in both arguments.

    Raises:
        ValueError: a vector that is zero or not finite, or two that point in opposite directions.
    """
    lengths = products.diagonal().sqrt()
    for i, length in enumerate(lengths.tolist()):
        if not 0 < length < math.inf:
            raise ValueError(
                f"{names}: number {i} must be finite and not zero to have a direction, got length {length}"
            )
    cosine = (products[0, 1] / (lengths[0] * lengths[1])).clamp(-1, 1)
    angle = math.acos(float(cosine.detach()))
    if angle < NEARLY_PARALLEL:
        return 1 - t, t
    if math.pi - angle < NEARLY_PARALLEL:
        raise ValueError(f"{names} point in opposite directions: no arc between them is the shortest")
    alpha = cosine.acos()
    return ((1 - t) * alpha).sin() / alpha.sin(), (t * alpha).sin() / alpha.sin()


def summed(
    vectors: Sequence[Mapping[str, Tensor]], coefficients: Sequence[float] | np.ndarray | Tensor
) -> dict[str, Tensor]:
    """The sum of `coefficients[i] * vectors[i]` by name, in float32 or float64; differentiable in the coefficients."""
    pairs = list(zip(coefficients, vectors, strict=True))
    out = {}
    for name in vectors[0]:
        total = pairs[0][0] * wide(vectors[0][name])
        for factor, vector in pairs[1:]:
            total = total + factor * wide(vector[name])
        out[name] = total
    return out


def _place(name: str, tensor: Tensor) -> object:
    if tensor.numel() == 0 or tensor.device.type == "meta":
        return name
    return tensor.device, tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype


def _under(name: str, prefix: str) -> bool:
    prefix = prefix.rstrip(".")
    return not prefix or name == prefix or name.startswith(prefix + ".")


def _all_prefixes(names: Sequence[str]) -> list[str]:
    return sorted({".".join(name.split(".")[:i]) for name in names for i in range(1, name.count(".") + 2)})
