"""Moments of rows against dense numpy, in any partition and from any source; files that are torn or foreign."""

import importlib
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from workbench.diagnostics.cosine import mean_cosine
from workbench.diagnostics.moments import GroupedMoments, Moments, merge, moments

PASS_A = importlib.import_module("workbench.diagnostics.moments")  # the package's `moments` is the function


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def cloud(seed, n, d, mean=0.0):
    rng = np.random.default_rng(seed)
    return rng.standard_t(5, size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d) + mean


def check_pool(m, x, rel=1e-9):
    """Every sum of the record against one dense pass in longdouble about the mean."""
    wide = x.astype(np.longdouble)
    mean = wide.mean(axis=0)
    y = wide - mean
    r = (y**2).sum(axis=1)
    pool = m.pool()

    def near(found, expected, size):
        assert np.abs(found - expected.astype(np.float64)).max() <= rel * float(np.max(size))

    near(pool.mean, mean, np.abs(wide).max())
    near(pool.scatter, y.T @ y, r.sum() + 1e-300)
    near(pool.sums.squares, (y**2).sum(axis=0), r.sum() + 1e-300)
    near(pool.sums.cubes, (y**3).sum(axis=0), (r**1.5).sum() + 1e-300)
    near(pool.sums.fourths, (y**4).sum(axis=0), (r**2).sum() + 1e-300)
    near(pool.sums.vector, r @ y, (r**1.5).sum() + 1e-300)
    near(np.array(pool.sums.radial), (r @ r)[None], (r**2).sum() + 1e-300)
    lengths = np.sqrt((wide**2).sum(axis=1))
    near(m.norms[:, 0].sum(), lengths.sum()[None], lengths.sum())
    near(m.norms[:, 1].sum(), (lengths @ lengths)[None], lengths @ lengths)
    assert m.norms[:, 2].min() == pytest.approx(float(lengths.min()), rel=rel)
    assert m.norms[:, 3].max() == pytest.approx(float(lengths.max()), rel=rel)
    assert m.n == len(x)
    if m.unit_second is not None:
        u = wide / lengths[:, None]
        near(m.units().sum(axis=0), u.sum(axis=0), len(x))
        near(m.unit_second, u.T @ u, len(x))


@given(st.integers(1, 90), st.integers(1, 12), st.integers(0, 9), st.sampled_from([0.0, 30.0]))
@settings(max_examples=40, deadline=None)
def test_moments_are_those_of_dense_numpy(n, d, seed, mean):
    x = cloud(seed, n, d, mean)
    check_pool(moments(x), x)


def test_a_common_mean_of_a_million_loses_nothing():
    x = cloud(1, 3000, 6) + 1e6
    check_pool(moments(x), x)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_precision_is_read_as_it_stands(dtype):
    x = torch.tensor(cloud(2, 50, 5)).to(dtype)
    check_pool(moments(x), x.double().numpy())


def test_many_chunks_give_what_one_gives(rng, monkeypatch):
    x = cloud(3, 5000, 4)
    monkeypatch.setattr(PASS_A, "ROWS_AT_ONCE", 100)  # not below 1024
    check_pool(moments(x), x)


def same(a, b):
    assert a.labels.tolist() == b.labels.tolist()
    assert a.counts.tolist() == b.counts.tolist()
    for name in ("means", "scatters", "cubes", "fourths", "vectors", "radials", "norms", "unit_sums", "unit_second"):
        left, right = getattr(a, name), getattr(b, name)
        assert np.abs(left - right).max() <= 1e-10 * max(1.0, np.abs(right).max()), name


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_any_partition_in_any_order_gives_the_same_record(sizes, random):
    x = cloud(5, sum(sizes), 3)
    ends = np.cumsum([0, *sizes])
    parts = [moments(x[i:j], start=int(i)) for i, j in pairwise(ends)]
    random.shuffle(parts)
    same(merge(parts), moments(x))
    same(moments(x[i:j] for i, j in pairwise(ends)), moments(x))
    if len(parts) > 2:
        same((parts[0] + parts[1]) + parts[2], parts[0] + (parts[1] + parts[2]))


def test_a_block_is_what_its_rows_give_and_left_out_is_the_rest():
    x = cloud(6, 120, 4)
    labels = np.arange(120) % 6 * 7 - 7  # -7, 0, ... 28: a negative label is hashed, the others stand
    m = moments(x, blocks=labels)
    assert set(range(0, 29, 7)) <= set(m.labels.tolist())
    assert m.counts.tolist() == [20] * 6
    for i, rest in enumerate(m.left_out()):
        kept = np.ones(120, bool)
        kept[[j for j in range(120) if labels[j] == m.labels[i]]] = False
        if labels.tolist().count(m.labels[i]) == 0:
            kept = labels != -7
        assert rest.n == 100
        assert rest.covariance == pytest.approx(np.cov(x[kept].T), rel=1e-9, abs=1e-12)
        assert rest.mean == pytest.approx(x[kept].mean(axis=0))


def test_a_single_block_leaves_nothing_out():
    assert list(moments(np.eye(3), blocks=np.zeros(3, int)).left_out()) == []


def test_wide_rows_have_fewer_blocks_and_still_merge(monkeypatch):
    monkeypatch.setattr(PASS_A, "BLOCK_BYTES", 8 * 4**2 * 7)  # room for 7 at d = 4
    x = cloud(7, 300, 4)
    m = moments(x)
    assert m.labels.tolist() == list(range(7))
    check_pool(m, x)
    same(moments(x[200:], start=200) + moments(x[:200]), m)
    monkeypatch.setattr(PASS_A, "BLOCK_BYTES", 1)
    assert moments(x).labels.tolist() == list(range(5))
    assert len(moments(cloud(8, 5000, 2), blocks=np.arange(5000)).labels) <= 200


def test_sources_of_every_kind_agree(tmp_path):
    x = cloud(9, 200, 5).astype(np.float32)
    expected = moments(x)
    np.save(tmp_path / "x.npy", x)
    column = pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), 5)
    pq.write_table(pa.table({"id": range(200), "embedding": column}), tmp_path / "x.parquet", row_group_size=64)
    before = (tmp_path / "x.npy").read_bytes()
    for source in (
        tmp_path / "x.npy",
        str(tmp_path / "x.parquet"),
        torch.from_numpy(x),
        np.load(tmp_path / "x.npy", mmap_mode="r"),
        x[::-1][::-1],
        np.asfortranarray(x),
        (x[i : i + 30] for i in range(0, 200, 30)),
        [torch.from_numpy(x[:3]), x[3:]],
    ):
        same(moments(source), expected)
    assert (tmp_path / "x.npy").read_bytes() == before


def test_groups_are_the_moments_of_their_rows_with_blocks_of_the_whole():
    x = cloud(10, 300, 3)
    groups = np.array(["short", "long", "mid"])[np.arange(300) % 3]
    grouped = moments(x, groups=groups)
    assert isinstance(grouped, GroupedMoments)
    assert set(grouped) == {"short", "long", "mid"}
    assert len(grouped) == 3
    check_pool(grouped["long"], x[groups == "long"])
    assert moments(x, groups=np.arange(300) % 2)[1].n == 150
    same(merge(grouped.values()), moments(x))
    halves = moments(x[:100], groups=groups[:100]) + moments(x[100:], groups=groups[100:], start=100)
    for name in grouped:
        same(halves[name], grouped[name])
    only = moments(x[:1], groups=groups[:1]) + moments(x[1:2], groups=groups[1:2], start=1)
    assert set(only) == {"short", "long"}


def test_mean_cosine_of_moments_is_that_of_the_rows():
    x = cloud(11, 200, 6) + 1
    a, b = mean_cosine(moments(x)), mean_cosine(x)
    assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high), rel=1e-9)
    with pytest.raises(ValueError, match="unit_rows=True"):
        mean_cosine(moments(x, unit_rows=False))
    with pytest.raises(ValueError, match="blocks already"):
        mean_cosine(moments(x), blocks=np.arange(200))
    with pytest.raises(ValueError, match="2 rows or more, got 1"):
        mean_cosine(moments(x[:1]))


def test_rows_of_any_length_have_a_direction():
    x = np.array([[3e-200, 4e-200], [1.0, 0.0]])
    assert moments(x).units().sum(axis=0) == pytest.approx([1.6, 0.8])


def test_zero_rows_are_refused_by_number_or_kept_without_unit_rows():
    x = np.ones((3000, 2))
    x[2345] = 0
    with pytest.raises(ValueError, match="row 2345 is zero"):
        moments(x)
    with pytest.raises(ValueError, match="row 2345 is zero"):
        moments([x[:2000], x[2000:]])
    m = moments(x, unit_rows=False)
    check_pool(m, x)
    assert m.unit_second is None
    assert merge([m, moments(np.ones((2, 2)), start=3000)]).unit_sums is None


@pytest.mark.parametrize(
    ("x", "options", "error", "words"),
    [
        (np.full((3, 2), np.nan), {}, ValueError, "row 0 is not finite"),
        ([np.ones((2, 2)), np.array([[1, np.inf]])], {}, ValueError, "batch 1 of x: row 0"),
        (np.ones((3, 2), int), {}, ValueError, "floating"),
        (np.array([[1.0, "a"]], dtype=object), {}, ValueError, "floating"),
        (np.empty((0, 2)), {}, ValueError, "x needs at least 1 rows, got 0"),
        ([], {}, ValueError, "1 row, got none"),
        (5, {}, TypeError, "got int|Type-check"),
        ({"a": 1}, {}, TypeError, "got dict"),
        ([[1.0, 2.0], [1.0]], {}, TypeError, "batch 0 of x"),
        ([np.ones((2, 2)), np.ones((2, 3))], {}, ValueError, "batch 1 of x must have 2 columns"),
        (np.ones((3, 2)), {"start": -1}, ValueError, "start"),
        (np.ones((3, 2)), {"groups": np.ones(3)}, ValueError, "groups must hold a whole number"),
        (np.ones((3, 2)), {"blocks": np.array(["a", "b", "c"])}, ValueError, "blocks must hold a whole number"),
        (np.ones((3, 2)), {"blocks": np.arange(2)}, ValueError, "got 2 for 3 rows"),
        (np.ones((3, 2)), {"blocks": np.arange(4)}, ValueError, "each of the 3 rows, got 4"),
        (np.ones((3, 2)), {"groups": np.arange(4)}, ValueError, "each of the 3 rows, got 4"),
        (np.array([[1e200, 1], [-1e200, 1]]), {"blocks": np.zeros(2, int)}, ValueError, "fourth power"),
    ],
)
def test_moments_refuse(x, options, error, words):
    with pytest.raises(error, match=words):
        moments(x, **options)


def test_merge_refuses_nothing_and_different_widths():
    with pytest.raises(ValueError, match="1 record or more"):
        merge([])
    with pytest.raises(ValueError, match=r"widths \[2, 3\]"):
        moments(np.ones((1, 2))) + moments(np.ones((1, 3)))


def test_a_record_survives_a_file_and_a_torn_or_foreign_one_is_refused(tmp_path, rng):
    path = tmp_path / "m.safetensors"
    for units in (True, False):
        m = moments(rng.normal(size=(60, 3)), unit_rows=units)
        m.save(path)
        back = Moments.load(path)
        for name in m.__dataclass_fields__:
            assert np.array_equal(getattr(back, name), getattr(m, name))
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]
    whole = path.read_bytes()
    for torn in (whole[:-9], whole[:5], b""):
        path.write_bytes(torn)
        with pytest.raises(ValueError, match="torn"):
            Moments.load(path)
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ValueError, match="SHA-256"):
        Moments.load(path)
    save_file({"a": np.ones(2)}, path)
    with pytest.raises(ValueError, match="no record of moments"):
        Moments.load(path)
    with pytest.raises(FileNotFoundError):
        Moments.load(tmp_path / "none.safetensors")
    with pytest.raises(ValueError, match=r"end in .safetensors"):
        m.save(tmp_path / "m.npz")


def parquet(path, column):
    pq.write_table(pa.table({"embedding": column}), path)


def test_files_that_hold_no_embeddings_are_refused_and_left_as_they_are(tmp_path):
    lists = pa.FixedSizeListArray.from_arrays
    np.save(tmp_path / "object.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "whole.npy", np.ones((9, 9)))
    (tmp_path / "torn.npy").write_bytes((tmp_path / "whole.npy").read_bytes()[:-8])
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "empty.parquet").write_bytes(b"")
    (tmp_path / "x.csv").write_text("1,2")
    pq.write_table(pa.table({"vector": [1.0]}), tmp_path / "column.parquet")
    parquet(tmp_path / "ragged.parquet", pa.array([[1.0], [1.0, 2.0]]))
    parquet(tmp_path / "whole_numbers.parquet", lists(pa.array([1, 2]), 2))
    parquet(tmp_path / "null_row.parquet", pa.array([[1.0, 2.0], None], type=pa.list_(pa.float32(), 2)))
    parquet(tmp_path / "null.parquet", lists(pa.array([1.0, None]), 2))
    words = {"torn": "whole", "empty": "whole", "object": "whole", "x": "end in", "null": "null", "null_row": "null"}
    for path in sorted(tmp_path.iterdir()):
        before = path.read_bytes()
        if path.name != "whole.npy":
            with pytest.raises(ValueError, match=words.get(path.stem, "fixed-size lists of floats")):
                moments(path)
        assert path.read_bytes() == before
    for name in ("none.npy", "none.parquet"):
        with pytest.raises(FileNotFoundError):
            moments(tmp_path / name)


def test_of_several_zero_rows_the_first_is_named_whatever_block_it_falls_in():
    x = np.random.default_rng(0).normal(size=(9000, 3)).astype(np.float32)
    x[[3, 5, 8, 9, 8500]] = 0
    with pytest.raises(ValueError, match="row 3 is zero"):
        moments(x)
    with pytest.raises(ValueError, match="row 3 is zero"):
        mean_cosine(x)
    x[:10] = 1
    with pytest.raises(ValueError, match="row 8500 is zero"):
        moments(x)
    with pytest.raises(ValueError, match="row 8500 is zero"):
        mean_cosine(x)
