"""Typed spans found in texts, exactly right or wrong: precision, recall and F1 as in CoNLL."""

from collections.abc import Mapping, Sequence

import numpy as np

from workbench.evaluation.base import EMPTY, Evaluation, Statistic, evaluation_of

__all__ = ["span_f1", "spans_of"]

Span = tuple[int, int, str]  # first token, one past the last token, type


def spans_of(tags: Sequence[str]) -> list[Span]:
    """Spans (start, stop, type) of BIO tags, `stop` one past the last token, in order.

    As in conlleval: an I after O, after another type or at the start begins a span too, so IOB1 is read as well.

    Raises:
        ValueError: a tag that is not O, B-TYPE or I-TYPE; the message names its place.
    """
    spans: list[Span] = []
    before = ""
    for i, tag in enumerate(tags):
        prefix, _, kind = tag.partition("-")
        if tag != "O" and (prefix not in ("B", "I") or not kind):
            raise ValueError(f"a tag must be O, B-TYPE or I-TYPE, token {i} has {tag!r}")
        if prefix == "I" and kind == before:
            spans[-1] = (spans[-1][0], i + 1, kind)
        elif kind:
            spans.append((i, i + 1, kind))
        before = kind
    return spans


def span_f1(
    predicted: Sequence[Sequence[Span]],
    gold: Sequence[Sequence[Span]],
    *,
    source: str = "",
    recipe: Mapping[str, object] = EMPTY,
) -> Evaluation:
    """Micro "f1", "precision" and "recall" over all spans of all texts, and "f1:TYPE" for each type that gold has.

    In [0, 1]. A span (start, stop, type) is right when a gold span of the same text equals it. Where nothing was
    predicted, precision is 0, as in conlleval. Intervals by jackknife over blocks of whole texts.

    Raises:
        ValueError: not one list of predicted spans for each text, no gold span at all, a span that is twice in a text
            or not (start, stop, type) with 0 <= start < stop.

    Reference: Tjong Kim Sang and De Meulder 2003, CoNLL, section 2.3.
    """
    if len(predicted) != len(gold):
        raise ValueError(f"predicted and gold must be of the same texts, got {len(predicted)} and {len(gold)}")
    kinds = sorted({span[2] for spans in gold for span in spans})
    if not kinds:
        raise ValueError(f"gold has no span in {len(gold)} texts: recall is not defined")
    sides = [_checked(predicted, "predicted"), _checked(gold, "gold")]
    right = [a & b for a, b in zip(*sides, strict=True)]
    all_three = np.array([[len(spans) for spans in side] for side in (right, *sides)])
    statistics = {
        "f1": (_ratio(2 * all_three[0], all_three[1] + all_three[2]), "micro F1 of exact spans"),
        "precision": (_ratio(all_three[0], all_three[1], nothing=0.0), "share of predicted spans that are right"),
        "recall": (_ratio(all_three[0], all_three[2]), "share of gold spans that were found"),
    }
    for kind in kinds:
        of_kind = np.array([[sum(span[2] == kind for span in spans) for spans in side] for side in (right, *sides)])
        statistics[f"f1:{kind}"] = (_ratio(2 * of_kind[0], of_kind[1] + of_kind[2]), f"F1 of exact {kind} spans")
    return evaluation_of(
        "spans",
        main="f1",
        arrays={"right": all_three[0], "predicted": all_three[1], "gold": all_three[2]},
        ids=[str(i) for i in range(len(gold))],
        statistics=statistics,
        source=source,
        recipe=recipe,
    )


def _checked(texts: Sequence[Sequence[Span]], name: str) -> list[set[Span]]:
    for i, spans in enumerate(texts):
        for start, stop, _ in spans:
            if not 0 <= start < stop:
                raise ValueError(
                    f"{name}: a span runs from 0 or more to beyond its start, text {i} has {(start, stop)}"
                )
        if len(set(spans)) < len(spans):
            twice = next(span for span in spans if list(spans).count(span) > 1)
            raise ValueError(f"{name}: text {i} has the span {twice} twice")
    return [set(spans) for spans in texts]


def _ratio(part: np.ndarray, whole: np.ndarray, *, nothing: float = float("nan")) -> Statistic:
    return lambda rows: float(part[rows].sum() / whole[rows].sum()) if whole[rows].any() else nothing
