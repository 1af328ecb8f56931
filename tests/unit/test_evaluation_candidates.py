"""Lists to rerank against sets of ids written down by hand."""

import pytest

from workbench.corpora import Retrieval
from workbench.evaluation.candidates import with_candidates

DOCUMENTS = {name: f"text {name}" for name in "abcdefghij"}
DATA = Retrieval(
    DOCUMENTS,
    {"q1": "one", "q2": "two", "q3": "three", "q4": "four"},
    {"q1": {"a": 1, "b": 2, "c": 1}, "q2": {"d": 1}, "q3": {"e": 1, "f": 1, "g": 0}},
    columns={"kind": ["k1", "k2", "k3", "k4"]},
)
RUN = {"q1": {"j": 0.1, "a": 9.0, "i": 0.9, "h": 0.5, "g": 0.9}, "q3": {"e": 1.0, "d": 0.5}}


def test_a_list_holds_relevant_ones_and_the_best_of_the_others():
    made = with_candidates(DATA, RUN, positives=2, ratio=2)
    assert list(made.queries) == ["q1", "q3"]  # q2 has one relevant document, q4 none
    right = set(made.qrels["q1"])
    assert len(right) == 2
    assert right <= {"a", "b", "c"}
    assert set(made.candidates["q1"]) == right | {"i", "g", "h", "j"}
    assert len(made.candidates["q1"]) == 6
    # the grade 0 of g does not make it relevant, d is what the run names, and the rest is drawn
    assert set(made.qrels["q3"]) == {"e", "f"}
    assert {"e", "f", "d"} <= set(made.candidates["q3"])
    assert len(set(made.candidates["q3"])) == 6
    assert made.columns["kind"] == ("k1", "k3")
    assert made.documents == DOCUMENTS


def test_grades_stay_and_equal_scores_keep_the_order_of_the_run():
    grades = [with_candidates(DATA, RUN, positives=3, ratio=1, seed=s).qrels["q1"] for s in range(3)]
    assert all(grade == {"a": 1, "b": 2, "c": 1} for grade in grades)
    for s in range(5):
        one = with_candidates(DATA, RUN, positives=1, ratio=1, seed=s)
        assert set(one.candidates["q1"]) - set(one.qrels["q1"]) == {"i"}  # i and g score the same, i comes first


def test_without_a_run_everything_is_drawn():
    drawn = [with_candidates(DATA, None, positives=1, ratio=3, seed=s) for s in range(30)]
    others = [frozenset(d.candidates["q1"]) - set(d.qrels["q1"]) for d in drawn]
    assert frozenset.union(*others) == set("defghij")
    assert len(set(others)) > 5
    assert {tuple(d.qrels["q1"]) for d in drawn} == {("a",), ("b",), ("c",)}
    assert any(d.candidates["q1"][0] not in d.qrels["q1"] for d in drawn)  # the relevant ones do not lead
    assert drawn[0].candidates == with_candidates(DATA, None, positives=1, ratio=3, seed=0).candidates


def test_queries_without_enough_others_are_left_out():
    assert list(with_candidates(DATA, None, positives=2, ratio=4).queries) == ["q3"]  # 8 others, q1 has 7


@pytest.mark.parametrize(
    ("run", "options", "words"),
    [
        (None, {"positives": 0}, "got 0 and 3"),
        (None, {"positives": 1, "ratio": 0}, "got 1 and 0"),
        ({"q9": {}}, {"positives": 1}, "run of query 'q9'"),
        ({"q1": {"z": 1.0}}, {"positives": 1}, "run of query 'q1'"),
        (None, {"positives": 4}, "no query has 4 relevant and 12 others"),
    ],
)
def test_what_is_refused(run, options, words):
    with pytest.raises(ValueError, match=words):
        with_candidates(DATA, run, **options)
