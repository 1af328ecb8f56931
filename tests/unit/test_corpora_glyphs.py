import unicodedata
from collections import Counter, defaultdict
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from fontTools.ttLib import TTFont
from PIL import Image, ImageFont

from workbench.corpora import Images, fingerprint, load
from workbench.corpora.faces import FACES, characters_of
from workbench.corpora.glyph_names import CLASSES, described
from workbench.corpora.glyphs import load_glyphs

FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@pytest.fixture(scope="module")
def sans() -> Images:
    return load_glyphs()


def column(record, name):
    return dict(zip(record.columns["character"], record.columns[name], strict=True))


@pytest.mark.parametrize("face", ["sans", "serif", "mono"])
def test_there_is_a_row_for_every_assigned_character_with_an_outline(face):
    with TTFont(FONTS / f"{FACES[face]}.ttf") as held:
        outlined = {
            chr(code)
            for code, name in held.getBestCmap().items()
            if held["glyf"][name].numberOfContours and unicodedata.category(chr(code))[0] not in "CZ"
        }
    record = load_glyphs(subset=face)
    assert set(record.columns["character"]) == outlined
    assert len(record) == len(outlined)
    assert record.images.any(axis=(1, 2)).all()


def test_every_face_is_there_and_its_characters_have_a_class():
    for face in FACES:
        characters = characters_of(face)
        assert len(characters) > 2_600
        assert "other script" not in {described(character).label for character in characters}
    assert load_glyphs(subset="mono-bold").label_names == CLASSES


def test_the_pixels_are_those_of_pillow_without_the_empty_rim(sans):
    font = ImageFont.truetype(FONTS / "DejaVuSans.ttf", 24, layout_engine=ImageFont.Layout.BASIC)
    for character in "Aé,Жش∑█�g":
        mask = font.getmask(character, mode="L")
        whole = np.array(list(mask), dtype=np.uint8).reshape(mask.size[1], mask.size[0])
        rows, columns = np.flatnonzero(whole.any(axis=1)), np.flatnonzero(whole.any(axis=0))
        expected = whole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        image = sans.where(character=character).images[0]
        box = Image.fromarray(image).getbbox()
        assert np.array_equal(image[box[1] : box[3], box[0] : box[2]], expected), character


def test_ink_is_centred_and_never_cut(sans):
    for image in sans.images:
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        assert abs(rows[0] - (31 - rows[-1])) <= 1
        assert abs(columns[0] - (31 - columns[-1])) <= 1
        assert rows[0] >= 1
        assert rows[-1] <= 30
        assert columns[0] >= 1
        assert columns[-1] <= 30
    small = [size for size in sans.columns["font_size"] if size != 24]
    assert 0 < len(small) < 50
    assert column(sans, "font_size")["‱"] < 24


def test_columns_say_what_unicode_says(sans):
    for character, code, name, category in zip(
        *(sans.columns[key] for key in ("character", "code", "name", "category")), strict=True
    ):
        assert (ord(character), unicodedata.name(character), unicodedata.category(character)) == (code, name, category)


def test_the_script_is_the_first_word_of_a_letters_name(sans):
    named = {"LATIN", "GREEK", "CYRILLIC", "HEBREW", "ARABIC", "ARMENIAN", "GEORGIAN", "LAO", "NKO", "TIFINAGH"}
    seen = 0
    for name, script, kind in zip(*(sans.columns[key] for key in ("name", "script", "kind")), strict=True):
        if kind == "letter" and name.split()[0] in named and " LETTER " in name:
            assert name.split()[0].lower() == script, name
            seen += 1
    assert seen > 1_500


def test_the_base_of_an_accented_letter_is_the_first_of_its_decomposition(sans):
    seen = 0
    for character, base, accents in zip(*(sans.columns[key] for key in ("character", "base", "accents")), strict=True):
        apart = unicodedata.normalize("NFD", character)
        first = unicodedata.name(apart[0])
        if accents and len(apart) > 1 and first.startswith(("LATIN", "GREEK")) and " WITH " not in first:
            assert base == first, character
            seen += 1
    assert seen > 500


@pytest.mark.parametrize(
    ("character", "script", "label", "kind", "case", "accents", "base", "path"),
    [
        ("É", "latin", "latin", "letter", "capital", "ACUTE", "LATIN CAPITAL LETTER E", "letter/latin/e"),
        ("α", "greek", "greek", "letter", "small", "", "GREEK SMALL LETTER ALPHA", "letter/greek/alpha"),
        ("ﺃ", "arabic", "arabic", "letter", "none", "HAMZA ABOVE", "ARABIC LETTER ALEF", "letter/arabic/alef"),
        ("7", "common", "digit", "digit", "none", "", "DIGIT SEVEN", "digit/digit/seven"),
        ("߇", "nko", "nko", "digit", "none", "", "NKO DIGIT SEVEN", "digit/nko/seven"),
        ("↚", "common", "arrow", "symbol", "none", "STROKE", "LEFTWARDS ARROW", "symbol/arrow/leftwards arrow"),
        ("€", "common", "currency", "symbol", "none", "", "EURO SIGN", "symbol/currency/euro sign"),
        ("½", "common", "number", "number", "none", "", "VULGAR FRACTION ONE HALF",
         "number/number/vulgar fraction one half"),
        ("∀", "common", "mathematical sign", "symbol", "none", "", "FOR ALL", "symbol/mathematical sign/for all"),
        ("ℵ", "common", "mathematical letter", "letter", "none", "", "ALEF SYMBOL",
         "letter/mathematical letter/alef symbol"),
        ("║", "common", "box drawing", "symbol", "none", "", "BOX DRAWINGS DOUBLE VERTICAL",
         "symbol/box drawing/box drawings double vertical"),
        (";", "common", "punctuation", "punctuation", "none", "", "SEMICOLON", "punctuation/punctuation/semicolon"),
        ("ぁ", "hiragana", "other script", "letter", "none", "", "HIRAGANA LETTER SMALL A", "letter/other script/a"),
    ],
)  # fmt: skip
def test_a_name_is_taken_apart(character, script, label, kind, case, accents, base, path):
    said = described(character)
    assert (said.script, said.label, said.kind, said.case) == (script, label, kind, case)
    assert (said.accents, said.base, said.path) == (accents, base, path)


def test_a_character_without_a_name_is_refused():
    with pytest.raises(ValueError, match="no such name"):
        described("\x00")


def test_twins_are_the_characters_with_equal_pixels(sans):
    twin = column(sans, "twin")
    assert twin["A"] == twin["Α"] == twin["А"]  # Latin, Greek, Cyrillic
    assert len({twin["e"], twin["é"], twin["E"]}) == 3
    pixels = defaultdict(set)
    for image, value in zip(sans.images, sans.columns["twin"], strict=True):
        pixels[value].add(image.tobytes())
    assert all(len(images) == 1 for images in pixels.values())
    assert len(pixels) == len(np.unique(sans.images.reshape(len(sans), -1), axis=0))


def test_accented_forms_of_a_letter_stay_in_one_split_in_every_face(sans):
    splits = defaultdict(set)
    for face in ("sans", "serif", "mono"):
        record = load_glyphs(subset=face)
        for base, split in zip(record.columns["base"], record.columns["split"], strict=True):
            splits[base].add(split)
    assert {len(held) for held in splits.values()} == {1}
    counts = Counter(split for held in splits.values() for split in held)
    assert counts["train"] / len(splits) == pytest.approx(0.8, abs=0.03)
    assert counts["dev"] / len(splits) == pytest.approx(0.1, abs=0.02)
    parts = [load("glyphs", split=split) for split in ("train", "dev", "test")]
    assert sum(map(len, parts)) == len(sans)
    assert set(parts[2].columns["split"]) == {"test"}
    assert parts[2].source.split == "test"


def test_labels_name_the_script_or_the_sort_of_sign(sans):
    said = {c: sans.label_names[label] for c, label in zip(sans.columns["character"], sans.labels, strict=True)}
    assert [said[c] for c in "aαжש→$1"] == ["latin", "greek", "cyrillic", "hebrew", "arrow", "currency", "digit"]


def test_the_fingerprint_and_the_images_do_not_depend_on_the_call(sans):
    assert fingerprint("glyphs") == sans.source.fingerprint == load("glyphs", subset="serif").source.fingerprint
    assert np.array_equal(load("glyphs", subset="sans").images, sans.images)
    with pytest.raises(ValueError, match="read-only"):
        sans.images[0, 0, 0] = 1


def test_unknown_faces_and_splits_are_refused():
    with pytest.raises(ValueError, match=r"a face is one of \['sans', .*, got 'comic'"):
        load("glyphs", subset="comic")
    with pytest.raises(ValueError, match=r"glyphs has no split 'all'; it has \['dev', 'test', 'train'\]"):
        load("glyphs", split="all")
