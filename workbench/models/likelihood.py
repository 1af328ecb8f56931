"""How likely a language model finds texts, token by token: causal, encoder-decoder and masked ones."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.models.passes import checked_budget, evaluating, padded, token_batches
from workbench.models.prompts import (
    Text,
    checked_texts,
    continuation_ids,
    decoder_start,
    positions_of,
    prompt_ids,
)

__all__ = ["log_likelihoods", "pseudo_log_likelihood", "token_log_likelihoods"]


def token_log_likelihoods(
    model: Any,  # noqa: ANN401 - transformers has no common type for what has a language head
    tokenizer: Any,  # noqa: ANN401
    prompts: Sequence[Text],
    continuations: Sequence[Text],
    *,
    end: bool = False,
    batch_tokens: int | None = None,
) -> list[np.ndarray]:
    """Log-likelihood of each token of each continuation, given its prompt and the tokens before it: float64 arrays.

    In nats, 0 or less, larger is likelier; minus them is what `evaluation.perplexity` and `bits_per_byte` take. The
    same whatever else is beside them in a batch, to 1e-5. The log-softmax is taken in float32 over the whole
    vocabulary, in eval mode, without gradients.

    A decoder reads what its tokenizer puts before a text (a start token, where it has one), the prompt, and the
    continuation; "" is a prompt where there is a start token. Both are tokenised as one text, whose first tokens must
    be those of the prompt: " Paris" continues "It is in" by a new token, "Paris" after "It is in " often does not and
    is refused. An encoder-decoder reads the prompt with its special tokens; its continuation is tokenised without them
    and comes behind the decoder's start token. Either may be given as tokens, which are taken as they are: so for
    models such as BART, whose outputs begin with special tokens.

    Args:
        model: a model of transformers with a language head.
        tokenizer: its tokenizer.
        prompts: one text or list of tokens for each continuation.
        continuations: texts, or lists of tokens after a prompt of either kind.
        end: close each continuation by the token that ends a text, and count it.
        batch_tokens: tokens per batch, padding included; None: 512 on a CPU, 8192 on a GPU.

    Raises:
        TypeError: a bare str, an item that is neither str nor a sequence of int, or text after a prompt given as
            tokens; names its index.
        ValueError: not one prompt for each continuation; an item without tokens, with a token across the boundary or
            outside the vocabulary, beyond the model's positions, or of a log-likelihood that is not finite, by its
            index; a model without a language head; `end` without a token for it; `batch_tokens` below 1.
    """
    if not getattr(model, "can_generate", lambda: False)():
        raise ValueError(f"model must have a language head that goes on from tokens, {type(model).__name__} has none")
    budget = checked_budget(batch_tokens, model.device)
    prompts, continuations = checked_texts(prompts, "prompt"), checked_texts(continuations, "continuation")
    if len(prompts) != len(continuations):
        raise ValueError(f"prompts must be one for each continuation, got {len(prompts)} for {len(continuations)}")
    starts = prompt_ids(model, tokenizer, prompts)
    rows = continuation_ids(model, tokenizer, prompts, continuations, end=end)
    _refuse_long(model, starts, rows)
    score = _decoded if model.config.is_encoder_decoder else _continued
    found: list[np.ndarray] = [np.empty(0)] * len(rows)
    with torch.inference_mode(), evaluating(model):
        for part in token_batches([len(a) + len(b) for a, b in zip(starts, rows, strict=True)], budget=budget):
            values = score(model, [starts[i] for i in part], [rows[i] for i in part])
            for i, row in zip(part, torch.split(values, [len(rows[i]) for i in part]), strict=True):
                found[i] = row.double().cpu().numpy()
    return _finite(found, "continuation")


def log_likelihoods(
    model: Any,  # noqa: ANN401 - transformers has no common type for what has a language head
    tokenizer: Any,  # noqa: ANN401
    prompts: Sequence[Text],
    continuations: Sequence[Text],
    *,
    end: bool = False,
    batch_tokens: int | None = None,
) -> np.ndarray:
    """Log-likelihood of each continuation given its prompt, float64 (n,): the sums of `token_log_likelihoods`.

    In nats, 0 or less, larger is likelier; longer continuations are less likely, so that those of different lengths
    are compared with care.

    Args:
        model: as in `token_log_likelihoods`, like all the others.
        tokenizer: its tokenizer.
        prompts: one for each continuation.
        continuations: texts or lists of tokens.
        end: whether the text must end behind the continuation.
        batch_tokens: tokens per batch, padding included.

    Raises:
        TypeError, ValueError: as `token_log_likelihoods`.
    """
    rows = token_log_likelihoods(model, tokenizer, prompts, continuations, end=end, batch_tokens=batch_tokens)
    return np.array([row.sum() for row in rows], dtype=np.float64)


def pseudo_log_likelihood(
    model: Any,  # noqa: ANN401 - transformers has no common type for what has a masked-LM head
    tokenizer: Any,  # noqa: ANN401
    texts: Sequence[Text],
    *,
    batch_tokens: int | None = None,
) -> list[np.ndarray]:
    """Log-likelihood of each token of each text where it alone is masked, all others seen: float64 arrays.

    In nats, 0 or less, larger is likelier; a text's pseudo-log-likelihood is the sum. Special tokens that the tokenizer
    adds are read and not scored. A text of t tokens takes t rows of the model. The pieces of a word see each other, so
    that long rare words come out likelier than they are (Kauf and Ivanova 2023).

    Args:
        model: a masked language model of transformers.
        tokenizer: its tokenizer, with a mask token.
        texts: the texts.
        batch_tokens: tokens per batch, padding included; None: 512 on a CPU, 8192 on a GPU.

    Raises:
        TypeError: a bare str, or an item that is not a str; names its index.
        ValueError: a text that is not valid Unicode, has no tokens, is longer than the model's positions or of a
            log-likelihood that is not finite, by its index; a tokenizer without a mask token; a model without a
            masked-LM head; `batch_tokens` below 1.

    Reference: Salazar et al. 2020, Eq. 1.
    """
    if tokenizer.mask_token_id is None:
        raise ValueError("tokenizer must have a mask token, got None")
    if model.get_output_embeddings() is None or model.can_generate():
        raise ValueError(f"model must have a masked-LM head, {type(model).__name__} has none")
    budget = checked_budget(batch_tokens, model.device)
    rows, places = _masked_places(model, tokenizer, texts)
    jobs = [(i, place) for i, of_text in enumerate(places) for place in of_text]
    values = np.empty(len(jobs))
    with torch.inference_mode(), evaluating(model):
        for part in token_batches([len(rows[i]) for i, _ in jobs], budget=budget):
            values[part] = _masked(model, tokenizer, [(rows[jobs[k][0]], jobs[k][1]) for k in part]).double().cpu()
    ends = np.cumsum([len(of_text) for of_text in places])[:-1]
    return _finite(np.split(values, ends) if places else [], "text")


def _continued(model: Any, starts: list[list[int]], rows: list[list[int]]) -> Tensor:  # noqa: ANN401
    """Values of all tokens of `rows`, one row after the other, of a decoder."""
    joined = [[*start, *row] for start, row in zip(starts, rows, strict=True)]
    ids, mask = padded(joined, 0, model.device)
    places = torch.zeros_like(mask, dtype=torch.bool)  # of the state that foretells a token: the one before it
    for i, (start, row) in enumerate(zip(starts, rows, strict=True)):
        places[i, len(start) - 1 : len(start) + len(row) - 1] = True
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    return _chosen(logits[places], torch.tensor([token for row in rows for token in row], device=model.device))


def _decoded(model: Any, starts: list[list[int]], rows: list[list[int]]) -> Tensor:  # noqa: ANN401
    """Values of all tokens of `rows`, one row after the other, of an encoder-decoder."""
    ids, mask = padded(starts, 0, model.device)
    first = decoder_start(model)
    shifted, places = padded([[first, *row[:-1]] for row in rows], 0, model.device)
    logits = model(
        input_ids=ids, attention_mask=mask, decoder_input_ids=shifted, decoder_attention_mask=places, use_cache=False
    ).logits
    return _chosen(logits[places.bool()], torch.tensor([token for row in rows for token in row], device=model.device))


def _masked(model: Any, tokenizer: Any, jobs: list[tuple[list[int], int]]) -> Tensor:  # noqa: ANN401
    """Value of the token at its place of each row, masked there."""
    ids, mask = padded([row for row, _ in jobs], tokenizer.pad_token_id or 0, model.device)
    places = torch.tensor([place for _, place in jobs], device=model.device)
    each = torch.arange(len(jobs), device=model.device)
    wanted = ids[each, places].clone()
    ids[each, places] = tokenizer.mask_token_id
    return _chosen(model(input_ids=ids, attention_mask=mask).logits[each, places], wanted)


def _chosen(logits: Tensor, tokens: Tensor) -> Tensor:
    return -F.cross_entropy(logits.float(), tokens, reduction="none")


def _masked_places(model: Any, tokenizer: Any, texts: Sequence[Text]) -> tuple[list[list[int]], list[list[int]]]:  # noqa: ANN401
    """Tokens of each text with special ones, and the places of those that are the text's own."""
    for i, text in enumerate(checked_texts(texts, "text")):
        if not isinstance(text, str):
            raise TypeError(f"text {i} must be a str, got {type(text).__name__}")
    if not len(texts):
        return [], []
    read = tokenizer(list(texts), return_special_tokens_mask=True, verbose=False)
    rows = read["input_ids"]
    places = [[place for place, special in enumerate(row) if not special] for row in read["special_tokens_mask"]]
    limit = positions_of(model)
    for i, (row, own) in enumerate(zip(rows, places, strict=True)):
        if not own:
            raise ValueError(f"text {i} must have one token or more, got {texts[i]!r}")
        if limit is not None and len(row) > limit:
            raise ValueError(f"text {i} has {len(row)} tokens, the model has {limit} positions")
    return rows, places


def _refuse_long(model: Any, starts: list[list[int]], rows: list[list[int]]) -> None:  # noqa: ANN401
    limit = positions_of(model)
    if limit is None:
        return
    apart = model.config.is_encoder_decoder
    for i, (start, row) in enumerate(zip(starts, rows, strict=True)):
        longest = max(len(start), len(row)) if apart else len(start) + len(row)
        if longest > limit:
            said = "the longer of prompt and continuation" if apart else "prompt and continuation"
            raise ValueError(f"row {i}: {said} has {longest} tokens, the model has {limit} positions")


def _finite(found: list[np.ndarray], what: str) -> list[np.ndarray]:
    for i, row in enumerate(found):
        if not np.isfinite(row).all():
            raise ValueError(
                f"{what} {i}: the log-likelihood of token {int(np.argmin(np.isfinite(row)))} is not finite"
            )
    return found
