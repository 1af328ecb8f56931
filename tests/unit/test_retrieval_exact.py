"""Exact search against a plain numpy search in float64 and faiss."""

import json

import faiss
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.retrieval import DenseIndex, search
from workbench.retrieval.scoring import checked_shape

METRICS = ["cosine", "dot", "euclidean"]


def by_hand(queries, documents, k, metric):
    """Every pair in float64, rounded to float32; a stable sort keeps the lower index first."""
    q, x = queries.astype("f8"), documents.astype("f8")
    if metric == "euclidean":
        scores = -np.sqrt(((q[:, None] - x[None]) ** 2).sum(axis=2))
    else:
        scores = (q[:, None] * x[None]).sum(axis=2)
    if metric == "cosine":
        scores /= np.sqrt((q**2).sum(axis=1))[:, None] * np.sqrt((x**2).sum(axis=1))
    scores = scores.astype("f4")
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(scores, order, axis=1)


def rows(n, d, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d)).astype("f4")


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("block", [None, 1, 13, 300])
def test_search_is_the_plain_search_whatever_the_block(metric, block):
    x, q = rows(300, 7), rows(20, 7, 1)
    indices, scores = search(q, x, 9, metric=metric, block=block)
    wanted, values = by_hand(q, x, 9, metric)
    np.testing.assert_array_equal(indices, wanted)
    np.testing.assert_allclose(scores, values, rtol=2e-7, atol=1e-7)  # one rounding of float32
    assert (indices.dtype, scores.dtype) == (np.int64, np.float32)


@given(seed=st.integers(0, 10**6), n=st.integers(1, 40), kinds=st.integers(1, 5), metric=st.sampled_from(METRICS))
@settings(max_examples=60, deadline=None)
def test_equal_documents_go_to_the_lower_index(seed, n, kinds, metric):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((kinds, 3)).astype("f4")[rng.integers(0, kinds, n)]
    q, k = rng.standard_normal((4, 3)).astype("f4"), int(rng.integers(1, n + 1))
    np.testing.assert_array_equal(
        search(q, x, k, metric=metric, block=int(rng.integers(1, n + 1)))[0], by_hand(q, x, k, metric)[0]
    )


@pytest.mark.parametrize("metric", METRICS)
def test_many_equal_documents_beyond_the_margin_still_go_to_the_lower_index(metric):
    x = rows(3, 16)[np.arange(2000) % 3]  # 667 of each: more than the first candidates can hold
    indices, _ = search(x[:3], x, 5, metric=metric, block=700)
    if metric != "dot":
        np.testing.assert_array_equal(indices, np.arange(5) * 3 + np.arange(3)[:, None])
    np.testing.assert_array_equal(indices, by_hand(x[:3], x, 5, metric)[0])


@pytest.mark.parametrize("metric", METRICS)
def test_rounding_of_products_hides_nothing(metric):
    # a thousand documents whose scores differ by less than a product in float32 can tell
    x = (rows(1, 64) + 1e-5 * rows(1000, 64, 1)).astype("f4")
    q = rows(5, 64, 2)
    np.testing.assert_array_equal(search(q, x, 10, metric=metric)[0], by_hand(q, x, 10, metric)[0])


def test_search_finds_what_faiss_finds():
    x, q = rows(5000, 48), rows(40, 48, 1)
    faiss.normalize_L2(x)
    flat = faiss.IndexFlatIP(48)
    flat.add(x)
    scores, wanted = flat.search(q, 25)
    indices, values = search(q, x, 25, metric="dot")
    np.testing.assert_allclose(values, scores, atol=2e-6)
    assert (indices == wanted).mean() > 0.999  # faiss may part near-equal scores otherwise


@pytest.mark.parametrize("kind", ["float16", "float64", "tensor", "bfloat16", "map", "strided", "reversed"])
def test_every_kind_of_rows_is_searched_as_float32(kind, tmp_path):
    x, q = rows(60, 8), rows(5, 8, 1)
    given_rows = x
    if kind in ("float16", "float64"):
        given_rows = x.astype(kind)
    elif kind == "tensor":
        given_rows = torch.from_numpy(x)
    elif kind == "bfloat16":
        given_rows = torch.from_numpy(x).bfloat16()
    elif kind == "map":
        np.save(tmp_path / "x.npy", x)
        given_rows = np.load(tmp_path / "x.npy", mmap_mode="r")
    else:
        given_rows = np.repeat(x, 2, axis=0)[::2] if kind == "strided" else x[::-1]
    plain = given_rows.float().numpy() if isinstance(given_rows, torch.Tensor) else np.asarray(given_rows, dtype="f4")
    np.testing.assert_array_equal(search(q, given_rows, 6)[0], by_hand(q, plain, 6, "cosine")[0])


@pytest.mark.parametrize("scale", [1e-30, 1e-38, 1e30])
def test_tiny_and_huge_rows_keep_their_direction(scale):
    x, q = rows(50, 6) * np.float32(scale), rows(4, 6, 1)
    np.testing.assert_array_equal(search(q, x, 5)[0], by_hand(q, x, 5, "cosine")[0])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("metric", METRICS)
def test_a_gpu_finds_the_same(metric):
    x, q = rows(3000, 64), rows(50, 64, 1)
    on_gpu = search(torch.from_numpy(q).cuda(), torch.from_numpy(x).cuda(), 20, metric=metric)
    np.testing.assert_array_equal(on_gpu[0], by_hand(q, x, 20, metric)[0])


def with_value(value, row=3):
    x = rows(10, 4)
    x[row, 1] = value
    return x


@pytest.mark.parametrize(
    ("queries", "documents", "k", "options", "message"),
    [
        (rows(2, 4), rows(10, 4), 11, {}, "k must be at least 1 and at most n=10, got 11"),
        (rows(2, 4), rows(10, 4), 0, {}, "k must be at least 1"),
        (rows(2, 5), rows(10, 4), 3, {}, "queries must have 4 columns as the documents have, got 5"),
        (rows(2, 4), rows(0, 4), 1, {}, "documents needs at least 1 rows, got 0"),
        (rows(2, 4), rows(10, 4)[0], 1, {}, "documents must be 2-D"),
        (rows(2, 4), rows(10, 4).astype(int), 1, {}, "floating dtype"),
        (rows(2, 4), with_value(np.nan), 1, {}, "documents: row 3 is not finite"),
        (with_value(np.inf, 2), rows(10, 4), 1, {"metric": "dot"}, "queries: row 2 is not finite"),
        (rows(2, 4), rows(10, 4).astype("f8") * 1e300, 1, {}, "documents: row 0 is not finite in"),
        (rows(2, 4), rows(10, 4) * (np.arange(10) != 7)[:, None], 1, {"block": 4}, "documents: row 7 is zero"),
        (rows(2, 4), with_value(1e19, 9), 1, {"metric": "dot", "block": 3}, "documents: row 9 is longer than 1e\\+18"),
        (rows(2, 4), rows(10, 4), 1, {"metric": "angle"}, "metric must be one of"),
        (rows(2, 4), rows(10, 4), 1, {"block": 0}, "block must be at least 1, got 0"),
    ],
)
def test_bad_rows_are_refused_by_number(queries, documents, k, options, message):
    with pytest.raises(ValueError, match=message):
        search(queries, documents, k, **options)


def test_lists_are_no_rows():
    with pytest.raises(TypeError, match="queries"):
        checked_shape([[1.0, 2.0]], "queries")


def index(n=30, d=6, metric="cosine"):
    return DenseIndex(tuple(f"d{i}" for i in range(n)), rows(n, d), metric)


def test_an_index_gives_ids_and_is_the_same_after_save_and_load(tmp_path):
    before, q = index(metric="dot"), rows(4, 6, 1)
    before.save(tmp_path / "index")
    after = DenseIndex.load(tmp_path / "index")
    assert isinstance(after.vectors, np.memmap)
    hits, again = before.search(q, 5, ids=["a", "b", "c", "d"]), after.search(q, 5, ids=["a", "b", "c", "d"])
    np.testing.assert_array_equal(hits.indices, by_hand(q, before.vectors, 5, "dot")[0])
    np.testing.assert_array_equal(hits.indices, again.indices)
    np.testing.assert_array_equal(hits.scores, again.scores)
    assert hits.queries == again.queries == ("a", "b", "c", "d")
    assert list(again.as_run()["b"]) == hits.ranked("b") == [f"d{i}" for i in hits.indices[1]]
    assert index().search(q, 2).queries == ("0", "1", "2", "3")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DenseIndex(("a", "a"), rows(2, 3)), "documents: id 'a' is given twice"),
        (lambda: DenseIndex((), rows(0, 3)), "the corpus is empty"),
        (lambda: DenseIndex(("a",), rows(2, 3)), "one row per document, got 2 for 1"),
        (lambda: DenseIndex(("a", "b"), rows(2, 3), "angle"), "metric must be one of"),
        (lambda: index().search(rows(2, 7), 3), "queries must have 6 columns"),
        (lambda: index().search(rows(2, 6), 31), "at most n=30, got 31"),
        (lambda: index().search(rows(2, 6), 3, ids=["a"]), "ids must name every row of queries, got 1 for 2"),
        (lambda: index().search(rows(2, 6), 3, ids=["a", "a"]), "id 'a' is given twice"),
    ],
)
def test_a_wrong_index_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_save_replaces_the_index_and_leaves_one_set_of_files(tmp_path):
    index(30).save(tmp_path)
    old = DenseIndex.load(tmp_path)
    index(20).save(tmp_path)
    assert len(DenseIndex.load(tmp_path).documents) == 20
    assert len(list(tmp_path.iterdir())) == 2
    np.testing.assert_array_equal(old.vectors, rows(30, 6))  # an open map outlives its name


def test_a_folder_with_other_files_is_not_written_to(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not empty and holds no index"):
        index().save(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_torn_damaged_and_foreign_folders_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no index"):
        DenseIndex.load(tmp_path / "nothing")
    index().save(tmp_path)
    manifest = tmp_path / "manifest.json"
    told = json.loads(manifest.read_text())
    vectors = tmp_path / told["folder"] / "vectors.npy"
    whole = vectors.read_bytes()
    for content, message in (
        (whole[:-8], "vectors.npy has 840 bytes of 848"),
        (whole[:-1] + bytes([whole[-1] ^ 1]), "vectors.npy has another SHA-256"),
    ):
        vectors.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            DenseIndex.load(tmp_path)
    vectors.unlink()
    with pytest.raises(ValueError, match=r"vectors\.npy is missing"):
        DenseIndex.load(tmp_path)
    for content, message in (
        (b'{"kind": "dense", "ver', "is no manifest"),
        (b"[]", "is no manifest"),
        (json.dumps(told | {"kind": "bm25"}).encode(), "holds a 'bm25' index of version 1"),
        (json.dumps(told | {"version": 2}).encode(), "index of version 2, not 'dense' of version 1"),
        (json.dumps(told | {"folder": "../elsewhere"}).encode(), "names a file outside its own folder"),
        (json.dumps(told | {"folder": "files-0"}).encode(), "files-0 is missing"),
    ):
        manifest.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            DenseIndex.load(tmp_path)
    index().save(tmp_path)  # a new save heals the folder
    assert len(DenseIndex.load(tmp_path).documents) == 30
