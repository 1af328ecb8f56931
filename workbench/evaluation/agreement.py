"""How well clusters agree with labels, from the table of labels x clusters (counts of items)."""

from collections.abc import Callable

import numpy as np

__all__ = ["MEASURES", "ami", "ari", "matched", "purity", "v_measure"]


def v_measure(table: np.ndarray) -> float:
    """V-measure (beta 1) in [0, 1], 1 for equal partitions: 2 I / (H(labels) + H(clusters)).

    Reference: Rosenberg and Hirschberg 2007, EMNLP.
    """
    information, entropies = _information(table), _entropy(table.sum(axis=1)) + _entropy(table.sum(axis=0))
    return 2 * information / entropies if entropies > 0 else 1.0


def ami(table: np.ndarray) -> float:
    """Adjusted mutual information (arithmetic mean): 0 by chance, 1 for equal partitions.

    Reference: Vinh, Epps and Bailey 2010, JMLR 11.
    """
    from sklearn.metrics.cluster import expected_mutual_information

    counts = table[table.any(axis=1)][:, table.any(axis=0)].astype(np.int64)
    if (table > 0).sum() == len(counts) == counts.shape[1]:
        return 1.0  # equal partitions: where both are trivial, the quotient is 0 / 0
    chance = expected_mutual_information(counts, int(counts.sum()))
    mean = (_entropy(counts.sum(axis=1)) + _entropy(counts.sum(axis=0))) / 2
    return float((_information(counts) - chance) / (mean - chance))


def ari(table: np.ndarray) -> float:
    """Adjusted Rand index: 0 by chance, 1 for equal partitions, at least -0.5.

    Reference: Hubert and Arabie 1985, Journal of Classification 2.
    """
    pairs, rows, columns, all_pairs = (
        float((n * (n - 1) / 2).sum()) for n in (table, table.sum(axis=1), table.sum(axis=0), table.sum())
    )
    chance, most = rows * columns / all_pairs, (rows + columns) / 2
    return (pairs - chance) / (most - chance) if most > chance else 1.0


def purity(table: np.ndarray) -> float:
    """Share of items that have the most frequent label of their cluster, in [0, 1]."""
    return float(table.max(axis=0).sum() / table.sum())


def matched(table: np.ndarray) -> dict[int, int]:
    """Label of each cluster in the one-to-one matching that the most items agree with."""
    from scipy.optimize import linear_sum_assignment

    labels, clusters = linear_sum_assignment(table, maximize=True)
    return dict(zip(clusters.tolist(), labels.tolist(), strict=True))


def _entropy(counts: np.ndarray) -> float:
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum())


def _information(table: np.ndarray) -> float:
    joint = table / table.sum()
    expected = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    held = joint > 0
    return max(0.0, float((joint[held] * np.log(joint[held] / expected[held])).sum()))


MEASURES: dict[str, tuple[Callable[[np.ndarray], float], str]] = {
    "v_measure": (v_measure, "V-measure of clusters and labels"),
    "ami": (ami, "adjusted mutual information of clusters and labels"),
    "ari": (ari, "adjusted Rand index of clusters and labels"),
    "purity": (purity, "share of items with the most frequent label of their cluster"),
}
