"""The step of `fit` for an encoder that is to be left early and cut short."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from workbench.losses import layers_and_dimensions
from workbench.training.embedding import embed

__all__ = ["exits_step"]

Exits = Sequence[tuple[int, int]]


def exits_step(
    loss: Callable[..., Tensor],
    exits: Exits | Callable[[dict[str, Any]], Exits],
    *,
    columns: Sequence[str],
    given: Sequence[str] = (),
    align: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Callable[[Any, Mapping[str, Any], dict[str, Any]], Tensor]:
    """A step for `fit`: the sum over `exits` (layer, size) of `loss` on that layer's rows cut to that size.

    One forward pass of the whole encoder serves all exits: where the deepest is not the last layer, train
    `encoder.with_settings(layers=...)`. Layers count from 1, 0 is the output of the embeddings. With `align` the
    deepest layer among the exits is the teacher of the others: `layers_and_dimensions` says how.

    Args:
        loss: takes the cut rows (n, size) of each of `columns`, then each of `given` as a tensor; gives a scalar.
        exits: the same in every step, or a function of the state that `fit` hands on, which draws them.
        columns: columns of texts in a batch.
        given: columns handed to the loss as tensors, such as scores.
        align: takes the rows of an exit and those of the deepest layer cut to the same size; gives a scalar.

    Raises:
        ValueError: no columns; and in a step: no exits, exits that `layers_and_dimensions` refuses, a layer that the
            encoder does not have, columns of unequal length.
        KeyError: in a step, a column that the batch does not have.
    """
    if not columns:
        raise ValueError("columns must name one column of texts or more, got none")

    def step(encoder: Any, batch: Mapping[str, Any], state: dict[str, Any]) -> Tensor:  # noqa: ANN401 - an Encoder
        here = exits(state) if callable(exits) else exits
        if not here:
            raise ValueError("exits must be one (layer, size) or more, got none")
        layers = sorted({layer for layer, _ in here})
        counts = {name: len(batch[name]) for name in (*columns, *given)}
        if len(set(counts.values())) > 1:
            raise ValueError(f"columns of a batch must be of equal length, got {counts}")
        states = embed(encoder, [text for name in columns for text in batch[name]], layers=layers)
        rest = [torch.as_tensor(batch[name]).to(states.device) for name in given]
        return layers_and_dimensions(
            lambda *rows: loss(*rows, *rest),
            [state.chunk(len(columns)) for state in states],
            exits=[(layers.index(layer), size) for layer, size in here],
            align=align,
        )

    return step
