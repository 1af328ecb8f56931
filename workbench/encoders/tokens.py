"""Texts tokenised, and filled up to one length."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.encoders.settings import Settings

__all__ = ["pad", "tokenize"]


def tokenize(tokenizer: Any, texts: Sequence[str], settings: Settings, *, truncate: bool = True) -> Any:  # noqa: ANN401
    """Token ids, offsets and words of the prompt and each of `texts`, special tokens included (a BatchEncoding)."""
    given = [settings.prompt + text for text in texts]
    if settings.lower_case:
        given = [text.lower() for text in given]
    return tokenizer(
        given,
        truncation=truncate,
        max_length=settings.max_length if truncate else None,
        padding="max_length" if truncate and settings.fixed_length else False,
        return_attention_mask=False,
        return_token_type_ids=False,
        return_offsets_mapping=tokenizer.is_fast,
        verbose=False,
    )


def pad(rows: Sequence[Sequence[int]], *, pad_id: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids (n, longest) filled up on the right with `pad_id`, and the mask that is True on tokens.

    Always on the right: positions then start at 0 in every row, whatever else is in the batch.
    """
    lengths = np.array([len(row) for row in rows])
    ids = np.full((len(rows), int(lengths.max())), pad_id, dtype=np.int64)
    mask = np.arange(ids.shape[1]) < lengths[:, None]
    ids[mask] = np.concatenate([np.asarray(row, dtype=np.int64) for row in rows])
    return torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)
