"""A view in one HTML file: what stands in it, what does not, what is refused. How it works is tested in a browser."""

import json
import re
from base64 import b64decode, b64encode
from hashlib import sha256

import ipywidgets
import numpy as np
import pytest

import workbench.widgets.export as export
from workbench.widgets.export import export_html
from workbench.widgets.map import Map
from workbench.widgets.view import View

TEXTS = ["plain", "</script><script>alert(1)</script>", "<!-- <b>", "\u202eabc \U0001f98a", "\ud800", "x" * 5000]


def the_map(**options):
    return Map(np.arange(12.0).reshape(6, 2) ** 2, **options)


def data_of(path):
    text = path.read_text(encoding="utf-8")
    (found,) = re.findall(r'<script type="application/json" id="workbench-data">(.*?)</script>', text, re.DOTALL)
    assert "<" not in found
    return json.loads(found)


def array(base64, kind):
    return np.frombuffer(b64decode(base64), kind)


def test_the_file_holds_what_the_page_is_sent(tmp_path):
    one = the_map(texts=TEXTS, colour=[0.5, None, 1.25, 1.25, 2, 3], sizes=range(6), title="One", height=300)
    one.selection, one.camera = [4, 1], (1.0, 2.0, 3.0)
    path = export_html(one, tmp_path / "one.html")
    assert path == tmp_path / "one.html"
    data = data_of(path)
    (found,) = data["maps"]
    points = one.points
    low, high = points.min(axis=0), points.max(axis=0)
    half = (high - low).max() / 2
    expected = (points - (low + high) / 2) / half
    assert array(found["buffers"][0], "<f4").reshape(6, 2) == pytest.approx(expected)
    assert found["head"]["frame"] == [*((low + high) / 2).tolist(), half]
    codes = array(found["buffers"][1], np.uint8)
    assert codes[1] == 255
    assert codes[0] == 0
    assert codes[5] == 254
    assert array(found["buffers"][2], np.uint8).tolist() == sorted(array(found["buffers"][2], np.uint8).tolist())
    assert array(found["buffers"][3], "<u4").tolist() == [1, 4]
    named = {"n": 6, "title": "One", "height": 300, "sized": True, "camera": [1.0, 2.0, 3.0], "marks": []}
    assert named.items() <= found["head"].items()
    values = [found["kinds"][k] for k in array(found["kindOf"], "<u4")]
    assert values == ["0.5", "no value", "1.25", "1.25", "2", "3"]
    assert data["texts"] == [[text[:1000] for text in TEXTS]]


def test_labels_and_maps_without_texts_or_colours(tmp_path):
    labels = the_map(colour=["a", "b", None, "a", "a", "<i>"])
    view = View([labels, the_map(texts=TEXTS), the_map(texts=list(TEXTS))], [], kind="three")
    data = data_of(view.export(tmp_path / "three.HTML", title="Three"))
    first, second, third = data["maps"]
    assert [first["kinds"][k] for k in array(first["kindOf"], "<u4")] == ["a", "b", "no value", "a", "a", "<i>"]
    assert (first["texts"], second["texts"], third["texts"]) == (None, 0, 0)
    assert len(data["texts"]) == 1, "texts that two maps share stand there twice"
    assert second["kinds"] == []
    assert first["buffers"][2] == ""


def test_nothing_is_asked_of_the_network_and_only_the_one_script_may_run(tmp_path):
    path = export_html(the_map(texts=TEXTS, title="<i>T & U</i>"), tmp_path / "one.html")
    page = path.read_text(encoding="utf-8")
    scripts = re.findall(r"<script(?P<kind>[^>]*)>(?P<text>.*?)</script>", page, re.DOTALL)
    assert [kind for kind, _ in scripts] == [' type="application/json" id="workbench-data"', ' type="module"']
    key = b64encode(sha256(scripts[1][1].encode()).digest()).decode()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["script-src"] == f"'sha256-{key}'"
    assert rules["default-src"] == rules["connect-src"] == "'none'"
    assert not re.findall(r"(?:src|href)\s*=\s*[\"'](?!data:image/png)", page)
    assert not re.findall(r"\b(?:fetch|XMLHttpRequest|WebSocket|importScripts)\b|\bimport\s*[({\"']", scripts[1][1])
    assert "<title>&lt;i&gt;T &amp; U&lt;/i&gt;</title>" in page
    assert "Run the cell" not in page


def test_the_names_of_both_scripts_are_distinct():
    page = export._script()
    names = re.findall(r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)", page, re.MULTILINE)
    assert len(names) > 60
    assert len(names) == len(set(names))
    assert "</script" not in page.lower()


@pytest.mark.parametrize(
    ("view", "name", "error", "words"),
    [
        (ipywidgets.VBox(), "a.html", TypeError, "a Map or a view with maps, got VBox"),
        (View([], [], kind="none"), "a.html", ValueError, "this View has none"),
        (the_map(), "a.htm", ValueError, r"must end in \.html, got '.*a\.htm'"),
        (the_map(), "a", ValueError, r"must end in \.html"),
        (the_map(), "folder.html", ValueError, r"must name a file, got the folder '.*folder\.html'"),
        (the_map(), "absent/a.html", FileNotFoundError, r"the folder of '.*absent/a\.html' does not exist"),
    ],
)
def test_what_is_refused(view, name, error, words, tmp_path):
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(error, match=words):
        export_html(view, tmp_path / name)
    assert [one.name for one in tmp_path.iterdir()] == ["folder.html"]


def test_too_many_points_are_refused_with_the_size(tmp_path):
    maps = [Map(np.zeros((300_001, 2))), Map(np.zeros((3, 2)))]
    with pytest.raises(ValueError, match="300,000 points, got 300,001: 6 MB without the texts"):
        export_html(View(maps, [], kind="large"), tmp_path / "a.html")


def test_an_error_leaves_the_file_before_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "a.html"
    path.write_text("before")

    def torn(*_):
        raise MemoryError

    monkeypatch.setattr(export, "_data", torn)
    with pytest.raises(MemoryError):
        export_html(the_map(), path)
    assert [one.name for one in tmp_path.iterdir()] == ["a.html"]
    assert path.read_text() == "before"
    monkeypatch.undo()
    export_html(the_map(), str(path))
    assert data_of(path)["maps"][0]["head"]["n"] == 6


def test_no_point_and_no_title(tmp_path):
    path = export_html(Map(np.zeros((0, 2)), texts=[]), tmp_path / "none.html")
    assert data_of(path)["maps"][0]["buffers"] == ["", "", "", ""]
    assert "<title>Map</title>" in path.read_text()
