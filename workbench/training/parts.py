"""The trainable parts of what `fit` is given: their names, their optimiser, their modes."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from workbench.training.config import FitConfig

__all__ = ["named_parts", "optimiser", "parameters_of", "training_mode"]

Modules = Any  # an encoder, an nn.Module, or a mapping of names to those


def named_parts(modules: Modules) -> dict[str, nn.Module]:
    """Every torch module in `modules` by the prefix of its parameters' names ("", "head.", "teacher.", ...).

    Raises:
        TypeError: something that is neither a module nor an encoder; names it.
        ValueError: an empty mapping.
    """
    if isinstance(modules, Mapping) and not isinstance(modules, nn.Module):
        if not modules:
            raise ValueError("modules must hold at least one module, got an empty mapping")
        return {f"{name}.{prefix}": part for name, one in modules.items() for prefix, part in _parts(one, name).items()}
    return _parts(modules, "modules")


def _parts(one: Any, name: str) -> dict[str, nn.Module]:  # noqa: ANN401 - checked here
    if isinstance(one, nn.Module):
        return {"": one}
    if hasattr(one, "text") and hasattr(one, "image"):  # a dual encoder
        return {f"{side}.{p}": m for side in ("text", "image") for p, m in _parts(getattr(one, side), side).items()}
    whole, head = getattr(one, "whole_model", None), getattr(one, "head", None)
    if not isinstance(whole, nn.Module):
        raise TypeError(f"{name} must be an nn.Module or an encoder, got {type(one).__name__}")
    return {"": whole} | ({"head.": head} if isinstance(head, nn.Module) else {})


def parameters_of(parts: Mapping[str, nn.Module]) -> dict[str, nn.Parameter]:
    """All parameters by name; one that several modules share has its first name only."""
    found: dict[int, tuple[str, nn.Parameter]] = {}
    for prefix, part in parts.items():
        for name, parameter in part.named_parameters():
            found.setdefault(id(parameter), (prefix + name, parameter))
    return dict(found.values())


def buffers_of(parts: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """All buffers by name, such as running means; one that several modules share has its first name only."""
    found: dict[int, tuple[str, Tensor]] = {}
    for prefix, part in parts.items():
        for name, buffer in part.named_buffers():
            found.setdefault(id(buffer), (prefix + name, buffer))
    return dict(found.values())


def trainable(parameters: Mapping[str, nn.Parameter], config: FitConfig) -> dict[str, tuple[nn.Parameter, float]]:
    """Parameters that are trained, each with its highest learning rate.

    Raises:
        ValueError: nothing to train, or a beginning of names in `config.lr` that no parameter has.
    """
    rates = dict(config.lr) if isinstance(config.lr, Mapping) else {"": config.lr}
    for prefix in rates:
        if not any(name.startswith(prefix) for name in parameters):
            some = ", ".join(list(parameters)[:3])
            raise ValueError(f"lr names {prefix!r}, with which no parameter's name begins; they are {some}, ...")
    chosen = {}
    for name, parameter in parameters.items():
        fitting = [prefix for prefix in rates if name.startswith(prefix)]
        rate = rates[max(fitting, key=len)] if fitting else 0.0
        if rate and parameter.requires_grad:
            chosen[name] = parameter, rate
    if not chosen:
        raise ValueError("nothing to train: every parameter is frozen or has rate 0")
    return chosen


def optimiser(chosen: Mapping[str, tuple[nn.Parameter, float]], config: FitConfig) -> torch.optim.AdamW:
    """AdamW over the `chosen` parameters, a group for each rate and decay; group["peak"] is its highest rate.

    Reference: Loshchilov and Hutter 2019. Vectors (biases, weights of norms) do not decay.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter, rate in chosen.values():
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": ps, "lr": rate, "peak": rate, "weight_decay": decay} for (rate, decay), ps in groups.items()],
        fused=True,
    )


@contextmanager
def training_mode(parts: Mapping[str, nn.Module], chosen: Mapping[str, object]) -> Iterator[None]:
    """Parts with something to train in training mode, the others evaluating; then every module in the mode it had."""
    with ExitStack() as stack:
        for prefix, part in parts.items():
            stack.callback(_put_back, {module: module.training for module in part.modules()})
            part.train(any(prefix + name in chosen for name, _ in part.named_parameters()))
        yield


@contextmanager
def evaluating_mode(parts: Mapping[str, nn.Module]) -> Iterator[None]:
    """Every part evaluating, then in the mode it had."""
    with training_mode(parts, {}):
        yield


def _put_back(modes: dict[nn.Module, bool]) -> None:
    for module, mode in modes.items():
        module.training = mode
