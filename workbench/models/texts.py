"""Texts checked before any work, and the libraries that read them kept quiet."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

__all__ = ["check_texts", "no_bar"]


def check_texts(texts: Iterable[object]) -> list[str]:
    """`texts` as a list of str.

    Raises:
        TypeError: a single str, or an item that is not a str; names its index.
        ValueError: half a surrogate pair, which no tokenizer can read; names its index.
    """
    if isinstance(texts, str | bytes):
        raise TypeError(f"texts must be a list of str, got one {type(texts).__name__}: put it in a list")
    strings: list[str] = []
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"text {i} must be a str, got {type(text).__name__}")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"text {i} must be valid Unicode: lone surrogate at {error.start}") from None
        strings.append(text)
    return strings


@contextmanager
def no_bar() -> Iterator[None]:
    """No bar of transformers while weights are read or written, which takes less than a second; put back after."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
