"""The stack of layers inside a transformers model, found without knowing its architecture."""

from torch import nn

__all__ = ["layer_stack", "stack_depth", "stack_path"]


def stack_depth(model: nn.Module) -> int:
    """Number of layers the model runs: `layers_kept` where it was cut short, else what its configuration says."""
    kept = getattr(model, "layers_kept", None)
    return kept or int(model.config.get_text_config().num_hidden_layers)  # pyright: ignore


def stack_path(model: nn.Module) -> str | None:
    """Name of the ModuleList of the model's layers; the encoder's where there is a decoder too, None without one."""
    depth = stack_depth(model)
    lists = (name for name, m in model.named_modules() if isinstance(m, nn.ModuleList) and len(m) == depth)
    return next(lists, None)


def layer_stack(model: nn.Module) -> nn.ModuleList:
    """The ModuleList of the model's layers.

    Raises:
        ValueError: the layers are not one list, as in models that share one layer's weights.
    """
    path = stack_path(model)
    if path is None:
        raise ValueError(f"{type(model).__name__} does not keep its layers in one list: they cannot be told apart")
    return model.get_submodule(path)  # pyright: ignore[reportReturnType]
