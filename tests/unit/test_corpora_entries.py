"""Entries and their search against rows written down by hand."""

import pytest

from workbench.corpora import Corpus, Labels
from workbench.corpora.entries import code_entries, entry_schemes, product_entries, type_search

NAMES = ["Pump", "Hand Pump (pump Type)", "Motor Pump (Pump type)", "Bell (Alarm type)", "Bolts"]
TEXTS = [
    "Pump. It moves water.",
    "Hand Pump (pump Type). Moved by hand.",
    "Moved by a motor.",
    "It rings.",
    "Bolts hold.",
]
PRODUCTS = Labels(
    TEXTS,
    ["flow", "flow", "flow", "control", "fasteners"],
    {"name": NAMES, "label2": ["x", "x", "y", "", "z"], "subset": ["ifc"] * 4 + ["uniclass"]},
)
DOCS = Corpus(
    ["Base of all.\n\nMore.", "Go\n  on there.", "Stop it.", "A function.", "Start again."],
    {
        "name": [
            "pkg.mod.Runner",
            "pkg.mod.Runner.go_on",
            "pkg.mod.Runner.stop",
            "pkg.mod.free",
            "pkg.mod.Other.start",
        ],
        "module": ["pkg.mod"] * 5,
        "package": ["pkg"] * 5,
    },
)


def test_a_product_knows_its_class_where_the_set_holds_it():
    entries = product_entries(PRODUCTS)
    assert entries.texts == tuple(TEXTS)
    assert entries.labels == PRODUCTS.labels
    assert entries.columns["name"] == tuple(NAMES)
    assert entries.columns["short"] == ("Pump", "Hand Pump", "Motor Pump", "Bell (Alarm type)", "Bolts")
    assert entries.columns["parent"] == ("", "pump", "pump", "", "")
    assert entries.columns["key"][:2] == ("pump", "hand pump (pump type)")
    assert entries.columns["level2"] == ("x", "x", "y", "", "z")
    # the name at the beginning is made short; a text that does not begin with it stays
    assert entries.columns["paragraph"] == (TEXTS[0], "Hand Pump. Moved by hand.", *TEXTS[2:])


def test_a_set_without_types_has_none():
    plain = Labels(["a", "b"], [1, 2], {"name": ["A", "B"], "label2": ["", ""], "subset": ["s", "s"]})
    assert product_entries(plain).columns["parent"] == ("", "")


def test_code_has_methods_for_types():
    entries = code_entries(DOCS)
    assert entries.columns["short"] == ("Runner", "go on", "stop", "free", "start")
    assert entries.texts[:2] == ("Runner. Base of all.", "go on. Go on there.")
    assert entries.labels == ("pkg",) * 5
    assert entries.columns["parent"][1] == "pkg.mod.Runner"


def test_schemes_are_the_levels_of_each_subset():
    entries = product_entries(PRODUCTS)
    schemes = entry_schemes(entries, largest=1)
    assert list(schemes) == ["ifc, level 1", "ifc, within class 1", "uniclass, level 1", "uniclass, within class 1"]
    assert schemes["ifc, level 1"].labels == ("flow", "flow", "flow", "control")
    assert schemes["ifc, within class 1"].labels == ("x", "x", "y")
    assert schemes["ifc, within class 1"].texts == tuple(TEXTS[:3])
    assert list(entry_schemes(entries, largest=0)) == ["ifc, level 1", "uniclass, level 1"]
    tied = entry_schemes(entries.take([3, 0]))
    assert list(tied) == ["ifc, level 1", "ifc, within class 1", "ifc, within class 2"]
    assert tied["ifc, within class 1"].texts == (TEXTS[3],)  # "control" before "flow"


@pytest.mark.parametrize(("by", "query"), [("short", "Pump"), ("paragraph", "Pump. It moves water.")])
def test_a_class_asks_for_its_types(by, query):
    search = type_search(product_entries(PRODUCTS), by=by, n=5)
    assert search.queries == {"pump": query}
    types = ["hand pump (pump type)", "motor pump (pump type)"]
    assert search.qrels == {"pump": dict.fromkeys(types, 1)}
    assert search.documents == {types[0]: "Hand Pump. Moved by hand.", types[1]: "Moved by a motor."}


def test_methods_of_a_class_that_is_not_there_are_no_documents():
    search = type_search(code_entries(DOCS), by="short", n=1)
    assert search.queries == {"pkg.mod.Runner": "Runner"}
    assert list(search.documents) == ["pkg.mod.Runner.go_on", "pkg.mod.Runner.stop"]


def test_how_many_classes_and_the_draw():
    classes = [f"C{i}" for i in range(6)]
    keys = [*classes, *(f"{c}.m{j}" for c in classes for j in range(1 if c == "C0" else 3))]
    docs = Corpus([f"Text {key}" for key in keys], dict.fromkeys(("name", "module", "package"), keys))
    few = type_search(code_entries(docs), by="short", n=2, seed=1)
    assert len(few.queries) == 2
    assert few.queries.items() <= type_search(code_entries(docs), by="short", n=4, seed=1).queries.items()
    assert len({tuple(type_search(code_entries(docs), by="short", n=2, seed=s).queries) for s in range(20)}) > 1
    assert set(type_search(code_entries(docs), by="short", n=9, least=2).queries) == set(classes[1:])
    # what is named a second time is not asked for twice
    twice = Corpus([*docs.texts, "again"], {k: [*keys, "C1"] for k in ("name", "module", "package")})
    assert type_search(code_entries(twice), by="paragraph", n=9).queries["C1"] == "C1. Text C1"


BARE = Labels(["a"], ["l"], {"name": ["A"], "subset": ["s"]})


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: product_entries(BARE), "no column 'label2'"),
        (lambda: code_entries(Corpus(["a"], {"name": ["n"]})), "no column 'module'"),
        (lambda: entry_schemes(BARE), "needs subset and level2"),
        (lambda: entry_schemes(code_entries(DOCS), largest=-1), "0 or more, got -1"),
        (lambda: type_search(BARE, by="short", n=1), "no column 'short'"),
        (lambda: type_search(code_entries(DOCS), by="key", n=1), "got 'key', 1 and 1"),
        (lambda: type_search(code_entries(DOCS), by="short", n=0), "got 'short', 0 and 1"),
        (lambda: type_search(code_entries(DOCS), by="short", n=1, least=0), "got 'short', 1 and 0"),
        (lambda: type_search(code_entries(DOCS), by="short", n=1, least=3), "no class has 3 types"),
    ],
)
def test_what_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
