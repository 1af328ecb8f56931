"""`diagnose`: the same numbers as its parts, plain words where something is wrong, refusals; files of vectors."""

import json
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from workbench.diagnostics import Reports, diagnose, expected_seconds, isoscore, mean_cosine, read_vectors, uniformity


def cloud(n=300, d=12, seed=0, shift=0.0):
    return np.random.default_rng(seed).normal(size=(n, d)) * np.linspace(2, 0.5, d) + shift


def test_the_numbers_are_those_of_the_single_diagnostics():
    x = cloud()
    report = diagnose(x, lengths=np.arange(300) % 5 + 1, labels=[f"<{i % 3}>" for i in range(300)])
    assert report["mean_cosine"].value == pytest.approx(mean_cosine(x).value, abs=1e-12)
    assert report["isoscore"].value == pytest.approx(isoscore(x).value, abs=1e-12)
    assert report["uniformity"].value == pytest.approx(uniformity(x).value, abs=1e-12)
    assert (report.n, report.d) == (300, 12)
    values = np.linalg.eigvalsh(np.cov(x.T))[::-1]
    assert report["first_share"].value == pytest.approx(values[0] / values.sum())
    units = x / np.linalg.norm(x, axis=1, keepdims=True)
    own = [(units[i::3] @ units[i::3].T)[np.triu_indices(100, 1)].mean() for i in range(3)]
    assert report["cosine_within_labels"].value == pytest.approx(np.mean(own))


def test_what_is_wrong_is_said_in_plain_words():
    fine, collapsed = diagnose(cloud()), diagnose(cloud(shift=5.0))
    words = {row.name: row.unusual for row in collapsed.rows}
    assert "point much the same way" in words["mean_cosine"]
    assert not {row.name: row.unusual for row in fine.rows}["mean_cosine"]
    spike = cloud()
    spike[:, 3] += 30
    assert "single dimension" in {row.name: row.unusual for row in diagnose(spike).rows}["largest_outlier_dimension"]


def test_unit_rows_are_noted_and_raw_rows_have_their_lengths_told():
    x = cloud()
    assert "normalize=False" in diagnose(x / np.linalg.norm(x, axis=1, keepdims=True)).notes[0]
    note = diagnose(x).notes[0]
    lengths = np.linalg.norm(x, axis=1)
    assert f"mean {lengths.mean():.4g}" in note
    assert f"standard deviation {lengths.std():.3g}" in note


def test_a_number_that_these_rows_cannot_give_is_a_dash_with_its_reason():
    report = diagnose(np.repeat(cloud(4, 3), 3, axis=0)[:5])
    missing = [row for row in report.rows if row.estimate is None]
    assert missing
    assert all("not measured" in row.note for row in missing)
    with pytest.raises(KeyError, match="was not measured"):
        report[missing[0].name]
    with pytest.raises(KeyError, match="it has mean_cosine"):
        report["nothing"]


def test_the_report_as_html_frame_json_and_side_by_side():
    one, two = diagnose(cloud(), labels=["<b>", "c"] * 150), diagnose(cloud(seed=1))
    html = one._repr_html_()
    assert html.count("<tr>") == len(one.rows) + 1
    assert "mean cosine over all pairs of distinct rows" in html
    frame = one.to_frame()
    assert frame.loc["isoscore", "value"] == one["isoscore"].value
    told = json.loads(one.to_json())
    assert told["n"] == 300
    assert {row["name"]: row["low"] for row in told["rows"]}["first_share"] is None
    both = Reports({"a<": one, "b": two})
    assert "a&lt;" in both._repr_html_()
    assert both.to_frame().loc["isoscore", "b"] == two["isoscore"].value
    assert np.isnan(both.to_frame().loc["cosine_within_labels", "b"])
    assert "isoscore" in str(both)
    with pytest.raises(ValueError, match="at least one report"):
        Reports({})


@pytest.mark.parametrize(
    ("x", "options", "words"),
    [
        (np.zeros((5, 3)), {}, r"row \d is zero"),
        (np.full((5, 3), np.nan), {}, "row 0"),
        (np.ones((1, 3)), {}, "2"),
        (cloud(20), {"lengths": [1, 2]}, "lengths must hold one value for each of the 20 rows, got 2"),
        (cloud(20), {"labels": ["a"]}, "labels must hold one value for each of the 20 rows, got 1"),
    ],
)
def test_bad_rows_are_refused(x, options, words):
    with pytest.raises(ValueError, match=words):
        diagnose(x, **options)


def test_the_time_is_foretold_to_within_a_few_seconds_for_small_data():
    assert 0 < expected_seconds(cloud()) < 30


@pytest.mark.slow
@pytest.mark.parametrize(("n", "d"), [(3_000, 64), (30_000, 64), (20_000, 384)])
def test_the_time_is_foretold_to_a_factor_of_three(n, d):
    """Of two on an idle machine; three here, where others may run."""
    x = np.random.default_rng(0).normal(size=(n, d)).astype(np.float32)
    foretold = expected_seconds(x)
    began = time.perf_counter()
    diagnose(x)
    assert 1 / 3 < foretold / (time.perf_counter() - began) < 3


@pytest.mark.parametrize("kind", [pa.list_, pa.large_list, lambda of: pa.list_(of, 4)], ids=["list", "large", "fixed"])
def test_half_floats_of_a_parquet_are_read_as_they_stand(tmp_path, kind):
    x = cloud(30, 4).astype(np.float16)
    path = tmp_path / "half.parquet"
    pq.write_table(pa.table({"embedding": pa.array(list(x), type=kind(pa.float16()))}), path, row_group_size=7)
    whole = path.read_bytes()
    found = read_vectors(path)
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, x)
    assert path.read_bytes() == whole
    assert diagnose(found)["isoscore"].value == pytest.approx(isoscore(x.astype(np.float64)).value, rel=1e-9)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pa.array([[1.0, 2], [1, 2, 3]], pa.list_(pa.float16())), "equally many"),
        (pa.array([[1.0, 2], [1]], pa.large_list(pa.float32())), "equally many"),
        (pa.array([[], []], pa.list_(pa.float16())), "must hold rows of floats"),
        (pa.array([], pa.list_(pa.float32())), "equally many"),
        (pa.array([[1.0], None], pa.list_(pa.float32())), "row 1 of 'embedding' is null"),
        (pa.array([[1.0, 2], [3, 4], [5, None]], pa.list_(pa.float32())), "row 2 of 'embedding' holds a null"),
        (pa.array([[1.0, 2], [None, 4]], pa.list_(pa.float16(), 2)), "row 1 of 'embedding' holds a null"),
        (pa.array([[1, 2], [3, 4]]), "must hold rows of floats"),
        (pa.array([["a"], ["b"]]), "must hold rows of floats"),
        (pa.array([[[1.0]], [[2.0]]]), "must hold rows of floats"),
        (pa.array([1.0, 2.0]), "must hold lists of floats"),
    ],
)
def test_a_parquet_that_holds_no_vectors_is_refused_and_left_alone(tmp_path, column, words):
    path = tmp_path / "bad.parquet"
    pq.write_table(pa.table({"embedding": column}), path)
    whole = path.read_bytes()
    with pytest.raises(ValueError, match=words):
        read_vectors(path)
    assert path.read_bytes() == whole


def test_every_kind_of_file_gives_the_same_rows(tmp_path):
    x = cloud(30, 4).astype(np.float32)
    np.save(tmp_path / "a.npy", x)
    column = pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), 4)
    ragged = [[1.0] * (i % 2 + 1) for i in range(30)]
    pq.write_table(pa.table({"embedding": column, "ragged": ragged}), tmp_path / "a.parquet")
    save_file({"x": x}, tmp_path / "a.safetensors")
    for path in (tmp_path / "a.npy", tmp_path / "a.parquet", tmp_path / "a.safetensors"):
        np.testing.assert_array_equal(read_vectors(path), x)
    with pytest.raises(ValueError, match="equally many"):
        read_vectors(tmp_path / "a.parquet", name="ragged")
    with pytest.raises(ValueError, match="no column 'x'; it has"):
        read_vectors(tmp_path / "a.parquet", name="x")
    with pytest.raises(ValueError, match="no tensor 'y'"):
        read_vectors(tmp_path / "a.safetensors", name="y")


@pytest.mark.parametrize("suffix", [".npy", ".parquet", ".safetensors"])
def test_a_torn_or_empty_file_is_refused_and_left_alone(tmp_path, suffix):
    x = cloud(30, 4).astype(np.float32)
    path = tmp_path / f"a{suffix}"
    if suffix == ".npy":
        np.save(path, x)
    elif suffix == ".parquet":
        pq.write_table(pa.table({"embedding": list(x)}), path)
    else:
        save_file({"x": x}, path)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b""):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="is no whole"):
            read_vectors(path)
        assert path.read_bytes() == content
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(ValueError, match="no whole"):
        read_vectors(tmp_path / "objects.npy")
    with pytest.raises(ValueError, match="must end in"):
        read_vectors(path.rename(tmp_path / "a.txt"))
    with pytest.raises(FileNotFoundError):
        read_vectors(tmp_path / "absent.npy")
