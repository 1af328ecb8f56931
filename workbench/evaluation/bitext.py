"""Bitext mining: is the translation of a sentence its nearest neighbour?"""

import numpy as np
import torch
from torch import Tensor

from workbench.corpora import Pairs
from workbench.evaluation.base import Evaluation, Sentences, evaluation_of, ids_of, lengths_of, recipe_of
from workbench.intervals import blocks_of
from workbench.neighbours import knn_graph
from workbench.tensors import as_rows, row_blocks, unit

__all__ = ["evaluate_bitext"]

BLOCK_NUMBERS = 2**24  # scores held at a time


def evaluate_bitext(encoder: Sentences, data: Pairs, *, neighbours: int = 4) -> Evaluation:
    """Each left text looks for its translation among all right texts, by cosine: "f1" (as mteb has it) and "accuracy".

    All in [0, 1], means over the pairs. F1 is that of the right texts as classes, weighted as in mteb: a pair found
    counts 2 / (1 + k), where k left texts chose that right text, so a hub costs more than in accuracy.
    "margin_accuracy" chooses by the cosine divided by its mean over the `neighbours` nearest of both texts, which takes
    hubs down. The same three with "_backward": right texts look among left ones. Taking a part keeps all candidates.
    Equal scores go to the first row, so of two equal right texts the later is never found. The three margins are left
    out where that mean is not positive.

    Raises:
        ValueError: fewer than 2 pairs, a score of 0 or less (every row must be a translation), or `neighbours` outside
            1..n.

    Reference: Artetxe and Schwenk 2019, ACL, section 3.1, ratio (every candidate is scored, not the nearest alone).
    """
    n = len(data)
    if n < 2:
        raise ValueError(f"{data.source.name}: a search for translations needs 2 pairs or more, got {n}")
    if (np.asarray(data.scores) <= 0).any():
        row = int(np.argmax(np.asarray(data.scores) <= 0))
        raise ValueError(
            f"{data.source.name}: every row must be a translation, row {row} has score {data.scores[row]:g}"
        )
    if not 1 <= neighbours <= n:
        raise ValueError(f"neighbours must be at least 1 and at most n={n}, got {neighbours}")
    left, right = (unit(as_rows(encoder.encode(texts))).float() for texts in (data.left, data.right))
    near = [knn_graph(b, k=neighbours, queries=a) for a, b in ((left, right), (right, left))]
    hoods = [graph.similarities.mean(axis=1, dtype=np.float64) for graph in near]
    arrays = {**_found(near[0].indices[:, 0], ""), **_found(near[1].indices[:, 0], "_backward")}
    if hoods[0].min() + hoods[1].min() > 0:
        arrays["margin_accuracy"] = _margin(left, right, *hoods)
        arrays["margin_accuracy_backward"] = _margin(right, left, *hoods[::-1])
    return evaluation_of(
        "bitext",
        main="f1",
        arrays=arrays,
        ids=ids_of(data.left, data.right),
        means={name: _definition(name, neighbours) for name in arrays},
        blocks=blocks_of(data.left),
        columns={**data.columns, "length": lengths_of(encoder, data.left).tolist()},
        source=data.source.fingerprint,
        recipe=recipe_of(encoder, data=data.source.name, split=data.source.split, neighbours=neighbours),
    )


def _found(chosen: np.ndarray, suffix: str) -> dict[str, np.ndarray]:
    correct = (chosen == np.arange(len(chosen))).astype(np.float64)
    times = np.bincount(chosen, minlength=len(chosen))
    return {f"f1{suffix}": correct * 2 / (1 + times), f"accuracy{suffix}": correct}


def _margin(asking: Tensor, among: Tensor, hood: np.ndarray, other: np.ndarray) -> np.ndarray:
    own, theirs = torch.from_numpy(hood).to(asking), torch.from_numpy(other).to(asking)
    chosen = [
        (asking[part] @ among.T / (own[part, None] + theirs)).argmax(dim=1)
        for part in row_blocks(len(asking), max(1, BLOCK_NUMBERS // len(among)))
    ]
    return (torch.cat(chosen).cpu().numpy() == np.arange(len(asking))).astype(np.float64)


def _definition(name: str, neighbours: int) -> str:
    way = "left text of each right text" if name.endswith("_backward") else "right text of each left text"
    if name.startswith("margin"):
        return f"share of pairs whose {way} is found by ratio margin over {neighbours} neighbours"
    measure = "F1 over classes" if name.startswith("f1") else "share of pairs"
    return f"{measure}: the {way} with the largest cosine"
