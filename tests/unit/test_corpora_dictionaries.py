"""Dictionaries out of names and glosses, against rows written here."""

import pytest

from workbench.corpora import Corpus, Dictionary
from workbench.corpora.dictionaries import distinct_entries, name_dictionary

ROWS = {  # name: (kind, docstring, the entry it makes, or None)
    "numpy.arg_sort": ("function", "Give the order of rows. And more.\n\nRest.", "arg sort"),
    "http.HTTPServer": ("class", "Answers requests on a port.", "http server"),
    "torch.nn.ReLU6": ("class", "Cuts values off at six.", "re lu 6"),
    "hashlib.sha256.hexDigest": ("method", "The digest as hexadecimal text.", "hex digest"),
    "json.__init__": ("method", "Set up the whole thing.", "init"),
    "json": ("module", "Reads and writes a notation.", None),
    "os.x": ("function", "Do one thing or another.", None),
    "os.walk": ("function", "Too short.", None),
    "os.scan": ("function", "word " * 41, None),
}


def docs(**columns):
    kinds, texts, _ = zip(*ROWS.values(), strict=True)
    return Corpus(texts, {"name": list(ROWS), "kind": kinds, "number": range(len(ROWS))} | columns)


def test_names_are_read_as_words_and_defined_by_a_first_sentence():
    made = name_dictionary(docs())
    kept = [(i, row[2]) for i, row in enumerate(ROWS.values()) if row[2]]
    assert list(made.words) == [entry for _, entry in kept]
    assert list(made.columns["number"]) == [i for i, _ in kept]
    assert made.definitions[:2] == ("Give the order of rows.", "Answers requests on a port.")
    assert made.source.name.endswith("names")


def test_a_sentence_of_forty_words_is_the_longest():
    texts = ["word " * 40, "word " * 4, "word " * 3]
    columns = {"name": ["a.first", "a.second", "a.third"], "kind": ["function"] * 3}
    assert name_dictionary(Corpus(texts, columns)).words == ("first", "second")


def test_what_makes_no_dictionary_is_refused():
    for column in ("name", "kind"):
        columns = {k: v for k, v in docs().columns.items() if k != column}
        with pytest.raises(ValueError, match=f"no column '{column}'"):
            name_dictionary(Corpus(docs().texts, columns))
    with pytest.raises(ValueError, match=f"none of {len(ROWS)} rows"):
        name_dictionary(docs(kind=["module"] * len(ROWS)))


GLOSSES = [
    ("Motor car", "a vehicle with four wheels"),
    ("car", "a vehicle with four  Wheels"),
    ("car", "where passengers of a lift ride"),
    ("Car", "a car on rails"),
    ("ice cream", "frozen cream"),
    ("ice cream", "a dessert; ice  Cream is cold"),
    ("cart", "a car without a motor"),
    ("bus", "the bus"),
]


def glosses(rows=GLOSSES):
    words, definitions = zip(*rows, strict=True)
    return Dictionary(words, definitions)


def test_definitions_that_leak_or_stand_under_an_earlier_entry_are_left_out():
    assert distinct_entries(glosses()) == {
        "motor car": ["a vehicle with four wheels"],
        "car": ["where passengers of a lift ride"],
        "ice cream": ["frozen cream"],
        "cart": ["a car without a motor"],
    }
    assert list(distinct_entries(glosses())) == ["motor car", "car", "ice cream", "cart"]


def test_preferred_entries_keep_what_others_share_with_them():
    assert distinct_entries(glosses(), prefer={"car", "bus"}) == {
        "car": ["a vehicle with four  Wheels", "where passengers of a lift ride"],
        "ice cream": ["frozen cream"],
        "cart": ["a car without a motor"],
    }


def test_no_definition_left_is_refused():
    with pytest.raises(ValueError, match="none of 2 definitions is left"):
        distinct_entries(glosses([("bus", "the bus"), ("Bus", "a big BUS")]))
