"""CompareExplorer in real JupyterLab: what is pointed at, selected or chosen in one map is so in all."""

import numpy as np
import pytest
from matplotlib.path import Path as Outline

from tests.browser.axe import faults
from tests.browser.conftest import wait_until
from tests.browser.test_map import drag, fitted, picked, run_cell, show
from tests.browser.test_training_monitor import picture, printed, settings

__all__ = ["settings"]
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(420)]

# the second space is the first, turned; eight rows have changed places with others
MAKE = """
import numpy as np
from workbench.widgets.compare_explorer import CompareExplorer
rng = np.random.default_rng(3)
n = {n}
group = rng.integers(0, 4, n)
a = (rng.normal(size=(4, 24)) * 3)[group] + rng.normal(size=(n, 24))
b = a @ np.linalg.qr(rng.normal(size=(24, 24)))[0] * 5
swapped = np.concatenate([np.flatnonzero(group == k)[:2] for k in range(4)])
b[swapped] = b[np.roll(swapped, 2)]
spaces = {{"first": a, "second <b>b</b>": b}}
if {more}:
    spaces |= {{"third": a[:, :12] + rng.normal(size=(n, 12)), "fourth": a[:, :3]}}
kinds = np.array(["red fox", "grey wolf", "brown bear", "owl"])[group]
texts = [f"text {{i}} <img src=x onerror=alert(1)> \\u202eabc \\U0001f98a" for i in range(n)]
view = CompareExplorer(spaces, texts, {{"kind": kinds, "row": np.arange(n)}}, title="Two models")
view.on_select(lambda ids: np.save("picked.npy", ids))
view
"""
TWO, FOUR = MAKE.replace("{more}", "False"), MAKE.replace("{more}", "True")
STATUS = "(words) => [...document.querySelectorAll('.wb-status')].every((e) => e.innerText === words)"
# told after the view itself has heard of it; leaving the map tells None
HOVER = "def told(p):\n    if p is not None: np.save('hovered.npy', [p, view.maps[1].hovered])\n"
SAVE = HOVER + "view.maps[0].on_hover(told)\nnp.save('points.npy', view.maps[0].points)\nprint(*view.selection)"


def test_hover_and_selection_are_linked(lab, page):
    box = show(lab, page, "compare.ipynb", SAVE, "view.selection = [4, 9]", n=400, make=TWO)
    page.wait_for_function("() => document.querySelectorAll('.wb-map').length === 2")
    page.wait_for_selector(".workbench-view :text('linear CKA')")
    picture(page, "compare_explorer_light")
    boxes = [page.locator("canvas.wb-over").nth(k).bounding_box() for k in (0, 1)]
    assert boxes[0]["y"] == boxes[1]["y"]  # side by side
    assert boxes[0]["x"] + boxes[0]["width"] < boxes[1]["x"]
    run_cell(page, 1)
    wait_until(lambda: (lab.folder / "points.npy").exists(), 10, "no points were written")
    points = np.load(lab.folder / "points.npy")
    page.locator(".wb-map").first.evaluate("(e) => e.scrollIntoView({ block: 'center' })")
    page.wait_for_timeout(300)
    box = page.locator("canvas.wb-over").first.bounding_box()
    placed = fitted(points, box)
    page.locator(".wb-tool[data-tool=lasso]").first.click()
    outline = [(40, 40), (box["width"] * 0.6, 40), (box["width"] * 0.6, box["height"] * 0.7), (40, box["height"] * 0.7)]
    drag(page, box, outline)
    ids = picked(lab)
    expected = np.flatnonzero(Outline(outline).contains_points(placed))
    assert 10 < len(expected) < 390
    assert ids.tolist() == expected.tolist()
    page.wait_for_function(STATUS, arg=f"{len(ids)} of 400 points selected")
    picture(page, "compare_explorer_lasso")
    point = int(np.argmax(placed[:, 0]))
    page.mouse.move(box["x"] + placed[point, 0], box["y"] + placed[point, 1])
    page.wait_for_timeout(800)
    assert np.load(lab.folder / "hovered.npy").tolist() == [point, point]
    assert page.locator(".workbench-view img").count() == 0
    run_cell(page, 2)
    page.wait_for_function(STATUS, arg="2 of 400 points selected")
    assert page.locator(".workbench-view b", has_text="b").filter(has_text="second").count() == 0
    assert page.errors == []


def test_a_row_that_changed_is_chosen_from_the_list(lab, page):
    show(lab, page, "compare_moved.ipynb", "print(*view.selection, *swapped)", n=400, make=TWO)
    listed = page.locator(".workbench-view select[size]")
    listed.locator("option").nth(8).wait_for(state="attached")
    listed.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.wait_for_function(STATUS, arg="1 of 400 points selected")
    page.wait_for_selector(".workbench-view :text('in every space')")
    assert page.locator(".workbench-view li img").count() == 0
    picture(page, "compare_explorer_row")
    run_cell(page, 1)
    wait_until(lambda: printed(page), 10, "nothing was printed")
    chosen, *swapped = map(int, printed(page)[0].split())
    assert chosen in swapped
    page.locator(".workbench-view select:not([size])").nth(1).select_option("row")
    page.wait_for_function("() => [...document.querySelectorAll('.wb-name')].every((e) => e.innerText === 'row')")
    assert page.errors == []


def test_four_spaces_in_the_dark(lab, page, settings):
    settings("themes", {"theme": "JupyterLab Dark"})
    show(lab, page, "compare_dark.ipynb", n=400, make=FOUR)
    page.wait_for_function("() => document.querySelectorAll('.wb-map').length === 4")
    page.wait_for_selector(".workbench-view :text('linear CKA')")
    page.locator(".workbench-view select:not([size])").first.select_option(index=4)
    page.wait_for_selector(".workbench-view :text('linear CKA')")
    page.wait_for_timeout(500)
    picture(page, "compare_explorer_dark")
    assert faults(page, ".workbench-view") == []
    assert page.errors == []
