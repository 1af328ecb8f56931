"""Sets to cluster against counts by hand, and words that go against lists written down."""

from collections import Counter

import pytest

from workbench.corpora import Labels
from workbench.corpora.label_sets import label_sets, unlabelled, without_label_words

N = {"a": 7, "b": 9, "c": 5, "": 20}
DATA = Labels(
    [f"{label} text {i}" for label, n in N.items() for i in range(n)],
    [label for label, n in N.items() for _ in range(n)],
    {"at": list(range(41)), "own": ["x"] * 41},
)
FEW = Labels(["one", "two", "three"], ["p", "p", "q"], {"at": [0, 1, 2]})


def test_each_set_has_as_many_texts_of_each_label_and_no_text_comes_twice():
    drawn = label_sets({"first": DATA, "few": FEW}, per_label=3, n_sets=2)
    # c has 5 texts of the 6 that two sets of 3 take, '' is no label, and "few" has no label of 6
    expected = {(f"first, set {s}", label): 3 for s in (0, 1) for label in "ab"}
    assert Counter(zip(drawn.columns["set"], drawn.labels, strict=True)) == expected
    assert set(drawn.columns["scheme"]) == {"first"}
    assert len(set(drawn.texts)) == len(drawn) == 12
    assert drawn.columns["set"] == tuple(sorted(drawn.columns["set"]))
    assert set(drawn.columns) == {"at", "scheme", "set"}  # "own" is of the first alone


def test_rows_keep_their_label_and_their_columns():
    drawn = label_sets({"first": DATA}, per_label=2, n_sets=3)
    for text, label, at in zip(drawn.texts, drawn.labels, drawn.columns["at"], strict=True):
        assert text == DATA.texts[at]
        assert label == DATA.labels[at]


def test_the_most_frequent_labels_take_part_and_equal_counts_go_by_name():
    two = label_sets({"first": DATA}, per_label=5, n_sets=1, most=2)
    assert set(two.labels) == {"a", "b"}
    assert set(label_sets({"first": DATA}, per_label=5, n_sets=1).labels) == {"a", "b", "c"}
    even = Labels([f"{i}" for i in range(8)], list("zzyyxxww"))
    assert set(label_sets({"even": even}, per_label=2, n_sets=1, most=3).labels) == {"w", "x", "y"}


def test_every_scheme_that_can_gives_its_sets_and_the_draw_follows_the_seed():
    both = label_sets({"one": DATA, "two": DATA.where(labels=["a", "b"])}, per_label=3, n_sets=2)
    assert Counter(both.columns["scheme"]) == {"one": 12, "two": 12}
    again = label_sets({"one": DATA}, per_label=3, n_sets=2)
    assert again.texts == both.texts[:12]
    assert label_sets({"one": DATA}, per_label=3, n_sets=2, seed=1).texts != again.texts
    # more sets begin with the same ones
    assert label_sets({"one": DATA}, per_label=3, n_sets=1, most=2).texts == again.texts[:6]


@pytest.mark.parametrize(
    ("text", "labels", "left"),
    [
        ("Fastening products, of steel.", ["fastener products"], ", of steel."),
        ("A FLOW controller flows", ["IfcFlowController"], "A"),
        ("An opening; unopened openings", ["opening products and parts"], "An ; unopened"),
        ("and skins or skin-tight", ["skin and bone"], "and or -tight"),
        ("linear algebra in numpy", ["numpy.linalg"], "linear algebra in"),
        ("HVACs cool", ["HVAC System"], "cool"),
        ("products", ["products"], ""),
        ("non-rigid  sheets", ["non-rigid sheet"], "non-"),
    ],
)
def test_words_that_begin_as_a_label_does_go(text, labels, left):
    assert without_label_words([text], labels) == [left]


def test_each_scheme_loses_the_words_of_its_own_labels():
    colours = Labels(["a green door", "a blue wall"] * 2, ["green", "blue"] * 2)
    parts = Labels(["a green door", "a blue wall"] * 2, ["door", "wall"] * 2)
    sets = label_sets({"colour": colours, "part": parts}, per_label=1, n_sets=1)
    assert set(unlabelled(sets, sets.texts)[:2]) == {"a door", "a wall"}
    assert set(unlabelled(sets, sets.texts)[2:]) == {"a green", "a blue"}
    assert unlabelled(sets, ["greenish", "blu", "doors", "walls"]) == ["", "blu", "", ""]
    assert unlabelled(sets, ["greener", "", "", ""], letters=4) == ["", "", "", ""]


def test_how_many_letters_decide():
    labels = ["fastener"]
    assert without_label_words(["fast fasten fastener"], labels) == ["fast"]
    assert without_label_words(["fast fasten fastener"], labels, letters=4) == [""]
    assert without_label_words(["fast fasten fastener"], labels, letters=8) == ["fast fasten"]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: label_sets({"a": DATA}, per_label=0, n_sets=1), ValueError, "1 or more, most 2, got 0, 1 and 6"),
        (lambda: label_sets({"a": DATA}, per_label=1, n_sets=0), ValueError, "got 1, 0 and 6"),
        (lambda: label_sets({"a": DATA}, per_label=1, n_sets=1, most=1), ValueError, "got 1, 1 and 1"),
        (lambda: label_sets({"a": DATA}, per_label=5, n_sets=2), ValueError, r"two labels of 10 texts.*\['a'\]"),
        (lambda: label_sets({}, per_label=1, n_sets=1), ValueError, "no scheme has two labels"),
        (lambda: unlabelled(DATA, DATA.texts), ValueError, "takes rows of label_sets"),
        (lambda: unlabelled(label_sets({"a": DATA}, per_label=1, n_sets=1), ["one"]), ValueError, "each of 3, got 1"),
        (lambda: without_label_words(["a"], "label"), TypeError, "the one str 'label'"),
        (lambda: without_label_words(["a"], ["label"], letters=3), ValueError, "letters must be 4 or more, got 3"),
        (lambda: without_label_words(["a"], ["of", "a"]), ValueError, "no label has a word of 4 letters"),
    ],
)
def test_what_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
