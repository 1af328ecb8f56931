"""Encode texts in batches of similar length, each distinct text once, through the vector store."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from workbench.encoders.output import Out, open_rows, written_rows
from workbench.encoders.store import VectorStore, space_key
from workbench.encoders.store_upkeep import store_limit
from workbench.encoders.tokens import tokenize
from workbench.encoders.weights import has_hooks
from workbench.models.passes import evaluating, token_batches
from workbench.tensors import unit

if TYPE_CHECKING:
    from workbench.encoders.encoder import Encoder
    from workbench.encoders.images import ImageEncoder

__all__ = [
    "Pending",
    "batches_of",
    "encode_texts",
    "fill_rows",
    "finished",
    "open_store",
    "progressing",
    "space_of",
    "token_budget",
]

CPU_TOKENS = 512  # the fastest of 256 to 8192 on two AVX-512 cores, in float32 and bfloat16
GPU_TOKENS = 32768
WINDOW = 8192  # texts tokenised and sorted at a time: bounds memory, and little is padded already
FLUSH_SECONDS = 2.0  # what a killed run loses at most
FLUSH_ROWS = 4096
BAR_FROM = 50  # batches; fewer are over before a bar is read


def encode_texts(
    encoder: "Encoder",
    texts: list[str],
    *,
    batch_tokens: int | None,
    progress: bool,
    normalize: bool,
    store: bool,
    out: Out,
) -> np.ndarray:
    """Rows for `texts` in their order; see `Encoder.encode`."""
    budget = token_budget(encoder, batch_tokens)
    with (
        open_rows(out, (len(texts), encoder.width)) as rows,
        progressing(encoder, list(dict.fromkeys(texts)), budget=budget, shown=progress) as advance,
    ):
        fill_rows(encoder, texts, rows, budget=budget, normalize=normalize, store=store, advance=advance)
    return written_rows(out, rows)


def fill_rows(
    encoder: "Encoder",
    texts: Sequence[str],
    rows: np.ndarray,
    *,
    budget: int,
    normalize: bool,
    store: bool,
    advance: Callable[[int], object],
    first: int = 0,
) -> None:
    """Write the vectors of `texts` into `rows`, each distinct text encoded once.

    `advance` is told how many distinct texts are done. `first` is the index that errors give the first text,
    where `texts` are a part of a larger whole.
    """
    places: dict[str, list[int]] = {}
    for i, text in enumerate(texts):
        places.setdefault(text, []).append(i)
    unique = list(places)
    vectors = open_store(encoder, normalize=normalize) if store and unique else None
    with evaluating(encoder.model):
        for start in range(0, len(unique), WINDOW):
            window = unique[start : start + WINDOW]
            at = {text: first + places[text][0] for text in window}
            for batch, fresh in _window(encoder, at, vectors, budget, normalize):
                for text, vector in zip(batch, fresh, strict=True):
                    rows[places[text]] = vector
                advance(len(batch))


def token_budget(encoder: "Encoder", batch_tokens: int | None) -> int:
    """Tokens per batch: as given, or the default of the device.

    Raises:
        ValueError: `batch_tokens` is below 1.
    """
    if batch_tokens is None:
        return CPU_TOKENS if encoder.device.type == "cpu" else GPU_TOKENS
    if batch_tokens < 1:
        raise ValueError(f"batch_tokens must be 1 or more, got {batch_tokens}")
    return batch_tokens


def batches_of(
    encoder: "Encoder", texts: Sequence[str], *, budget: int, places: Sequence[int] | None = None
) -> Iterator[tuple[list[int], list[list[int]]]]:
    """Batches of `texts` by their indices, longest first, with the token ids of each.

    `places` are the indices that an error names, where they are not those of `texts`.

    Raises:
        ValueError: a text without tokens (only where a tokenizer adds no special ones); names its index.
    """
    ids = tokenize(encoder.tokenizer, texts, encoder.settings)["input_ids"] if texts else []
    lengths = [len(row) for row in ids]
    if 0 in lengths:
        place = lengths.index(0) if places is None else places[lengths.index(0)]
        raise ValueError(f"text {place} has no tokens: this tokenizer adds no special ones to an empty text")
    for batch in token_batches(lengths, budget=budget):
        yield batch, [ids[i] for i in batch]


@contextmanager
def progressing(
    encoder: "Encoder", texts: Sequence[str], *, budget: int, shown: bool
) -> Iterator[Callable[[int], object]]:
    """A function that moves a bar on by so many texts; there is no bar when there are few batches."""
    most = encoder.settings.max_length
    # about 4 characters a token: near enough to tell a second from a minute
    if not shown or sum(min(len(text) // 4 + 2, most) for text in texts) < BAR_FROM * budget:
        yield lambda _: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=len(texts), unit="text", desc="encode") as bar:
        yield bar.update


def space_of(encoder: "Encoder | ImageEncoder", *, normalize: bool) -> dict[str, object] | None:
    """All but the text that decides a vector of this encoder; None while hooks change what its weights alone give."""
    if has_hooks(encoder.parts):
        return None
    return {
        "model": encoder.fingerprint,
        **asdict(encoder.settings),
        "normalize": normalize,
        "temperature": encoder.attention_temperature,
    }


def open_store(encoder: "Encoder | ImageEncoder", *, normalize: bool) -> VectorStore | None:
    """The store of this encoder's vectors; None while hooks change what its weights alone would give.

    Raises:
        ValueError: the environment variable WORKBENCH_CACHE_GB is no size.
    """
    store_limit()
    what = space_of(encoder, normalize=normalize)
    if what is None:
        return None
    key = space_key(what)
    if key not in encoder.stores:
        encoder.stores[key] = VectorStore(key, width=encoder.width, note={"name": encoder.name, **what})
    return encoder.stores[key]


@dataclass
class Pending:
    """Rows not yet in the store."""

    store: VectorStore | None
    texts: list[str] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)

    def add(self, texts: list[str], rows: np.ndarray) -> None:
        """Keep the rows, and hand them to the store once they are many or old."""
        if self.store is None:
            return
        self.texts += texts
        self.rows.append(rows)
        if len(self.texts) >= FLUSH_ROWS or time.monotonic() - self.since > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Hand all rows to the store."""
        if self.store is not None and self.texts:
            self.store.put(self.texts, np.concatenate(self.rows))
        self.texts, self.rows, self.since = [], [], time.monotonic()


def _window(
    encoder: "Encoder",
    window: dict[str, int],
    vectors: VectorStore | None,
    budget: int,
    normalize: bool,
) -> Iterator[tuple[list[str], np.ndarray | list[np.ndarray]]]:
    """Rows of the window's texts, batch by batch: those the store knows, then the others, which it learns.

    `window` holds the index that errors name for each text.
    """
    known = vectors.get(list(window)) if vectors is not None else {}
    if known:
        yield list(known), list(known.values())
    missing = [text for text in window if text not in known]
    at = [window[text] for text in missing]
    pending = Pending(vectors)
    try:
        for batch, ids in batches_of(encoder, missing, budget=budget, places=at):
            with torch.inference_mode():
                pooled = encoder.pooled(ids)
            # outside the mode, which a suspended generator would leave on
            rows = finished(encoder, pooled, [at[i] for i in batch], normalize)
            pending.add([missing[i] for i in batch], rows)
            yield [missing[i] for i in batch], rows
    finally:
        pending.flush()


def finished(
    encoder: "Encoder | ImageEncoder", pooled: Tensor, places: Sequence[int], normalize: bool, *, item: str = "text"
) -> np.ndarray:
    """One batch of vectors as `encode` returns them.

    Raises:
        ValueError: a vector that is zero or not finite; names the item by its place.
    """
    rows = pooled[:, : encoder.width]
    bad = ~torch.isfinite(rows).all(dim=1)
    if normalize:
        bad |= ~rows.any(dim=1)
    if bool(bad.any()):
        place = places[int(bad.nonzero()[0])]
        raise ValueError(f"{item} {place} has a vector that is zero or not finite in {encoder.settings.dtype}")
    return (unit(rows) if normalize else rows).cpu().numpy()
