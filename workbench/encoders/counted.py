"""Encoders without a network: counted words and character n-grams, made short."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

__all__ = ["Counted", "hashed_encoder", "tfidf_encoder"]

FLOOR = 1e-3  # of the last column: what special tokens are to a text without any word


@dataclass(frozen=True, eq=False)
class Counted:
    """An encoder of counts: a scikit-learn transformer of texts, and one constant column.

    The constant is small beside the counts and keeps a text without a known word from being a row of zeros.

    Attributes:
        name: what the encoder is called.
        transformer: texts -> rows.
    """

    name: str
    transformer: Any

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of n texts, float32 (n, dimensions + 1), not normalised."""
        if len(texts) == 0:
            return np.empty((0, self.transformer.transform([""]).shape[1] + 1), dtype=np.float32)
        rows = self.transformer.transform(texts)
        dense = rows if isinstance(rows, np.ndarray) else rows.toarray()
        return np.hstack([dense, np.full((len(texts), 1), FLOOR)]).astype(np.float32)


def tfidf_encoder(texts: Iterable[str], *, dimensions: int, seed: int) -> Counted:
    """Latent semantic analysis: TF-IDF of the words of `texts` (1 + log tf), its `dimensions` largest singular vectors.

    A word is a run of letters and digits in lower case. Nothing but `texts` is learned from, and no label.

    Raises:
        ValueError: `dimensions` is not below the number of texts and of different words.

    Reference: Deerwester et al. 1990, JASIS 41(6).
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    words = TfidfVectorizer(sublinear_tf=True, token_pattern=r"\w+")
    counts = words.fit_transform(list(texts))
    if not 1 <= dimensions < min(counts.shape):
        raise ValueError(f"dimensions must be 1 or more and below {min(counts.shape)}, got {dimensions}")
    short = TruncatedSVD(dimensions, random_state=seed).fit(counts)
    return Counted(f"TF-IDF, {dimensions} singular vectors", make_pipeline(words, short))


def hashed_encoder(kind: Literal["words", "characters"] | str, *, dimensions: int) -> Counted:
    """Counts of words, or of 2 to 4 characters within words, hashed with a sign into `dimensions` columns, unit length.

    Hashing with signs keeps inner products right on average. Nothing is fitted and nothing is random.

    Raises:
        ValueError: another kind, or `dimensions` below 1.

    Reference: Weinberger et al. 2009, Feature Hashing for Large Scale Multitask Learning, ICML.
    """
    from sklearn.feature_extraction.text import HashingVectorizer

    if kind not in ("words", "characters") or dimensions < 1:
        raise ValueError(f"kind is 'words' or 'characters', dimensions 1 or more, got {kind!r} and {dimensions}")
    how = {"token_pattern": r"\w+"} if kind == "words" else {"analyzer": "char_wb", "ngram_range": (2, 4)}
    return Counted(f"hashed {kind}, {dimensions} columns", HashingVectorizer(n_features=dimensions, **how))  # pyright: ignore
