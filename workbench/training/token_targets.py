"""What a text's vector should say through a language-model head: a distribution over its own key tokens."""

from collections.abc import Sequence

import numpy as np

__all__ = ["inverse_frequencies", "token_targets"]

Ids = Sequence[Sequence[int]]


def inverse_frequencies(ids: Ids, *, vocabulary: int) -> np.ndarray:
    """ln(N / n_v) for each token v of the vocabulary, float64 (v,): N texts, of which n_v hold v.

    In [0, ln N], in nats: 0 for a token of every text, ln N for one of a single text; a token of no text counts as of
    one.

    Args:
        ids: token numbers of each text.
        vocabulary: number of tokens.

    Raises:
        ValueError: no texts, or a token outside 0..vocabulary - 1; names its text.

    Reference: Sparck Jones 1972, Journal of Documentation 28(1).
    """
    if len(ids) == 0:
        raise ValueError("frequencies are counted over one text or more, got none")
    holding = np.zeros(vocabulary, dtype=np.int64)
    for row, text in enumerate(ids):
        holding[_counted(text, row, vocabulary)[0]] += 1
    return np.log(len(ids) / np.maximum(holding, 1))


def token_targets(ids: Ids, weights: np.ndarray, *, top: int) -> tuple[np.ndarray, np.ndarray]:
    """The `top` heaviest tokens of each text, int64 (n, top), and their shares, float32 (n, top), which sum to 1.

    Token v of a text weighs tf(v) weights[v], tf how often it occurs there. Tokens come by falling share, equal ones by
    their number; a text with fewer than `top` tokens above 0 is filled up with token 0 at share 0. Weights of 1 give
    term frequencies, `inverse_frequencies` TF-IDF; a weight of 0 leaves a token out.

    Args:
        ids: token numbers of each text.
        weights: of each token of the vocabulary (v,), 0 or more.
        top: tokens kept of a text.

    Raises:
        ValueError: weights that are not (v,) finite numbers of 0 or more, `top` below 1, a token outside the
            vocabulary, or a text without a token above 0; names its row.

    Reference: An et al. 2025 (Text2Token), the data-driven target; its exact weights are not published, these are
        ours.
    """
    weights = np.asarray(weights, dtype=np.float64)
    if weights.ndim != 1 or not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError(f"weights must be (v,) finite numbers of 0 or more, got shape {weights.shape}")
    if top < 1:
        raise ValueError(f"top must be 1 or more, got {top}")
    tokens = np.zeros((len(ids), top), dtype=np.int64)
    shares = np.zeros((len(ids), top), dtype=np.float32)
    for row, text in enumerate(ids):
        found, counts = _counted(text, row, len(weights))
        weight = counts * weights[found]
        heaviest = np.argsort(-weight, kind="stable")[:top]
        heaviest = heaviest[weight[heaviest] > 0]
        if len(heaviest) == 0:
            raise ValueError(f"text {row} has no token of a weight above 0")
        tokens[row, : len(heaviest)] = found[heaviest]
        shares[row, : len(heaviest)] = weight[heaviest] / weight[heaviest].sum()
    return tokens, shares


def _counted(text: Sequence[int], row: int, vocabulary: int) -> tuple[np.ndarray, np.ndarray]:
    """Different tokens of a text, rising, and how often each occurs."""
    found, counts = np.unique(np.asarray(text, dtype=np.int64), return_counts=True)
    if len(found) and not (found[0] >= 0 and found[-1] < vocabulary):
        raise ValueError(f"text {row}: tokens must lie in 0..{vocabulary - 1}, got {found[0]} to {found[-1]}")
    return found, counts
