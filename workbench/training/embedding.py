"""Embeddings with gradients: of texts in small padded batches, of any batch size through an exact gradient cache."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from workbench.encoders.encoder import Encoder
from workbench.encoders.encoding import batches_of, token_budget
from workbench.encoders.layers import recorded_layers
from workbench.encoders.pooling import pool
from workbench.models.texts import check_texts

__all__ = ["embed"]

MOST_TOKENS = 4096  # of a part on a CPU
# what a part costs on a CPU, in tokens: a gradient of all word embeddings, 32 to 64 for MiniLM, fewer for larger models
PART_TOKENS = 64


def embed(module: Any, rows: Any, *, layers: Sequence[int] | None = None, chunk: int | None = None) -> Tensor:  # noqa: ANN401
    """Vectors of `rows` with gradients to the weights, float32 (n, d), or (len(layers), n, d) with `layers`.

    As the encoder pools, neither normalised nor cut to its `dimensions`. Texts of similar length are run together, so
    little is padded, and come back in their order.

    Args:
        module: an `Encoder`, whose rows are texts; or any nn.Module, which is called on the tensor of rows.
        rows: a list of str, or a tensor or array (n, ...).
        layers: layers of the encoder to pool, 0 the output of the embeddings, as in `Encoder.hidden_states`.
        chunk: rows whose activations are held at a time. They are run twice: first without gradients, then, once the
            gradient of each vector is known, again with the same dropout (GradCache, Gao et al. 2021). The gradient
            is that of the whole batch; only .backward() gives it, not torch.autograd.grad. None: all are held.

    Raises:
        TypeError: rows that are not what the module takes.
        ValueError: no rows, a text without tokens, a layer that the model does not have, or `chunk` below 1.
    """
    if len(rows) == 0:
        raise ValueError("a batch must hold at least one row, got none")
    if chunk is not None and chunk < 1:
        raise ValueError(f"chunk must be 1 or more, got {chunk}")
    parts, run, order = _plan(module, rows, layers, chunk)
    made = [run(part) for part in parts] if chunk is None else [_replayed(run, part) for part in parts]
    axis = 0 if layers is None else 1
    joined = torch.cat(made, dim=axis)
    return joined if order is None else joined.index_select(axis, order.to(joined.device))


def _plan(module: Any, rows: Any, layers: Sequence[int] | None, chunk: int | None) -> tuple:  # noqa: ANN401
    """Parts of the rows, a function that embeds a part, and the place in the joined parts of each row."""
    if isinstance(module, Encoder):
        if layers is not None and not layers:
            raise ValueError("layers must be one or more, or None, got none")
        parts, order = _sorted_parts(module, check_texts(rows), chunk)
        return parts, lambda ids: _pooled(module, ids, layers), order
    if layers is not None:
        raise ValueError(f"layers are of an Encoder, got {type(module).__name__}")
    if hasattr(module, "pooled"):  # an image encoder
        size = chunk or len(rows)
        return [rows[i : i + size] for i in range(0, len(rows), size)], module.pooled, None
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be an encoder or an nn.Module, got {type(module).__name__}")
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    return list(torch.as_tensor(rows).to(device).split(chunk or len(rows))), module, None


def _sorted_parts(encoder: Encoder, texts: list[str], chunk: int | None) -> tuple[list, Tensor]:
    on_cpu = encoder.device.type == "cpu"
    places: list[int] = []
    parts: list[list[list[int]]] = []
    for batch, ids in batches_of(encoder, texts, budget=MOST_TOKENS if on_cpu else token_budget(encoder, None)):
        places += batch
        for alike in _of_like_length(ids) if on_cpu else [ids]:
            size = chunk or len(alike)
            parts += [alike[i : i + size] for i in range(0, len(alike), size)]
    return parts, torch.tensor(places).argsort()


def _of_like_length(ids: list[list[int]]) -> Iterator[list[list[int]]]:
    """`ids`, longest first, cut wherever going on would pad by more than a further part costs."""
    start = padding = 0
    for i, row in enumerate(ids):
        padding += len(ids[start]) - len(row)
        if padding > PART_TOKENS:
            yield ids[start:i]
            start, padding = i, 0
    yield ids[start:]


def _pooled(encoder: Encoder, ids: Sequence[Sequence[int]], layers: Sequence[int] | None) -> Tensor:
    if layers is None:
        return encoder.pooled(ids)
    for layer in layers:
        if not 0 <= layer <= encoder.n_layers:
            raise ValueError(f"layer must be between 0 (embeddings) and {encoder.n_layers}, got {layer}")
    tokens, mask = encoder.pad(ids)
    with recorded_layers(encoder.model, layers) as states:
        states[encoder.n_layers] = encoder.model(input_ids=tokens, attention_mask=mask)[0]
    return torch.stack([pool(states[layer], mask, how=encoder.settings.pooling) for layer in layers])


def _replayed(run: Callable[[Any], Tensor], part: Any) -> Tensor:  # noqa: ANN401 - what `run` takes
    """`run(part)` whose activations are not kept: they are made again in the backward pass."""
    if not torch.is_grad_enabled():
        return run(part)
    # a leaf that asks for a gradient, or the backward pass would never come by
    return _Replayed.apply(torch.empty(0, requires_grad=True), run, part)  # pyright: ignore[reportReturnType]


class _Replayed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, _leaf: Tensor, run: Callable[[Any], Tensor], part: Any) -> Tensor:  # noqa: ANN401
        ctx.run, ctx.part = run, part
        ctx.states = torch.get_rng_state(), _gpu_state()
        ctx.autocast = {kind: _autocast(kind) for kind in ("cpu", "cuda")}
        with torch.no_grad():
            return run(part)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, None, None]:  # noqa: ANN401
        cpu, gpu = ctx.states
        with torch.random.fork_rng(devices=[] if gpu is None else [torch.cuda.current_device()]):
            torch.set_rng_state(cpu)
            if gpu is not None:
                torch.cuda.set_rng_state(gpu)
            with torch.enable_grad(), _as_before("cpu", ctx), _as_before("cuda", ctx):
                made = ctx.run(ctx.part)
            made.backward(grads[0])
        return None, None, None


def _gpu_state() -> Tensor | None:
    return torch.cuda.get_rng_state() if torch.cuda.is_available() and torch.cuda.is_initialized() else None


def _autocast(kind: str) -> dict[str, Any]:
    return {"enabled": torch.is_autocast_enabled(kind), "dtype": torch.get_autocast_dtype(kind)}


def _as_before(kind: str, ctx: Any) -> torch.autocast:  # noqa: ANN401
    return torch.autocast(kind, **ctx.autocast[kind])
