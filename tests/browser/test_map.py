"""Map in real JupyterLab: what a lasso selects arrives in Python, and what Python sets is drawn."""

import io
import json
import re

import nbformat
import numpy as np
import pytest
from matplotlib.path import Path as Outline
from PIL import Image

from tests.browser.conftest import wait_until
from tests.browser.test_training_monitor import notebook, open_notebook, picture, printed, settings

__all__ = ["settings"]
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(420)]

# six groups of points; the texts and labels are built
MAKE = """
import numpy as np
from workbench.widgets import Map
rng = np.random.default_rng(5)
n = {n}
group = rng.integers(0, 6, n)
points = (rng.normal(size=(6, 2)) * 30)[group] + rng.normal(size=(n, 2)) * 7 + 100
names = np.array(["red fox", "grey wolf", "brown bear", "owl", "heron", "<b>lynx</b>"])[group]
texts = [f"text {{i}} <img src=x onerror=alert(1)> \\u202eabc \\U0001f98a" for i in range(n)]
map = Map(points, texts=texts, colour=names, title="Animals")
map.on_select(lambda ids: np.save("picked.npy", ids))
map
"""
DRAWN = "() => Number(document.querySelector('.wb-map')?.dataset.drawn ?? 0) > 0"


def the_points(n):
    """The points of MAKE, and the group of each."""
    rng = np.random.default_rng(5)
    group = rng.integers(0, 6, n)
    return (rng.normal(size=(6, 2)) * 30)[group] + rng.normal(size=(n, 2)) * 7 + 100, group


def show(lab, page, name, *more, n=1000, make=MAKE):
    """Opens a notebook, runs the first cell, and waits until the map is drawn."""
    (lab.folder / "picked.npy").unlink(missing_ok=True)
    open_notebook(lab, page, notebook(lab, name, make.format(n=n), *more))
    run_cell(page, 0)
    page.wait_for_function(DRAWN, timeout=60_000)
    page.wait_for_timeout(300)
    return page.locator("canvas.wb-over").first.bounding_box()


def run_cell(page, k):
    cell = page.locator(".jp-CodeCell").nth(k)
    cell.locator(".jp-InputArea-editor").click()
    page.keyboard.press("Shift+Enter")


def picked(lab):
    """Ids that the callback in the kernel has got; the file is taken away."""
    path = lab.folder / "picked.npy"
    wait_until(lambda: path.exists() and path.stat().st_size > 100, 10, "no selection arrived in Python")
    ids = np.load(path)
    path.unlink()
    return ids


def fitted(points, box, margin=24):
    """Pixels of the points when all of them are shown: one scale for both axes, the margin kept free, y upwards."""
    low, high = points.min(axis=0), points.max(axis=0)
    scale = min((box["width"] - 2 * margin) / (high - low)[0], (box["height"] - 2 * margin) / (high - low)[1])
    middle = np.array([box["width"] / 2, box["height"] / 2])
    return middle + (points - (low + high) / 2) * scale * [1, -1]


def drag(page, box, outline):
    page.mouse.move(box["x"] + outline[0][0], box["y"] + outline[0][1])
    page.mouse.down()
    for x, y in outline[1:]:
        page.mouse.move(box["x"] + x, box["y"] + y, steps=2)
    page.mouse.up()


def tool(page, name):
    page.locator(f".wb-tool[data-tool={name}]").click()


OUTLINE = [(200, 60), (420, 90), (520, 300), (330, 430), (260, 260), (120, 300)]
BLUE, ORANGE = (0, 114, 178), (213, 94, 0)
# the browser names its graphics card only when asked; here it does not tell that the card is imitated
CARD = """
const told = WebGL2RenderingContext.prototype.getParameter;
WebGL2RenderingContext.prototype.getParameter = function (what) {
  return what === 0x9246 ? "A card" : told.call(this, what);
};
"""


def seen(page):
    """The map as it is on the screen, pixels (height, width, 3)."""
    page.wait_for_timeout(400)
    shot = page.locator(".wb-place").screenshot(animations="disabled")
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)


def how_many(pixels, colour, within=24):
    return int((np.abs(pixels - np.array(colour)).max(axis=2) <= within).sum())


def status(page):
    return page.locator(".wb-status").inner_text()


def test_a_lasso_arrives_in_python_as_the_ids_that_geometry_says(lab, page):
    box = show(lab, page, "map_lasso.ipynb")
    points, group = the_points(1000)
    placed = fitted(points, box)
    picture(page, "map_light")
    tool(page, "lasso")
    drag(page, box, OUTLINE)
    expected = np.flatnonzero(Outline(OUTLINE).contains_points(placed))
    assert 50 < len(expected) < 900
    assert picked(lab).tolist() == expected.tolist()
    assert status(page) == f"{len(expected)} of 1,000 points selected"
    picture(page, "map_lasso")
    tool(page, "box")
    page.keyboard.down("Shift")
    drag(page, box, [(30, 250), (300, 480)])
    page.keyboard.up("Shift")
    boxed = np.flatnonzero(((placed > [30, 250]) & (placed < [300, 480])).all(axis=1))
    assert len(np.setdiff1d(boxed, expected)) > 20
    assert picked(lab).tolist() == np.union1d(expected, boxed).tolist()
    # labels are text: the click selects the group of that name
    page.locator(".wb-kind", has_text="<b>lynx</b>").click()
    assert picked(lab).tolist() == np.flatnonzero(group == 5).tolist()
    page.locator("canvas.wb-over").focus()
    page.keyboard.press("Escape")  # ends the box mode
    page.keyboard.press("Escape")
    assert picked(lab).tolist() == []
    point = int(np.argmax(placed[:, 0]))
    page.mouse.move(box["x"] + placed[point, 0], box["y"] + placed[point, 1])
    page.wait_for_selector(f".wb-tip:has-text('text {point} <img src=x')")
    assert page.locator(".wb-tip img").count() == 0
    picture(page, "map_hover")
    page.mouse.down()
    page.mouse.up()
    assert picked(lab).tolist() == [point]
    assert page.errors == []


def test_a_lasso_after_moving_and_zooming_follows_the_camera(lab, page):
    box = show(lab, page, "map_camera.ipynb", "print(*map.camera)", "map.camera = None\nprint(map.camera)")
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    page.mouse.wheel(0, -300)
    page.wait_for_timeout(300)
    drag(page, box, [(300, 200), (420, 260)])
    page.mouse.wheel(0, -300)
    page.wait_for_timeout(500)
    tool(page, "lasso")
    drag(page, box, OUTLINE)
    ids = picked(lab)
    run_cell(page, 1)
    wait_until(lambda: printed(page), 10, "the camera was not printed")
    x, y, scale = map(float, printed(page)[0].split())
    points, _ = the_points(1000)
    placed = np.array([box["width"] / 2, box["height"] / 2]) + (points - [x, y]) * scale * [1, -1]
    assert abs(scale / ((fitted(points, box)[1] - fitted(points, box)[0]) / (points[1] - points[0]))[0]) > 1.5
    assert ids.tolist() == np.flatnonzero(Outline(OUTLINE).contains_points(placed)).tolist()
    run_cell(page, 2)
    wait_until(lambda: printed(page)[1:] == ["None\n"], 10, "the camera is not as it was set")
    assert page.errors == []


FROM_PYTHON = [
    "map.selection = np.flatnonzero(group == 1)",
    "value = points[:, 0].copy()\nvalue[::4] = np.nan\nmap.selection = []\nmap.colour_by(value, name='height <i>')",
    "map.colour_by(None)\nmap.points = np.stack([points[:, 0], 100 - (points[:, 1] - 100)], axis=1)",
    "map.size_by(np.arange(n))\nmap.colour_by([None] * n)",
    "try:\n    map.selection = [3, 1000]\nexcept ValueError as error:\n    print(error)",
]


def test_what_python_sets_is_drawn(lab, page):
    show(lab, page, "map_python.ipynb", *FROM_PYTHON)
    before = seen(page)
    assert how_many(before, BLUE) > 1000
    assert how_many(before, ORANGE) > 1000
    run_cell(page, 1)
    page.wait_for_function("() => document.querySelector('.wb-status').innerText.includes(' selected')")
    chosen, (_, group) = seen(page), the_points(1000)
    assert status(page) == f"{(group == 1).sum()} of 1,000 points selected"
    assert how_many(chosen, ORANGE) > 1000  # the grey wolves, second in number
    assert how_many(chosen, BLUE) == 0
    run_cell(page, 2)
    page.wait_for_selector(".wb-name:has-text('height <i>')")
    assert page.locator(".wb-kind").inner_text().split() == ["no", "value", "250"]
    assert re.match(r"\d+\.?\d*\s+\d+", page.locator(".wb-ends").inner_text())
    picture(page, "map_numbers")
    run_cell(page, 3)
    page.wait_for_timeout(600)
    mirrored = seen(page)
    assert page.locator(".wb-legend").is_hidden()
    assert how_many(mirrored, BLUE) > 5000
    points, _ = the_points(1000)
    placed = fitted(points * [1, -1], {"width": mirrored.shape[1], "height": mirrored.shape[0]})
    for point in (*points.argmin(axis=0), *points.argmax(axis=0)):
        across, down = placed[point].round().astype(int)
        assert np.abs(mirrored[down, across] - np.array(BLUE)).max() < 24
    run_cell(page, 4)
    page.wait_for_selector(".wb-kind:has-text('no value')")
    picture(page, "map_sizes")
    run_cell(page, 5)
    wait_until(lambda: printed(page), 10, "nothing was printed")
    assert printed(page)[0].strip() == "ids must lie in 0..999, got 1000"
    assert page.errors == []


def test_by_keyboard_alone(lab, page):
    box = show(lab, page, "map_keys.ipynb", "print(map.hovered)")
    page.locator(".wb-tool[data-tool=pan]").focus()
    reached = []
    for _ in range(18):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("(e => e.dataset.tool ?? e.dataset.code ?? e.tagName.toLowerCase())(document.activeElement)")
        )
    # the button to clear is for a selection only
    assert reached[:14] == ["lasso", "box", "closer", "farther", "fit", "contours", "canvas", *"012345", "summary"]
    cells = page.locator(".jp-CodeCell").count()
    page.locator("canvas.wb-over").focus()
    points, _ = the_points(1000)
    placed = fitted(points, box)
    page.keyboard.press("n")
    first = int(np.argmin(np.hypot(*(placed - [box["width"] / 2, box["height"] / 2]).T)))
    page.wait_for_selector(f".wb-said:has-text('Point {first}. text {first}')", state="attached")
    way = [first]
    for _ in range(3):  # the nearest that was not visited
        far = np.hypot(*(points - points[way[-1]]).T)
        far[way] = np.inf
        way.append(int(np.argmin(far)))
        page.keyboard.press("n")
        page.wait_for_selector(f".wb-said:has-text('Point {way[-1]}. ')", state="attached")
    page.keyboard.press("p")
    page.wait_for_selector(f".wb-said:has-text('Point {way[-2]}. ')", state="attached")
    page.keyboard.press("Enter")
    assert picked(lab).tolist() == [way[-2]]
    page.keyboard.press("n")
    page.keyboard.press("Shift+Enter")
    assert picked(lab).tolist() == sorted(way[-2:])
    for key in ("ArrowLeft", "ArrowDown", "+", "+", "-", "l", "b", "v", "d"):
        page.keyboard.press(key)
    picture(page, "map_contours")
    assert page.locator(".wb-tool[data-tool=contours]").get_attribute("aria-pressed") == "true"
    page.keyboard.press("0")
    page.keyboard.press("Escape")
    assert picked(lab).tolist() == []
    assert page.locator(".jp-CodeCell").count() == cells, "Lab took a key for its own"
    label = page.locator("canvas.wb-over").get_attribute("aria-label")
    assert label.startswith("Animals: 1,000 points. 1,000 points, none selected.")
    assert page.errors == []


def test_the_dark_theme_is_drawn_and_a_change_of_theme_as_well(lab, page, settings):
    settings("themes", {"theme": "JupyterLab Dark"})
    show(lab, page, "map_dark.ipynb")
    for _ in range(40):  # a busy machine draws late
        dark = seen(page)
        if np.median(dark) < 40 and how_many(dark, (242, 242, 242)) > 500:
            break
        page.wait_for_timeout(500)
    picture(page, "map_dark")
    assert np.median(dark) < 40
    assert how_many(dark, (242, 242, 242)) > 500, "what is black on white is not seen on black"
    page.click("text=Settings >> nth=0")
    page.click(".lm-Menu-item:has-text('Theme')")
    page.click(".lm-Menu-item:has-text('JupyterLab Light')")
    page.wait_for_selector("body[data-jp-theme-light=true]", state="attached")
    for _ in range(40):  # a busy machine draws late
        page.wait_for_timeout(500)
        light = seen(page)
        if np.median(light) > 240 and how_many(light, BLUE) > 1000:
            break
    assert np.median(light) > 240
    assert how_many(light, BLUE) > 1000
    assert page.errors == []


def test_a_lost_graphics_card_does_not_end_the_map(lab, page):
    page.add_init_script(CARD)
    box = show(lab, page, "map_webgl.ipynb", "map.selection = np.flatnonzero(group == 1)")
    assert page.locator(".wb-map").get_attribute("data-renderer") == "webgl"
    card = seen(page)
    picture(page, "map_webgl")
    assert how_many(card, BLUE, within=60) > 1000
    page.evaluate(
        "document.querySelector('canvas.wb-points').getContext('webgl2').getExtension('WEBGL_lose_context').loseContext()"
    )
    page.wait_for_selector(".wb-map[data-renderer=canvas]")
    after = seen(page)
    assert how_many(after, BLUE, within=60) == pytest.approx(how_many(card, BLUE, within=60), rel=0.5)
    tool(page, "lasso")
    drag(page, box, OUTLINE)
    expected = np.flatnonzero(Outline(OUTLINE).contains_points(fitted(the_points(1000)[0], box)))
    assert picked(lab).tolist() == expected.tolist()
    run_cell(page, 1)
    page.wait_for_timeout(300)
    assert how_many(seen(page), BLUE) == 0
    assert page.errors == []


def test_a_kernel_that_was_restarted_is_said_so(lab, page):
    box = show(lab, page, "map_restart.ipynb")
    page.click("text=Kernel >> nth=0")
    page.click("[data-command='kernelmenu:restart']")
    page.click(".jp-Dialog .jp-mod-accept")
    page.wait_for_timeout(1500)
    tool(page, "lasso")
    drag(page, box, OUTLINE)  # the map goes on with the points it has
    page.wait_for_selector(".wb-warn:has-text('restarted')", timeout=20_000)
    assert "of 1,000 points selected" in status(page)
    picture(page, "map_restarted")
    run_cell(page, 0)
    page.wait_for_function("() => !document.querySelector('[data-quiet]')", timeout=30_000)
    page.wait_for_function(DRAWN, timeout=60_000)
    assert page.locator(".wb-map").count() == 1
    assert status(page) == "1,000 points, none selected"


def test_a_saved_notebook_shows_the_picture(lab, page):
    name = "map_saved.ipynb"
    show(lab, page, name, n=100_000)
    saved = "[data-workbench-saved] img"
    page.wait_for_selector(saved, state="attached", timeout=10_000)
    assert not page.locator(saved).is_visible(), "the picture stands beside the live map"
    page.locator("canvas.wb-over").hover(position={"x": 400, "y": 200})
    page.locator(".wb-kind").first.click()
    picked(lab)
    page.wait_for_function(f"() => document.querySelector('{saved}').alt.includes(' selected')", timeout=10_000)
    page.keyboard.press("Control+s")
    wait_until(lambda: "selected, the others grey" in (lab.folder / name).read_text(), 10, "the notebook was not saved")
    kept = json.loads((lab.folder / name).read_text())
    assert len(json.dumps(kept)) < 90_000
    assert "onerror" not in json.dumps(kept["cells"][0]["outputs"]), "a text stands in the saved notebook"
    for session in lab.api("sessions"):
        lab.api(f"sessions/{session['id']}", "DELETE")
    stranger = nbformat.from_dict(kept)
    stranger.cells[0].source += "\n# changed, so that no signature fits"
    stranger.cells[0].metadata.pop("trusted", None)
    nbformat.write(stranger, lab.folder / "stranger.ipynb")
    for opened in (name, "stranger.ipynb"):
        page.goto(lab.url(opened))
        page.wait_for_selector("figure img", timeout=60_000)
        page.locator("figure img").scroll_into_view_if_needed()
        picture(page, f"map_reopened_{opened[:5]}")
        width, words = page.locator("figure img").evaluate("e => [e.naturalWidth, e.alt]")
        assert width >= 360
        assert words.startswith("Animals: 100,000 points, coloured by group")


FEW = """
from ipywidgets import HBox
maps = [Map(np.zeros((0, 2)), height=200), Map([[3.0, 4.0]], height=200), Map(np.full((50, 2), 1e9), height=200)]
HBox(maps)
"""


def test_no_point_one_point_and_equal_points_are_drawn(lab, page):
    show(lab, page, "map_few.ipynb", FEW)
    run_cell(page, 1)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.wb-map')].filter((e) => e.dataset.drawn > 0).length === 4",
        timeout=20_000,
    )
    page.locator(".wb-map").nth(3).scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    picture(page, "map_few")
    assert page.locator(".wb-status").all_inner_texts()[1:] == [
        f"{w}, none selected" for w in ("0 points", "1 point", "50 points")
    ]
    middles = []
    for k in (2, 3):
        shot = page.locator(".wb-place").nth(k).screenshot()
        pixels = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)
        rows, columns = np.nonzero(np.abs(pixels - np.array(BLUE)).max(axis=2) < 24)
        middles.append([columns.mean() / pixels.shape[1], rows.mean() / pixels.shape[0]])
    assert np.array(middles) == pytest.approx(0.5, abs=0.02)
    assert page.errors == []
