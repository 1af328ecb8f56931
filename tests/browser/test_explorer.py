"""Explorer in real JupyterLab: what is selected, searched, coloured and projected on the page arrives in Python."""

import numpy as np
import pytest
from matplotlib.path import Path as Outline

from tests.browser.conftest import wait_until
from tests.browser.test_map import DRAWN, OUTLINE, drag, fitted, picked, run_cell, show, tool
from tests.browser.test_training_monitor import picture, printed, settings
from workbench.projections import pca

__all__ = ["settings"]
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(420)]

# six groups of vectors; every seventh text is one that a page must not take for its own
MAKE = """
import numpy as np
from workbench.widgets.explorer import Explorer
rng = np.random.default_rng(5)
n = {n}
group = rng.integers(0, 6, n)
x = ((rng.normal(size=(6, 12)) * 2)[group] + rng.normal(size=(n, 12))).astype(np.float32)
kinds = ["fox", "wolf", "bear", "owl", "heron", "lynx"]
hostile = ["<img src=x onerror=alert(1)>", "<script>document.title = 'owned'</script>", "\\u202eabc \\u05d0"]
hostile += ["\\U0001f98a", "word " * 20_000]
texts = [f"A {{kinds[g]}} of note {{i}} {{hostile[i % 5] if i % 7 == 0 else ''}}" for i, g in enumerate(group)]
explorer = Explorer(x, texts, {{"kind": np.array(kinds)[group], "age": np.where(group == 1, np.nan, rng.random(n))}},
                    title="Animals", height=400)
explorer.on_select(lambda ids: np.save("picked.npy", ids))
explorer
"""
SAYS = "[role=status]"


def the_vectors(n):
    """The vectors of MAKE, and the group of each."""
    rng = np.random.default_rng(5)
    group = rng.integers(0, 6, n)
    return ((rng.normal(size=(6, 12)) * 2)[group] + rng.normal(size=(n, 12))).astype(np.float32), group


def explore(lab, page, name, *cells, n=600):
    box = show(lab, page, name, *cells, n=n, make=MAKE)
    page.wait_for_selector("text=Compute (at once)")
    return box


def says(page, words, seconds=20):
    page.wait_for_selector(f".workbench-view {SAYS}:has-text('{words}')", timeout=seconds * 1000)


def panel(page):
    return page.locator(".workbench-view .widget-html").all_inner_texts()


def test_a_lasso_fills_the_panel_and_a_click_shows_neighbours(lab, page):
    box = explore(lab, page, "explorer_lasso.ipynb", "print(explorer.selection.tolist())")
    picture(page, "explorer_start")
    x, _ = the_vectors(600)
    placed = fitted(pca(x), box)
    tool(page, "lasso")
    drag(page, box, OUTLINE)
    expected = np.flatnonzero(Outline(OUTLINE).contains_points(placed))
    assert 30 < len(expected) < 560
    assert picked(lab).tolist() == expected.tolist()
    page.wait_for_selector(f"text={len(expected)} of 600 selected")
    page.wait_for_selector("th:has-text('mean cosine')")
    page.wait_for_selector("text=Selected texts")
    picture(page, "explorer_light")
    run_cell(page, 1)
    wait_until(lambda: printed(page), 10, "nothing was printed")
    assert printed(page)[0].strip() == str(expected.tolist())
    page.keyboard.press("Escape")
    page.locator("canvas.wb-over").focus()
    page.keyboard.press("Escape")
    point = int(np.argmax(placed[:, 0]))
    tool(page, "pan")
    page.mouse.click(box["x"] + placed[point, 0], box["y"] + placed[point, 1])
    page.wait_for_selector(f"text=Neighbours of row {point}")
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    near = np.argsort(-(unit @ unit[point]))
    near = near[near != point][:10]
    rows = page.locator(".workbench-view td:first-child").all_inner_texts()
    assert [int(row) for row in rows if row.strip().isdigit()] == near.tolist()
    picture(page, "explorer_neighbours")
    assert page.errors == []


def test_search_colour_and_undo_by_hand_and_texts_stay_texts(lab, page):
    explore(lab, page, "explorer_search.ipynb", "print(explorer.colour, len(explorer.selection))")
    _, group = the_vectors(600)
    field = page.get_by_label("Find", exact=True)
    field.fill("OF NOTE 35 <IMG")
    field.press("Enter")
    assert picked(lab).tolist() == [35]  # upper or lower case, and no pattern
    field.fill("a HERON of")
    field.press("Enter")
    assert picked(lab).tolist() == np.flatnonzero(group == 4).tolist()
    says(page, "texts contain “a HERON of”")
    page.wait_for_selector("text=Selected texts")
    assert page.title() != "owned"
    assert page.locator(".workbench-view .widget-html img").count() == 0
    assert page.locator(".workbench-view script").count() == 0
    page.get_by_label("Colour", exact=True).select_option("hubness")
    says(page, "Coloured by hubness")
    page.wait_for_selector(".wb-name:has-text('hubness')")
    picture(page, "explorer_hubness")
    page.get_by_label("Colour", exact=True).select_option("age")
    page.wait_for_selector(".wb-kind:has-text('no value')")
    page.get_by_role("button", name="Undo").click()
    page.wait_for_selector(".wb-name:has-text('hubness')")
    run_cell(page, 1)
    wait_until(lambda: printed(page), 10, "nothing was printed")
    assert printed(page)[0].strip() == f"hubness {(group == 4).sum()}"
    assert page.errors == []


def test_umap_is_started_and_cancelled_and_the_kernel_stays_free(lab, page, settings):
    settings("themes", {"theme": "JupyterLab Dark"})
    explore(lab, page, "explorer_umap.ipynb", "print('free', explorer.map.summary[:7])")
    page.get_by_label("Colour", exact=True).select_option("kind")
    page.get_by_label("Map", exact=True).select_option("UMAP")
    page.wait_for_selector("button:has-text('Compute (about')")
    page.get_by_role("button", name="Compute").click()
    says(page, "UMAP")
    page.wait_for_function(
        "() => !document.querySelector('.workbench-view').innerText.includes('computed in')", timeout=30_000
    )
    run_cell(page, 1)
    wait_until(lambda: printed(page), 10, "the kernel is busy while UMAP runs")
    page.get_by_role("button", name="Cancel").scroll_into_view_if_needed()
    picture(page, "explorer_dark")
    page.get_by_role("button", name="Cancel").click()
    says(page, "UMAP was cancelled. The map is as it was", seconds=5)
    assert page.get_by_role("button", name="Cancel").is_disabled()
    assert page.get_by_role("button", name="Compute").is_enabled()
    page.wait_for_function(DRAWN)
    assert page.errors == []
