"""Weight surgery on transformers models: copy, repeat, renew and freeze layers, and turn an MLP into experts."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from workbench.models.experts import ExpertLinear, mlp_experts
from workbench.models.flat import names_under
from workbench.models.layers import layer_stack, stack_depth, stack_path
from workbench.models.seeding import seeded

__all__ = ["ExpertLinear", "copy_layers", "freeze", "mlp_experts", "reinitialise", "scale_depth"]

NUMBERS = ("layer_idx", "layer_id")  # where a module keeps the number of its layer, which its key-value cache needs


def copy_layers(
    source: nn.Module, target: nn.Module, mapping: Mapping[int, int], *, also: Sequence[str] = ()
) -> nn.Module:
    """Copy the weights of layers of `source` into layers of `target`, in place; gives `target`.

    Args:
        source: a transformers model.
        target: a transformers model whose layers are built alike.
        mapping: number of the target's layer -> number of the source's layer, both from 0.
        also: what else to copy, by name or beginning of a name ("embeddings"), counted from the models without heads.

    Raises:
        ValueError: a layer that is not there, weights whose names or shapes differ, or a name that is not there.
            Nothing has been copied then.
    """
    theirs, ours = layer_stack(source), layer_stack(target)
    pairs = []
    for to, start in mapping.items():
        _check_layers([start], len(theirs), "source")
        _check_layers([to], len(ours), "target")
        pairs.append((f"layer {start} onto {to}", theirs[start].state_dict(), ours[to].state_dict()))
    left, right = _body(source).state_dict(), _body(target).state_dict()
    for prefix in also:
        picked = names_under(left, [prefix])
        pairs.append((prefix, {n: left[n] for n in picked}, {n: right[n] for n in names_under(right, [prefix])}))
    for what, old, new in pairs:
        _check_alike(what, old, new)
    read = [{name: x.detach().clone() for name, x in old.items()} for _, old, _ in pairs]  # source may be target
    with torch.no_grad():
        for (_, _, new), old in zip(pairs, read, strict=True):
            for name, x in old.items():
                new[name].copy_(x)
    return target


def scale_depth(model: nn.Module, *, keep: Sequence[int] | None = None, repeat: Sequence[int] | None = None) -> Any:  # noqa: ANN401 - of the model's own class
    """A copy of `model` with other layers: some of them, or some of them twice; the model itself stays as it is.

    Repeating a block is depth up-scaling (Kim 2023, SOLAR; Young 2024, Yi): 32 layers with repeat=range(12, 28) are
    Yi-9B's 48. The copies are weights of their own.

    Args:
        model: a transformers model.
        keep: the new stack as numbers of old layers, in order; one named twice is copied (0, 1, 1, 2).
        repeat: consecutive layers that come once more right behind their block.

    Raises:
        ValueError: not exactly one of `keep` and `repeat`, an empty one, a layer that the model does not have, layers
            that do not follow each other in `repeat`, or a special first layer that would lose its place.
    """
    path, depth = stack_path(model), stack_depth(model)
    stack = layer_stack(model)
    numbers = _new_stack(keep, repeat, depth)
    _check_first(stack, numbers)
    new: Any = copy.deepcopy(model)
    old = layer_stack(new)
    layers = nn.ModuleList(copy.deepcopy(old[n]) if n in numbers[:i] else old[n] for i, n in enumerate(numbers))
    for place, (number, layer) in enumerate(zip(numbers, layers, strict=True)):
        _renumber(layer, number, place)
    parents = str(path).split(".")[:-1]
    new.get_submodule(".".join(parents))._modules[str(path).split(".")[-1]] = layers
    holders = [new.get_submodule(".".join(parents[:i])) for i in range(len(parents) + 1)]
    for config in {id(h.config): h.config for h in holders if hasattr(h, "config")}.values():
        _configure(config.get_text_config(), numbers, depth)
    if hasattr(new, "layers_kept"):
        new.layers_kept = len(numbers)
    return new


def reinitialise(model: nn.Module, *, layers: Iterable[int] = (), names: Sequence[str] = (), seed: int) -> int:
    """Draw weights anew as the model's own initialisation does, in place; how many parameters (numbers) that were.

    Args:
        model: a transformers model.
        layers: numbers of layers, from 0.
        names: submodules by their names, such as "pooler".
        seed: of the new weights; the global generator stays as it was.

    Raises:
        ValueError: nothing to draw, a layer or a submodule that the model does not have.
    """
    numbers, picked = list(layers), []
    if numbers:
        _check_layers(numbers, len(layer_stack(model)), "model")
        picked = [f"{stack_path(model)}.{number}" for number in numbers]
    modules = dict(model.named_modules())
    for name in (name.rstrip(".") for name in names):
        names_under(modules, [name])  # an unknown one: says which is nearest
        picked.append(name)
    if not picked:
        raise ValueError("name layers or submodules to reinitialise: none were given")
    drawn: dict[int, nn.Parameter] = {}
    with seeded(seed), torch.no_grad():
        for name in picked:
            _draw(model, name, modules[name])
            drawn |= {id(p): p for p in modules[name].parameters()}
    return sum(p.numel() for p in drawn.values())


def freeze(model: nn.Module, *names: str) -> int:
    """Stop the training of the parameters under `names`, in place; how many parameters (numbers) these are.

    A name is a parameter's or the beginning of one, up to a dot: "embeddings", "encoder.layer.0"; "" is everything.
    `parameter.requires_grad_(True)` undoes it.

    Raises:
        ValueError: no name, or one that the model does not have; says which is nearest.
    """
    if not names:
        raise ValueError('name what to freeze ("" is everything): no name was given')
    known = dict(model.named_parameters(remove_duplicate=False))
    frozen = {id(known[name]): known[name] for name in names_under(known, names)}
    for parameter in frozen.values():
        parameter.requires_grad_(False)
    return sum(parameter.numel() for parameter in frozen.values())


def _body(model: nn.Module) -> nn.Module:
    return getattr(model, "base_model", model)


def _check_layers(numbers: Iterable[int], depth: int, whose: str) -> None:
    for number in numbers:
        if not 0 <= number < depth:
            raise ValueError(f"layer of the {whose} must be between 0 and {depth - 1}, got {number}")


def _check_alike(what: str, old: Mapping[str, torch.Tensor], new: Mapping[str, torch.Tensor]) -> None:
    alone = sorted(set(old) ^ set(new))
    if alone:
        raise ValueError(f"cannot copy {what}: {alone[0]!r} is on one side only")
    for name, x in old.items():
        if x.shape != new[name].shape:
            raise ValueError(
                f"cannot copy {what}: {name!r} is {tuple(x.shape)} there and {tuple(new[name].shape)} here"
            )


def _new_stack(keep: Sequence[int] | None, repeat: Sequence[int] | None, depth: int) -> list[int]:
    if (keep is None) == (repeat is None):
        raise ValueError("give either keep or repeat, not both and not neither")
    numbers = list(keep if keep is not None else repeat or ())
    if not numbers:
        raise ValueError(f"{'repeat' if keep is None else 'keep'} must name at least one layer")
    _check_layers(numbers, depth, "model")
    if keep is not None:
        return numbers
    if numbers != list(range(numbers[0], numbers[-1] + 1)):
        raise ValueError(f"repeat must be layers that follow each other, got {numbers}; keep takes any order")
    return [*range(numbers[-1] + 1), *numbers, *range(numbers[-1] + 1, depth)]


def _check_first(stack: nn.ModuleList, numbers: Sequence[int]) -> None:
    """A first layer that is built otherwise (T5's has the position biases) must be first and only there."""
    kinds = [tuple(layer.state_dict()) for layer in stack]
    if len(kinds) < 2 or kinds[0] == kinds[1]:
        return
    for place, number in enumerate(numbers):
        if (place == 0) != (kinds[number] == kinds[0]):
            raise ValueError(
                f"layer 0 of {type(stack[0]).__name__} has weights of its own: it must stay first and be there once, "
                f"got layers {list(numbers)}"
            )


def _renumber(layer: nn.Module, number: int, place: int) -> None:
    for module in layer.modules():
        for name in NUMBERS:
            if getattr(module, name, None) == number:
                setattr(module, name, place)


def _configure(config: Any, numbers: Sequence[int], depth: int) -> None:  # noqa: ANN401 - any configuration
    for name, value in list(vars(config).items()):
        if "layer" in name and isinstance(value, list) and len(value) == depth:  # one entry per layer: its kind
            setattr(config, name, [value[n] for n in numbers])
    config.num_hidden_layers = len(numbers)


def _draw(model: nn.Module, name: str, module: nn.Module) -> None:
    owners = [model.get_submodule(".".join(name.split(".")[:i])) for i in range(name.count(".") + 2)]
    owner: Any = [m for m in owners if hasattr(m, "_init_weights")][-1]
    tensors = [*module.parameters(), *module.buffers()]
    read = [x for x in tensors if getattr(x, "_is_hf_initialized", False)]
    for x in read:
        x._is_hf_initialized = False  # pyright: ignore - transformers leaves alone what it has read from a file
    try:
        module.apply(owner._init_weights)
    finally:
        for x in read:
            x._is_hf_initialized = True  # pyright: ignore
