"""An evaluation goes through a file unharmed, and a file that is harmed is refused."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from workbench.evaluation.base import Evaluation, evaluation_of
from workbench.evaluation.comparison import compare
from workbench.evaluation.saving import is_evaluation, load_evaluation, save_evaluation


@pytest.fixture
def evaluation():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 60))
    arrays = {"cosine": x.astype(np.float32), "hit": x > 0, "gold": np.arange(60), "bad": np.full(60, math.nan)}
    columns = {"length": list(rng.integers(1, 9, 60)), "lang": ["de", "zh\udc80"] * 30, "history": [["a"], None] * 30,
               "score": [np.float32(0.1)] * 60}  # fmt: skip
    return evaluation_of(
        "sts",
        main="rho",
        arrays=arrays,
        ids=[f"i{i}" for i in range(60)],
        means={"hit": "share"},
        statistics={"rho": (lambda rows: float(stats.spearmanr(x[rows], y[rows]).statistic), "Spearman")},
        columns=columns,
        source="f" * 64,
        recipe={"model": "m", "dimensions": None, "lengths": (1, 2), "temperature": np.float64(0.8), "<b>": {"a": 1}},
    )


def test_everything_but_the_functions_comes_back(evaluation, tmp_path):
    path = tmp_path / "e.json"
    save_evaluation(evaluation, path)
    back = load_evaluation(path)
    assert is_evaluation(path)
    assert (back.task, back.main, back.ids, back.source) == ("sts", "rho", evaluation.ids, "f" * 64)
    assert back.scores == evaluation.scores
    for name, values in evaluation.arrays.items():
        assert back.arrays[name].dtype == values.dtype
        assert np.array_equal(back.arrays[name], values, equal_nan=values.dtype.kind == "f")
    assert np.array_equal(back.blocks, evaluation.blocks)
    assert back.blocks.dtype == np.int64
    assert np.array_equal(back.replicates["rho"], evaluation.replicates["rho"])
    assert back.columns["lang"] == evaluation.columns["lang"]
    assert back.columns["history"] == (["a"], None) * 30
    assert back.columns["length"] == evaluation.columns["length"]
    assert back.columns["score"][0] == float(np.float32(0.1))
    assert back.recipe == {**evaluation.recipe, "lengths": [1, 2]}
    assert back.statistics == {}
    assert not compare(evaluation, back).recipe_difference
    with pytest.raises(ValueError, match="its function is not in the file"):
        back.take([0, 1])
    json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_an_interval_without_ends_comes_back(tmp_path):
    one = evaluation_of("t", main="m", arrays={"m": np.array([0.5])}, ids=["a"], means={"m": "mean"})
    save_evaluation(one, tmp_path / "e.json")
    back = load_evaluation(tmp_path / "e.json")["m"]
    assert (back.value, back.low, back.high, back.method) == (0.5, -math.inf, math.inf, one["m"].method)
    assert math.isnan(back.standard_error)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=9), st.text(), st.sampled_from(["nan", "inf", "-inf"]))
def test_floats_and_texts_come_back_to_the_last_bit(tmp_path_factory, values, text, word):
    path = tmp_path_factory.mktemp("e") / "e.json"
    ids = [str(i) for i in range(len(values))]
    blocks, columns = np.zeros(len(values), int), {"text": (text,) * len(values), "word": (word,) * len(values)}
    made = Evaluation("t", "m", {}, {"m": np.array(values)}, tuple(ids), blocks, columns=columns)
    save_evaluation(made, path)
    back = load_evaluation(path)
    assert back.arrays["m"].tobytes() == np.array(values).tobytes()
    assert back.columns["text"] == (text,) * len(values)
    assert back.columns["word"] == (word,) * len(values)


def test_every_cut_and_a_changed_number_are_refused(evaluation, tmp_path):
    path = tmp_path / "e.json"
    save_evaluation(evaluation, path)
    whole = path.read_bytes()
    for end in (0, 1, 40, len(whole) // 2, len(whole) - 3):
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match=r"e\.json is torn"):
            load_evaluation(path)
    changed = whole.replace(b'"main":"rho"', b'"main":"hit"')
    assert changed != whole
    path.write_bytes(changed)
    with pytest.raises(ValueError, match="torn or was changed: its SHA-256"):
        load_evaluation(path)
    path.write_bytes(b"\xff\xfe" + whole)
    with pytest.raises(ValueError, match="torn, or no JSON"):
        load_evaluation(path)


@pytest.mark.parametrize("text", ["{}", "[]", "3", '{"format": "other"}', '{"claims": []}'])
def test_foreign_files_are_refused(tmp_path, text):
    path = tmp_path / "record.json"
    path.write_text(text)
    assert not is_evaluation(path)
    with pytest.raises(ValueError, match=r"record.json is not an evaluation"):
        load_evaluation(path)


def test_another_version_is_refused(evaluation, tmp_path):
    path = tmp_path / "e.json"
    save_evaluation(evaluation, path)
    path.write_text(path.read_text().replace('"version": 1', '"version": 2', 1))
    assert is_evaluation(path)
    with pytest.raises(ValueError, match="of version 2, this reads version 1"):
        load_evaluation(path)


def test_what_json_cannot_hold_is_refused_and_the_old_file_stays(evaluation, tmp_path):
    path = tmp_path / "e.json"
    save_evaluation(evaluation, path)
    before = path.read_bytes()
    for odd, where in ((object(), "recipe: odd"), ({1: 2}, "recipe: odd"), (b"x", "recipe: odd")):
        evaluation.recipe["odd"] = odd
        with pytest.raises(ValueError, match=where):
            save_evaluation(evaluation, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["e.json"]


def test_no_file_and_no_folder(evaluation, tmp_path):
    with pytest.raises(FileNotFoundError):
        load_evaluation(tmp_path / "none.json")
    with pytest.raises(FileNotFoundError):
        save_evaluation(evaluation, tmp_path / "none" / "e.json")
