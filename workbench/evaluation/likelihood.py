"""How likely a model finds texts: perplexity, bits per character, bits per byte."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from workbench.evaluation.base import EMPTY, Evaluation, Statistic, evaluation_of
from workbench.intervals import blocks_of

__all__ = ["bits_per_byte", "bits_per_character", "perplexity"]


def perplexity(
    nats: Sequence, *, groups: Sequence[str] | None = None, source: str = "", recipe: Mapping[str, object] = EMPTY
) -> Evaluation:
    """Exp of the mean negative log-likelihood over all tokens, "perplexity"; and "nats_per_token".

    `nats` holds one array for each text: minus the natural logarithm of the probability of each token. Perplexity is 1
    or more, lower is better, and comparable between models of one tokenizer only. Every token counts alike, long texts
    count more. Intervals by jackknife over blocks of whole texts; texts of one of `groups` stay in one block.

    Raises:
        ValueError: a text without tokens, a number that is negative or not finite, a mean above 700 nats, or `groups`
            that are not one a text.
    """
    sums, counts = _sums(nats)
    if sums.sum() / counts.sum() > 700:
        raise ValueError(f"a mean of {sums.sum() / counts.sum():g} nats per token is no log-likelihood of tokens")
    per_token = _ratio(sums, counts)
    statistics: dict[str, tuple[Statistic, str]] = {
        "perplexity": (lambda rows: math.exp(per_token(rows)), "perplexity per token"),
        "nats_per_token": (per_token, "mean nats per token"),
    }
    return evaluation_of(
        "likelihood",
        main="perplexity",
        arrays={"text_nats_per_token": sums / counts, "nats": sums, "tokens": counts},
        ids=[str(i) for i in range(len(sums))],
        statistics=statistics,
        blocks=_blocks(groups, len(sums)),
        columns={"length": counts.tolist()},
        source=source,
        recipe=recipe,
    )


def bits_per_character(
    nats: Sequence,
    texts: Sequence[str],
    *,
    groups: Sequence[str] | None = None,
    source: str = "",
    recipe: Mapping[str, object] = EMPTY,
) -> Evaluation:
    """All nats of all texts in bits, over all their characters (code points): "bits_per_character".

    0 or more, lower is better, comparable between tokenizers where `nats` covers every character. `nats` holds each
    text's sum, or an array of its tokens. Intervals as in `perplexity`.

    Raises:
        ValueError: an empty text, not one text for each of `nats`, and as in `perplexity`.
    """
    return _bits(nats, texts, [len(text) for text in texts], "character", groups, source, recipe)


def bits_per_byte(
    nats: Sequence,
    texts: Sequence[str],
    *,
    groups: Sequence[str] | None = None,
    source: str = "",
    recipe: Mapping[str, object] = EMPTY,
) -> Evaluation:
    """All nats of all texts in bits, over all their bytes in UTF-8: "bits_per_byte".

    As `bits_per_character`, and comparable between scripts too, as far as their bytes are.

    Raises:
        ValueError: as in `bits_per_character`, or a text that has no UTF-8 form.
    """
    return _bits(nats, texts, [len(text.encode()) for text in texts], "byte", groups, source, recipe)


def _bits(
    nats: Sequence,
    texts: Sequence[str],
    lengths: Sequence[int],
    what: str,
    groups: Sequence[str] | None,
    source: str,
    recipe: Mapping[str, object],
) -> Evaluation:
    sums, _ = _sums([np.atleast_1d(np.asarray(of_text)) for of_text in nats])
    if len(texts) != len(sums):
        raise ValueError(f"nats must be given for each text, got {len(sums)} for {len(texts)} texts")
    sizes = np.asarray(lengths, dtype=np.int64)
    if (sizes == 0).any():
        raise ValueError(f"text {int(np.argmin(sizes))} is empty: it has no bits per {what}")
    bits, name = sums / math.log(2), f"bits_per_{what}"
    return evaluation_of(
        "likelihood",
        main=name,
        arrays={f"text_{name}": bits / sizes, "bits": bits, f"{what}s": sizes},
        ids=[str(i) for i in range(len(sums))],
        statistics={name: (_ratio(bits, sizes), f"bits per {what}")},
        blocks=_blocks(groups, len(sums)),
        columns={"length": sizes.tolist()},
        source=source,
        recipe=recipe,
    )


def _sums(nats: Sequence) -> tuple[np.ndarray, np.ndarray]:
    if len(nats) == 0:
        raise ValueError("nats must be given for one text or more, got none")
    sums, counts = np.empty(len(nats)), np.empty(len(nats), dtype=np.int64)
    for i, of_text in enumerate(nats):
        values = np.asarray(of_text, dtype=np.float64)
        if values.ndim != 1 or len(values) == 0:
            raise ValueError(f"text {i}: nats must be a 1-D array of one token or more, got shape {values.shape}")
        if not np.isfinite(values).all():
            raise ValueError(f"text {i}: nats must be finite, token {int(np.argmin(np.isfinite(values)))} is not")
        if values.min() < 0:
            at = int(np.argmin(values))
            raise ValueError(f"text {i}: nats are minus log-likelihoods, never negative, token {at} has {values[at]:g}")
        sums[i], counts[i] = values.sum(), len(values)
    return sums, counts


def _ratio(sums: np.ndarray, sizes: np.ndarray) -> Statistic:
    return lambda rows: float(sums[rows].sum() / sizes[rows].sum()) if len(rows) else float("nan")


def _blocks(groups: Sequence[str] | None, n: int) -> np.ndarray | None:
    if groups is None:
        return None
    if len(groups) != n:
        raise ValueError(f"groups must be one for each of {n} texts, got {len(groups)}")
    return blocks_of(groups)
