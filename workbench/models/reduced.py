"""A small BERT that knows words but nothing of their order: fresh layers over another model's word vectors."""

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from workbench.models.small import small_bert

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["reduced_bert"]


def reduced_bert(
    model: nn.Module, *, layers: int = 2, width: int = 128, heads: int = 4, dropout: float = 0.1, seed: int
) -> "PreTrainedModel":
    """A `small_bert` whose word vectors are the first `width` principal components of those of `model`, centred.

    Vocabulary and positions are those of `model`; all weights but the word vectors are drawn by `seed`. It takes
    `model`'s tokenizer, and learns to retrieve in few steps because related words start near each other. The sign of a
    component is that in which its largest entry is positive, so equal models give equal vectors.

    Args:
        model: a model of transformers with input embeddings; left as it is.
        layers: as in `small_bert`, as the next three.
        width: at most the width of `model`.
        heads: attention heads.
        dropout: share dropped in train mode.
        seed: of all other weights.

    Raises:
        ValueError: `width` above that of the word vectors, or as `small_bert`.
    """
    whole: Any = model
    words = whole.get_input_embeddings().weight.detach().double()
    if width > words.shape[1]:
        raise ValueError(f"width must be at most {words.shape[1]}, that of the word vectors, got {width}")
    config: Any = whole.config
    positions = config.max_position_embeddings
    small: Any = small_bert(
        len(words), layers=layers, width=width, heads=heads, positions=positions, dropout=dropout, seed=seed
    )
    axes = torch.linalg.eigh(torch.cov(words.T))[1].flip(1)[:, :width]
    axes = axes * axes.gather(0, axes.abs().argmax(dim=0, keepdim=True)).sign()
    with torch.no_grad():
        small.get_input_embeddings().weight.copy_((words - words.mean(dim=0)) @ axes)
    return small
