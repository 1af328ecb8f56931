"""Prompts and continuations as tokens: what stands before a text, where one ends and the other begins, what ends it."""

from collections.abc import Sequence
from typing import Any

__all__ = ["Text", "continuation_ids", "decoder_start", "end_tokens", "positions_of", "prompt_ids"]

Text = Any  # a str, or a sequence of int: checked by hand, so that an error names the item


def prompt_ids(model: Any, tokenizer: Any, prompts: Sequence[Text]) -> list[list[int]]:  # noqa: ANN401 - of transformers
    """Tokens of each prompt: of a decoder with what its tokenizer puts before a text and nothing behind it.

    An encoder-decoder reads it as its tokenizer makes it, with all special tokens. Tokens are taken as they are.

    Raises:
        TypeError: `prompts` is one str, or holds an item that is neither str nor a sequence of int; names its index.
        ValueError: a prompt that is not valid Unicode or without any token, or a token outside the vocabulary.
    """
    given = checked_texts(prompts, "prompt")
    if model.config.is_encoder_decoder:
        rows = _ids(tokenizer, given, special=True)
    else:
        before = _before(tokenizer)
        rows = [
            [*before, *row] if isinstance(text, str) else row
            for text, row in zip(given, _ids(tokenizer, given), strict=True)
        ]
    for i, row in enumerate(rows):
        if not row:
            raise ValueError(
                f"prompt {i} has no token and the tokenizer puts none before a text: "
                f"give the token that texts begin with, got {prompts[i]!r}"
            )
    _refuse_foreign(model, rows, "prompt")
    return rows


def continuation_ids(
    model: Any,  # noqa: ANN401 - of transformers
    tokenizer: Any,  # noqa: ANN401
    prompts: Sequence[Text],
    continuations: Sequence[Text],
    *,
    end: bool,
) -> list[list[int]]:
    """Tokens of each continuation, closed by the end-of-text token where `end` says so.

    A decoder reads prompt and continuation as one text, whose first tokens must be those of the prompt alone.

    Raises:
        TypeError: an item that is neither str nor a sequence of int, or text after a prompt given as tokens.
        ValueError: a continuation without any token or with one outside the vocabulary; a text in which a token lies
            across the boundary; `end` where the model knows no token that ends a text.
    """
    given = checked_texts(continuations, "continuation")
    rows = _behind(tokenizer, checked_texts(prompts, "prompt"), given, alone=bool(model.config.is_encoder_decoder))
    closing = end_tokens(model, tokenizer)[:1] if end else []
    if end and not closing:
        raise ValueError("end=True needs a token that ends a text, neither model nor tokenizer has one")
    rows = [[*row, *closing] for row in rows]
    for i, row in enumerate(rows):
        if not row:
            raise ValueError(f"continuation {i} must have one token or more, got {continuations[i]!r}")
    _refuse_foreign(model, rows, "continuation")
    return rows


def end_tokens(model: Any, tokenizer: Any) -> list[int]:  # noqa: ANN401 - of transformers
    """Tokens that end a text: those of the model's generation settings, else the tokenizer's; none where none is."""
    named = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    if named is None:
        named = tokenizer.eos_token_id
    return [] if named is None else [named] if isinstance(named, int) else list(named)


def decoder_start(model: Any) -> int:  # noqa: ANN401 - of transformers
    """The token that starts what the decoder of an encoder-decoder writes.

    Raises:
        ValueError: the model names none.
    """
    for settings in (model.config, getattr(model, "generation_config", None)):
        start = getattr(settings, "decoder_start_token_id", None)
        if start is not None:
            return int(start)
    raise ValueError(f"{type(model).__name__} names no decoder_start_token_id: set it in model.config")


def positions_of(model: Any) -> int | None:  # noqa: ANN401 - of transformers
    """Longest input in tokens, None where the model has no such limit."""
    positions: Any = getattr(model.config, "max_position_embeddings", None)
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            return int(positions) - int(module.padding_idx) - 1  # pyright: ignore - RoBERTa counts positions from behind the padding index
    return positions


def checked_texts(texts: Sequence[Text], what: str) -> list[Text]:
    """`texts`, each a str or a list of int.

    Raises:
        TypeError, ValueError: as `prompt_ids`.
    """
    if isinstance(texts, str | bytes):
        raise TypeError(f"{what}s must be a list, got one {type(texts).__name__}: put it in a list")
    checked: list[Text] = []
    for i, text in enumerate(texts):
        if isinstance(text, str):
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise ValueError(f"{what} {i} must be valid Unicode: lone surrogate at {error.start}") from None
            checked.append(text)
            continue
        try:
            checked.append([_whole(token) for token in text])
        except TypeError:
            raise TypeError(f"{what} {i} must be a str or a sequence of int, got {text!r}") from None
    return checked


def _ids(tokenizer: Any, texts: Sequence[Text], *, special: bool = False) -> list[list[int]]:  # noqa: ANN401
    """Tokens of texts; what is tokens already stays."""
    words = [text for text in texts if isinstance(text, str)]
    read = iter(tokenizer(words, add_special_tokens=special, verbose=False)["input_ids"] if words else [])
    return [list(next(read)) if isinstance(text, str) else list(text) for text in texts]


def _behind(tokenizer: Any, prompts: list[Text], texts: list[Text], *, alone: bool) -> list[list[int]]:  # noqa: ANN401
    """Tokens of texts behind their prompts, or, of an encoder-decoder, of the texts alone."""
    if alone:
        return _ids(tokenizer, texts)
    for i, (prompt, text) in enumerate(zip(prompts, texts, strict=True)):
        if isinstance(text, str) and not isinstance(prompt, str):
            raise TypeError(f"continuation {i} must be tokens, as its prompt is, got {text!r}")
    starts = _ids(tokenizer, prompts)
    both = [f"{a}{b}" if isinstance(b, str) else b for a, b in zip(prompts, texts, strict=True)]
    rows = _ids(tokenizer, both)
    for i, (prompt, text) in enumerate(zip(prompts, texts, strict=True)):
        if isinstance(prompt, str) and isinstance(text, str):
            rows[i] = _cut(i, prompt, text, starts[i], rows[i])
    return rows


def _before(tokenizer: Any) -> list[int]:  # noqa: ANN401 - of transformers
    """What the tokenizer puts before a text."""
    bare, whole = (tokenizer("a", add_special_tokens=special)["input_ids"] for special in (False, True))
    for start in range(len(whole) - len(bare) + 1):
        if whole[start : start + len(bare)] == bare:
            return list(whole[:start])
    return []


def _cut(i: int, prompt: str, text: str, start: list[int], joined: list[int]) -> list[int]:
    if joined[: len(start)] != start:
        raise ValueError(
            f"continuation {i} must begin with a new token: one lies across the end of {prompt[-20:]!r} and the start "
            f"of {text[:20]!r}; move the space to the continuation, or give both as tokens"
        )
    return joined[len(start) :]


def _refuse_foreign(model: Any, rows: list[list[int]], what: str) -> None:  # noqa: ANN401
    size = model.get_input_embeddings().num_embeddings
    for i, row in enumerate(rows):
        for token in row:
            if not 0 <= token < size:
                raise ValueError(f"{what} {i} has token {token}, the model has {size} of them")


def _whole(token: Any) -> int:  # noqa: ANN401
    if isinstance(token, bool) or not hasattr(token, "__index__"):
        raise TypeError(token)
    return int(token)
