"""Every widget in real JupyterLab for those who do not see it, or have no mouse: axe's rules, and the Tab key alone."""

import pytest

from tests.browser.axe import faults
from tests.browser.test_map import picked, run_cell
from tests.browser.test_training_monitor import notebook, open_notebook, picture, settings
from tests.widget_views import DATA, VIEWS

__all__ = ["settings"]
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(600)]

# all that can be reached: what is disabled or out of sight cannot
REACHABLE = """
(view) => {
  const kinds = "a[href], button, input, select, textarea, summary, [tabindex], [contenteditable=true]";
  const seen = (e) => e.checkVisibility({ visibilityProperty: true }) && !e.disabled && e.tabIndex >= 0;
  window.wanted = [...view.querySelectorAll(kinds)].filter(seen);
  window.reached = new Set();
  return window.wanted.length;
}
"""
NOTE = """
(view) => {
  const now = document.activeElement;
  if (!view.contains(now)) return false;
  window.reached.add(now);
  return true;
}
"""
# of several radio buttons with one name the Tab key reaches one
LEFT = """
() => {
  const names = [...window.reached].filter((e) => e.type === "radio").map((e) => e.name);
  const left = window.wanted.filter((e) => !window.reached.has(e) && !(e.type === "radio" && names.includes(e.name)));
  return left.map((e) => e.outerHTML.slice(0, 200));
}
"""
SHOWN = "() => [...document.querySelectorAll('.wb-map')].every((e) => Number(e.dataset.drawn) > 0)"


def open_all(lab, page, name):
    """A notebook with every widget in a cell of its own, run cell by cell; the CSS selectors of the widgets."""
    cells = [DATA.format(n=300, dimensions=32), *(f"{code}view" for code in VIEWS.values())]
    open_notebook(lab, page, notebook(lab, name, *cells))
    run_cell(page, 0)
    outputs = {}
    for k, view in enumerate(VIEWS, start=1):
        run_cell(page, k)
        outputs[view] = page.locator(".jp-CodeCell").nth(k).locator(".jp-OutputArea-output").first
        outputs[view].locator(".wb-map, .wb-monitor").first.wait_for(timeout=90_000)
        outputs[view].evaluate("(e, name) => e.setAttribute('data-tested', name)", view)
    page.wait_for_function(SHOWN, timeout=60_000)
    page.wait_for_timeout(1000)
    return outputs


def test_axe_sees_what_is_wrong(page):
    page.set_content("<main id='m'><button></button><img src='data:,'></main><input>")
    found = faults(page, "#m")
    assert [line.split(" ")[0] for line in found] == ["button-name", "image-alt"]


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_axe_finds_no_grave_fault(lab, page, settings, theme):
    settings("themes", {"theme": f"JupyterLab {theme}"})
    outputs = open_all(lab, page, f"axe_{theme}.ipynb")
    found = {}
    for view, output in outputs.items():
        output.scroll_into_view_if_needed()
        page.wait_for_timeout(300)
        picture(page, f"access_{view}_{theme.lower()}")
        found[view] = faults(page, f"[data-tested={view}]")
    assert "\n".join(f"{view}: {line}" for view, lines in found.items() for line in lines) == ""
    assert page.errors == []


def test_every_control_is_reached_with_the_tab_key(lab, page):
    outputs = open_all(lab, page, "tab.ipynb")
    left = {}
    for view, output in outputs.items():
        count = output.evaluate(REACHABLE)
        assert count >= 1
        # in at the first control, then on until the view is left
        page.evaluate("window.wanted[0].focus()")
        for _ in range(2 * count + 5):
            if not output.evaluate(NOTE):
                break
            page.keyboard.press("Tab")
        else:
            left[view] = ["the focus does not leave the view"]
        left.setdefault(view, []).extend(page.evaluate(LEFT))
    assert "\n".join(f"{view}: {line}" for view, lines in left.items() for line in lines) == ""
    assert page.errors == []


KEPT = """
view.on_select(lambda ids: np.save("picked.npy", ids))
view
"""


def test_from_the_notebook_to_a_selected_point_without_a_mouse(lab, page):
    cells = [DATA.format(n=300, dimensions=32), VIEWS["Map"] + KEPT]
    open_notebook(lab, page, notebook(lab, "keys.ipynb", *cells))
    for key in ("Shift+Enter", "Control+Enter"):
        page.keyboard.press(key)
    page.locator(".wb-map[data-drawn]").wait_for(timeout=60_000)
    on_map, way = "document.activeElement.matches('canvas.wb-over')", []
    while not page.evaluate(on_map):
        page.keyboard.press("Tab")
        way.append(page.evaluate("(e => e.dataset.tool || e.className || e.tagName)(document.activeElement)"))
        assert len(way) < 40, way
    for key in ("n", "n", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector(".wb-status:has-text('1 of 300 points selected')")
    first = picked(lab).tolist()
    assert len(first) == 1
    for key in ("p", "Shift+Enter"):
        page.keyboard.press(key)
    page.wait_for_selector(".wb-status:has-text('2 of 300 points selected')")
    both = picked(lab).tolist()
    (other,) = set(both) - set(first)
    page.wait_for_selector(f".wb-said:has-text('Point {other}. Corpusword {other} ')", state="attached")
    assert page.errors == []
