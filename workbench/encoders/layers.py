"""The stack of layers inside a transformers model: find it, cut it short, read what passes through."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn

__all__ = ["evaluating", "keep_layers", "layer_stack", "recorded_layers", "stack_depth"]


def stack_depth(model: nn.Module) -> int:
    """Number of layers the model runs: those kept by `keep_layers`, else those of its configuration."""
    kept = getattr(model, "layers_kept", None)
    return kept or int(model.config.get_text_config().num_hidden_layers)  # pyright: ignore


def layer_stack(model: nn.Module) -> nn.ModuleList:
    """The ModuleList of the model's layers.

    Raises:
        ValueError: the layers are not one list, as in models that share one layer's weights.
    """
    path = _stack_path(model)
    if path is None:
        raise ValueError(f"{type(model).__name__} does not keep its layers in one list: they cannot be told apart")
    return model.get_submodule(path)  # pyright: ignore[reportReturnType]


def keep_layers(model: nn.Module, count: int) -> nn.Module:
    """The model with its first `count` layers, sharing every weight with `model`, which stays whole."""
    layers = layer_stack(model)[:count]
    top = _shallow(model)
    *parents, last = str(_stack_path(model)).split(".")
    at = top
    for name in parents:
        at._modules[name] = _shallow(getattr(at, name))
        at = getattr(at, name)
    at._modules[last] = layers
    top.layers_kept = count  # pyright: ignore[reportArgumentType, reportAttributeAccessIssue]
    return top


@contextmanager
def recorded_layers(model: nn.Module, wanted: Sequence[int]) -> Iterator[dict[int, Tensor]]:
    """States by layer as they pass: 0 is the embedding output, i the output of layer i.

    The last layer is left out: its state is the model's own output, after the final normalisation.
    """
    layers = layer_stack(model)
    seen: dict[int, Tensor] = {}

    def enter(_module: nn.Module, args: tuple, kwargs: dict) -> None:
        seen[0] = args[0] if args else kwargs["hidden_states"]

    handles = [layers[0].register_forward_pre_hook(enter, with_kwargs=True)] if 0 in wanted else []
    for number, layer in enumerate(layers[:-1], start=1):
        if number in wanted:

            def leave(_m: nn.Module, _args: tuple, output: object, number: int = number) -> None:
                seen[number] = output[0] if isinstance(output, tuple) else output  # pyright: ignore[reportArgumentType]

            handles.append(layer.register_forward_hook(leave))
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model without dropout, then every module back in the mode it had."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _stack_path(model: nn.Module) -> str | None:
    depth = stack_depth(model)
    lists = (name for name, m in model.named_modules() if isinstance(m, nn.ModuleList) and len(m) == depth)
    return next(lists, None)


def _shallow(module: nn.Module) -> nn.Module:
    new = copy.copy(module)
    new._modules = dict(module._modules)
    return new
