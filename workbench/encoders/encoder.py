"""The encoder: texts in, one float32 vector per text out."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import Tensor, nn

from workbench.encoders import attention, layers, states
from workbench.encoders.encoding import encode_texts
from workbench.encoders.output import Out
from workbench.encoders.pooling import head_width, own_pooled, pool, through, token_pooled
from workbench.encoders.precision import dtype_of, moved, warn_of_slow
from workbench.encoders.settings import FolderDefaults, Limits, Settings, resolve
from workbench.encoders.store import VectorStore
from workbench.encoders.tokens import pad, tokenize
from workbench.encoders.weights import Identity
from workbench.models.heads import TokenPooling
from workbench.models.texts import check_texts

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
        head: a module that maps pooled vectors (n, d) into the space of `encode`, such as a projection; or a
            `TokenPooling`, which takes the place of `pooling` and sees the states of every token.
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
        head: nn.Module | None = None,
    ) -> None:
        self.name, self.tokenizer = name, tokenizer
        self.whole_model, self.head = model, head
        self._defaults = defaults or FolderDefaults(Path(), dtype=dtype_of(model))
        self._options = {**(options or {}), "dtype": dtype_of(model)}
        self.stores: dict[str, VectorStore] = {}
        depth = layers.stack_depth(model)
        self._out_width = head_width(head, _hidden_size(model), depth=_kept(self._options.get("layers"), depth))
        limits = Limits(_positions(model), depth, self._out_width)
        self.settings: Settings = resolve(self._defaults, limits, self._options, device=str(self.device))
        kept = self.settings.layers
        self.model: nn.Module = model if kept in (None, limits.layers) else layers.keep_layers(model, kept)
        self._identity = Identity(self.parts, tokenizer, folder=folder)

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
    def parts(self) -> nn.Module:
        """Everything whose weights decide a vector: the model, and the head where there is one."""
        return self.whole_model if self.head is None else nn.ModuleList([self.whole_model, self.head])

    @property
    def width(self) -> int:
        """Number of dimensions of the vectors that `encode` returns."""
        return self.settings.dimensions or self._out_width

    @property
    def whole_width(self) -> int:
        """Number of dimensions of the model's own states."""
        return _hidden_size(self.whole_model)

    @property
    def attention_temperature(self) -> float:
        """The temperature that divides the attention scores now; 1 outside `attention_temperature`."""
        return attention.temperature_of(self.whole_model)

    @property
    def prompts(self) -> dict[str, str]:
        """Prompts in the model's folder, by name ("query", "document"); `with_settings(prompt=name)` takes one."""
        return dict(self._defaults.prompts)

    @property
    def recipe(self) -> dict[str, object]:
        """All that decides a vector beside the text, and on what it was computed: what a result must carry with it."""
        how = getattr(self.model.config, "_attn_implementation", None)
        built = {"attention": how, "torch": str(torch.__version__), "transformers": transformers.__version__}
        temperature = self.attention_temperature
        return {
            "model": self.name,
            "weights": self.fingerprint,
            **asdict(self.settings),
            "temperature": temperature,
        } | built

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of the files the model was read from, or of its weights where they changed since."""
        return self._identity.fingerprint

    def with_settings(self, **changes: Any) -> "Encoder":  # noqa: ANN401 - load_encoder's options
        """The same encoder with some of `load_encoder`'s options changed; None goes back to the folder's default.

        The weights are shared, and so is an attention temperature; a change of device or dtype copies them.

        Raises:
            TypeError: an option that does not exist, or of the wrong type.
            ValueError: a value outside the model's limits.
        """
        device, dtype = changes.pop("device", None), changes.pop("dtype", None)
        model = moved(self.whole_model, device=device, dtype=dtype)
        head = None if self.head is None else moved(self.head, device=device, dtype=dtype)
        options = {**self._options, **changes}
        new = Encoder(model, self.tokenizer, name=self.name, defaults=self._defaults, options=options, head=head)
        if model is self.whole_model:
            new._identity = self._identity
        elif dtype is not None:
            warn_of_slow(model)
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
            ValueError: a layer that the model does not have, or pooling "own", which is of its output alone.
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
        """Vectors of one batch of token ids, float32 (n, d); neither normalised nor cut to `dimensions`."""
        tokens, mask = self.pad(ids)
        if isinstance(self.head, TokenPooling):
            return token_pooled(self.head, self._token_states(tokens, mask, every=self.head.all_layers), mask)
        output = self.model(input_ids=tokens, attention_mask=mask)
        how = self.settings.pooling
        return through(self.head, own_pooled(output) if how == "own" else pool(output[0], mask, how=how))

    def _token_states(self, tokens: Tensor, mask: Tensor, *, every: bool) -> Tensor:
        """States of a batch: those of the last layer (n, t, d), or of every one (n_layers + 1, n, t, d)."""
        if not every:
            return self.model(input_ids=tokens, attention_mask=mask)[0]
        inner = range(self.n_layers)
        with layers.recorded_layers(self.model, inner) as seen:
            last = self.model(input_ids=tokens, attention_mask=mask)[0]
        return torch.stack([*(seen[number] for number in inner), last])


def _kept(wanted: object, depth: int) -> int:
    """How many layers will run; an option that is no such number is refused where options are resolved."""
    return wanted if isinstance(wanted, int) and 0 < wanted <= depth else depth


def _hidden_size(model: nn.Module) -> int:
    return int(model.config.get_text_config().hidden_size)  # pyright: ignore


def _positions(model: nn.Module) -> int | None:
    declared = getattr(model.config.get_text_config(), "max_position_embeddings", None)  # pyright: ignore
    table = next((m for name, m in model.named_modules() if name.endswith("position_embeddings")), None)
    padding = getattr(table, "padding_idx", None)
    # RoBERTa counts positions from behind the padding index: 514 rows hold 512 tokens
    return declared if padding is None or declared is None else declared - padding - 1
