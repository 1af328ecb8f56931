"""What an encoder holds inside: pooled and per-token states of every layer, and the bare word embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from workbench.encoders.encoding import batches_of, progressing, token_budget
from workbench.encoders.layers import recorded_layers
from workbench.encoders.output import Out, open_rows, written_rows
from workbench.encoders.pooling import pool
from workbench.encoders.tokens import tokenize
from workbench.models.passes import evaluating

if TYPE_CHECKING:
    from workbench.encoders.encoder import Encoder

__all__ = ["TokenStates", "hidden_states", "mean_word_embedding", "token_states"]


@dataclass(frozen=True)
class TokenStates:
    """States of every token of every text; the four lists have one entry per text.

    `values`: float32 (layers, tokens, d), layer 0 the output of the embeddings. `offsets`: int64
    (tokens, 2), first and behind the last character in prompt + text; (0, 0) for special tokens.
    `pieces`: the tokens as the vocabulary writes them. `words`: int64 (tokens,), the number of the
    word that a token belongs to, -1 for special tokens.
    """

    values: list[np.ndarray]
    offsets: list[np.ndarray]
    pieces: list[list[str]]
    words: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.values)


def hidden_states(encoder: "Encoder", texts: list[str], *, layers: Sequence[int] | None, out: Out) -> np.ndarray:
    """Pooled states, float32 (layers, n, d); see `Encoder.hidden_states`."""
    picked = _picked(encoder, layers)
    shape = (len(picked), len(texts), encoder.whole_width)
    budget = token_budget(encoder, None)
    with (
        open_rows(out, shape) as rows,
        evaluating(encoder.model),
        progressing(encoder, texts, budget=budget, shown=True) as advance,
    ):
        for batch, ids in batches_of(encoder, texts, budget=budget):
            states, mask = _run(encoder, ids, picked)
            for place, layer in enumerate(picked):
                rows[place, batch] = pool(states[layer], mask, how=encoder.settings.pooling).cpu().numpy()
            advance(len(batch))
    return written_rows(out, rows)


def token_states(encoder: "Encoder", texts: list[str], *, layers: Sequence[int] | None) -> TokenStates:
    """States of every token; see `Encoder.token_states`.

    Raises:
        ValueError: a tokenizer that does not tell where its tokens lie in the text.
    """
    if not encoder.tokenizer.is_fast:
        raise ValueError(f"{type(encoder.tokenizer).__name__} gives no offsets: token states need a fast tokenizer")
    picked = _picked(encoder, layers)
    values: list[np.ndarray] = [np.empty(0)] * len(texts)
    with evaluating(encoder.model):
        for batch, ids in batches_of(encoder, texts, budget=token_budget(encoder, None)):
            states, mask = _run(encoder, ids, picked)
            stack = torch.stack([states[layer].float() for layer in picked], dim=1).cpu().numpy()
            for row, (i, length) in enumerate(zip(batch, mask.sum(dim=1).tolist(), strict=True)):
                values[i] = stack[row, :, :length].copy()
    read = tokenize(encoder.tokenizer, texts, encoder.settings) if texts else None
    words = [[-1 if w is None else w for w in read.word_ids(i)] for i in range(len(texts))] if read else []
    return TokenStates(
        values=values,
        offsets=[np.array(pairs, dtype=np.int64).reshape(-1, 2) for pairs in read["offset_mapping"]] if read else [],
        pieces=[read.tokens(i) for i in range(len(texts))] if read else [],
        words=[np.array(numbers, dtype=np.int64) for numbers in words],
    )


def mean_word_embedding(encoder: "Encoder", texts: list[str]) -> np.ndarray:
    """Average input word embedding, float32 (n, d); see `Encoder.mean_word_embedding`."""
    table = encoder.whole_model.get_input_embeddings().weight.detach()  # pyright: ignore
    rows = np.empty((len(texts), table.shape[1]), dtype=np.float32)
    for batch, ids in batches_of(encoder, texts, budget=token_budget(encoder, None)):
        lengths = torch.tensor([0] + [len(row) for row in ids[:-1]], device=table.device)
        flat = torch.tensor([token for row in ids for token in row], device=table.device)
        used, flat = flat.unique(return_inverse=True)
        mean = functional.embedding_bag(flat, table[used].float(), lengths.cumsum(0), mode="mean")
        rows[batch] = mean.cpu().numpy()
    return rows


def _run(encoder: "Encoder", ids: Sequence[Sequence[int]], picked: list[int]) -> tuple[dict[int, Tensor], Tensor]:
    tokens, mask = encoder.pad(ids)
    with torch.inference_mode(), recorded_layers(encoder.model, picked) as states:
        states[encoder.n_layers] = encoder.model(input_ids=tokens, attention_mask=mask)[0]
    return states, mask


def _picked(encoder: "Encoder", layers: Sequence[int] | None) -> list[int]:
    if layers is None:
        return list(range(encoder.n_layers + 1))
    for layer in layers:
        if not 0 <= layer <= encoder.n_layers:
            raise ValueError(f"layer must be between 0 (embeddings) and {encoder.n_layers}, got {layer}")
    return list(layers)
