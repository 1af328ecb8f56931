"""How fast the map answers in a real JupyterLab, and how much a notebook grows by it.

Run as `python tests/benchmarks/bench_widgets.py [POINTS...]` (100000 and 1000000 where none is given). Drawn without a
graphics card, in headless Chromium. A time ends where pixels of the map have changed on the page, as seen at every
frame; a lasso ends where the ids are in Python. Colour, step and lasso are medians of five. Prints each number with its
bound; exits 1 when one is missed.
"""

import json
import os
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
BOUNDS = {
    100_000: {"first paint": 1500, "lasso to Python": 150, "colour": 200, "step of the points": 150},
    1_000_000: {"first paint": 6000},
}
GROWTH = 150  # kB
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
# notes the time of every frame in which a small copy of the map differs from the one before
WATCH = """
(() => {
  window.changes = [];
  const small = document.createElement("canvas");
  small.width = 96;
  small.height = 64;
  const brush = small.getContext("2d", { willReadFrequently: true });
  let before = 0;
  const look = () => {
    const points = document.querySelector("canvas.wb-points");
    if (points && points.width && document.querySelector(".wb-map")?.dataset.drawn) {
      brush.drawImage(points, 0, 0, 96, 64);
      let sum = 0;
      for (const part of new Uint32Array(brush.getImageData(0, 0, 96, 64).data.buffer)) sum = (sum * 31 + part) | 0;
      if (sum !== before) window.changes.push(Date.now());
      before = sum;
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})();
"""


class Desk:
    """A notebook open in JupyterLab whose cells are run by hand."""

    def __init__(self, page, folder: Path) -> None:
        self.page, self.folder = page, folder

    def run(self, k: int) -> None:
        """Runs cell k and waits until it has ended: its prompt bears a new number."""
        before = self.page.locator(".jp-CodeCell .jp-InputPrompt").nth(k).inner_text()
        self.page.locator(".jp-CodeCell").nth(k).locator(".jp-InputArea-editor").click()
        self.page.keyboard.press("Shift+Enter")
        self.page.wait_for_function(
            "([k, before]) => { const now = document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')[k].innerText;"
            r" return now !== before && /\[\d+\]/.test(now); }",
            arg=[k, before],
            timeout=120_000,
        )

    def told(self, k: int) -> tuple[float, list]:
        """What cell k prints: when the last action began (seconds), and the selections that have arrived."""
        self.run(k)
        cell = self.page.locator(".jp-CodeCell").nth(k)
        words = cell.locator(".jp-OutputArea-output").last.inner_text().split(maxsplit=2)
        return float(words[1]), json.loads(words[2].replace("(", "[").replace(")", "]"))

    def changed_after(self, seconds: float, *, last: bool = False) -> float:
        """Milliseconds from then to the first (or the last) change of the map's pixels."""
        self.page.wait_for_function("t => window.changes.some(c => c >= t)", arg=1000 * seconds, timeout=120_000)
        if last:
            self.page.wait_for_timeout(1500)
        found = [c for c in self.page.evaluate("window.changes") if c >= 1000 * seconds]
        return (found[-1] if last else found[0]) - 1000 * seconds


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


def growth(n: int) -> float:
    """kB by which a notebook grows that is executed without a browser, widget state saved."""
    sizes = []
    for last in ("", "map"):
        cells = [nbformat.v4.new_code_cell(cell) for cell in (MAKE.format(n=n), last)]
        notebook = nbformat.v4.new_notebook(cells=cells)
        NotebookClient(notebook, timeout=120, kernel_name="python3", store_widget_state=True).execute()
        if not last:
            notebook.metadata.pop("widgets", None)
        sizes.append(len(nbformat.writes(notebook)))
    return (sizes[1] - sizes[0]) / 1000


def bench(address: str, token: str, folder: Path, browser, n: int) -> bool:
    cells = [nbformat.v4.new_code_cell(cell) for cell in (MAKE.format(n=n), SHOW, COLOUR, STEP, TELL)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / f"bench_{n}.ipynb")
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.add_init_script(WATCH)
    page.goto(f"{address}/lab/tree/bench_{n}.ipynb?token={token}&reset")
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=90_000)
    page.wait_for_timeout(3000)
    print(f"{n:,} points")
    times = measure(Desk(page, folder), n)
    renderer = page.locator(".wb-map").get_attribute("data-renderer")
    page.close()
    met = True
    for name, took in times.items():
        bound = BOUNDS.get(n, {}).get(name)
        met &= bound is None or took < bound
        print(f"  {name}: {took:.0f} ms" + (f" (bound {bound})" if bound else "") + f" [{renderer}]")
    size = growth(n)
    print(f"  growth of an executed notebook: {size:.0f} kB (bound {GROWTH})")
    return met and size < GROWTH


def served(folder: Path) -> tuple[subprocess.Popen, str, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1", "--allow-root"),
        *(f"--ServerApp.port={port}", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"),
    ]
    environment = os.environ | {"WORKBENCH_HOME": str(ROOT), "OMP_NUM_THREADS": "1", "JUPYTER_CONFIG_DIR": str(folder)}
    environment |= {"PYTHONPATH": str(ROOT)}
    news = folder / "lab/user-settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{address}/api/status?token={token}", timeout=5).close()
            break
        except OSError:
            time.sleep(0.3)
    return server, address, token


def main(sizes: list[int]) -> int:
    os.environ["WORKBENCH_HOME"], os.environ["PYTHONPATH"] = str(ROOT), str(ROOT)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        server, address, token = served(Path(name))
        try:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
            met = [bench(address, token, Path(name), browser, n) for n in sizes]
            browser.close()
        finally:
            server.terminate()
            server.wait(timeout=20)
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main([int(word) for word in sys.argv[1:]] or [100_000, 1_000_000]))
