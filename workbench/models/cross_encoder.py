"""Cross-encoders: one model reads query and document together and gives one score."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from workbench.models.passes import evaluating, token_batches
from workbench.models.seeding import checked_count
from workbench.models.small import build

__all__ = ["CrossEncoder", "from_encoder"]

CPU_TOKENS = 512  # as `Encoder.encode`
GPU_TOKENS = 32768
WINDOW = 8192  # pairs tokenised and sorted at a time: bounds memory, and little is padded already

Row = dict[str, list[int]]


class CrossEncoder(nn.Module):
    """A transformers model with one logit for each text, and its tokenizer: pairs of texts in, one score per pair out.

    Called on pairs it gives scores with gradients, for a training step; `score` is for use, and makes it a reranker
    of `retrieval.rerank` and `evaluation.evaluate_reranking`. Scores are the logits, unbounded; larger is nearer.

    Args:
        model: a model of transformers for sequence classification with one label.
        tokenizer: its tokenizer, which puts two texts together.
        max_length: tokens kept of a pair, special ones included, cut from the longer text first; None: the model's
            positions, or fewer where the tokenizer says so.
        name: what the cross-encoder is called.

    Raises:
        ValueError: a model of another number of labels, token types that the model does not have, no padding token, or
            `max_length` beyond the positions or without room for a token of each text.

    Reference: Nogueira and Cho 2019.
    """

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Any,  # noqa: ANN401 - transformers has no common type for its tokenizers
        *,
        max_length: int | None = None,
        name: str = "cross-encoder",
    ) -> None:
        super().__init__()
        config: Any = model.config
        if getattr(model, "num_labels", None) != 1:
            has = getattr(model, "num_labels", "no head of labels")
            raise ValueError(f"a cross-encoder has one label, {type(model).__name__} has {has}")
        if tokenizer.pad_token_id is None:
            raise ValueError("tokenizer must have a padding token, got None")
        types, there = tokenizer("a", "b").get("token_type_ids", [0]), getattr(config, "type_vocab_size", None)
        if there is not None and max(types) >= there:
            raise ValueError(f"the tokenizer gives token type {max(types)}, the model has {there} of them")
        self.model, self.tokenizer, self.name = model, tokenizer, name
        self.max_length: int = _length(model, tokenizer, max_length)

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.model.parameters()).device

    def forward(self, pairs: Iterable[object]) -> Tensor:
        """Score of each pair (query, document), float32 (n,), with gradients, all pairs in one batch.

        Raises:
            TypeError: a pair that is not two str; names its index.
            ValueError: no pair, or a text that is not valid Unicode; names its index.
        """
        rows = self._read(_checked(pairs))
        if not rows:
            raise ValueError("a batch holds one pair or more, got none")
        return self._scored(rows)

    def score(self, pairs: Iterable[object], *, batch_tokens: int | None = None) -> np.ndarray:
        """Score of each pair (query, document), float32 (n,), without dropout or gradients.

        The same whatever else is scored beside it, to 1e-5. Equal pairs are scored once; every module is left in the
        mode it had.

        Args:
            pairs: the pairs; none give (0,).
            batch_tokens: tokens per batch, padding included; None: 512 on a CPU, 32768 on a GPU.

        Raises:
            TypeError: a pair that is not two str; names its index.
            ValueError: a text that is not valid Unicode, or a score that is not finite, by the index of the pair;
                `batch_tokens` below 1.
        """
        budget = CPU_TOKENS if self.device.type == "cpu" else GPU_TOKENS
        if batch_tokens is not None:
            budget = checked_count("batch_tokens", batch_tokens)
        given = _checked(pairs)
        distinct = list(dict.fromkeys(given))
        values = np.empty(len(distinct), dtype=np.float32)
        with torch.inference_mode(), evaluating(self):
            for start in range(0, len(distinct), WINDOW):
                rows, window = self._read(distinct[start : start + WINDOW]), values[start : start + WINDOW]
                for part in token_batches([len(row["input_ids"]) for row in rows], budget=budget):
                    window[part] = self._scored([rows[i] for i in part]).cpu().numpy()
        place = {pair: i for i, pair in enumerate(distinct)}
        scores = values[[place[pair] for pair in given]]
        if not np.isfinite(scores).all():
            raise ValueError(f"the score of pair {int(np.argmin(np.isfinite(scores)))} is not a finite number")
        return scores

    def count_tokens(self, texts: Sequence[str]) -> np.ndarray:
        """Number of tokens of each text alone before truncation, int64 (n,); special tokens count."""
        rows = self.tokenizer(list(texts), truncation=False, verbose=False)["input_ids"] if len(texts) else []
        return np.array([len(row) for row in rows], dtype=np.int64)

    def _read(self, pairs: list[tuple[str, str]]) -> list[Row]:
        if not pairs:
            return []
        queries, documents = (list(side) for side in zip(*pairs, strict=True))
        read = self.tokenizer(
            queries, documents, truncation="longest_first", max_length=self.max_length, padding=False, verbose=False
        )
        return [{name: read[name][i] for name in read} for i in range(len(pairs))]

    def _scored(self, rows: list[Row]) -> Tensor:
        longest = max(len(row["input_ids"]) for row in rows)
        inputs: dict[str, Tensor] = {}
        for name in rows[0]:  # always on the right: positions start at 0, whatever else is in the batch
            fill = self.tokenizer.pad_token_id if name == "input_ids" else 0
            filled = [row[name] + [fill] * (longest - len(row[name])) for row in rows]
            inputs[name] = torch.tensor(filled, device=self.device)
        logits = self.model(**inputs).logits
        if logits.shape != (len(rows), 1):
            raise ValueError(f"a model must give one logit per pair, got {tuple(logits.shape)} for {len(rows)} pairs")
        return logits[:, 0].float()


def from_encoder(
    model: nn.Module,
    tokenizer: Any,  # noqa: ANN401 - transformers has no common type for its tokenizers
    *,
    layers: int = 2,
    max_length: int | None = None,
    seed: int,
) -> CrossEncoder:
    """A cross-encoder of the first layers of a BERT-type encoder, copied, and a fresh head of one logit.

    `model` is left as it is and shares nothing with the new one. Pooler and classifier are drawn by `seed`: a pooler
    that `model` has was trained, if at all, on its last layer. An `Encoder`'s model is `encoder.model`.

    Args:
        model: a model of transformers, bare or with a head.
        tokenizer: its tokenizer.
        layers: number of first layers kept, counted from the input.
        max_length: as in `CrossEncoder`.
        seed: of the head's weights.

    Raises:
        ValueError: `layers` outside 1 to those of the model, a model that transformers has no sequence classification
            for or whose weights do not fit it, a seed that is none, or as `CrossEncoder`.
    """
    from transformers import AutoModelForSequenceClassification

    bare: Any = getattr(model, "base_model", model)
    given: Any = bare.config
    depth = getattr(model, "layers_kept", given.num_hidden_layers)  # an Encoder's model may run fewer
    if checked_count("layers", layers) > depth:
        raise ValueError(f"layers must be at most {depth}, those of the model, got {layers}")
    kept = {name: value for name, value in given.to_dict().items() if name not in ("id2label", "label2id")}
    config = type(given).from_dict({**kept, "num_hidden_layers": layers, "num_labels": 1})
    if type(config) not in AutoModelForSequenceClassification._model_mapping:
        raise ValueError(f"transformers has no sequence classification for {type(bare).__name__}")
    whole: Any = build(AutoModelForSequenceClassification.from_config, config, seed=seed)
    weights = {name: tensor.float() for name, tensor in bare.state_dict().items() if not name.startswith("pooler.")}
    missing = whole.base_model.load_state_dict(weights, strict=False).missing_keys
    foreign = [name for name in missing if not name.startswith("pooler.")]
    if foreign:
        raise ValueError(f"{type(bare).__name__} lacks weights of {type(whole).__name__}, such as {foreign[0]!r}")
    return CrossEncoder(whole.to(next(model.parameters()).device), tokenizer, max_length=max_length)


def _length(model: nn.Module, tokenizer: Any, asked: int | None) -> int:  # noqa: ANN401
    config: Any = model.config
    positions = getattr(config, "max_position_embeddings", None)
    table = next((m for name, m in model.named_modules() if name.endswith("position_embeddings")), None)
    if positions is not None and getattr(table, "padding_idx", None) is not None:
        positions -= table.padding_idx + 1  # pyright: ignore - RoBERTa counts positions from behind the padding index
    if asked is None:
        return min(tokenizer.model_max_length, positions or 512)
    least = tokenizer.num_special_tokens_to_add(pair=True) + 2
    if checked_count("max_length", asked) < least or (positions is not None and asked > positions):
        raise ValueError(f"max_length must be between {least} and {positions}, the model's positions, got {asked}")
    return asked


def _checked(pairs: Iterable[object]) -> list[tuple[str, str]]:
    checked: list[tuple[str, str]] = []
    for i, pair in enumerate(pairs):
        if not isinstance(pair, tuple | list) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            raise TypeError(f"pair {i} must be two str, (query, document), got {pair!r}")
        try:
            "".join(pair).encode()
        except UnicodeEncodeError:
            raise ValueError(f"pair {i} must be valid Unicode: it holds a lone surrogate") from None
        checked.append((pair[0], pair[1]))
    return checked
