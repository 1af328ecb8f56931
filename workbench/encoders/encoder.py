"""The encoder: texts in, one float32 vector per text out."""

import copy
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from workbench.encoders import attention, layers, states, weights
from workbench.encoders.encoding import encode_texts
from workbench.encoders.output import Out
from workbench.encoders.pooling import pool
from workbench.encoders.settings import DTYPES, FolderDefaults, Limits, Settings, resolve
from workbench.encoders.sources import model_fingerprint
from workbench.encoders.store import VectorStore
from workbench.encoders.tokens import check_texts, pad, tokenize

__all__ = ["Encoder"]


class Encoder:
    """A transformers model, its tokenizer, and how the two turn a text into a vector.

    Args:
        model: a transformers model; it may go on being trained, vectors follow its weights.
        tokenizer: the model's tokenizer.
        name: what the encoder is called.
        defaults: what the model's folder says; mean pooling, not normalised, where None.
        options: `load_encoder`'s options other than the name.
        folder: where the weights were read from, if they were: its fingerprint then needs no hashing here.
    """

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Any,  # noqa: ANN401 - transformers has no common type for its tokenizers
        *,
        name: str = "model",
        defaults: FolderDefaults | None = None,
        options: dict[str, Any] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.name, self.tokenizer = name, tokenizer
        self.whole_model = model
        self._defaults = defaults or FolderDefaults(Path(), dtype=_dtype(model))
        self._options = {**(options or {}), "dtype": _dtype(model)}
        self._folder = folder
        self.stores: dict[str, VectorStore] = {}
        limits = Limits(_positions(model), layers.stack_depth(model), _hidden_size(model))
        self.settings: Settings = resolve(self._defaults, limits, self._options, device=str(self.device))
        kept = self.settings.layers
        self.model: nn.Module = model if kept in (None, limits.layers) else layers.keep_layers(model, kept)
        self._marks: tuple[bytes, str] | None = None
        if folder is not None:
            self._marks = (weights.weights_state(model), "")

    def __repr__(self) -> str:
        return (
            f"Encoder({self.name!r}, {self.n_layers} layers, {self.width} dimensions, {self.settings.pooling} pooling)"
        )

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.whole_model.parameters()).device

    @property
    def n_layers(self) -> int:
        """Number of layers that run."""
        return layers.stack_depth(self.model)

    @property
    def width(self) -> int:
        """Number of dimensions of the vectors that `encode` returns."""
        return self.settings.dimensions or self.whole_width

    @property
    def whole_width(self) -> int:
        """Number of dimensions of the model's own states."""
        return _hidden_size(self.whole_model)

    @property
    def attention_temperature(self) -> float:
        """The temperature that divides the attention scores now; 1 outside `attention_temperature`."""
        return attention.temperature_of(self.whole_model)

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of the files the model was read from, or of its weights where they changed since."""
        state = weights.weights_state(self.whole_model)
        if self._marks is None or self._marks[0] != state:
            self._folder = None
            self._marks = (state, weights.hash_weights(self.whole_model, self.tokenizer))
        elif not self._marks[1] and self._folder is not None:
            self._marks = (state, model_fingerprint(self._folder))
        return self._marks[1]

    def with_settings(self, **changes: Any) -> "Encoder":  # noqa: ANN401 - load_encoder's options
        """The same encoder with some of `load_encoder`'s options changed; None goes back to the folder's default.

        The weights are shared, and so is an attention temperature; a change of device or dtype copies them.

        Raises:
            TypeError: an option that does not exist, or of the wrong type.
            ValueError: a value outside the model's limits.
        """
        model = _moved(self.whole_model, changes.pop("device", None), changes.pop("dtype", None))
        options = {**self._options, **changes}
        new = Encoder(model, self.tokenizer, name=self.name, defaults=self._defaults, options=options)
        if model is self.whole_model:
            new._folder, new._marks = self._folder, self._marks
        return new

    def encode(
        self,
        texts: Iterable[object],
        *,
        batch_tokens: int | None = None,
        progress: bool = True,
        normalize: bool | None = None,
        store: bool = True,
        out: Out = None,
    ) -> np.ndarray:
        """One vector per text, float32 (n, width); the same whatever else is encoded beside it, to 1e-5.

        The empty string is encoded as the special tokens around nothing. Equal texts are encoded once.

        Args:
            texts: the texts; an empty list gives (0, width).
            batch_tokens: tokens per batch, padding included; None: 512 on a CPU, 32768 on a GPU.
            progress: show a bar when there are many batches.
            normalize: scale rows to length 1; None: as the model's folder says.
            store: take known vectors from the store under data/cache/vectors, and put new ones there.
            out: an .npy path or a float32 array (n, width) to write the rows into.

        Raises:
            TypeError: a bare str, or an item that is not a str; names its index.
            ValueError: a text that is not valid Unicode or has no tokens, or a vector that is zero or not
                finite; names its index.
        """
        texts = check_texts(texts)
        if normalize is None:
            normalize = self.settings.normalize
        return encode_texts(
            self, texts, batch_tokens=batch_tokens, progress=progress, normalize=normalize, store=store, out=out
        )

    def hidden_states(
        self, texts: Iterable[object], *, layers: Sequence[int] | None = None, out: Out = None
    ) -> np.ndarray:
        """Pooled state of every text after each layer, float32 (layers, n, d); not normalised, not truncated.

        Layer 0 is the output of the embeddings, the last layer the model's output. `layers` picks some, in
        that order; None takes all n_layers + 1. `out` is an .npy path or a float32 array of that shape.

        Raises:
            TypeError: as `encode`.
            ValueError: a layer that the model does not have.
        """
        return states.hidden_states(self, check_texts(texts), layers=layers, out=out)

    def token_states(self, texts: Iterable[object], *, layers: Sequence[int] | None = None) -> states.TokenStates:
        """State of every token after each layer, with the token's place in the text; see `TokenStates`.

        Raises:
            TypeError: as `encode`.
            ValueError: a layer that the model does not have.
        """
        return states.token_states(self, check_texts(texts), layers=layers)

    def mean_word_embedding(self, texts: Iterable[object]) -> np.ndarray:
        """Plain average of the input word embeddings of each text's tokens, float32 (n, d): no attention at all.

        Rows of the embedding matrix, without positions or normalisation, over the tokens that `encode`
        sees: truncated, special ones included.

        Raises:
            TypeError: as `encode`.
            ValueError: a text without tokens.
        """
        return states.mean_word_embedding(self, check_texts(texts))

    def count_tokens(self, texts: Iterable[object]) -> np.ndarray:
        """Number of tokens of each text before truncation, int64 (n,); special tokens and the prompt count.

        Raises:
            TypeError: as `encode`.
        """
        texts = check_texts(texts)
        ids = tokenize(self.tokenizer, texts, self.settings, truncate=False)["input_ids"] if texts else []
        return np.array([len(row) for row in ids], dtype=np.int64)

    def attention_maps(self, text: str, *, layers: Sequence[int] | None = None) -> np.ndarray:
        """How much each token attends to each other one, float32 (layers, heads, n, n); rows sum to 1.

        Layer 0 is the first layer that attends. `layers` picks some, in that order. An active
        attention temperature is in the maps.

        Raises:
            TypeError: `text` is not a str.
            ValueError: a layer that the model does not have, or a model whose attention is out of reach.
        """
        if not isinstance(text, str):
            raise TypeError(f"text must be a str, got {type(text).__name__}")
        ids = tokenize(self.tokenizer, [text], self.settings)["input_ids"]
        return attention.attention_maps(self.model, self.pad(ids), layers=layers)

    def pad(self, ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Token ids (n, longest) and their mask, on the model's device, padded on the right."""
        return pad(ids, pad_id=self.tokenizer.pad_token_id or 0, device=self.device)

    def pooled(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """Pooled output of the model for one batch of token ids, float32 (n, d); not normalised, not truncated."""
        tokens, mask = self.pad(ids)
        return pool(self.model(input_ids=tokens, attention_mask=mask)[0], mask, how=self.settings.pooling)


def _dtype(model: nn.Module) -> str:
    return str(next(model.parameters()).dtype).removeprefix("torch.")


def _moved(model: nn.Module, device: str | None, dtype: str | None) -> nn.Module:
    if device in (None, str(next(model.parameters()).device)) and dtype in (None, _dtype(model)):
        return model
    if dtype is not None and dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {DTYPES}, got {dtype!r}")
    copied = copy.deepcopy(model)
    return copied.to(device=device, dtype=getattr(torch, dtype) if dtype else None)


def _hidden_size(model: nn.Module) -> int:
    return int(model.config.get_text_config().hidden_size)  # pyright: ignore


def _positions(model: nn.Module) -> int | None:
    declared = getattr(model.config.get_text_config(), "max_position_embeddings", None)  # pyright: ignore
    table = next((m for name, m in model.named_modules() if name.endswith("position_embeddings")), None)
    padding = getattr(table, "padding_idx", None)
    # RoBERTa counts positions from behind the padding index: 514 rows hold 512 tokens
    return declared if padding is None or declared is None else declared - padding - 1
