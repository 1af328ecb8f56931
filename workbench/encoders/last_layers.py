"""The last layers of an encoder as a module of their own, for experiments that train nothing below them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from workbench.encoders.encoder import Encoder
from workbench.encoders.pooling import pool
from workbench.models.passes import token_batches
from workbench.models.surgery import scale_depth

__all__ = ["LastLayers"]

PART_TOKENS = 512  # run at a time, rows of like length together


class LastLayers(nn.Module):
    """A copy of the last layers of `encoder`: token states in, one pooled vector a text out.

    What lies below is not trained, so its states can be kept: `encoder.token_states(texts, layers=[n_layers - count])`
    gives them. Training and encoding then cost what these layers cost. The vectors are those that the encoder makes of
    the whole texts, in evaluating mode, neither normalised nor cut. The encoder itself stays as it is.

    Args:
        encoder: pooled by "mean", "cls", "last" or "max", without a head, of a model that holds all below its layers in
            one part `embeddings` (BERT and its relatives).
        count: layers, 1 to all of the encoder's.

    Raises:
        ValueError: `count` out of range, an encoder with a head or pooling "own", or a model without that part.
    """

    def __init__(self, encoder: Encoder, count: int = 1) -> None:
        super().__init__()
        depth, self.pooling = encoder.n_layers, encoder.settings.pooling
        if not 1 <= count <= depth:
            raise ValueError(f"count must be between 1 and {depth}, the encoder's layers, got {count}")
        if encoder.head is not None or self.pooling == "own":
            raise ValueError(f"the last layers need an encoder without a head that pools states, got {encoder!r}")
        if not isinstance(getattr(encoder.model, "embeddings", None), nn.Module):
            raise ValueError(f"{type(encoder.model).__name__} holds no part 'embeddings' below its layers")
        self.model: Any = scale_depth(encoder.model, keep=range(depth - count, depth))
        self.model.embeddings = _Given()
        if getattr(self.model, "pooler", None) is not None:
            self.model.pooler = None  # of no use to a pooling of states, and never trained
        self.width = encoder.whole_width
        self.eval()

    def extra_repr(self) -> str:
        """What the parameters' shapes do not tell."""
        return f"pooling={self.pooling!r}"

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        """Vectors float32 (n, d), with gradients, of n texts whose states (tokens, d) come from the layer before.

        Raises:
            ValueError: no texts, or states that are not (tokens, d) with a token or more; names the text.
        """
        if len(states) == 0:
            raise ValueError("last layers need one text or more, got none")
        for row, one in enumerate(states):
            if one.ndim != 2 or one.shape[1] != self.width or len(one) == 0:
                raise ValueError(f"states of text {row} must be (tokens, {self.width}), got shape {tuple(one.shape)}")
        places: list[int] = []
        parts = []
        for rows in token_batches([len(one) for one in states], budget=PART_TOKENS):
            parts.append(self._pooled([states[row] for row in rows]))
            places += rows
        order = torch.tensor(places).argsort()
        return torch.cat(parts).index_select(0, order.to(parts[0].device))

    def _pooled(self, states: list[Tensor]) -> Tensor:
        weight = next(self.parameters())
        filled = nn.utils.rnn.pad_sequence(states, batch_first=True).to(weight)
        lengths = torch.tensor([len(one) for one in states], device=weight.device)
        mask = torch.arange(filled.shape[1], device=weight.device) < lengths[:, None]
        return pool(self.model(inputs_embeds=filled, attention_mask=mask.long())[0], mask, how=self.pooling)


class _Given(nn.Module):
    """Takes the place of embeddings: what comes in as such goes on to the layers."""

    def forward(self, *args: Any, inputs_embeds: Tensor | None = None, **_: object) -> Tensor:  # noqa: ANN401
        return args[-1] if inputs_embeds is None else inputs_embeds
