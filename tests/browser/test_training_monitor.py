"""TrainingMonitor in real JupyterLab: curves that move and a button that works while the cell runs."""

import json
import os
import re
import time
from pathlib import Path

import nbformat
import pytest

from tests.browser.conftest import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(420)]

# one cell shows the monitor and trains: the page is drawn while the kernel is busy
LOOP = """
import math, time
from workbench.widgets import TrainingMonitor
monitor = TrainingMonitor()
display(monitor)
STEPS = {steps}
monitor.begin(STEPS, 0)
reason = "finished"
for step in range(1, STEPS + 1):
    time.sleep({pause})
    row = {{"step": step, "lr": 1e-3 * (1 - step / STEPS), "loss": 0.4 + 2 / (1 + step / 20) + 0.1 * math.sin(step)}}
    row["grad_norm"] = float("nan") if step == {odd} else 1 + math.cos(step / 9)
    row |= {{"alignment": 1 / (1 + step / 50), "seconds": 0.01}}
    monitor.update(row)
    if monitor.stopping:
        reason = "stopped"
        break
monitor.end(reason)
print("ended", reason, monitor.step)
"""
DRAWN = "() => document.querySelector('.wb-panel[data-name=loss] path.wb-line')?.getAttribute('d') ?? ''"
SETTINGS = "home/lab/user-settings/@jupyterlab/apputils-extension"


def notebook(lab, name, *cells):
    """Writes a notebook of these code cells into the folder that Lab serves."""
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(made, lab.folder / name)
    return name


def open_notebook(lab, page, name):
    """Opens it and waits until its kernel answers."""
    page.goto(lab.url(name))
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=90_000)
    wait_until(lambda: any(s["kernel"]["connections"] for s in lab.api("sessions")), 90, "no kernel was connected")
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=90_000)


def run_all(page):
    page.click("text=Run >> nth=0")
    page.click("[data-command='runmenu:run-all']")


def printed(page):
    return page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stdout']").all_inner_texts()


def picture(page, name):
    """Keeps a screenshot where WORKBENCH_SCREENSHOTS asks for it, to be looked at."""
    if os.environ.get("WORKBENCH_SCREENSHOTS"):
        page.screenshot(path=str(Path(os.environ["WORKBENCH_SCREENSHOTS"]) / f"{name}.png"))


@pytest.fixture
def settings(lab):
    """Writes settings of Lab's own plugins; they are gone after the test."""
    written = []

    def write(plugin, values):
        path = lab.folder / SETTINGS / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
        written.append(path)

    yield write
    for path in written:
        path.unlink()


@pytest.mark.parametrize("comms", ["perCommTarget", "disabled"])
def test_curves_move_and_stop_works_while_the_cell_runs(lab, page, settings, comms):
    if comms != "perCommTarget":  # Lab's default; without subshells the click waits behind the cell
        settings("kernels-settings", {"commsOverSubshells": comms})
    open_notebook(lab, page, notebook(lab, f"monitor_{comms}.ipynb", LOOP.format(steps=4000, pause=0.05, odd=20)))
    run_all(page)
    page.wait_for_selector(".wb-panel[data-name=loss] path.wb-line", timeout=60_000)
    seen = [page.evaluate(DRAWN)]
    for _ in range(4):
        page.wait_for_function(f"old => ({DRAWN})() !== old", arg=seen[-1], timeout=2_000)
        seen.append(page.evaluate(DRAWN))
    assert len(set(seen)) == 5
    assert page.locator(".jp-CodeCell .jp-InputPrompt").first.inner_text() == "[*]:"
    page.wait_for_function("() => document.querySelector('.wb-odd')", timeout=5_000)
    assert "no uniformity" in page.locator(".wb-panel[data-name=uniformity]").inner_text()
    button = page.locator("button.wb-stop")
    button.focus()
    pressed = time.monotonic()
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('.wb-monitor').dataset.reason === 'stopped'", timeout=10_000)
    took = time.monotonic() - pressed
    picture(page, f"monitor_stopped_{comms}")
    assert took < 2, f"the cell ended {took:.1f} s after the button was pressed"
    assert button.is_disabled()
    assert page.evaluate("document.activeElement.className") == "wb-title", "the focus is lost"
    wait_until(lambda: printed(page), 5, "the cell did not end")
    reason, step = re.fullmatch(r"ended (\w+) (\d+)", printed(page)[0].strip()).groups()
    assert reason == "stopped"
    assert f"step {step} of 4000" in page.locator(".wb-status").inner_text()
    assert page.errors == []


def test_cells_that_wait_behind_a_training_run_in_their_order_and_are_dropped_after_an_error(lab, page, settings):
    settings("kernels-settings", {"commsOverSubshells": "disabled"})  # the look into the queue meets every message
    cells = [LOOP.format(steps=30, pause=0.05, odd=0), "print('second')", "print('third')", "1 / 0", "print('never')"]
    open_notebook(lab, page, notebook(lab, "order.ipynb", *cells))
    run_all(page)
    page.wait_for_selector("[data-mime-type='application/vnd.jupyter.stderr']", timeout=60_000)
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=10_000)
    assert [line.strip() for line in printed(page)] == ["ended finished 30", "second", "third"]
    prompts = page.locator(".jp-CodeCell .jp-InputPrompt").all_inner_texts()
    assert prompts == ["[1]:", "[2]:", "[3]:", "[4]:", "[ ]:"]
    assert page.locator("button.wb-stop").is_disabled()
    assert "Finished" in page.locator(".wb-status").inner_text()


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_the_end_is_drawn_in_both_themes_and_read_by_keyboard(lab, page, settings, theme):
    settings("themes", {"theme": f"JupyterLab {theme}"})
    open_notebook(lab, page, notebook(lab, f"theme_{theme}.ipynb", LOOP.format(steps=600, pause=0.004, odd=300)))
    run_all(page)
    page.wait_for_function("() => document.querySelector('.wb-monitor')?.dataset.reason === 'finished'", timeout=60_000)
    page.locator(".wb-monitor summary").focus()
    page.keyboard.press("Enter")
    rows = page.locator(".wb-monitor tr").all_inner_texts()
    assert len(rows) == 5  # uniformity has none
    assert re.match(r"gradient norm 0\.2308 .*1, first at 300", rows[3].replace("\t", " "))
    label = page.locator(".wb-panel[data-name=loss] svg").get_attribute("aria-label")
    assert re.match(r"loss to step 600: last 0\.\d+, lowest 0\.\d+ at step \d+, highest 2\.\d+ at step \d+", label)
    assert page.locator(".wb-said[aria-live=polite]").inner_text().startswith("Finished at step 600 of 600")
    assert page.locator(".wb-bar[role=progressbar]").get_attribute("aria-valuenow") == "600"
    back, text = (
        page.locator(".wb-monitor").evaluate(f"e => getComputedStyle(e).{x}") for x in ("backgroundColor", "color")
    )
    assert contrast(back, text) > 7
    line = page.locator(".wb-line").first.evaluate("e => getComputedStyle(e).stroke")
    assert contrast(back, line) > 4.5
    page.locator(".wb-monitor").scroll_into_view_if_needed()
    picture(page, f"monitor_{theme.lower()}")
    assert page.errors == []


def contrast(one, other):
    """Contrast of two CSS colours as WCAG 2 defines it, 1 to 21."""

    def light(colour):
        parts = [int(x) / 255 for x in re.findall(r"\d+", colour)[:3]]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([light(one), light(other)])
    return (high + 0.05) / (low + 0.05)


SAVED = "[data-workbench-saved] img, figure img"


def test_a_saved_notebook_shows_the_picture_without_a_kernel(lab, page):
    name = notebook(lab, "kept.ipynb", LOOP.format(steps=60, pause=0.01, odd=30))
    open_notebook(lab, page, name)
    run_all(page)
    page.wait_for_function("() => document.querySelector('.wb-monitor')?.dataset.reason === 'finished'", timeout=60_000)
    page.wait_for_selector(SAVED, state="attached", timeout=5_000)
    assert not page.locator(SAVED).is_visible(), "the picture stands beside the live widget"
    assert page.errors == []
    page.keyboard.press("Control+s")
    wait_until(lambda: "data-workbench-saved" in (lab.folder / name).read_text(), 10, "the notebook was not saved")
    for session in lab.api("sessions"):
        lab.api(f"sessions/{session['id']}", "DELETE")
    kept = json.loads((lab.folder / name).read_text())
    assert len(json.dumps(kept)) < 20_000
    page.goto(lab.url(name))  # Lab trusts what its user ran
    page.wait_for_selector(SAVED, timeout=60_000)
    picture(page, "monitor_reopened")
    assert "Finished at step 60 of 60" in page.locator("figcaption").inner_text()
    stranger = nbformat.from_dict(kept)
    stranger.cells[0].source += "\n# changed, so that no signature fits"
    stranger.cells[0].metadata.pop("trusted", None)
    nbformat.write(stranger, lab.folder / "stranger.ipynb")
    page.goto(lab.url("stranger.ipynb"))
    page.wait_for_selector(SAVED, timeout=60_000)
    picture(page, "monitor_untrusted")
    drawn = page.locator(SAVED).evaluate("e => [e.naturalWidth, e.alt]")
    assert drawn[0] > 300, "the picture is not shown in a notebook that is not trusted"
    assert drawn[1].startswith("Finished at step 60 of 60")


def test_a_kernel_that_is_gone_is_said_so(lab, page):
    open_notebook(lab, page, notebook(lab, "gone.ipynb", LOOP.format(steps=4000, pause=0.05, odd=0)))
    run_all(page)
    page.wait_for_selector(".wb-panel[data-name=loss] path.wb-line", timeout=60_000)
    page.click("text=Kernel >> nth=0")
    page.click("[data-command='kernelmenu:restart']")
    page.click(".jp-Dialog .jp-mod-accept")
    line = page.locator(".wb-status", has_text="the kernel is gone")
    line.wait_for(timeout=40_000)
    picture(page, "monitor_gone")
    assert "step" in line.inner_text()


FIT = """
import torch
from workbench.training import FitConfig, fit
from workbench.widgets import TrainingMonitor
torch.manual_seed(0)
model = torch.nn.Linear(8, 1)
batches = [{"x": torch.randn(16, 8), "y": torch.randn(16)} for _ in range(5)]
def step(model, batch, state):
    time.sleep(0.02)
    error = model(batch["x"])[:, 0] - batch["y"]
    state["metrics"] = {"alignment": float(error.detach().abs().mean())}
    return error.square().mean()
"""
FITTED = """
monitor = TrainingMonitor()
display(monitor)
result = fit(model, batches, step=step, config=FitConfig(steps=5000), state={}, monitor=monitor)
print("fit", result.reason, result.steps, monitor.step)
"""


def test_fit_is_watched_and_stopped(lab, page):
    open_notebook(lab, page, notebook(lab, "fit.ipynb", "import time" + FIT, FITTED))
    run_all(page)
    page.wait_for_selector(".wb-panel[data-name=alignment] path.wb-line", timeout=90_000)
    page.locator("button.wb-stop").click()
    page.wait_for_function("() => document.querySelector('.wb-monitor').dataset.reason === 'stopped'", timeout=5_000)
    wait_until(lambda: printed(page), 5, "the cell did not end")
    steps, told = re.fullmatch(r"fit stopped (\d+) (\d+)", printed(page)[0].strip()).groups()
    assert steps == told
    assert 0 < int(steps) < 5000
    assert page.errors == []
