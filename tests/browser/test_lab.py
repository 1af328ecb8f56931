"""start_here in real JupyterLab: every cell runs, the map is drawn, the console stays clean."""

import os
from pathlib import Path

import pytest

from tests.browser.conftest import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(420)]
PROMPTS = "[...document.querySelectorAll('.jp-Notebook .jp-CodeCell .jp-InputPrompt')]"
ALL_DONE = "() => " + PROMPTS + r".every(p => /\[\d+\]/.test(p.innerText))"
ROWS_OF_PIXELS = "els => els.map(e => [e.getBoundingClientRect().width, e.querySelectorAll('path.point').length])"


def run_all(lab, page):
    """Runs every cell through the menu and waits until none is pending."""
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=90_000)
    # Lab calls a kernel idle before it is connected, and then asks which kernel to take
    wait_until(lambda: any(s["kernel"]["connections"] for s in lab.api("sessions")), 90, "no kernel was connected")
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=90_000)
    page.click("text=Run >> nth=0")
    page.click("[data-command='runmenu:run-all']")
    try:
        page.wait_for_function(ALL_DONE, timeout=180_000)
    finally:
        picture(page, "all_cells")


def picture(page, name):
    """Keeps a screenshot where WORKBENCH_SCREENSHOTS asks for it, to be looked at."""
    if os.environ.get("WORKBENCH_SCREENSHOTS"):
        page.screenshot(path=str(Path(os.environ["WORKBENCH_SCREENSHOTS"]) / f"{name}.png"))


def test_start_here_runs_in_jupyterlab_without_an_error(lab, page):
    page.goto(lab.url("notebooks/start_here.ipynb"))
    run_all(lab, page)
    assert page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    page.locator(".jp-OutputArea .js-plotly-plot").first.scroll_into_view_if_needed()
    page.wait_for_function(
        "() => document.querySelectorAll('.js-plotly-plot path.point').length >= 300", timeout=60_000
    )
    picture(page, "map")
    page.locator(".jp-OutputArea .js-plotly-plot").last.scroll_into_view_if_needed()
    picture(page, "curves")
    drawn = page.locator(".js-plotly-plot").evaluate_all(ROWS_OF_PIXELS)
    assert len(drawn) == 2
    assert all(width > 400 and points > 0 for width, points in drawn), drawn
    assert page.errors == []


def test_a_wrong_token_is_turned_away(lab, page):
    page.goto(lab.url("notebooks/start_here.ipynb").replace(lab.token, "0" * 32))
    page.wait_for_selector("input[name=password]", timeout=30_000)
    assert page.locator(".jp-Notebook").count() == 0


def test_the_report_of_a_run_draws_its_figures_without_the_network(page, tmp_path, monkeypatch):
    import plotly.graph_objects as go

    from workbench.experiments.papers import find_paper
    from workbench.experiments.report import write_report
    from workbench.experiments.run import start

    paper = find_paper("length_collapse")
    monkeypatch.setenv("WORKBENCH_RUN", str(tmp_path))
    run = start("length_collapse", paper.claims, paper.scales, paper.uses)
    for claim in paper.claims:
        run.record(claim.key, [0.1, 0.2, 0.3])
    run.figure("one", go.Figure(go.Scatter(x=[1, 2, 3], y=[3, 1, 2])), alt="three points")
    report = write_report(paper, run.verdict().record, tmp_path)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    page.wait_for_selector(".js-plotly-plot path.point", timeout=30_000)
    picture(page, "report")
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert page.locator("tbody tr").count() == len(paper.claims)
    assert page.errors == []
