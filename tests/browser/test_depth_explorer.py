"""DepthExplorer in real JupyterLab: lists and map select in one another."""

import json

import numpy as np
import pytest

from tests.browser.conftest import wait_until
from tests.browser.test_map import DRAWN, drag, run_cell, tool
from tests.browser.test_training_monitor import notebook, open_notebook, picture, settings

__all__ = ["settings"]
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(420)]

MAKE = """
import json, numpy as np
from workbench.widgets.depth_explorer import DepthExplorer
rng = np.random.default_rng(3)
f = rng.normal(size=(220, 12)) + 1.2
g = rng.normal(size=(180, 12)) * 1.3 + 0.9 * np.arange(12) / 6
notes = [f"note {i} about foxes <script>alert(1)</script>" for i in range(220)]
texts = (notes, [f"page {i} \\u202eabc \\U0001f98a" for i in range(180)])
view = DepthExplorer(f, g, texts, names=("Notes", "Pages"))
view.on_select(lambda ids: np.save("picked.npy", ids))
view
"""
SAVE = """
json.dump({"ids": view.selection.tolist(), "rows": {k: v.tolist() for k, v in view.rows().items()},
           "deep": view.ends("Pages").tolist()}, open("depth.json", "w"))
"""


def told(lab, page):
    path = lab.folder / "depth.json"
    path.unlink(missing_ok=True)
    run_cell(page, 1)
    wait_until(lambda: path.exists() and path.stat().st_size > 20, 20, "the cell did not run")
    return json.loads(path.read_text())


def test_a_line_of_a_list_is_selected_on_the_map_and_a_lasso_is_listed(lab, page):
    open_notebook(lab, page, notebook(lab, "depth_lists.ipynb", MAKE, SAVE))
    run_cell(page, 0)
    page.wait_for_function(DRAWN, timeout=60_000)
    page.wait_for_selector(".workbench-view .js-plotly-plot .main-svg", timeout=60_000)
    page.wait_for_timeout(800)
    picture(page, "depth_light")
    assert "Null hypothesis: depths in Notes" in page.locator(".workbench-view").inner_text()
    page.get_by_label("Deepest of Pages in Pages").select_option(index=2)
    status = page.locator(".wb-status")
    wait_until(lambda: status.inner_text().startswith("1 of 400"), 10, "the map did not select")
    said = told(lab, page)
    assert said["ids"] == [said["deep"][2]]
    assert said["rows"] == {"Notes": [], "Pages": [said["deep"][2] - 220]}
    page.locator(".wb-map").scroll_into_view_if_needed()
    box = page.locator("canvas.wb-over").bounding_box()
    tool(page, "box")
    drag(page, box, [(20, 20), (box["width"] - 20, box["height"] - 20)])
    wait_until(lambda: not status.inner_text().startswith("1 of"), 10, "nothing was selected by the box")
    listed = page.locator(".workbench-view .widget-html table")
    wait_until(lambda: "the first 8 of them" in listed.inner_text(), 10, "the selection is not listed")
    ids = told(lab, page)["ids"]
    assert len(ids) > 300
    assert np.load(lab.folder / "picked.npy").tolist() == ids
    assert "<script>alert(1)</script>" in listed.inner_text()
    picture(page, "depth_selected")
    assert page.errors == []


def test_colour_in_the_dark_theme(lab, page, settings):
    settings("themes", {"theme": "JupyterLab Dark"})
    open_notebook(lab, page, notebook(lab, "depth_dark.ipynb", MAKE, SAVE))
    run_cell(page, 0)
    page.wait_for_function(DRAWN, timeout=60_000)
    page.wait_for_selector(".workbench-view .js-plotly-plot .main-svg", timeout=60_000)
    page.wait_for_timeout(800)
    page.locator(".workbench-view .js-plotly-plot").first.scroll_into_view_if_needed()
    picture(page, "depth_dark")
    page.get_by_label("Colour", exact=True).select_option(index=1)
    wait_until(lambda: "depth in Notes" in page.locator(".wb-legend").inner_text(), 10, "the colour did not change")
    assert page.errors == []
