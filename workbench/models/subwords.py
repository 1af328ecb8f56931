"""Words of a text, and the hashed character n-grams of a word, as fastText has them."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

__all__ = ["BUCKETS", "ngram_buckets", "word_lists"]

BUCKETS = 2_000_000  # fastText's default


def word_lists(texts: Iterable[object], *, lower: bool) -> list[list[str]]:
    """Words of each text: a str is cut at white space and punctuation, in lower case where `lower`; lists stay.

    Marks stay with their letters, so that words of Indic scripts are whole. Scripts written without spaces are not cut.

    Raises:
        TypeError: `texts` is one str, or holds an item that is neither a str nor a sequence of str; names its index.
    """
    if isinstance(texts, str | bytes):
        raise TypeError(f"texts must be a list, got one {type(texts).__name__}: put it in a list")
    cut = _cutter()
    found: list[list[str]] = []
    for i, text in enumerate(texts):
        if isinstance(text, str):
            found.append([word for word, _ in cut.pre_tokenize_str(text.lower() if lower else text)])
        elif isinstance(text, Sequence) and all(isinstance(word, str) for word in text):
            found.append(list(text))  # pyright: ignore - just checked
        else:
            raise TypeError(f"text {i} must be a str or a sequence of str, got {type(text).__name__}")
    return found


def ngram_buckets(word: str, lengths: Sequence[int]) -> list[int]:
    """Bucket in 0..1,999,999 of each n-gram of "<word>" of `lengths[0]` to `lengths[1]` characters.

    Hashed over their UTF-8 bytes by 32-bit FNV-1a with the bytes taken as signed, fastText's own rule, so that the
    n-grams of its published models have the same numbers.

    Reference: Bojanowski et al. 2017, section 3.2.
    """
    marked, (shortest, longest) = f"<{word}>", lengths
    grams = []
    for start in range(len(marked)):
        for stop in range(start + shortest, min(start + longest, len(marked)) + 1):
            if stop - start > 1 or 0 < start < len(marked) - 1:  # "<" and ">" alone are none
                grams.append(_fnv(marked[start:stop].encode("utf-8", "surrogatepass")) % BUCKETS)
    return grams


def _fnv(data: bytes) -> int:
    value = 2166136261
    for byte in data:
        signed = byte if byte < 128 else byte | 0xFFFFFF00
        value = ((value ^ signed) * 16777619) & 0xFFFFFFFF
    return value


@cache
def _cutter() -> Any:  # noqa: ANN401 - a tokenizers.pre_tokenizers.PreTokenizer
    from tokenizers import pre_tokenizers

    return pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("removed")])
