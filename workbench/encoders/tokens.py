"""Texts tokenised, and cut into batches of similar length."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.encoders.settings import Settings

__all__ = ["pad", "token_batches", "tokenize"]


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


def token_batches(lengths: Sequence[int], *, budget: int) -> Iterator[list[int]]:
    """Indices of texts, longest first, in batches whose rows times longest row stay within `budget` tokens.

    Texts of similar length share a batch, so that little is padded; a text longer than the budget is alone.
    """
    # numpy's stable sort: equal lengths keep their order, so that batches are the same in every run
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    batch: list[int] = []
    for i in order.tolist():
        longest = lengths[batch[0]] if batch else lengths[i]
        if batch and (len(batch) + 1) * longest > budget:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def pad(rows: Sequence[Sequence[int]], *, pad_id: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids (n, longest) filled up on the right with `pad_id`, and the mask that is True on tokens.

    Always on the right: positions then start at 0 in every row, whatever else is in the batch.
    """
    lengths = np.array([len(row) for row in rows])
    ids = np.full((len(rows), int(lengths.max())), pad_id, dtype=np.int64)
    mask = np.arange(ids.shape[1]) < lengths[:, None]
    ids[mask] = np.concatenate([np.asarray(row, dtype=np.int64) for row in rows])
    return torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)
