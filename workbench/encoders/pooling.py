"""From one vector per token to one vector per text, and through a head into another space."""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from workbench.models.heads import TokenPooling

__all__ = ["head_width", "own_pooled", "pool", "through", "token_pooled"]


def pool(hidden: Float[Tensor, "n t d"], mask: Bool[Tensor, "n t"], *, how: str) -> Float[Tensor, "n d"]:
    """One float32 vector per text from its token vectors; `mask` is True on tokens, padding on the right.

    `how` is "mean", "cls" (the first token), "last" (the last token) or "max" (per dimension).

    Raises:
        ValueError: a text without tokens, or a `how` that does not exist.
    """
    lengths = mask.sum(dim=1)
    if not bool((lengths > 0).all()):
        raise ValueError(f"row {int((lengths == 0).nonzero()[0])} has no tokens to pool")
    hidden = hidden.float()  # sums over hundreds of tokens lose digits in half precision
    if how == "mean":
        return (hidden * mask.unsqueeze(-1)).sum(dim=1) / lengths.unsqueeze(-1)
    if how == "cls":
        return hidden[:, 0]
    if how == "last":
        return hidden[torch.arange(len(hidden), device=hidden.device), lengths - 1]
    if how == "max":
        return hidden.masked_fill(~mask.unsqueeze(-1), -torch.inf).amax(dim=1)
    raise ValueError(f"pooling must be 'mean', 'cls', 'last' or 'max', got {how!r}")


def own_pooled(output: Any) -> Float[Tensor, "n d"]:  # noqa: ANN401 - the output of any model of transformers
    """The vectors that a model pools itself, float32: CLIP's end token, DINOv2's normalised first one, and so on.

    Raises:
        ValueError: the model pools nothing of its own.
    """
    pooled = getattr(output, "pooler_output", None)
    if pooled is None:
        raise ValueError(f"pooling 'own' needs a model that pools itself, {type(output).__name__} has no pooler_output")
    return pooled.flatten(1).float()  # convolutional networks leave two axes of length 1


def through(head: nn.Module | None, pooled: Float[Tensor, "n d"]) -> Float[Tensor, "n e"]:
    """`pooled` as `head` maps it, float32; unchanged where there is no head.

    Raises:
        ValueError: a head that pools token states, where vectors are pooled already.
    """
    if head is None:
        return pooled
    if isinstance(head, TokenPooling):
        raise ValueError(f"{type(head).__name__} pools token states: only an Encoder of texts hands them to its head")
    return head(pooled.to(next(head.parameters()).dtype)).float()


def token_pooled(head: TokenPooling, states: Tensor, mask: Bool[Tensor, "n t"]) -> Float[Tensor, "n e"]:
    """One float32 vector per text as `head` makes it of token states (n, t, d), or (layers, n, t, d).

    Raises:
        ValueError: a text without tokens.
    """
    lengths = mask.sum(dim=1)
    if not bool((lengths > 0).all()):
        raise ValueError(f"row {int((lengths == 0).nonzero()[0])} has no tokens to pool")
    return head(states.to(_dtype(head, states)), mask).float()


def head_width(head: nn.Module | None, width: int, *, depth: int = 0) -> int:
    """Number of dimensions that `head` makes of `width`; `depth` is the number of layers that run.

    Raises:
        ValueError: the head does not take rows of `width` numbers to rows.
    """
    if head is None:
        return width
    weight = next(head.parameters(), torch.zeros(0))
    rows = torch.zeros(2, width, dtype=weight.dtype, device=weight.device)
    try:
        with torch.inference_mode():
            made = head(*_tokens_of(head, rows, depth)) if isinstance(head, TokenPooling) else head(rows)
    except RuntimeError as error:
        raise ValueError(f"head must take vectors of {width} dimensions: {error}") from None
    if made.ndim != 2 or len(made) != 2:
        raise ValueError(f"head must map rows (n, {width}) to rows (n, d), got shape {tuple(made.shape)} for n=2")
    return made.shape[1]


def _tokens_of(head: TokenPooling, rows: Tensor, depth: int) -> tuple[Tensor, Tensor]:
    states = rows.unsqueeze(1).expand(-1, 3, -1)
    mask = torch.ones(states.shape[:2], dtype=torch.bool, device=rows.device)
    return (states.expand(depth + 1, -1, -1, -1) if head.all_layers else states), mask


def _dtype(head: nn.Module, states: Tensor) -> torch.dtype:
    weight = next(head.parameters(), None)  # a pooling may have nothing to train
    return states.dtype if weight is None else weight.dtype
