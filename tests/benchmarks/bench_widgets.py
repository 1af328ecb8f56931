"""How fast the widgets answer in a real JupyterLab, and how much a notebook grows by each.

Run as `python tests/benchmarks/bench_widgets.py [POINTS...]` (a Map of 100000 and of 1000000 where none is given).
Drawn without a graphics card, in headless Chromium. A time ends where pixels of the map have changed on the page, as
seen at every frame; a lasso ends where the ids are in Python. Colour, step and lasso are medians of five, a slider's
step of six, a key in LiveText of 20. A notebook's growth: executed without a browser, the widgets' state saved, less
the same notebook with nothing shown; of every widget at 1,000 and 100,000 rows. Prints each number with its bound;
exits 1 when one is missed.
"""

import os
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import nbformat  # noqa: E402 - the root first: the cells to show are those of the tests
from nbclient import NotebookClient  # noqa: E402
from widget_desk import Desk, Office, office  # noqa: E402

from tests.browser.test_live_text import READY, keystrokes  # noqa: E402
from tests.widget_views import DATA, VIEWS  # noqa: E402

BOUNDS = {
    100_000: {"first paint": 1500, "lasso to Python": 150, "colour": 200, "step of the points": 150},
    1_000_000: {"first paint": 6000},
}
STEPPED, TYPED, GROWTH = 150, 250, 150  # ms from a key to the changed map, of a slider and of a text; kB
MAKE = """
import time
import numpy as np
from IPython.display import display
from workbench.widgets import Map
rng = np.random.default_rng(0)
n = {n}
group = rng.integers(0, 8, n)
points = (rng.normal(size=(8, 2)) * 4)[group] + rng.normal(size=(n, 2))
turned = points @ np.array([[0.98, -0.199], [0.199, 0.98]])
values = rng.normal(size=n)
map = Map(points, colour=group.astype(str), title="Benchmark")
heard = []
map.on_select(lambda ids: heard.append((time.time(), len(ids))))
"""
SHOW = "began = time.time()\ndisplay(map)"
COLOUR = "values = -values\nbegan = time.time()\nmap.colour_by(values)"
STEP = "began = time.time()\nmap.points = turned\npoints, turned = turned, points"
TELL = "print('TOLD', began, heard)"


def told(name: str, value: float, unit: str, bound: float | None = None) -> bool:
    """Prints a number with its bound; whether it is met."""
    print(f"  {name}: {value:.0f} {unit}" + ("" if bound is None else f" (bound {bound})"), flush=True)
    return bound is None or value < bound


def measure(desk: Desk, n: int) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    desk.run(0)
    desk.run(1)
    desk.page.wait_for_selector(".wb-map[data-drawn]", timeout=120_000)
    began, _ = desk.told(4)
    found["first paint"] = [desk.changed_after(began)]
    desk.page.locator(".wb-map").scroll_into_view_if_needed()
    for cell, name in ((2, "colour"), (3, "step of the points")):
        for _ in range(5):
            desk.page.wait_for_timeout(1500)
            desk.run(cell)
            began, _ = desk.told(4)
            found.setdefault(name, []).append(desk.changed_after(began))
        found[f"{name}, to its end"] = [desk.changed_after(began, last=True)]
    found["lasso to Python"] = lassos(desk)
    return {name: statistics.median(times) for name, times in found.items()}


def lassos(desk: Desk) -> list[float]:
    page = desk.page
    page.evaluate(
        "document.querySelector('canvas.wb-over').addEventListener('pointerup', () => { window.lifted = Date.now(); },"
        " { capture: true })"
    )
    page.locator(".wb-tool[data-tool=lasso]").click()
    times = []
    for k in range(5):
        page.locator(".wb-map").scroll_into_view_if_needed()
        page.wait_for_timeout(1500)
        box = page.locator("canvas.wb-over").bounding_box()
        x, y = box["x"] + 80 + 20 * k, box["y"] + 40
        page.mouse.move(x, y)
        page.mouse.down()
        for across, down in ((400, 0), (450, 300), (200, 350), (50, 250)):
            page.mouse.move(x + across, y + down, steps=5)
        page.mouse.up()
        page.wait_for_timeout(1500)
        lifted = page.evaluate("window.lifted")
        heard = desk.told(4)[1]
        if len(heard) != k + 1:
            raise RuntimeError(f"{len(heard)} selections arrived after {k + 1} lassos")
        times.append(1000 * heard[-1][0] - lifted)
        print(f"  lasso {k}: {heard[-1][1]:,} points in {times[-1]:.0f} ms")
    return times


def map_times(place: Office, n: int) -> bool:
    with place.desk(f"map_{n}", MAKE.format(n=n), SHOW, COLOUR, STEP, TELL) as desk:
        times = measure(desk, n)
        renderer = desk.page.locator(".wb-map").get_attribute("data-renderer")
    print(f"Map of {n:,} points, drawn by {renderer}")
    met = [told(name, took, "ms", BOUNDS.get(n, {}).get(name)) for name, took in times.items()]
    return all(met)


def slider_times(place: Office, n: int = 100_000) -> bool:
    """From a key on LayerExplorer's slider to the first frame in which points have moved."""
    with place.desk("layers", DATA.format(n=n, dimensions=32), VIEWS["LayerExplorer"] + "view") as desk:
        page = desk.page
        desk.run(0)
        desk.run(1)
        page.wait_for_selector(".wb-map[data-drawn]", timeout=120_000)
        handle = page.locator(".workbench-view [role=slider], .workbench-view .noUi-handle").first
        handle.focus()
        page.evaluate("window.addEventListener('keydown', () => { window.pressed = Date.now(); }, true)")
        times = []
        for k in range(6):
            page.wait_for_timeout(2000)
            page.keyboard.press("ArrowLeft" if k % 2 else "ArrowRight")
            times.append(desk.changed_after(page.evaluate("window.pressed") / 1000))
    print(f"LayerExplorer of {n:,} rows")
    return told("slider step", statistics.median(times), "ms", STEPPED)


def typing_times(place: Office, n: int = 100_000) -> bool:
    with place.desk("live", DATA.format(n=n, dimensions=32), VIEWS["LiveText"] + "view") as desk:
        desk.run(0)
        desk.run(1)
        desk.page.wait_for_function(READY, timeout=120_000)
        times = keystrokes(desk.page)
    print(f"LiveText among {n:,} texts, {len(times)} keys")
    return told("key to moved point", statistics.median(times), "ms", TYPED) and len(times) >= 18


def executed(*cells: nbformat.NotebookNode) -> nbformat.NotebookNode:
    notebook = nbformat.v4.new_notebook(cells=list(cells))
    NotebookClient(notebook, timeout=600, kernel_name="python3", store_widget_state=True).execute()
    return notebook


def growth(n: int) -> bool:
    """kB by which a notebook grows that is executed without a browser, widget state saved, by each widget."""
    print(f"growth of an executed notebook, {n:,} rows")
    data = DATA.format(n=n, dimensions=32)
    without, met = executed(nbformat.v4.new_code_cell(data)), []
    for name, code in VIEWS.items():
        shown = executed(nbformat.v4.new_code_cell(data), nbformat.v4.new_code_cell(code + "view"))
        without.cells = [*without.cells[:1], nbformat.v4.new_code_cell(code + "view")]
        grown = (len(nbformat.writes(shown)) - len(nbformat.writes(without))) / 1000
        met.append(told(name, grown, "kB", GROWTH))
    return all(met)


def main(sizes: list[int]) -> int:
    os.environ["WORKBENCH_HOME"], os.environ["PYTHONPATH"] = str(ROOT), str(ROOT)
    with tempfile.TemporaryDirectory() as name, office(Path(name)) as place:
        met = [map_times(place, n) for n in sizes]
        met += [slider_times(place), typing_times(place)]
    met += [growth(n) for n in (1000, 100_000)]
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main([int(word) for word in sys.argv[1:]] or [100_000, 1_000_000]))
