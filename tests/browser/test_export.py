"""A view as one HTML file, opened without a network: what is drawn, hovered, selected and linked."""

import re

import numpy as np
import pytest
from matplotlib.path import Path as Outline

from tests.browser.axe import faults
from tests.browser.test_map import OUTLINE, drag, fitted
from tests.browser.test_training_monitor import picture
from workbench.widgets import Map, View, export_html

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(420)]
N = 600
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>window.hurt = 1</script>",
    "<!--<script>",
    "\u202eabc \U0001f98a",
    "\ud800 alone",
    "x" * 100_000,
]


class Pair(View):
    """Two maps of the same rows."""

    def __init__(self, maps):
        super().__init__(maps, list(maps), kind="pair")


def the_view():
    rng = np.random.default_rng(7)
    group = rng.integers(0, 3, N)
    one = (rng.normal(size=(3, 2)) * 30)[group] + rng.normal(size=(N, 2)) * 9 + 50
    other = rng.uniform(size=(N, 2))
    texts = [f"text {i} {HOSTILE[i % len(HOSTILE)]}" for i in range(N)]
    names = np.array(["red fox", "<b>lynx</b>", "owl"])[group]
    maps = [
        Map(one, texts=texts, colour=names, title="First </title><i>"),
        Map(other, texts=texts, colour=one[:, 0], title="Second"),
        Map(other[:5], title="Of other rows", height=200),
    ]
    return Pair(maps), one, other


@pytest.fixture
def alone(chromium):
    """Opens files in a page without a network; whatever is asked for elsewhere, or goes wrong, is noted."""
    opened = []

    def open_page(path, **options):
        context = chromium.new_context(viewport={"width": 1400, "height": 1000}, offline=True, **options)
        page = context.new_page()
        page.errors, page.asked = [], []
        page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        opened.append(context)
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in opened:
        context.close()


def shown(page):
    """Waits until every map is drawn; boxes of the maps' drawing areas."""
    page.wait_for_function(
        "() => { const all = [...document.querySelectorAll('.wb-map')];"
        " return all.length && all.every((e) => Number(e.dataset.drawn) > 0); }",
        timeout=20_000,
    )
    page.wait_for_timeout(300)
    areas = page.locator("canvas.wb-over")
    return [areas.nth(k).bounding_box() for k in range(areas.count())]


def test_a_file_works_without_a_kernel_and_a_network(alone, tmp_path):
    view, one, other = the_view()
    path = view.export(tmp_path / "pair.html", title="Two </title> spaces")
    page = alone(path, color_scheme="light", permissions=["clipboard-read", "clipboard-write"])
    first, second, _ = shown(page)
    assert page.locator("h1").inner_text() == "Two </title> spaces"
    assert page.locator("noscript + .maps > div").count() == 3
    picture(page, "export_light")
    placed, beside = fitted(one, first), fitted(other, second)
    # pointed at in one map: its text there, a ring in the other
    point = 6 * int(np.argmin(np.hypot(*(placed[::6] - [first["width"] / 2, first["height"] / 2]).T)))
    near = np.argsort(np.hypot(*(placed - placed[point]).T))
    page.mouse.move(first["x"] + placed[point, 0], first["y"] + placed[point, 1])
    tip = page.locator(".wb-map").nth(0).locator(".wb-tip")
    tip.locator(f"text=point {near[0]}").wait_for()
    assert tip.locator("img, script").count() == 0
    ring = page.locator("canvas.wb-over").nth(1)
    inked = """([e, x, y]) => { const f = e.width / e.clientWidth;
        return e.getContext('2d').getImageData(f * (x - 14), f * (y - 14), f * 28, f * 28).data.some((v) => v); }"""
    at = beside[point]
    page.wait_for_function(inked, arg=[ring.element_handle(), *at.tolist()], timeout=5000)
    page.mouse.move(5, 5)
    # a lasso in the first map
    page.locator(".wb-map").nth(0).locator(".wb-tool[data-tool=lasso]").click()
    drag(page, first, OUTLINE)
    expected = np.flatnonzero(Outline(OUTLINE).contains_points(placed))
    assert 50 < len(expected) < 550
    assert page.locator(".wb-status").all_inner_texts() == [
        *2 * [f"{len(expected)} of {N} points selected"],
        "5 points, none selected",
    ]
    lists = page.locator("#workbench-lists section")
    assert lists.count() == 2
    assert lists.nth(0).locator("h2").inner_text() == (
        f"Selected in First </title><i>, Second: {len(expected)} of {N}, the first 50 here"
    )
    rows = lists.nth(0).locator("li").all_inner_texts()
    assert [int(re.search(r"point (\d+)$", row).group(1)) for row in rows] == expected[:50].tolist()
    assert all(f"text {i} " in row for i, row in zip(expected, rows, strict=False))
    assert lists.nth(0).locator("li img, li script, li b").count() == 0
    lists.nth(0).locator("button").click()
    page.wait_for_selector("text=Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == str(expected.tolist())
    # a legend entry of the first, a click in the second
    page.locator(".wb-kind", has_text="<b>lynx</b>").click()
    assert lists.nth(0).locator("li").count() == 50
    picture(page, "export_selected")
    assert faults(page, "body") == []
    second = page.locator("canvas.wb-over").nth(1).bounding_box()
    page.mouse.click(second["x"] + at[0], second["y"] + at[1])
    assert lists.nth(0).locator("li").count() == 1
    assert page.locator(".wb-status").nth(0).inner_text() == f"1 of {N} points selected"
    assert page.evaluate("window.hurt") is None
    assert [url for url in page.asked if not url.startswith("file:")] == []
    assert len(page.asked) == 1
    page.wait_for_timeout(4500)  # a question that nobody answered would be told by now
    assert page.locator("[data-quiet]").count() == 0
    assert page.errors == []


def test_a_file_is_used_by_keyboard_and_is_dark_where_the_reader_wants_it(alone, tmp_path):
    view, one, _ = the_view()
    view.maps[0].selection = [3, 4]
    page = alone(export_html(view, tmp_path / "pair.html"), color_scheme="dark")
    box = shown(page)[0]
    picture(page, "export_dark")
    assert page.locator(".wb-status").all_inner_texts()[:2] == [f"2 of {N} points selected"] * 2
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 17, 17)"
    for _ in range(9):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "CANVAS":
            break
    page.keyboard.press("n")
    placed = fitted(one, box)
    nearest = int(np.argmin(np.hypot(*(placed - [box["width"] / 2, box["height"] / 2]).T)))
    page.wait_for_selector(f".wb-said:has-text('Point {nearest}. text {nearest}')", state="attached")
    page.keyboard.press("Enter")
    rows = page.locator("#workbench-lists section").nth(0).locator("li")
    assert [row.split()[-1] for row in rows.all_inner_texts()] == [str(nearest)]
    assert faults(page, "body") == []
    assert page.errors == []


def test_without_scripts_the_file_shows_the_pictures(alone, tmp_path):
    view, _, _ = the_view()
    page = alone(view.export(tmp_path / "pair.html"), java_script_enabled=False)
    assert page.locator("figure img").count() == 3
    assert page.locator("figure img").first.bounding_box()["width"] > 300
    assert "Run the cell" not in page.locator("main").inner_text()
    picture(page, "export_no_script")
