"""Texts longer than an encoder's learned positions: the positions stretched or used again, or windows side by side."""

import copy
import dataclasses
import inspect
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from workbench.encoders.encoder import Encoder
from workbench.encoders.encoding import token_budget
from workbench.encoders.tokens import tokenize
from workbench.encoders.weights import has_hooks
from workbench.models.passes import evaluating, token_batches
from workbench.models.seeding import checked_count, checked_seed
from workbench.models.texts import check_texts

__all__ = ["extended_positions", "interpolated_rows", "position_rows", "window_vectors"]

REUSES = ("interpolated", "grouped", "recurrent", "shuffled")


def extended_positions(encoder: Encoder, length: int, *, how: str = "interpolated", seed: int = 0) -> Encoder:
    """The encoder with positions for texts of `length` tokens, without any training; `encoder` stays as it is.

    Its position table is that of `interpolated_rows`, and `position_rows` says which of its rows a token reads. A text
    of no more tokens than there were positions reads the old rows: alone in its batch it has its old vector, bit for
    bit. All other weights are shared. Vectors do not go to the store, as with any encoder that is intervened on.

    Args:
        encoder: with a table of learned positions, such as BERT's.
        length: most tokens of a text, special ones included: the new `max_length`; more than there are positions.
        how: "interpolated" (rows between the old ones), "grouped" (neighbours share an old row), "recurrent" (the old
            rows again from the first) or, as a control, "shuffled" (the interpolated rows in a random order).
        seed: of the order of the last.

    Raises:
        ValueError: a model without such a table, that cannot be told positions or that has hooks, `length` not above
            the number of its positions, a `how` that does not exist, or a seed that is none.

    Reference: Zhu et al. 2024 (LongEmbed), section 4.1: PI, GP and RP; without its scaling of attention, which is
        `attention_temperature` with tau = ln(positions) / ln(tokens).
    """
    source = encoder.whole_model
    positions = _table(source).position_embeddings.num_embeddings
    if has_hooks(source):
        raise ValueError(f"{encoder.name} has hooks already: extend the encoder without them")
    if checked_count("length", length) <= positions:
        raise ValueError(f"length must be above the model's {positions} positions, got {length}")
    stretch = -(-length // positions)
    rows = partial(position_rows, positions=positions, stretch=stretch, how=how, seed=seed)
    short, long = rows(positions), rows(positions * stretch)
    short = np.pad(short, (0, len(long) - positions), mode="edge")  # read by padding only
    model = copy.deepcopy(source, {id(weight): weight for weight in source.parameters()})
    _stretch(model, stretch)
    reading = torch.from_numpy(np.stack([short, long]))
    model.register_forward_pre_hook(_numbering(reading, positions), with_kwargs=True)
    options = {**encoder._options, "max_length": length}
    name = f"{encoder.name}, {length} positions, {how}"
    return Encoder(model, encoder.tokenizer, name=name, defaults=encoder._defaults, options=options, head=encoder.head)


def interpolated_rows(table: Tensor, stretch: int) -> Tensor:
    """Table (stretch * n, d): row i * stretch is row i of `table` (n, d), exactly; those between are mixed linearly.

    Behind the last old row there is none to mix with: the last stretch - 1 rows are copies of it, our choice.

    Raises:
        ValueError: `table` is not 2-D with a row, or `stretch` is no whole number of 1 or more.
    """
    if table.ndim != 2 or not len(table):
        raise ValueError(f"table must be 2-D with one row or more, got shape {tuple(table.shape)}")
    share = torch.arange(checked_count("stretch", stretch), device=table.device)[:, None] / stretch
    after = torch.cat([table[1:], table[-1:]])
    mixed = table[:, None] + share.to(table.dtype) * (after - table)[:, None]
    return mixed.reshape(-1, table.shape[1])


def position_rows(length: int, *, positions: int, stretch: int, how: str, seed: int = 0) -> np.ndarray:
    """Row of the interpolated table that each token of a text of `length` tokens reads, int64 (length,).

    With p positions and the stretch s, token i of a text of up to p tokens reads row s * i, its old one. In a longer
    text it reads row i (interpolated), s * floor(i / s), which is old row floor(i / s) (grouped), s * (i mod p), old
    row i mod p (recurrent), or a row drawn without replacement (shuffled).

    Raises:
        ValueError: a number that is no whole one of 1 or more, a text of more than positions * stretch tokens, a `how`
            that does not exist, or a seed that is none.
    """
    n, p, s = checked_count("length", length), checked_count("positions", positions), checked_count("stretch", stretch)
    if n > p * s:
        raise ValueError(f"length must be at most {p} positions * {s}, got {n}")
    if how not in REUSES:
        raise ValueError(f"how must be one of {REUSES}, got {how!r}")
    drawn, places = np.random.default_rng(checked_seed(seed)).permutation(p * s), np.arange(n)
    if n <= p:
        return s * places
    rows = {"interpolated": places, "grouped": s * (places // s), "recurrent": s * (places % p), "shuffled": drawn[:n]}
    return rows[how]


def window_vectors(encoder: Encoder, texts: Iterable[object], *, length: int) -> list[np.ndarray]:
    """Vectors of the windows of each text's first `length` tokens, float32 (windows, width) a text, not normalised.

    A window has the encoder's `max_length` tokens, its own special ones included, and its positions start at 0. They
    do not overlap, but the last is moved back so as to be full; a text that fits into one has one. The mean over the
    windows is the vector of parallel context windows.

    Raises:
        TypeError: as `Encoder.encode`.
        ValueError: a text without tokens, a tokenizer that does not tell its special tokens apart, `max_length` too
            small for one more token than these, or `length` below `max_length`.

    Reference: Zhu et al. 2024 (LongEmbed), section 4.1 (PCW) and its code, for the last window.
    """
    given, size = check_texts(texts), encoder.settings.max_length
    if checked_count("length", length) < size:
        raise ValueError(f"length must not be below the encoder's max_length of {size}, got {length}")
    cut = _windows(encoder, given, length) if given else []
    rows = [ids for windows in cut for ids in windows]
    found = np.empty((len(rows), encoder.width), dtype=np.float32)
    budget = token_budget(encoder, None)
    with torch.inference_mode(), evaluating(encoder.model):
        for batch in token_batches([len(ids) for ids in rows], budget=budget):
            found[batch] = encoder.pooled([rows[i] for i in batch])[:, : encoder.width].cpu().numpy()
    return np.split(found, np.cumsum([len(windows) for windows in cut])[:-1]) if cut else []


def _windows(encoder: Encoder, texts: list[str], length: int) -> list[list[list[int]]]:
    if not encoder.tokenizer.is_fast:
        raise ValueError(
            f"{type(encoder.tokenizer).__name__} does not tell its special tokens: windows need a fast one"
        )
    read = tokenize(encoder.tokenizer, texts, dataclasses.replace(encoder.settings, max_length=length))
    cut = []
    for i, (ids, encoding) in enumerate(zip(read["input_ids"], read.encodings, strict=True)):
        own = np.flatnonzero(np.array(encoding.special_tokens_mask) == 0)
        if not ids:
            raise ValueError(f"text {i} has no tokens: this tokenizer adds no special ones to an empty text")
        first, behind = (own[0], own[-1] + 1) if len(own) else (len(ids), len(ids))
        head, inner, tail = ids[:first], ids[first:behind], ids[behind:]
        size = encoder.settings.max_length - len(head) - len(tail)
        if size < 1:
            most = encoder.settings.max_length
            raise ValueError(f"max_length must be above the {len(head) + len(tail)} special tokens, got {most}")
        starts = [min(start, max(0, len(inner) - size)) for start in range(0, max(len(inner), 1), size)]
        cut.append([[*head, *inner[start : start + size], *tail] for start in starts])
    return cut


def _table(model: nn.Module) -> Any:  # noqa: ANN401 - the embeddings of any model of BERT's kind
    """The module that holds the table of learned positions."""
    told = "position_ids" in inspect.signature(model.forward).parameters
    for part in model.modules() if told else ():
        table = getattr(part, "position_embeddings", None)
        if isinstance(table, nn.Embedding) and table.padding_idx is None and hasattr(part, "position_ids"):
            return part
    raise ValueError(
        f"{type(model).__name__} has no table of learned positions that are counted from 0 and can be chosen"
    )


def _stretch(model: nn.Module, stretch: int) -> None:
    part: Any = _table(model)
    old = part.position_embeddings.weight
    rows = interpolated_rows(old.detach(), stretch)
    part.position_embeddings = nn.Embedding.from_pretrained(rows, freeze=not old.requires_grad)
    part.position_ids = torch.arange(len(rows), device=rows.device)[None]
    part.token_type_ids = torch.zeros_like(part.position_ids)  # read by position
    config: Any = model.config
    config.max_position_embeddings = len(rows)


def _numbering(reading: Tensor, positions: int) -> Any:  # noqa: ANN401 - a hook, as torch calls it
    """A hook that gives every token its row of `reading` (2, rows): row 0 is for texts of up to `positions` tokens."""

    def number(_module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        mask = kwargs.get("attention_mask")
        if mask is None:
            raise ValueError("extended positions need attention_mask=: it says how long each text is")
        rows = reading.to(mask.device)[:, : mask.shape[1]]
        long = (mask.sum(dim=1, keepdim=True) > positions).long()
        return args, {**kwargs, "position_ids": rows[long[:, 0]]}

    return number
