"""Every widget in a notebook that was run without a browser: what the file grows by, and what it shows afterwards."""

import json
import re

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from tests.widget_views import DATA, VIEWS

pytestmark = [pytest.mark.timeout(420), pytest.mark.xdist_group("saved_views")]
MOST = 150_000  # bytes that a view may add to a notebook, at any number of rows
LIVE = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"


@pytest.fixture(scope="module")
def executed():
    """A notebook that shows every widget, a cell each, run as papermill runs it: the state of the widgets is saved."""
    sources = [DATA.format(n=1200, dimensions=32), *(f"{code}view" for code in VIEWS.values())]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    NotebookClient(notebook, timeout=300, kernel_name="python3", store_widget_state=True).execute()
    return notebook


def cell_of(executed, name):
    return executed.cells[1 + list(VIEWS).index(name)]


def state_of(executed, name):
    """State of the widgets that a view consists of, found by their references to each other."""
    saved = executed.metadata.widgets[STATE]["state"]
    shown = [
        output.data[LIVE]["model_id"] for output in cell_of(executed, name).outputs if LIVE in output.get("data", {})
    ]
    found, waiting = {}, shown
    while waiting:
        key = waiting.pop()
        if key in saved and key not in found:
            found[key] = saved[key]
            waiting += re.findall(r"IPY_MODEL_(\w+)", json.dumps(saved[key]))
    return found


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_adds_little_to_a_notebook(executed, name):
    outputs, state = cell_of(executed, name).outputs, state_of(executed, name)
    assert state, "the widget's state is not in the notebook"
    grown = len(json.dumps(outputs)) + len(json.dumps(state))
    assert 4_000 < grown < MOST


def test_all_of_the_state_was_counted(executed):
    saved = executed.metadata.widgets[STATE]["state"]
    counted = set().union(*(state_of(executed, name) for name in VIEWS))
    left = {key: value for key, value in saved.items() if key not in counted}
    assert len(json.dumps(left)) < 20_000


@pytest.mark.parametrize("name", VIEWS)
def test_the_saved_page_shows_picture_and_caption_and_no_text_of_the_corpus(executed, name):
    alone = nbformat.v4.new_notebook(cells=[cell_of(executed, name)])
    alone.metadata = executed.metadata
    page, _ = HTMLExporter().from_notebook_node(alone)
    found = BeautifulSoup(page, "html.parser").select("[data-workbench-saved] img")
    assert found, "no picture stands in the page"
    for image in found:
        assert image["src"].startswith(("data:image/png;base64,", "data:image/svg+xml;base64,"))
        assert len(image["alt"]) > 40
    captions = [caption.get_text() for caption in BeautifulSoup(page, "html.parser").select("figcaption")]
    assert captions
    assert all(len(caption) > 40 for caption in captions)
    assert "Corpusword" not in json.dumps(cell_of(executed, name).outputs)
