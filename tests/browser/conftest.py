"""Real JupyterLab on loopback with a token, and a real Chromium."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

SETTINGS = {
    # Lab takes cells out of the page that are not in sight
    "notebook-extension/tracker.jupyterlab-settings": '{"windowingMode": "none"}',
    # the pop-up that asks about news covers a corner
    "apputils-extension/notification.jupyterlab-settings": '{"fetchNews": "false", "checkForUpdates": false}',
}


@dataclass
class Lab:
    """A running JupyterLab: its address, its token, and the folder it serves (a copy of the notebooks)."""

    address: str
    token: str
    folder: Path

    def url(self, path: str) -> str:
        """Address of a notebook in Lab; `reset` forgets the last workspace, whose tabs would stay in the page."""
        return f"{self.address}/lab/tree/{path}?token={self.token}&reset"

    def api(self, path: str, method: str = "GET") -> object:
        """Answer of the server's REST interface."""
        request = urllib.request.Request(f"{self.address}/api/{path}", method=method)
        request.add_header("Authorization", f"token {self.token}")
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None


def wait_until(condition, seconds: float, words: str) -> None:
    """Asks every third of a second until the condition holds; fails with these words."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, words
        time.sleep(0.3)


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """JupyterLab on 127.0.0.1 with a token, on a copy of the notebooks; stopped at the end of the session."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1", "--allow-root"),
        *(f"--ServerApp.port={port}", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"),
    ]
    home = folder / "home"
    for name, text in SETTINGS.items():
        (home / "lab" / "user-settings" / "@jupyterlab" / name).parent.mkdir(parents=True, exist_ok=True)
        (home / "lab" / "user-settings" / "@jupyterlab" / name).write_text(text)
    environment = os.environ | {"JUPYTER_CONFIG_DIR": str(home), "JUPYTER_DATA_DIR": str(home / "data")}
    environment |= {"WORKBENCH_HOME": str(ROOT), "OMP_NUM_THREADS": "1"}
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    running = Lab(f"http://127.0.0.1:{port}", token, folder)
    try:
        wait_for(running, server, folder / "server.log")
        yield running
    finally:
        server.terminate()
        server.wait(timeout=20)


def wait_for(lab: Lab, server: subprocess.Popen, log: Path) -> None:
    def answers() -> bool:
        assert server.poll() is None, log.read_text()
        try:
            return lab.api("status") is not None
        except OSError:
            return False

    wait_until(answers, 90, "JupyterLab did not answer within 90 s")


@pytest.fixture(scope="session")
def chromium():
    """Headless Chromium of the system."""
    if CHROMIUM is None:
        pytest.skip("needs a Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, lab):
    """A fresh page that keeps what the console calls an error; every kernel is shut down afterwards."""
    page = chromium.new_page(viewport={"width": 1400, "height": 1000})
    page.errors = []
    page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    yield page
    page.close()
    for session in lab.api("sessions"):
        lab.api(f"sessions/{session['id']}", "DELETE")
