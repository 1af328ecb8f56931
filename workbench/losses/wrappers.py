"""One loss at several cuts of the same rows: at leading dimensions, after several layers, at pairs of both."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from workbench.losses.scores import all_weights

__all__ = ["layers_and_dimensions", "matryoshka", "over_layers"]


def matryoshka(
    loss: Callable[..., Tensor],
    *rows: Tensor,
    dimensions: Sequence[int],
    weights: Sequence[float] | None = None,
) -> Tensor:
    """Sum of `loss` on the leading `dimensions` of all `rows`, each times its weight.

    Range, candidates and the values of a collapsed and of a perfect encoder are those of `loss`, times the sum of the
    weights. Rows are cut and handed on as they are: a loss of cosines scales the cut rows itself, a loss of dot
    products sees cut rows that are shorter than 1 even where the whole rows were unit. Arguments that are not cut go
    into the loss: `matryoshka(lambda a, b: loss(a, b, labels), x, y, dimensions=[32, 64])`.

    Args:
        loss: takes the cut rows, gives a scalar.
        rows: (..., d) each.
        dimensions: sizes from 1 to d; the full size counts only where it is listed.
        weights: one for each dimension, in the same order; 1 each where None.

    Raises:
        ValueError: no rows, no dimension, one that is below 1, above a row's width or listed twice, weights of another
            number, negative, not finite or all 0, or a loss that gives no scalar.

    Reference: Kusupati et al. 2022, Eq. 1 (weights 1 in its experiments).
    """
    _refuse_sizes(rows, dimensions)
    total = [
        weight * _scalar(loss(*(x[..., :size] for x in rows)))
        for size, weight in zip(dimensions, all_weights(weights, len(dimensions), "dimensions"), strict=True)
    ]
    return torch.stack(total).sum()


def over_layers(
    loss: Callable[..., Tensor], layers: Sequence[Sequence[Tensor]], *, weights: Sequence[float] | None = None
) -> Tensor:
    """Sum of `loss` on the rows after each of `layers`, each times its weight.

    Range, candidates and the values of a collapsed and of a perfect encoder are those of `loss`, times the sum of the
    weights.

    Args:
        loss: takes the rows of one layer, gives a scalar.
        layers: for each layer its pooled rows, as `loss` takes them: [(anchors, positives), ...].
        weights: one for each layer; 1 each where None. 1 / (1 + ln(1 + i)) for layer i is ESE's.

    Raises:
        ValueError: no layer, layers with different numbers of rows, weights of another number, negative, not finite or
            all 0, or a loss that gives no scalar.

    Reference: Li et al. 2024 (2D Matryoshka); its weights are 1, those of its second version, ESE, fall with the layer.
    """
    _refuse_layers(layers)
    chosen = zip(layers, all_weights(weights, len(layers), "layers"), strict=True)
    return torch.stack([weight * _scalar(loss(*rows)) for rows, weight in chosen]).sum()


def layers_and_dimensions(
    loss: Callable[..., Tensor],
    layers: Sequence[Sequence[Tensor]],
    *,
    exits: Sequence[tuple[int, int]],
    weights: Sequence[float] | None = None,
    align: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Tensor:
    """Sum over `exits` (layer, size) of `loss` on that layer's rows cut to that size, plus their alignment.

    Without `align`, range and the values of a collapsed and of a perfect encoder are those of `loss`, times the sum of
    the weights. 2D Matryoshka draws a layer l and a size m in each step: exits (L, d), (l, d), (L, m), (l, m);
    Starbucks has a fixed list of pairs. Both align with `distil_scores`, whose softmax then runs over the features;
    `lambda s, t: 0.3 * distil_scores(s, t.detach())` is an alignment with a weight and a teacher that does not move
    (in both papers' code for sentence pairs it moves).

    Args:
        loss: takes the cut rows, gives a scalar.
        layers: for each layer its pooled rows, as `loss` takes them; the last entry is the full model's. With an
            encoder's hidden states, entry 0 is the embeddings' output and entry l that of layer l.
        exits: pairs (entry of `layers`, leading dimensions); the full model counts only where it is listed.
        weights: one for each exit, for its loss and its alignment together; 1 each where None.
        align: takes the rows of an exit, below one another in the order in which `loss` takes them (m, size), and
            those of the last layer cut to the same size, gives a scalar. Exits of the last layer are not aligned.

    Raises:
        ValueError: no layer, layers with different numbers of rows, no exit, an exit of no such layer or size, or
            listed twice, weights of another number, negative, not finite or all 0, or a loss or alignment that gives
            no scalar.

    Reference: Li et al. 2024 (2D Matryoshka); Zhuang et al. 2024 (Starbucks).
    """
    _refuse_layers(layers)
    if not exits or len(set(exits)) < len(exits):
        raise ValueError(f"exits must be one (layer, size) or more, each listed once, got {list(exits)}")
    total = []
    for (layer, size), weight in zip(exits, all_weights(weights, len(exits), "exits"), strict=True):
        if not 0 <= layer < len(layers):
            raise ValueError(f"exits: layer must lie in 0..{len(layers) - 1}, got {layer}")
        _refuse_sizes((*layers[layer], *layers[-1]), [size])
        rows = [x[..., :size] for x in layers[layer]]
        term = _scalar(loss(*rows))
        if align is not None and layer < len(layers) - 1:
            full = [x[..., :size] for x in layers[-1]]
            term = term + _scalar(align(_stacked(rows), _stacked(full)))
        total.append(weight * term)
    return torch.stack(total).sum()


def _stacked(rows: Sequence[Tensor]) -> Tensor:
    return torch.cat([x.flatten(end_dim=-2) for x in rows])


def _scalar(value: Tensor) -> Tensor:
    if not isinstance(value, Tensor) or value.ndim != 0:
        got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"a loss must give a scalar tensor, without axes, got {got}")
    return value


def _refuse_layers(layers: Sequence[Sequence[Tensor]]) -> None:
    counts = [len(rows) for rows in layers]
    if not counts or counts[0] == 0 or len(set(counts)) > 1:
        raise ValueError(f"layers must be one or more, each with as many rows, got {counts} of them")


def _refuse_sizes(rows: Sequence[Tensor], dimensions: Sequence[int]) -> None:
    if not rows or any(x.ndim < 2 for x in rows):
        raise ValueError(f"rows must be one tensor or more of 2 axes or more, got {[tuple(x.shape) for x in rows]}")
    if not dimensions or len(set(dimensions)) < len(dimensions):
        raise ValueError(f"dimensions must be one or more, each listed once, got {list(dimensions)}")
    width = min(x.shape[-1] for x in rows)
    for size in dimensions:
        if not 1 <= size <= width:
            raise ValueError(f"dimensions must lie in 1..{width}, got {size}")
