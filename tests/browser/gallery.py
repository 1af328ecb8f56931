"""The README's pictures of the widgets, in both themes: `python -m pytest tests/browser/gallery.py` makes them anew.

Not part of the suite. Texts are those of `pydocs`, which is built in.
"""

import io

import pytest
from PIL import Image

from tests.browser.test_map import run_cell
from tests.browser.test_training_monitor import notebook, open_notebook, settings
from tests.conftest import ROOT

__all__ = ["settings"]
pytestmark = [pytest.mark.browser, pytest.mark.timeout(560)]

DOCS = """
import numpy as np
from workbench.corpora import load
from workbench.encoders import load_encoder
docs = load("pydocs", scope="stdlib-core").sample(400, seed=0)
encoder = load_encoder("all-MiniLM-L6-v2")
states = encoder.hidden_states(docs.texts)
x = encoder.encode(docs.texts, normalize=False)
columns = {"package": docs.columns["package"]}
"""
VIEWS = {
    "explorer": """
from workbench.widgets import Explorer
view = Explorer(x, docs.texts, columns, title="400 docstrings", height=430)
view.colour_by("depth")
view.select_text("string")
view""",
    "layer_explorer": """
from workbench.widgets import LayerExplorer
names = ["word embeddings", *(f"layer {k}" for k in range(1, 7))]
view = LayerExplorer(dict(zip(names, states)), docs.texts, columns, title="400 docstrings, layer by layer")
view.step = 5
view""",
    "compare_explorer": """
from workbench.widgets import CompareExplorer
view = CompareExplorer({"layer 3": states[3], "layer 6": states[6]}, docs.texts, columns, title="Two layers")
view.selection = [row.row for row in view.moved(12)]
view""",
    "depth_explorer": """
from workbench.widgets import DepthExplorer
short = np.array([len(text) < 200 for text in docs.texts])
texts = [np.array(docs.texts, dtype=object)[kind].tolist() for kind in (short, ~short)]
DepthExplorer(x[short], x[~short], texts, names=("short", "long"), title="Short and long docstrings")""",
    "live_text": """
from workbench.widgets import LiveText
view = LiveText(encoder, docs.texts, x=x, columns=columns)
view.edit("Return a list of the lines of a file.")
view.edit("Return a list of the words of a text file.")
view""",
    "training_monitor": """
from workbench.losses import info_nce
from workbench.training import Batches, FitConfig, embed_step, fit
from workbench.widgets import TrainingMonitor
from workbench.corpora import first_and_rest
pairs = first_and_rest(docs)
monitor = TrainingMonitor()
display(monitor)
student = load_encoder("all-MiniLM-L6-v2", max_length=32)
batches = Batches({"anchor": pairs.left, "positive": pairs.right}, size=8)
done = fit(student, batches, step=embed_step(info_nce), config=FitConfig(steps=40, lr=2e-5), monitor=monitor)""",
}
SHOWN = ".workbench-view, .wb-monitor"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pictures_of_every_widget(lab, page, settings, theme):
    settings("themes", {"theme": f"JupyterLab {theme.capitalize()}"})
    page.set_viewport_size({"width": 1400, "height": 1500})
    open_notebook(lab, page, notebook(lab, f"gallery_{theme}.ipynb", DOCS, *VIEWS.values()))
    page.keyboard.press("Control+b")  # no file browser
    run_cell(page, 0)
    for number, name in enumerate(VIEWS, start=1):
        run_cell(page, number)
        output = page.locator(".jp-CodeCell").nth(number).locator(SHOWN).first
        output.wait_for(timeout=120_000)
        page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=240_000)
        page.wait_for_timeout(2500)
        output.scroll_into_view_if_needed()
        page.wait_for_timeout(500)
        shot = Image.open(io.BytesIO(output.screenshot(animations="disabled"))).convert("RGB")
        path = ROOT / "figures" / "widgets" / f"{name}_{theme}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        shot.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)
    assert page.errors == []
