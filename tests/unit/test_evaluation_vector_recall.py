"""Recall of bare vectors, against lists sorted here."""

import numpy as np
import pytest

from workbench.evaluation.vector_recall import vector_recall


def test_recall_is_that_of_a_sorted_list():
    rng = np.random.default_rng(0)
    queries, documents, relevant = rng.normal(size=(20, 3)), rng.normal(size=(15, 3)), rng.random((20, 15)) < 0.3
    relevant[:, 0] = True
    found = vector_recall(queries, documents, relevant, ks=(2, 5, 40))
    assert found.shape == (3, 20)
    for row, query in enumerate(queries):
        cosines = [float(query @ d / np.linalg.norm(query) / np.linalg.norm(d)) for d in documents]
        order = sorted(range(15), key=lambda place: -cosines[place])
        own = set(np.flatnonzero(relevant[row]))
        assert found[0, row] == pytest.approx(len(own & set(order[:2])) / len(own))
        assert found[1, row] == pytest.approx(len(own & set(order[:5])) / len(own))
        assert found[2, row] == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"relevant": np.eye(3)}, "must be bools"),
        ({"relevant": np.eye(2, 3, dtype=bool)}, r"shape \(3, 3\)"),
        ({"relevant": np.diag([True, False, True])}, "query 1 has no relevant"),
        ({"ks": ()}, "ks must be"),
        ({"ks": (0, 2)}, "ks must be"),
        ({"documents": np.zeros((3, 3))}, "0"),
    ],
)
def test_what_cannot_be_is_refused(change, words):
    given = {"queries": np.eye(3), "documents": np.eye(3), "relevant": np.eye(3, dtype=bool), "ks": (1,)} | change
    with pytest.raises(ValueError, match=words):
        vector_recall(**given)
