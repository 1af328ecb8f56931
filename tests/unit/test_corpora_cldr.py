import unicodedata
from collections import Counter, defaultdict

import numpy as np
import pytest
from babel import Locale
from babel.localedata import locale_identifiers

from tests.unit.conftest import empty_project
from workbench.corpora import Corpus, Pairs, cldr_locales, fingerprint, load
from workbench.corpora.cldr import load_cldr

KINDS = {"territory": "territories", "language": "languages", "script": "scripts", "currency": "currencies"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HOME", str(empty_project(tmp_path_factory.mktemp("cldr") / "home")))
        yield load_cldr()


@pytest.fixture(scope="module")
def by_locale(whole):
    found = defaultdict(dict)
    for text, locale, kind, code in zip(
        whole.texts, *(whole.columns[key] for key in ("locale", "kind", "code")), strict=True
    ):
        found[locale][kind, code] = text
    return found


@pytest.mark.parametrize("locale", ["en", "de", "hi", "mr", "tr", "zh_Hant", "ar"])
def test_names_are_those_that_babel_gives_where_nothing_is_inherited(locale, by_locale):
    said, english = Locale.parse(locale), Locale("en")
    for kind, key in KINDS.items():
        expected = {
            code: name
            for code, name in getattr(said, key).items()
            if name != code and (locale in ("en", "de", "tr") or name != getattr(english, key).get(code))
        }
        assert {code: text for (k, code), text in by_locale[locale].items() if k == kind} == expected


def test_known_names(by_locale):
    assert by_locale["de"]["territory", "DE"] == "Deutschland"
    assert by_locale["mr"]["territory", "IN"] == "भारत"
    assert by_locale["zh_Hant"]["currency", "TWD"] == "新台幣"
    assert by_locale["tr"]["language", "de"] == "Almanca"
    assert by_locale["en"]["day", "0"] == "Monday"
    assert by_locale["tr"]["day", "6"] == "Pazar"
    assert by_locale["ar"]["month", "4"] == "أبريل"
    assert by_locale["hi"]["month", "12"] == "दिसंबर"
    assert by_locale["zh_Hant"]["month", "10"] == "10月"
    assert by_locale["ru"]["month", "1"] == "январь"  # stands alone, not января


def test_what_a_locale_inherits_is_not_its_own(by_locale):
    assert "de_LU" not in by_locale
    assert by_locale["de_AT"]["month", "1"] == "Jänner"
    assert ("territory", "DE") not in by_locale["de_AT"]
    assert not any(name == code for names in by_locale.values() for (_, code), name in names.items())
    english = by_locale["en"]
    for locale in ("hi", "ru", "zh_Hant", "el", "th"):
        assert not any(english.get(entry) == name for entry, name in by_locale[locale].items())


def test_babel_still_merges_what_its_locales_inherit(whole):
    assert Locale("de", "AT").territories["DE"] == "Deutschland"
    assert Locale("en", "GB").months["format"]["wide"][1] == "January"


def test_columns_of_the_whole(whole):
    assert isinstance(whole, Corpus)
    assert len(whole) > 150_000
    parts = {
        locale: (language, script)
        for locale, language, script in zip(*(whole.columns[k] for k in ("locale", "language", "script")), strict=True)
    }
    assert parts["hi"] == ("hi", "Deva")
    assert parts["mr"] == ("mr", "Deva")
    assert parts["zh_Hant_HK"] == ("zh", "Hant")
    assert parts["zh"] == ("zh", "Hans")
    assert parts["sr_Latn"] == ("sr", "Latn")
    assert parts["sr"] == ("sr", "Cyrl")
    assert set(whole.columns["kind"]) == {*KINDS, "month", "day"}


@pytest.mark.parametrize(("locale", "word"), [("hi", "DEVANAGARI"), ("ru", "CYRILLIC"), ("el", "GREEK")])
def test_names_are_written_in_the_script_of_their_locale(locale, word, by_locale):
    letters = [c for name in by_locale[locale].values() for c in name if unicodedata.category(c)[0] == "L"]
    assert np.mean([unicodedata.name(c).startswith(word) for c in letters]) > 0.98


def test_an_entry_is_in_one_split_in_all_locales(whole):
    splits = defaultdict(set)
    for kind, code, split in zip(*(whole.columns[key] for key in ("kind", "code", "split")), strict=True):
        splits[kind, code].add(split)
    assert {len(held) for held in splits.values()} == {1}
    counts = Counter(next(iter(held)) for held in splits.values())
    assert counts["train"] / len(splits) == pytest.approx(0.8, abs=0.03)
    assert counts["dev"] / len(splits) == pytest.approx(0.1, abs=0.025)
    pairs = load_cldr(subset="en-tr")
    for kind, code, split in zip(*(pairs.columns[key] for key in ("kind", "code", "split")), strict=True):
        assert splits[kind, code] == {split}


def test_rows_are_read_back_from_the_cache_and_a_torn_file_is_made_anew(home, whole):
    first = load("cldr", split="test")
    (path,) = (home / "data" / "cache" / "cldr").glob("*.parquet")
    path.write_bytes(path.read_bytes()[:1000])
    again = load("cldr", split="test")
    assert first.texts == again.texts == whole.where(split="test").texts
    assert first.columns == again.columns
    assert again.source.split == "test"


def test_locales_with_the_number_of_their_own_names(home, by_locale):
    counts = cldr_locales()
    assert counts == {locale: len(names) for locale, names in by_locale.items()}
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
    assert set(counts) < set(locale_identifiers())
    assert counts["en"] > 1_400


@pytest.mark.parametrize("subset", ["en-de", "hi-mr", "en-zh_Hant", "en-tr"])
def test_a_pair_holds_what_both_name(subset, by_locale):
    pairs = load("cldr", subset=subset)
    assert isinstance(pairs, Pairs)
    left, right = (by_locale[locale] for locale in subset.split("-"))
    entries = list(zip(pairs.columns["kind"], pairs.columns["code"], strict=True))
    assert set(entries) == left.keys() & right.keys()
    assert len(entries) == len(set(entries)) > 1_000
    assert pairs.left == tuple(left[entry] for entry in entries)
    assert pairs.right == tuple(right[entry] for entry in entries)
    assert pairs.columns["same"] == tuple(left[entry] == right[entry] for entry in entries)
    assert set(pairs.scores.tolist()) == {1.0}
    parts = [load("cldr", subset=subset, split=split) for split in ("train", "dev", "test")]
    assert sum(map(len, parts)) == len(pairs)
    assert (pairs.source.scope, parts[1].source.split) == (subset, "dev")


def test_the_fingerprint_is_that_of_the_record(whole):
    assert fingerprint("cldr") == whole.source.fingerprint == load("cldr", subset="en-de").source.fingerprint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subset": "en-zh_hant"}, "no locale of cldr is named 'zh_hant'; the nearest is 'zh_Hant'"),
        ({"subset": "en-srlatn"}, "no locale of cldr is named 'srlatn'; the nearest is 'sr_Latn'"),
        ({"subset": "§§-en"}, "no locale of cldr is named '§§'; one is 'zh_Hant'"),
        ({"subset": "en"}, r"a subset of cldr is two different locales joined by a hyphen .*, got 'en'"),
        ({"subset": "de-de"}, r"a subset of cldr is two different locales joined by a hyphen .*, got 'de-de'"),
        ({"subset": "en-de_LU"}, r"the locales of 'en-de_LU' name nothing in common; .*'de_LU': 0"),
        ({"split": "all"}, r"cldr has no split 'all'; it has \['dev', 'test', 'train'\]"),
        ({"subset": "en-en_GB", "split": "test"}, "cldr: none of the 1 rows is in split 'test'"),
    ],
)
def test_wrong_locales_and_splits_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        load("cldr", **options)
