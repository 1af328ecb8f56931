import subprocess
import sys

import pytest

from workbench.corpora import UnknownCorpus, catalogue, fingerprint, load
from workbench.corpora.builtin import BUILT_IN
from workbench.corpora.splits import hash_split, part

TAKEN = {
    "pydocs": {"scope"},
    "pysource": {"scope", "subset", "split"},
    "readmes": set(),
    "glyphs": {"subset", "split"},
    "cldr": {"subset", "split"},
    "digits": {"split"},
}
OPTIONS = ("split", "text", "label", "scope", "subset")


@pytest.mark.parametrize(("name", "option"), [(n, o) for n, taken in TAKEN.items() for o in OPTIONS if o not in taken])
def test_a_built_in_set_refuses_the_options_that_it_does_not_take(name, option):
    with pytest.raises(ValueError, match=f"'{name}' is a built-in set and takes no {option}, got 'x'"):
        load(name, **{option: "x"})


@pytest.mark.parametrize(("name", "option"), [(n, o) for n, taken in TAKEN.items() for o in sorted(taken)])
def test_the_options_that_it_takes_reach_its_reader(name, option):
    with pytest.raises(ValueError, match=f"(scope|subset|split|face|locale).*{'nonsense'}"):
        load(name, **{option: "nonsense-nonsense" if (name, option) == ("cldr", "subset") else "nonsense"})


def test_the_table_names_the_sets_and_nothing_else():
    assert {name: set(made.options) for name, made in BUILT_IN.items()} == TAKEN


@pytest.mark.parametrize("name", [n for n, taken in TAKEN.items() if "scope" not in taken])
def test_a_fingerprint_takes_a_scope_only_where_the_set_does(name):
    assert len(fingerprint(name)) == 64
    with pytest.raises(ValueError, match=f"'{name}' takes no scope, got 'x'"):
        fingerprint(name, scope="x")


@pytest.mark.parametrize("name", ["pydocs", "pysource"])
def test_a_fingerprint_is_of_one_scope(name):
    assert fingerprint(name, scope="stdlib-core") != fingerprint(name, scope="stdlib")
    assert fingerprint(name) == fingerprint(name, scope="all")


def test_fingerprints_of_sets_differ():
    assert len({fingerprint(name) for name in TAKEN}) == len(TAKEN)


def test_the_catalogue_lists_every_built_in_set_first():
    entries = catalogue()[: len(TAKEN)]
    assert [entry.name for entry in entries] == list(BUILT_IN)
    assert {(entry.kind, entry.here) for entry in entries} == {("built-in", True)}
    assert all(entry.task and entry.licence and entry.origin for entry in entries)
    assert {entry.name: entry.record for entry in entries}["cldr"] == "Corpus or Pairs"


def test_what_the_catalogue_says_of_a_set_is_what_its_record_says():
    for entry in catalogue():
        if entry.name in ("glyphs", "digits"):
            record = load(entry.name)
            assert (entry.record, entry.licence, entry.origin) == (
                type(record).__name__, record.source.licence, record.source.origin,
            )  # fmt: skip


@pytest.mark.parametrize(("name", "near"), [("glyph", "glyphs"), ("cdlr", "cldr"), ("pysources", "pysource")])
def test_an_unknown_name_meets_the_nearest(name, near, monkeypatch):
    monkeypatch.delenv("WORKBENCH_DATA", raising=False)
    with pytest.raises(UnknownCorpus, match=f"no data set is named '{name}'; the nearest is '{near}'"):
        load(name)


def test_the_door_and_the_catalogue_load_no_library_that_reads():
    code = (
        "import sys\nfrom workbench.corpora import catalogue, draw_text, load, typos\ncatalogue()\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "pandas", "PIL", "babel", "sklearn", "matplotlib", "fontTools", "scipy", "datasets"}
    assert not heavy & {name.partition(".")[0] for name in done.stdout.split()}


def test_a_split_is_of_the_key_alone():
    splits = [hash_split(f"key {i}") for i in range(20_000)]
    # binomial: 5 standard deviations are 0.014 of the rows at a share of 0.8, 0.011 at 0.1
    assert splits.count("train") / 20_000 == pytest.approx(0.8, abs=0.015)
    assert splits.count("dev") / 20_000 == pytest.approx(0.1, abs=0.011)
    assert splits.count("test") / 20_000 == pytest.approx(0.1, abs=0.011)
    assert hash_split("key 0") == splits[0]


def test_a_split_without_rows_is_refused():
    train = load("digits", split="train")
    with pytest.raises(ValueError, match=f"digits: none of the {len(train)} rows is in split 'test'"):
        part(train, "test")
    assert part(train, None) is train
