"""Generated texts beside references (ROUGE), and places where topics change (WindowDiff, Pk)."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from workbench.evaluation.base import EMPTY, Evaluation, evaluation_of

__all__ = ["pk", "rouge", "window_diff"]

KINDS = {"rouge1": "words", "rouge2": "word pairs", "rougeL": "the longest common subsequence"}


def rouge(
    predicted: Sequence[str],
    gold: Sequence[str | Sequence[str]],
    *,
    source: str = "",
    recipe: Mapping[str, object] = EMPTY,
) -> Evaluation:
    """F of the overlap of each text with its reference, mean over texts: "rouge1", "rouge2", "rougeL".

    In [0, 1], higher is better. By the package rouge_score with Porter stems: lower case, Latin letters and digits
    only. Of several references of one text the best counts, for each number by itself. An empty prediction scores 0.

    Raises:
        ValueError: not one reference for each text, no texts, or a reference without a Latin letter or digit, of which
            ROUGE can say nothing.

    Reference: Lin 2004, ROUGE, Text Summarization Branches Out.
    """
    references = [[text] if isinstance(text, str) else list(text) for text in gold]
    _same_texts(predicted, references)
    from rouge_score.rouge_scorer import RougeScorer
    from rouge_score.tokenize import tokenize

    for i, texts in enumerate(references):
        if not texts or not all(tokenize(text, None) for text in texts):
            raise ValueError(f"text {i}: a reference must hold a Latin letter or digit, got {texts}")
    scorer = RougeScorer(list(KINDS), use_stemmer=True)
    scores = [scorer.score_multi(texts, one) for texts, one in zip(references, predicted, strict=True)]
    return evaluation_of(
        "summaries",
        main="rougeL",
        arrays={kind: np.array([score[kind].fmeasure for score in scores]) for kind in KINDS},
        ids=[str(i) for i in range(len(scores))],
        means={kind: f"ROUGE F of {what}, stemmed" for kind, what in KINDS.items()},
        source=source,
        recipe=recipe,
    )


def window_diff(
    predicted: Sequence[Sequence[int]], gold: Sequence[Sequence[int]], *, k: int | None = None
) -> Evaluation:
    """Share of windows that hold another number of boundaries than gold, mean over texts: "window_diff".

    In [0, 1], lower is better. A text of n units (sentences) is n - 1 gaps: 1 where a segment ends, else 0. A window
    covers `k` gaps; None takes half the mean length of the text's gold segments, at least 1.

    Raises:
        ValueError: no texts, not the same texts or gaps, a text without gaps, a gap that is neither 0 nor 1, or `k`
            outside 1..gaps.

    Reference: Pevzner and Hearst 2002, Computational Linguistics 28(1), section 4.
    """
    definition = "share of windows with another number of boundaries than gold, lower is better"
    return _windows("window_diff", predicted, gold, k, lambda a, b: a != b, definition)


def pk(predicted: Sequence[Sequence[int]], gold: Sequence[Sequence[int]], *, k: int | None = None) -> Evaluation:
    """Share of windows whose two ends are wrongly said to lie in one segment, or in two, mean over texts: "pk".

    In [0, 1], lower is better; gaps and `k` as in `window_diff`, which also sees boundaries that a window has too many.

    Raises:
        ValueError: as in `window_diff`.

    Reference: Beeferman, Berger and Lafferty 1999, Machine Learning 34.
    """
    definition = "share of windows whose ends are wrongly joined or parted, lower is better"
    return _windows("pk", predicted, gold, k, lambda a, b: (a > 0) != (b > 0), definition)


def _windows(
    name: str,
    predicted: Sequence[Sequence[int]],
    gold: Sequence[Sequence[int]],
    k: int | None,
    differ: Callable[[np.ndarray, np.ndarray], np.ndarray],
    definition: str,
) -> Evaluation:
    _same_texts(predicted, gold)
    shares = np.empty(len(gold))
    for i, pair in enumerate(zip(predicted, gold, strict=True)):
        said, true = (_gaps(gaps, i) for gaps in pair)
        if len(said) != len(true):
            raise ValueError(f"text {i}: predicted and gold must have as many gaps, got {len(said)} and {len(true)}")
        width = max(1, math.floor((len(true) + 1) / (2 * (true.sum() + 1)) + 0.5)) if k is None else k
        if not 1 <= width <= len(true):
            raise ValueError(f"text {i}: k must be at least 1 and at most its {len(true)} gaps, got {width}")
        counts = [np.convolve(gaps, np.ones(width, dtype=np.int64), mode="valid") for gaps in (said, true)]
        shares[i] = differ(*counts).mean()
    return evaluation_of(
        "segments",
        main=name,
        arrays={name: shares},
        ids=[str(i) for i in range(len(gold))],
        means={name: definition},
        columns={"length": [len(gaps) + 1 for gaps in gold]},
        recipe={"k": "half the mean gold segment" if k is None else k},
    )


def _gaps(gaps: Sequence[int], i: int) -> np.ndarray:
    values = np.asarray(gaps)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"text {i}: a text has one gap or more, one number each, got shape {values.shape}")
    if wrong := [value for value in values.tolist() if value not in (0, 1)]:
        raise ValueError(f"text {i}: a gap is 0 or 1, got {wrong[0]!r}")
    return values.astype(np.int64)


def _same_texts(predicted: Sequence, gold: Sequence) -> None:
    if len(predicted) != len(gold) or len(gold) == 0:
        raise ValueError(f"predicted and gold must be of the same texts, got {len(predicted)} and {len(gold)}")
