"""Interventions on attention, through transformers' own interface: a temperature, and the maps themselves."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from workbench.encoders.layers import stack_depth
from workbench.models.passes import evaluating

if TYPE_CHECKING:
    from workbench.encoders.encoder import Encoder

__all__ = ["attention_maps", "attention_temperature", "temperature_of"]

_NAME = "workbench"
# per attention module: encoders that share weights share their temperature, others keep their own
_TEMPERATURES: WeakKeyDictionary[nn.Module, float] = WeakKeyDictionary()
_WATCHER: ContextVar[Callable[..., None] | None] = ContextVar("workbench_attention_watcher", default=None)


@contextmanager
def attention_temperature(enc: "Encoder | nn.Module", tau: float) -> Iterator[None]:
    """Every layer and head attends with softmax(S / tau) inside the block; restored behind it, whatever happens.

    `tau` in (0, inf): 1 changes no bit, below 1 sharpens towards the largest score, above 1 flattens.
    An inner block replaces the temperature of an outer one. Encoders that share weights share it.

    Raises:
        ValueError: `tau` is not above 0 and finite, or the model computes attention out of reach.
        TypeError: `tau` is not a number.

    Reference: Zhou et al. 2024, "Length-Induced Embedding Collapse" (TempScale).
    """
    if isinstance(tau, bool) or not isinstance(tau, int | float | np.number):
        raise TypeError(f"tau must be a number, got {type(tau).__name__}")
    if not (tau > 0 and math.isfinite(tau)):
        raise ValueError(f"tau must be above 0 and finite, got {tau}")
    with _routed(_model(enc)) as modules:
        before = {module: _TEMPERATURES.get(module) for module in modules}
        _TEMPERATURES.update(dict.fromkeys(modules, float(tau)))
        try:
            yield
        finally:
            for module, old in before.items():
                if old is None:
                    _TEMPERATURES.pop(module, None)
                else:
                    _TEMPERATURES[module] = old


def temperature_of(model: nn.Module) -> float:
    """The temperature that divides the model's attention scores now; 1 when none is set."""
    return next((_TEMPERATURES[m] for m in model.modules() if m in _TEMPERATURES), 1.0)


def attention_maps(model: nn.Module, batch: tuple[Tensor, Tensor], *, layers: Sequence[int] | None) -> np.ndarray:
    """Attention of one text without padding, float32 (layers, heads, n, n); rows sum to 1.

    Raises:
        ValueError: a layer that the model does not have, or attention out of reach.
    """
    depth = stack_depth(model)
    picked = list(range(depth)) if layers is None else list(layers)
    for layer in picked:
        if not 0 <= layer < depth:
            raise ValueError(f"layer must be between 0 and {depth - 1}, got {layer}")
    seen: dict[int, np.ndarray] = {}
    calls = iter(range(depth))

    def watch(module: nn.Module, *call: Any) -> None:  # noqa: ANN401 - the arguments of one attention call
        number = next(calls)
        if number in picked:
            seen[number] = _map(module, *call)[0].cpu().numpy()

    ids, mask = batch
    with _routed(model), _watched(watch), torch.inference_mode(), evaluating(model):
        model(input_ids=ids, attention_mask=mask)
    return np.stack([seen[number] for number in picked])


def _model(enc: "Encoder | nn.Module") -> nn.Module:
    return enc if isinstance(enc, nn.Module) else enc.whole_model


@contextmanager
def _routed(model: nn.Module) -> Iterator[list[nn.Module]]:
    """Attention calls of `model` go through `_attend`; yields the modules that make them, in their order."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(_NAME, _attend)
    AttentionMaskInterface.register(_NAME, sdpa_mask)  # without it masks are silently wrong
    config: Any = model.config
    before = config._attn_implementation
    model.set_attn_implementation(_NAME)  # pyright: ignore[reportCallIssue]
    try:
        yield _callers(model)
    finally:
        model.set_attn_implementation(before)  # pyright: ignore[reportCallIssue]


def _callers(model: nn.Module) -> list[nn.Module]:
    """The attention modules in the order of their calls, found by one forward pass of two tokens."""
    calls: list[nn.Module] = []
    ids = torch.full((1, 2), 2, device=next(model.parameters()).device)
    with _watched(lambda module, *_: calls.append(module)), torch.no_grad(), evaluating(model):
        model(input_ids=ids, attention_mask=torch.ones_like(ids))
    depth = stack_depth(model)
    if len(calls) != depth:
        raise ValueError(
            f"{type(model).__name__} made {len(calls)} attention calls for {depth} layers: it does not use "
            "transformers' attention interface, so its attention cannot be reached"
        )
    return calls


@contextmanager
def _watched(watcher: Callable[..., None]) -> Iterator[None]:
    token = _WATCHER.set(watcher)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **options: Any,  # noqa: ANN401
) -> tuple[Tensor, Tensor | None]:
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    tau = _TEMPERATURES.get(module, 1.0)
    if tau != 1.0:
        if attention_mask is not None and attention_mask.dtype != torch.bool:
            raise ValueError(f"{type(module).__name__} adds a bias within its mask: tau cannot divide the scores alone")
        scaling = options.get("scaling")
        options["scaling"] = (query.shape[-1] ** -0.5 if scaling is None else scaling) / tau
        if options.get("position_bias") is not None:
            options["position_bias"] = options["position_bias"] / tau
    watcher = _WATCHER.get()
    if watcher is not None:
        watcher(module, query, key, attention_mask, options)
    return sdpa_attention_forward(module, query, key, value, attention_mask, **options)


def _map(module: nn.Module, query: Tensor, key: Tensor, mask: Tensor | None, options: dict[str, Any]) -> Tensor:
    """Attention weights (n, heads, queries, keys) of one call; rows that may attend to nothing are 0."""
    if options.get("position_bias") is not None or (mask is not None and mask.dtype != torch.bool):
        raise ValueError(f"{type(module).__name__} adds a position bias to its scores: its maps are not computed")
    scaling = options.get("scaling")
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    key = key.repeat_interleave(query.shape[1] // key.shape[1], dim=1)  # grouped heads share their keys
    scores = query.float() @ key.float().transpose(-1, -2) * scaling
    causal = options.get("is_causal")
    if mask is None and (getattr(module, "is_causal", True) if causal is None else causal):
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if mask is None:
        return scores.softmax(dim=-1)
    nothing = ~mask.any(dim=-1, keepdim=True)  # softmax over nothing is NaN
    return scores.masked_fill(~mask, -torch.inf).softmax(dim=-1).masked_fill(nothing, 0.0)
