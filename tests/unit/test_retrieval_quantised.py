"""Product quantisation and sign codes: recall against exact search, and what faiss and numpy say of the codes."""

import numpy as np
import pytest

from workbench.retrieval import BinaryIndex, DenseIndex, Hits, PQIndex, recall_against

N, D = 2000, 32
METRICS = ["cosine", "dot", "euclidean"]
IDS = [f"d{i}" for i in range(N)]


def corpus():
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((40, D))
    x = centres[rng.integers(0, 40, N)] + 0.7 * rng.standard_normal((N, D))
    return x.astype("f4"), (x[:30] + 0.1 * rng.standard_normal((30, D))).astype("f4")


X, Q = corpus()


def pq(**how):
    return PQIndex.build(IDS, X, **({"m": 8, "bits": 6, "rotate": False} | how))


def binary(**how):
    return BinaryIndex.build(IDS, X, **how)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("build", [pq, binary])
def test_recall_rises_with_candidates_to_the_exact_answer(build, metric):
    exact = DenseIndex(tuple(IDS), X, metric).search(Q, 10)
    index = build(metric=metric)
    recalls = [recall_against(exact, index.search(Q, 10, rescore=r)).mean() for r in (0, 4, 20)]
    assert 0.2 < recalls[0] < recalls[1] < recalls[2]  # 10 of 2000 by chance: 0.005
    assert recalls[2] > 0.95
    all_of_it = index.search(Q, 10, rescore=N // 10)
    np.testing.assert_array_equal(all_of_it.indices, exact.indices)
    np.testing.assert_array_equal(all_of_it.scores, exact.scores)


def test_a_rotation_keeps_recall_on_dimensions_of_unequal_spread():
    stretched = (X * np.linspace(4, 0.1, D)).astype("f4")
    asked = (Q * np.linspace(4, 0.1, D)).astype("f4")
    exact = DenseIndex(tuple(IDS), stretched).search(asked, 10)
    plain, turned = (
        recall_against(
            exact, PQIndex.build(IDS, stretched, m=4, bits=5, rotate=rotate).search(asked, 10, rescore=0)
        ).mean()
        for rotate in (False, True)
    )
    assert turned > plain


def test_the_scores_of_codes_are_products_with_the_decoded_rows():
    index = pq(metric="dot")
    decoded = index.codes.reconstruct_n(0, N).astype("f8")
    hits = index.search(Q, 5, rescore=0)
    wanted = np.sort(Q.astype("f8") @ decoded.T, axis=1)[:, ::-1][:, :5]
    np.testing.assert_allclose(hits.scores, wanted, rtol=1e-5)
    far = pq(metric="euclidean")
    apart = -np.linalg.norm(Q[:, None].astype("f8") - far.codes.reconstruct_n(0, N)[None], axis=2)
    np.testing.assert_allclose(
        far.search(Q, 5, rescore=0).scores, np.sort(apart, axis=1)[:, ::-1][:, :5], rtol=1e-4, atol=1e-4
    )


def test_sign_codes_agree_as_often_as_their_score_says():
    hits = binary().search(Q, 6, rescore=0)
    agreement = (np.sign(Q)[:, None] * np.sign(X)[None]).mean(axis=2)
    np.testing.assert_allclose(hits.scores, np.sort(agreement, axis=1)[:, ::-1][:, :6], atol=1e-6)
    odd = BinaryIndex.build(IDS, np.ascontiguousarray(X[:, :13]))  # 13 bits in 2 bytes
    agreement = (np.sign(Q[:, :13])[:, None] * np.sign(X[:, :13])[None]).mean(axis=2)
    np.testing.assert_allclose(odd.search(Q[:, :13], 1, rescore=0).scores[:, 0], agreement.max(axis=1), atol=1e-6)


def test_training_is_its_seed():
    first, again, other = (pq(seed=seed, sample=500).search(Q, 5, rescore=0).scores for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("build", [pq, binary])
def test_an_index_is_the_same_after_save_and_load(build, tmp_path):
    np.save(tmp_path / "x.npy", X)
    before = build(metric="euclidean")
    before.save(tmp_path / "index")
    after = type(before).load(tmp_path / "index")
    assert isinstance(after.vectors, np.memmap)
    for rescore in (0, 4):
        hits, again = before.search(Q, 7, rescore=rescore), after.search(Q, 7, rescore=rescore)
        np.testing.assert_array_equal(hits.indices, again.indices)
        np.testing.assert_array_equal(hits.scores, again.scores)
    path = max((tmp_path / "index").glob("files-*/codes.*"))
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match="is torn: codes"):
        type(before).load(tmp_path / "index")
    with pytest.raises(ValueError, match="not 'dense' of version"):
        DenseIndex.load(tmp_path / "index")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: pq(m=5), "m must divide the d=32 columns, got 5"),
        (lambda: pq(bits=13), "13 bits"),
        (lambda: pq(bits=11), "2048 rows to learn from, got 2000"),
        (lambda: pq(metric="angle"), "metric must be one of"),
        (lambda: PQIndex.build(["a", "a"], X[:2], m=8), "id 'a' is given twice"),
        (lambda: BinaryIndex.build([], X[:0]), "the corpus is empty"),
        (lambda: BinaryIndex.build(IDS, np.where(np.arange(N)[:, None] == 7, np.nan, X)), "row 7 is not finite"),
        (lambda: binary().search(Q[:, :8], 3), "queries must have 32 columns as the documents have, got 8"),
        (lambda: binary().search(Q, N + 1), "at most n=2000, got 2001"),
        (lambda: binary().search(Q, 3, rescore=-1), "rescore must not be negative"),
        (lambda: binary().search(Q, 3, ids=["a"]), "ids must name every row"),
        (lambda: binary().search(np.full((1, D), np.nan), 3), "queries: row 0 is not finite"),
    ],
)
def test_wrong_use_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_recall_is_the_share_of_each_query():
    def hits(rows, queries=("q", "r")):
        return Hits(queries, ("a", "b", "c"), np.array(rows), np.where(np.array(rows) < 0, -np.inf, 1.0))

    np.testing.assert_array_equal(recall_against(hits([[0, 1], [-1, -1]]), hits([[1, 2], [0, 1]])), [0.5, 1.0])
    with pytest.raises(ValueError, match="the same queries"):
        recall_against(hits([[0], [0]]), hits([[0], [0]], ("q", "s")))
