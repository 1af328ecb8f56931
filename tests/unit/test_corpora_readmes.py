import hashlib
import importlib.metadata

import pytest

from workbench.corpora import Corpus, fingerprint, load

METADATA = """Metadata-Version: 2.1
Name: {name}
Version: {version}
Summary: in one sentence
License: MIT License
        Copyright and so on
Description-Content-Type: text/markdown

{text}
"""


def installed(folder, name, version, text):
    place = folder / f"{name}-{version}.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_text(METADATA.format(name=name, version=version, text=text), encoding="utf-8")


@pytest.fixture
def packages(tmp_path, monkeypatch):
    installed(tmp_path / "one", "Pack_Age", "1.0", "# A title\n\nA description of the package, größer.")
    installed(tmp_path / "one", "brief", "1.0", "Too short.")
    installed(tmp_path / "one", "workbench", "1.0", "This project itself does not describe itself here.")
    installed(tmp_path / "two", "pack-age", "2.0", "A second copy, which Python would not import.")
    path = [str(tmp_path / "one"), str(tmp_path / "two")]
    distributions = importlib.metadata.distributions
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: distributions(path=path))
    return tmp_path


def test_descriptions_come_with_their_columns(packages):
    record = load("readmes")
    assert isinstance(record, Corpus)
    assert record.texts == ("# A title\n\nA description of the package, größer.",)
    assert record.columns == {
        "name": ("pack-age",), "version": ("1.0",), "summary": ("in one sentence",), "licence": ("MIT License",),
    }  # fmt: skip
    assert record.source.kind == "built-in"


def test_the_fingerprint_follows_names_and_versions(packages):
    before = fingerprint("readmes")
    assert load("readmes").source.fingerprint == before
    installed(packages / "two", "pack-age", "3.0", "Another copy, which Python would not import either.")
    assert fingerprint("readmes") == before
    installed(packages / "two", "newer", "0.1", "A package that was not there before, described.")
    assert fingerprint("readmes") != before


def test_the_packages_of_this_environment_are_there_in_hash_order():
    record = load("readmes")
    assert {"numpy", "torch", "transformers"} <= set(record.columns["name"])
    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in record.texts]
    assert hashes == sorted(hashes)
    assert record.where(name="numpy").columns["version"] == (importlib.metadata.version("numpy"),)


@pytest.mark.parametrize("option", ["split", "subset", "text", "label", "scope"])
def test_readmes_take_no_option(option):
    with pytest.raises(ValueError, match=f"'readmes' is a built-in set and takes no {option}"):
        load("readmes", **{option: "x"})
    with pytest.raises(ValueError, match="'readmes' takes no scope"):
        fingerprint("readmes", scope="x")
