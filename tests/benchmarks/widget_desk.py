"""A JupyterLab with a Chromium in front of it, in which widgets are timed."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from playwright.sync_api import sync_playwright

__all__ = ["Desk", "Office", "office"]

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
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

    def __init__(self, page) -> None:
        self.page = page

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


class Office:
    """A running JupyterLab and a browser; every notebook gets a page of its own."""

    def __init__(self, browser, address: str, token: str, folder: Path) -> None:
        self.browser, self.address, self.token, self.folder = browser, address, token, folder

    @contextmanager
    def desk(self, name: str, *cells: str) -> Iterator[Desk]:
        """Opens a notebook of these code cells; its kernel ends with the page."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.folder / f"{name}.ipynb")
        page = self.browser.new_page(viewport={"width": 1400, "height": 1000})
        page.add_init_script(WATCH)
        page.goto(f"{self.address}/lab/tree/{name}.ipynb?token={self.token}&reset")
        page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=90_000)
        page.wait_for_timeout(3000)
        yield Desk(page)
        page.close()
        for session in json.loads(self.api("sessions")):
            self.api(f"sessions/{session['id']}", "DELETE")

    def api(self, path: str, method: str = "GET") -> bytes:
        """Answer of the server's REST interface."""
        request = urllib.request.Request(f"{self.address}/api/{path}?token={self.token}", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()


@contextmanager
def office(folder: Path) -> Iterator[Office]:
    """JupyterLab on this folder with headless Chromium; both end with the block."""
    server, address, token = served(folder)
    try:
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
            yield Office(browser, address, token, folder)
            browser.close()
    finally:
        server.terminate()
        server.wait(timeout=20)


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
