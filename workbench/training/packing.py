"""A training run's own state as tensors and JSON, and back: no pickle, so nothing is run when it is read."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["pack", "unpack"]

_PLAIN = (str, int, float, bool, type(None))


def pack(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:  # noqa: ANN401 - nested state of any shape
    """`value` as JSON; its tensors are put into `tensors` by their path.

    Raises:
        TypeError: something that cannot be kept in a checkpoint; names its path and type.
    """
    if isinstance(value, _PLAIN):
        return {"plain": value}
    if isinstance(value, Mapping):
        return {"dict": {name: pack(v, f"{path}/{name}", tensors) for name, v in value.items()}}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [pack(v, f"{path}/{i}", tensors) for i, v in enumerate(value)]}
    if isinstance(value, np.random.Generator):
        return {"numpy generator": value.bit_generator.state}
    kind, found = _tensors_of(value, path)
    for name, tensor in found.items():
        tensors[path + name] = tensor.detach().cpu().contiguous().clone()
    return {kind: sorted(found)}


def _tensors_of(value: Any, path: str) -> tuple[str, dict[str, Tensor]]:  # noqa: ANN401 - told apart here
    if isinstance(value, nn.Parameter):
        return "parameter", {"": value}
    if isinstance(value, Tensor):
        return "tensor", {"": value}
    if isinstance(value, np.ndarray):
        return "array", {"": torch.from_numpy(np.ascontiguousarray(value))}
    if isinstance(value, torch.Generator):
        return "generator", {"": value.get_state()}
    module = value if isinstance(value, nn.Module) else getattr(value, "parts", None)
    if isinstance(module, nn.Module):
        return "module", {f"/{name}": tensor for name, tensor in module.state_dict().items()}
    raise TypeError(
        f"{path} is a {type(value).__name__}, which a checkpoint cannot hold: tensors, arrays, numbers, strings, "
        "generators, modules, and lists and dicts of those can"
    )


def unpack(packed: Any, path: str, tensors: Mapping[str, Tensor], now: Any) -> Any:  # noqa: ANN401 - as in pack
    """What `pack` packed; modules and generators of `now`, the same state before training, are set in place."""
    ((kind, content),) = packed.items()
    if kind == "plain":
        return content
    if kind == "dict":
        current = now if isinstance(now, Mapping) else {}
        return {name: unpack(v, f"{path}/{name}", tensors, current.get(name)) for name, v in content.items()}
    if kind in ("list", "tuple"):
        current = list(now) if isinstance(now, list | tuple) else []
        current += [None] * (len(content) - len(current))
        values = [unpack(v, f"{path}/{i}", tensors, current[i]) for i, v in enumerate(content)]
        return values if kind == "list" else tuple(values)
    if kind == "numpy generator":
        now.bit_generator.state = content
        return now
    return _restored(kind, content, path, tensors, now)


def _restored(kind: str, names: list[str], path: str, tensors: Mapping[str, Tensor], now: Any) -> Any:  # noqa: ANN401
    if kind == "module":
        module = now if isinstance(now, nn.Module) else now.parts
        module.load_state_dict({name[1:]: tensors[path + name] for name in names})
        return now
    value = tensors[path]
    if kind == "generator":
        now.set_state(value)
        return now
    if kind == "parameter":
        with torch.no_grad():
            now.copy_(value)
        return now
    if kind == "array":
        return value.numpy()
    return value.to(now.device) if isinstance(now, Tensor) else value
