import numpy as np
import pytest
from PIL import ImageFont
from scipy.stats import chisquare

from tests.unit.test_corpora_glyphs import FONTS
from workbench.corpora import canvases, draw_canvases, draw_text, load
from workbench.corpora.glyph_pool import glyph_pool
from workbench.corpora.places import place_name

WORDS = {
    (0, 0): "at the top left", (0, 1): "at the top", (0, 2): "at the top right",
    (1, 0): "at the left", (1, 1): "in the centre", (1, 2): "at the right",
    (2, 0): "at the bottom left", (2, 1): "at the bottom", (2, 2): "at the bottom right",
}  # fmt: skip
KINDS = [{}, {"grid": (3, 3)}, {"rotation": 45.0, "glyphs": (4, 9)}, {"size": 97, "grid": (3, 2), "rotation": 180.0}]


@pytest.fixture(scope="module", params=KINDS, ids=str)
def drawn(request):
    return draw_canvases(40, seed=7, **request.param), request.param


def test_a_mask_is_where_there_is_ink_and_a_box_is_tight_around_it(drawn):
    made, _ = drawn
    assert (made.images.dtype, made.masks.dtype) == (np.uint8, np.int32)
    assert np.array_equal(made.images > 0, made.masks > 0)
    for mask, boxes in zip(made.masks, made.boxes, strict=True):
        assert set(np.unique(mask)) == set(range(len(boxes) + 1))
        for j, (x0, y0, x1, y1) in enumerate(boxes, start=1):
            rows, columns = np.nonzero(mask == j)
            assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (x0, y0, x1, y1)


def test_boxes_keep_a_pixel_from_each_other_and_from_the_edge(drawn):
    made, _ = drawn
    size = made.images.shape[1]
    for boxes in made.boxes:
        assert boxes.min() >= 1
        assert boxes.max() <= size - 1
        for i, (a0, b0, a1, b1) in enumerate(boxes):
            for c0, d0, c1, d1 in boxes[:i]:
                assert a1 < c0 or c1 < a0 or b1 < d0 or d1 < b0


def test_as_many_characters_as_asked_none_like_another_with_name_class_and_place(drawn):
    made, options = drawn
    low, high = options.get("glyphs", (3, 6))
    size = made.images.shape[1]
    rows, columns = options.get("grid", (3, 3))
    assert {len(characters) for characters in made.characters} == set(range(low, high + 1))
    looks = {g.character: g.look for group in glyph_pool(("sans", "serif", "mono"), None) for g in group}
    for i, characters in enumerate(made.characters):
        assert len({looks[c] for c in characters}) == len(characters)
        for j, (x0, y0, x1, y1) in enumerate(made.boxes[i]):
            row, column = int((y0 + y1) / 2 / size * rows), int((x0 + x1) / 2 / size * columns)
            place = WORDS[row, {3: column, 2: 2 * column}[columns]]
            assert made.captions[i][j] == f"{made.names[i][j].lower()} {place}"
    sans = load("glyphs")
    known = dict(zip(sans.columns["character"], zip(sans.columns["name"], sans.labels, strict=True), strict=True))
    for characters, names, classes in zip(made.characters, made.names, made.classes, strict=True):
        for character, name, label in zip(characters, names, classes, strict=True):
            if character in known:
                assert (name, label) == (known[character][0], sans.label_names[known[character][1]])


def test_every_cell_of_a_grid_holds_at_most_one_character():
    made = draw_canvases(30, seed=1, grid=(4, 5), size=120, glyphs=(20, 20))
    for boxes, captions in zip(made.boxes, made.captions, strict=True):
        cells = {(int((y0 + y1) / 2 / 30), int((x0 + x1) / 2 / 24)) for x0, y0, x1, y1 in boxes}
        assert len(cells) == 20
        said = [caption.rpartition("in row ")[2] for caption in captions]
        assert {tuple(int(part.split()[-1]) - 1 for part in one.split(",")) for one in said} == cells


def test_a_picture_depends_on_seed_and_its_own_place_alone():
    few, many, other = (draw_canvases(n, seed=s) for n, s in ((3, 5), (9, 5), (9, 6)))
    assert np.array_equal(few.images, many.images[:3])
    assert few.captions == many.captions[:3]
    assert not np.array_equal(many.images, other.images)
    assert len(many) == 9
    assert repr(few).startswith("Canvases(3 of 64 x 64 pixels; ")


def test_characters_that_are_asked_for_are_drawn_in_faces_that_have_them():
    made = draw_canvases(60, seed=0, glyphs=(2, 3), characters=list("ABCش"), faces=("serif", "mono"))
    assert {c for row in made.characters for c in row} == set("ABCش")  # serif has no Arabic
    assert draw_canvases(2, seed=0, glyphs=(1, 1), characters=["."]).images.any(axis=(1, 2)).all()


def test_without_rotation_a_character_keeps_its_picture_at_another_brightness():
    made = draw_canvases(20, seed=3, glyphs=(1, 1), characters=["H"], faces=("sans",))
    for image, ((x0, y0, x1, y1),) in zip(made.images, made.boxes, strict=True):
        cut = image[y0:y1, x0:x1].astype(float)
        assert 127 <= cut.max() <= 255
        known = []
        for size in range(20, 65):
            mask = ImageFont.truetype(FONTS / "DejaVuSans.ttf", size, layout_engine=ImageFont.Layout.BASIC).getmask("H")
            whole = np.array(list(mask), dtype=float).reshape(mask.size[1], mask.size[0])
            whole = whole[whole.any(axis=1)][:, whole.any(axis=0)]
            if whole.shape == cut.shape:
                known.append(np.abs(whole * cut.max() / whole.max() - cut).max())
        assert min(known) <= 1.5  # rounding, of the ink and of the factor


def test_classes_are_equally_likely():
    made = draw_canvases(300, seed=0, glyphs=(1, 1))
    labels = [row[0] for row in made.classes]
    groups = glyph_pool(("sans", "serif", "mono"), None)
    counts = [labels.count(group[0].label) for group in groups]
    assert sum(counts) == 300
    assert chisquare(counts).pvalue > 0.001


def test_marks_punctuation_and_specks_are_left_out_unless_asked_for():
    drawn = {g.character for group in glyph_pool(("sans",), None) for g in group}
    assert not drawn & set(".,;-·̀")
    assert {"A", "→", "7"} <= drawn


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "n must be at least 1, got 0"),
        ({"seed": -1}, "seed must be 0 or more, got -1"),
        ({"glyphs": (3, 2)}, r"glyphs must be the fewest and the most .*, got \(3, 2\)"),
        ({"glyphs": (0, 2)}, r"glyphs must be the fewest and the most .*, got \(0, 2\)"),
        ({"grid": (2, 2)}, r"a grid is \(rows, columns\) with a cell for each of 6 characters, got \(2, 2\)"),
        ({"grid": (0, 9)}, r"a grid is .*, got \(0, 9\)"),
        ({"rotation": 181.0}, "rotation must be 0 to 180 degrees, got 181.0"),
        ({"rotation": float("nan")}, "rotation must be 0 to 180 degrees, got nan"),
        ({"size": 20}, "6 characters on 20 x 20 pixels would be under 6 pixels each"),
        ({"faces": ("sans", "comic")}, "a face is one of .*, got 'comic'"),
        ({"faces": ()}, "a picture of 6 characters needs as many that look different, got 0"),
        ({"characters": list("AΑАBCDE")}, "a picture of 6 characters needs as many that look different, got 5"),
        ({"characters": ["A", "क"]}, r"none of the faces \['sans', 'serif', 'mono'\] has a character 'क'"),
    ],
)
def test_wrong_numbers_and_names_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        draw_canvases(**{"n": 1, "seed": 0, **options})


def test_characters_are_a_sequence_of_texts():
    with pytest.raises(TypeError, match="characters must be a sequence with one value per row, got str"):
        draw_canvases(1, seed=0, characters="ABCDEF")
    with pytest.raises(TypeError):
        draw_canvases(1, seed=0, characters=[65, 66])


def test_a_canvas_that_stays_too_full_is_an_error(monkeypatch):
    monkeypatch.setattr(canvases, "free_corners", lambda *_: None)
    with pytest.raises(ValueError, match=r"3 characters found no free place on 64 x 64 pixels in 20 starts"):
        draw_canvases(1, seed=0, glyphs=(3, 3))


def test_places_have_words_up_to_three_rows_and_columns():
    assert {cell: place_name(*cell, (3, 3)) for cell in WORDS} == WORDS
    assert [place_name(r, c, (2, 2)) for r in (0, 1) for c in (0, 1)] == [
        "at the top left", "at the top right", "at the bottom left", "at the bottom right",
    ]  # fmt: skip
    assert (place_name(0, 0, (1, 1)), place_name(0, 1, (1, 2))) == ("in the centre", "at the right")
    assert place_name(1, 4, (4, 5)) == "in row 2, column 5"


def test_a_line_of_text_is_the_characters_side_by_side():
    whole, a, b = (draw_text([text], width=14)[0] for text in ("AB", "A", "B"))
    assert (whole.shape, whole.dtype) == ((16, 14), np.uint8)
    assert np.array_equal(whole, np.hstack([a[:, :7], b[:, :7]]))  # DejaVu Sans Mono advances 7 pixels here
    assert a[:, 7:].max() == 0


def test_texts_are_as_wide_as_the_longest_or_as_asked():
    texts = ["one", "a longer line", "two"]
    free, wide, narrow = (draw_text(texts, width=width, height=24, face="serif") for width in (None, 300, 30))
    assert free.shape[:2] == (3, 24)
    assert free[1, :, -6:].any()
    assert np.array_equal(wide[:, :, : free.shape[2]], free)
    assert wide[:, :, free.shape[2] :].max() == 0
    assert np.array_equal(narrow, free[:, :, :30])


@pytest.mark.parametrize(
    ("face", "text"), [("sans", "Jẫ Ề Ỗ Ẳ Ữ Ǜ Ṏ gqj çỊ"), ("serif", "Jẫ Ẫ Ǜ gj Ị"), ("mono", "Ặ Ậ gjy {|}")]
)
@pytest.mark.parametrize("height", [16, 24, 32])
def test_no_ink_of_tall_letters_is_lost(face, text, height):
    drawn = draw_text([text], height=height, face=face)[0]
    loose = draw_text([f"{text}"], height=height, face=face, width=drawn.shape[1] + 40)[0]
    assert loose.sum() == drawn.sum()
    name = {"sans": "DejaVuSans", "serif": "DejaVuSerif", "mono": "DejaVuSansMono"}[face]
    sums = [
        sum(ImageFont.truetype(FONTS / f"{name}.ttf", size, layout_engine=ImageFont.Layout.BASIC).getmask(text))
        for size in range(height // 2, height + 1)
    ]
    assert int(drawn.sum()) in sums  # of the whole ink at one font size


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        ([], {}, "draw_text needs at least one text, got none"),
        (["a", "b\tc"], {}, r"row 1: face 'mono' has no character '\\t' \(U\+0009\)"),
        (["नमस्ते"], {"face": "sans"}, r"row 0: face 'sans' has no character 'न' \(U\+0928\)"),
        (["a", "  "], {}, "row 1: a text must leave ink, got '  '"),
        (["a", ""], {}, "row 1: a text must leave ink, got ''"),
        (["a"], {"face": "comic"}, "a face is one of .*, got 'comic'"),
        (["a"], {"height": 7}, "height must be at least 8 pixels, got 7"),
        (["a"], {"width": 0}, "width must be at least 1 pixel, got 0"),
    ],
)
def test_texts_that_cannot_be_drawn_are_refused(texts, options, message):
    with pytest.raises(ValueError, match=message):
        draw_text(texts, **options)


def test_texts_are_a_sequence_of_texts():
    with pytest.raises(TypeError, match="texts must be a sequence with one value per row, got str"):
        draw_text("a text")
    with pytest.raises(TypeError):
        draw_text([5, 6])
