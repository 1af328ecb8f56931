"""A view of several maps whose kernel is gone: it says so, and a saved notebook shows the pictures of all its maps."""

import json

import nbformat
import pytest

from tests.browser.conftest import wait_until
from tests.browser.test_map import OUTLINE, drag, run_cell
from tests.browser.test_training_monitor import notebook, open_notebook, picture

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(420)]

MAKE = """
import ipywidgets
import numpy as np
from workbench.widgets import Map, View
rng = np.random.default_rng(5)
points = rng.normal(size=(500, 2))
texts = [f"Corpusword {i} <img src=x onerror=alert(1)>" for i in range(500)]

class Pair(View):
    def __init__(self):
        maps = [Map(points, texts=texts, title="One", height=300), Map(-points, texts=texts, title="Two", height=300)]
        super().__init__(maps, [ipywidgets.HBox(maps), ipywidgets.Button(description="A button")], kind="pair")

Pair()
"""
DRAWN = "() => document.querySelectorAll('.wb-map[data-drawn]').length === 2"


def show(lab, page, name):
    open_notebook(lab, page, notebook(lab, name, MAKE))
    run_cell(page, 0)
    page.wait_for_function(DRAWN, timeout=60_000)
    page.wait_for_timeout(300)


def test_a_restarted_kernel_is_said_so_by_every_map_and_the_page_goes_on(lab, page):
    show(lab, page, "view_restart.ipynb")
    page.click("text=Kernel >> nth=0")
    page.click("[data-command='kernelmenu:restart']")
    page.click(".jp-Dialog .jp-mod-accept")
    page.wait_for_timeout(1500)
    for k in range(2):
        page.locator(".wb-map").nth(k).locator(".wb-tool[data-tool=box]").click()
        drag(page, page.locator("canvas.wb-over").nth(k).bounding_box(), OUTLINE[:4])
    page.wait_for_function("() => document.querySelectorAll('.wb-warn:not([hidden])').length === 2", timeout=20_000)
    assert all("restarted" in words for words in page.locator(".wb-warn").all_inner_texts())
    assert all(" of 500 points selected" in words for words in page.locator(".wb-status").all_inner_texts())
    page.get_by_role("button", name="A button").click()  # a control of ipywidgets, nobody hears it
    picture(page, "view_restarted")
    run_cell(page, 0)
    page.wait_for_function("() => !document.querySelector('[data-quiet]')", timeout=30_000)
    page.wait_for_function(DRAWN, timeout=60_000)


def test_a_saved_view_shows_the_pictures_of_all_maps_trusted_or_not(lab, page):
    name = "view_saved.ipynb"
    show(lab, page, name)
    saved = page.locator("[data-workbench-saved] img")
    wait_until(lambda: saved.count() == 2, 10, "the pictures are not in the page")
    assert not any(one.is_visible() for one in saved.all()), "the pictures stand beside the live view"
    assert page.errors == []
    page.locator(".wb-map").nth(0).locator(".wb-tool[data-tool=box]").click()
    drag(page, page.locator("canvas.wb-over").nth(0).bounding_box(), [(60, 40), (250, 220)])
    changed = "e => [...e].filter((i) => i.alt.includes(' selected')).length"
    wait_until(lambda: saved.evaluate_all(changed) == 1, 10, "the picture does not follow the selection")
    page.keyboard.press("Control+s")
    wait_until(lambda: "selected, the others grey" in (lab.folder / name).read_text(), 10, "the notebook was not saved")
    kept = json.loads((lab.folder / name).read_text())
    outputs = json.dumps(kept["cells"][0]["outputs"])
    assert len(outputs) < 120_000
    assert "Corpusword" not in outputs
    for session in lab.api("sessions"):
        lab.api(f"sessions/{session['id']}", "DELETE")
    stranger = nbformat.from_dict(kept)
    stranger.cells[0].source += "\n# changed, so that no signature fits"
    stranger.cells[0].metadata.pop("trusted", None)
    nbformat.write(stranger, lab.folder / "stranger_view.ipynb")
    for opened in (name, "stranger_view.ipynb"):
        page.goto(lab.url(opened))
        page.wait_for_selector("figure img", timeout=60_000)
        page.locator("figure img").nth(1).scroll_into_view_if_needed()
        picture(page, f"view_reopened_{opened[:5]}")
        drawn = page.locator("figure img").evaluate_all("es => es.map((e) => [e.naturalWidth, e.alt])")
        assert [words.split(":")[0] for _, words in drawn] == ["One", "Two"]
        assert all(width >= 360 for width, _ in drawn)
