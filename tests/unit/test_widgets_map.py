"""Map without a browser: what it keeps, what it sends, what it refuses, what it saves."""

import io
import json
import math
import re
from base64 import b64decode

import numpy as np
import pytest
from PIL import Image

import workbench.widgets.stand_in as stand_in
from workbench.plots.style import COLOURS
from workbench.widgets import Map
from workbench.widgets.map import STATIC
from workbench.widgets.map_columns import Frame, as_colouring, as_points, as_sizes
from workbench.widgets.map_picture import caption, page, picture
from workbench.widgets.modules import joined


@pytest.fixture
def sent(monkeypatch):
    """What any Map sends to its page: (message, buffers)."""
    messages = []
    monkeypatch.setattr(Map, "send", lambda _, content, buffers=None: messages.append((content, buffers or [])))
    return messages


def grid(n=12):
    return np.stack([np.arange(n, dtype=float), np.arange(n, dtype=float) ** 2], axis=1)


def ready(map, view="a"):
    map._hear(map, {"kind": "ready", "view": view}, [])


def said(sent, kind):
    return [pair for pair in sent if pair[0]["kind"] == kind]


@pytest.mark.parametrize(
    ("points", "error", "words"),
    [
        (np.zeros((3, 3)), ValueError, r"shape \(n, 2\), got \(3, 3\)"),
        (np.zeros(4), ValueError, r"shape \(n, 2\), got \(4,\)"),
        ([[0, 1], [2, math.nan], [math.inf, 0]], ValueError, r"finite, got \[2.0, nan\] in row 1"),
        ([[0, 1], [2, 3], [-math.inf, 0]], ValueError, r"finite, got \[-inf, 0.0\] in row 2"),
        (np.array([["a", "b"]]), TypeError, "real numbers, got <U1"),
        (np.zeros((2, 2), complex), TypeError, "complex128"),
        (np.broadcast_to(np.float32(0), (4_000_001, 2)), ValueError, "at most 4,000,000 points, got 4,000,001"),
    ],
)
def test_wrong_points_are_refused(points, error, words):
    with pytest.raises(error, match=words):
        Map(points)


@pytest.mark.parametrize(
    ("column", "error", "words"),
    [
        ({"colour": [1, 2]}, ValueError, r"colour must have one entry for each of the 3 points, got shape \(2,\)"),
        ({"colour": np.zeros((3, 2))}, ValueError, "colour"),
        ({"colour": [1.0, math.inf, 2]}, ValueError, "finite or NaN, got inf in row 1"),
        ({"colour": np.zeros(3, complex)}, TypeError, "numbers or labels, got complex128"),
        ({"colour": np.zeros(3, "datetime64[D]")}, TypeError, "datetime64"),
        ({"colour": ["a", [1], "b"]}, TypeError, "one number or label a row, got list in row 1"),
        ({"sizes": [1, 2, 3, 4]}, ValueError, "sizes must have one entry"),
        ({"sizes": [1, math.nan, 3]}, ValueError, "sizes must be finite, got nan in row 1"),
        ({"sizes": ["a", "b", "c"]}, TypeError, "sizes must be real numbers"),
        ({"texts": ["a", "b"]}, ValueError, "texts must have one entry for each of the 3 points, got 2"),
        ({"texts": "abc"}, ValueError, "texts"),
        ({"texts": ["a", "b", 3]}, TypeError, "texts must be str, got int in row 2"),
        ({"height": 100}, ValueError, "height must be 120 pixels or more, got 100"),
    ],
)
def test_wrong_columns_are_refused(column, error, words):
    with pytest.raises(error, match=words):
        Map(grid(3), **column)


def test_a_refused_change_leaves_the_map_as_it_was(sent):
    map = Map(grid(5), colour=list("aabbb"))
    map.selection = [1, 2]
    ready(map)
    sent.clear()
    with pytest.raises(ValueError, match="keeps its 5 points, got 6"):
        map.points = grid(6)
    with pytest.raises(ValueError, match=r"ids must lie in 0\.\.4, got 5"):
        map.selection = [0, 5]
    with pytest.raises(ValueError, match=r"got -1"):
        map.selection = np.array([-1])
    with pytest.raises(TypeError, match="whole numbers in one row, got float64"):
        map.selection = [0.5]
    with pytest.raises(ValueError, match="got 9"):
        map.hovered = 9
    with pytest.raises(ValueError, match="camera must be"):
        map.camera = (0, 0, 0)
    with pytest.raises(ValueError, match="one entry for each"):
        map.colour_by([1])
    with pytest.raises(ValueError, match="one entry for each"):
        map.size_by([1])
    assert sent == []
    assert map.selection.tolist() == [1, 2]
    assert map.points.tolist() == grid(5).tolist()
    assert map.hovered is None


@pytest.mark.parametrize("offset", [0.0, 1e6, -1e9])
@pytest.mark.parametrize("scale", [1.0, 1e4, 1e150])
def test_points_travel_to_within_half_a_millionth_of_the_frame(sent, offset, scale):
    points = (grid() - 30) * scale + offset
    map = Map(points)
    ready(map)
    [(message, buffers)] = said(sent, "all")
    x, y, half = message["frame"]
    placed = np.frombuffer(buffers[0], "<f4").reshape(-1, 2)
    assert np.abs(placed).max() <= 1 + 1e-6
    assert np.abs(placed.astype(float) * half + [x, y] - points).max() <= 5e-7 * half + 1e-15 * abs(offset)
    assert message["n"] == 12


def test_huge_numbers_and_equal_points_have_a_frame():
    huge = Frame.around(as_points([[-1.7e308, 0], [1.7e308, 1]]))
    assert (huge.x, huge.half) == (0, 1.7e308)
    assert np.isfinite(huge.placed(as_points([[-1.7e308, 0]]))).all()
    same = Frame.around(as_points([[7, 8]] * 4))
    assert (same.x, same.y, same.half) == (7, 8, 1)
    assert Frame.around(as_points([])) == Frame(0, 0, 1)
    assert not Frame.around(as_points([])).holds(as_points([]))


def test_moved_points_keep_the_frame_until_they_would_not_fit(sent):
    map = Map(grid())
    ready(map)
    map.points = grid() + 5
    [(first, buffers)] = said(sent, "points")
    assert first["frame"] == said(sent, "all")[0][0]["frame"]
    moved = np.frombuffer(buffers[0], "<f4").reshape(-1, 2) * first["frame"][2] + first["frame"][:2]
    assert moved == pytest.approx(grid() + 5, abs=1e-4)
    map.camera = (1, 2, 3)
    map.points = grid() * 1000 + 1e7
    frame = said(sent, "points")[1][0]["frame"]
    assert frame != first["frame"]
    assert frame[2] == pytest.approx(121_000 / 2)
    assert map.camera is None


def test_labels_are_coded_by_frequency():
    coded = as_colouring(["b", "a", None, "a", "c", math.nan, "b", "a"], 8, name="kind")
    assert coded.codes.tolist() == [1, 0, 255, 0, 2, 255, 1, 0]
    assert coded.kinds == (("a", 3), ("b", 2), ("c", 1))
    assert (coded.form, coded.name, coded.missing) == ("labels", "kind", 2)
    assert [tuple(int(t[i : i + 2], 16) for i in (1, 3, 5)) for t in COLOURS[:3]] == [
        tuple(r) for r in coded.table()[:3]
    ]


@pytest.mark.parametrize(
    "values",
    [
        [True, False, True],
        np.array([True, False, True]),
        ["True", "False", "True"],
        np.array([b"True", b"False", b"True"]),
    ],
)
def test_truth_values_bytes_and_str_are_labels(values):
    assert as_colouring(values, 3).kinds == (("True", 2), ("False", 1))


def test_more_labels_than_lines_share_the_last_one():
    words = [f"w{k:02d}" for k in range(40) for _ in range(50 - k)]
    coded = as_colouring(words, len(words))
    assert len(coded.kinds) == 30
    assert coded.kinds[28] == ("w28", 22)
    assert coded.kinds[29] == ("11 more labels", sum(50 - k for k in range(29, 40)))
    assert (coded.codes == 29).sum() == coded.kinds[29][1]
    long = as_colouring(["x" * 500], 1)
    assert long.kinds == (("x" * 60, 1),)


@pytest.mark.parametrize("values", [[0, None, 5, 10], [0.0, math.nan, 5, 10], np.array([0, np.nan, 5, 10], np.float32)])
def test_numbers_are_levels_between_the_lowest_and_the_highest(values):
    coded = as_colouring(values, 4)
    assert coded.codes.tolist() == [0, 255, 127, 254]
    assert (coded.form, coded.low, coded.high, coded.missing) == ("numbers", "0", "10", 1)


def test_a_scale_is_even_in_lightness_and_the_same_to_colour_blind_readers():
    table = as_colouring([0.0, 1.0], 2).table()[:255].astype(float)
    light = table @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(light) > -1).all()  # a colour is rounded to whole numbers
    assert light[-1] - light[0] > 140


def test_columns_without_any_value_or_without_a_range():
    assert as_colouring([None, None], 2).codes.tolist() == [255, 255]
    assert as_colouring(np.array([np.nan, np.nan]), 2).codes.tolist() == [255, 255]
    assert as_colouring([4, 4], 2).codes.tolist() == [127, 127]
    assert as_colouring([-1.7e308, 0, 1.7e308], 3).codes.tolist() == [0, 127, 254]
    assert as_sizes([2, 2], 2).tolist() == [128, 128]
    assert as_sizes([-1, 0, 3], 3).tolist() == [0, 64, 255]


def select(map, ids, n=None):
    map._hear(map, {"kind": "select", "form": "ids"}, [memoryview(np.array(ids, "<u4").tobytes())])


def test_a_selection_of_the_page_arrives_in_both_forms(sent):
    map, got = Map(grid(100)), []
    map.on_select(lambda ids: got.append(ids.tolist()))
    ready(map)
    select(map, [3, 99])
    bits = bytearray(13)
    for i in range(0, 100, 3):
        bits[i >> 3] |= 1 << (i & 7)
    map._hear(map, {"kind": "select", "form": "bits"}, [bytes(bits)])
    assert got == [[3, 99], list(range(0, 100, 3))]
    assert map.selection.tolist() == got[1]
    assert said(sent, "selection") == []  # the page has drawn it already
    ready(map, view="b")
    select(map, [5])
    assert [np.frombuffer(b[0], "<u4").tolist() for _, b in said(sent, "selection")] == [[5]]
    map._hear(map, {"kind": "gone", "view": "b"}, [])
    select(map, [6])
    assert len(said(sent, "selection")) == 1


def test_a_selection_from_python_calls_nobody_back(sent):
    map, got = Map(grid()), []
    map.on_select(got.append)
    ready(map)
    map.selection = [4, 1, 4]
    assert got == []
    assert map.selection.tolist() == [1, 4]
    assert map.selection.dtype == np.int64
    assert np.frombuffer(said(sent, "selection")[0][1][0], "<u4").tolist() == [1, 4]
    map.selection[0] = 9
    assert map.selection.tolist() == [1, 4]
    map.on_select(got.append, remove=True)
    select(map, [2])
    assert got == []
    assert "1 selected" in map.summary


@pytest.mark.parametrize(
    "content", [{}, {"kind": "x"}, {"kind": "hover", "point": "1"}, {"kind": "hover", "point": 12}, {"kind": "select"}]
)
def test_messages_of_another_form_have_no_effect(sent, content):
    map = Map(grid())
    ready(map)
    sent.clear()
    map._hear(map, content, [])
    assert sent == []
    assert map.hovered is None


def test_ids_from_the_page_that_do_not_exist_are_not_taken(sent):
    map = Map(grid())
    ready(map)
    with pytest.raises(ValueError, match=r"0\.\.11, got 12"):
        select(map, [12])
    assert map.selection.tolist() == []


def test_a_point_is_told_when_it_is_pointed_at(sent):
    texts = ["<script>x</script>", "b" * 100_000, "🦊 ‮abc"]
    map, got = Map(grid(3), texts=texts), []
    map.on_hover(got.append)
    ready(map)
    map.colour_by([0.123456, None, 3], name="norm")
    for point in (0, 1, 2, -1):
        map._hear(map, {"kind": "hover", "point": point}, [])
    told = [message for message, _ in said(sent, "text")]
    assert [m.get("value") for m in told] == ["norm: 0.1235", "norm: no value", "norm: 3", None]
    assert told[0]["text"] == texts[0]
    assert len(told[1]["text"]) == 1000
    assert got == [0, 1, 2, None]
    assert map.hovered is None


def test_nothing_is_sent_before_a_page_asks_and_no_message_bears_an_id(sent):
    map = Map(grid(), texts=["t"] * 12, colour=list("abcabcabcabc"))
    map.points, map.selection, map.hovered, map.camera, map.title = grid() * 2, [1], 3, (0, 0, 1), "t"
    map.size_by(range(12))
    map.colour_by(None)
    assert sent == []
    map._hear(map, {"kind": "code"}, [])
    ready(map)
    map.points, map.selection, map.hovered, map.camera, map.title = grid(), [2], None, None, "u"
    map._hear(map, {"kind": "hover", "point": 2}, [])
    map._hear(map, {"kind": "ping"}, [])
    select(map, [1])
    assert {m["kind"] for m, _ in sent} >= {
        "code",
        "all",
        "points",
        "selection",
        "hovered",
        "camera",
        "title",
        "text",
        "pong",
        "heard",
    }
    for message, _ in sent:
        assert "id" not in message
        json.dumps(message, allow_nan=False)


def test_the_camera_of_the_page_is_kept_and_given_back(sent):
    map = Map(grid())
    ready(map)
    map._hear(map, {"kind": "camera", "camera": [1, 2, 30.5], "fitted": False}, [])
    assert map.camera == (1, 2, 30.5)
    ready(map)
    assert said(sent, "all")[1][0]["camera"] == (1, 2, 30.5)
    map._hear(map, {"kind": "camera", "camera": [1, 2, 30.5], "fitted": True}, [])
    assert map.camera is None


def test_the_state_is_little_and_holds_no_point(sent):
    rng = np.random.default_rng(0)
    map = Map(rng.normal(size=(100_000, 2)), texts=["secret"] * 100_000, colour=["label"] * 100_000)
    state = json.dumps(
        {key: value for key, value in map.get_state().items() if isinstance(value, str | int | float | list | dict)}
    )
    assert len(state) < 16_000
    assert "secret" not in state


@pytest.mark.parametrize("n", [0, 1, 300, 100_000])
def test_the_saved_picture_is_small_and_shows_the_colours(n):
    rng = np.random.default_rng(0)
    coded = as_colouring(["a", "b"] * (n // 2) + ["a"] * (n % 2), n)
    made = picture(rng.normal(size=(n, 2)), coded, np.zeros(0, int))
    assert len(made) <= 60_000
    image = Image.open(io.BytesIO(made))
    assert len(image.getcolors()) <= 64
    pixels = np.asarray(image.convert("RGB")).reshape(-1, 3).tolist()
    for k, colour in enumerate(COLOURS[:2]):
        rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        near = sum(all(abs(a - b) < 12 for a, b in zip(pixel, rgb, strict=True)) for pixel in pixels)
        assert (near > 10) == (n > k)


def test_the_worst_picture_stays_below_its_bound():
    rng = np.random.default_rng(0)
    points = rng.uniform(size=(400_000, 2)) * [16, 9.6]
    made = picture(points, as_colouring(rng.uniform(size=400_000), 400_000), np.zeros(0, int))
    assert len(made) <= 60_000


def test_points_of_the_picture_stand_where_the_map_has_them():
    corners = np.array([[0.0, 0], [10, 0], [10, 6], [0, 6]])
    image = Image.open(io.BytesIO(picture(corners, as_colouring(list("abcd"), 4), np.array([0])))).convert("RGB")
    pixels = np.asarray(image).astype(int)
    found = [np.argwhere(np.abs(pixels - rgb).max(axis=2) < 6).mean(axis=0) for rgb in ([0, 114, 178], [214, 214, 214])]
    assert found[0][0] > 350  # y points up: the first corner is below, and the others, not chosen, are grey
    assert found[0][1] < 130
    assert found[1][0] < 220
    assert found[1][1] > 360


def test_the_page_is_escaped_and_holds_a_picture_and_words():
    coded = as_colouring(["<script>", '"quoted"', None], 3, name="<i>kind")
    html = page("map-1", grid(3), coded, np.array([0]), "<b>title")
    assert "<script>" not in html
    assert "<b>" not in html
    assert "<i>" not in html
    source = re.search(r'src="data:image/png;base64,([^"]+)"', html).group(1)
    assert Image.open(io.BytesIO(b64decode(source))).format == "PNG"
    words = "&lt;b&gt;title: 3 points, coloured by &lt;i&gt;kind (2 labels), 1 without a value, 1 selected"
    assert f'alt="{words}' in html
    assert f"<figcaption>{words}" in html


def test_the_caption_says_what_is_shown():
    numbers = as_colouring([0.5, 2, None], 3, name="norm")
    assert caption("", 3, numbers, 0).startswith("Map: 3 points, coloured by norm from 0.5 to 2, 1 without a value.")
    assert caption("t", 1, as_colouring(None, 1), 0).startswith("t: 1 point.")


def test_shown_in_a_kernel_it_leaves_a_second_output_that_follows(monkeypatch, sent):
    shown, updated = [], []
    monkeypatch.setattr(stand_in, "in_kernel", lambda: True)
    monkeypatch.setattr(stand_in, "display", lambda data, **more: shown.append((data, more)))
    monkeypatch.setattr(stand_in, "update_display", lambda data, **more: updated.append((data, more)))
    map = Map(grid(), texts=["secret"] * 12)
    map._ipython_display_()
    (widget, _), (saved, more) = shown
    assert "application/vnd.jupyter.widget-view+json" in widget
    assert f'data-workbench-saved="{more["display_id"]}"' in saved["text/html"]
    assert "secret" not in str(shown)
    map.selection = [3]
    assert "1 selected" in updated[-1][0]["text/html"]
    assert updated[-1][1]["display_id"] == more["display_id"]
    ready(map)
    map.hide_when_live(["explorer-1"])
    assert said(sent, "marks")[0][0]["marks"] == [more["display_id"], "explorer-1"]


def test_outside_a_kernel_it_is_a_sentence(capsys):
    Map(grid(3), title="Three")._ipython_display_()
    assert "Three: 3 points." in capsys.readouterr().out


def test_the_modules_are_joined_each_once_with_names_of_their_own(tmp_path):
    (tmp_path / "a.js").write_text(
        'import { b } from "./b.js";\nimport { c } from "./c.js";\nexport const a = b + c;\n'
    )
    (tmp_path / "b.js").write_text('import { c } from "./c.js";\nexport function b() { return c; }\n')
    (tmp_path / "c.js").write_text("export const c = 1;\n")
    assert joined(tmp_path / "a.js").split("\n")[:5] == [
        "const c = 1;",
        "",
        "function b() { return c; }",
        "",
        "export const a = b + c;",
    ]
    (tmp_path / "c.js").unlink()
    with pytest.raises(FileNotFoundError, match=r"c\.js"):
        joined(tmp_path / "a.js")
    code = joined(STATIC / "map" / "view.js")
    names = re.findall(r"^(?:export )?(?:const|let|class|function) (\w+)", code, re.MULTILINE)
    assert len(names) > 50
    assert sorted({name for name in names if names.count(name) > 1}) == []
    assert "import {" not in code
    assert re.findall(r"^export .*", code, re.MULTILINE) == ["export function render({ model, el }) {"]
    assert "innerHTML" not in code


def test_files_of_the_page_are_short():
    for path in (STATIC / "map").glob("*.js"):
        assert path.read_text().count("\n") <= 300, path
