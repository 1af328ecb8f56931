"""The stack of layers inside a transformers model: find it, cut it short, read what passes through."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn

from workbench.models.layers import layer_stack, stack_depth, stack_path

__all__ = ["keep_layers", "layer_stack", "recorded_layers", "stack_depth"]


def keep_layers(model: nn.Module, count: int) -> nn.Module:
    """The model with its first `count` layers, sharing every weight with `model`, which stays whole."""
    layers = layer_stack(model)[:count]
    top = _shallow(model)
    *parents, last = str(stack_path(model)).split(".")
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


def _shallow(module: nn.Module) -> nn.Module:
    new = copy.copy(module)
    new._modules = dict(module._modules)
    return new
