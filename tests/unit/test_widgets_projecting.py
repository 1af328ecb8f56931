"""Maps that take their time: what they give, refuse, say on the way, and how they end."""

import inspect
import json
import math
import sys
import threading
import time
import types

import numpy as np
import pytest
from sklearn.manifold import TSNE

from workbench.diagnostics import map_reliability
from workbench.widgets import projecting
from workbench.widgets.explorer import Explorer
from workbench.widgets.explorer_projections import Projector
from workbench.widgets.projecting import Cancelled, Job, checked_options, flat, seconds_of, spoken


def vectors(n=60, d=6):
    rng = np.random.default_rng(1)
    return (rng.normal(size=(3, d)) * 4)[np.arange(n) % 3] + rng.normal(size=(n, d))


def until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("how", "options", "n", "words"),
    [
        ("umpa", {}, 50, "no projection 'umpa', did you mean 'umap'"),
        ("umap", {"n_neighbours": 4}, 50, "umap has no option 'n_neighbours', did you mean 'n_neighbors'"),
        ("pca", {"seed": 3}, 50, "pca has no option 'seed'"),
        ("umap", {}, 3, "umap needs 4 rows or more, got 3"),
        ("umap", {"n_neighbors": 50}, 50, "below n=50, got 50"),
        ("umap", {"n_neighbors": 1}, 50, "at least 2 and below n=50, got 1"),
        ("tsne", {"perplexity": 50}, 50, "perplexity must lie between 0 and n=50, got 50"),
        ("tsne", {"perplexity": 0}, 50, "perplexity"),
        ("tsne", {}, 20_001, "at most 20,000 rows, got 20,001; UMAP takes more"),
    ],
)
def test_what_cannot_be_projected_is_refused_before_it_begins(how, options, n, words):
    with pytest.raises(ValueError, match=words):
        checked_options(how, options, n)


def test_few_rows_have_smaller_surroundings():
    assert checked_options("umap", {}, 8) == {"n_neighbors": 7, "min_dist": 0.1, "seed": 0}
    assert checked_options("tsne", {"seed": 4}, 10) == {"perplexity": 3.0, "seed": 4}
    assert checked_options("pca", {}, 1) == {}


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (np.zeros((5, 3)), r"shape \(5, 2\), got float64 of shape \(5, 3\)"),
        (np.zeros((4, 2)), r"shape \(5, 2\)"),
        (np.full((5, 2), "a"), "got <U1"),
        (None, "got object"),
        ([[0, 0], [0, 1], [math.nan, 2], [0, 0], [0, 0]], r"finite numbers, got \[nan, 2.0\] in row 2"),
    ],
)
def test_what_a_function_gives_is_checked(points, words):
    with pytest.raises(ValueError, match=words):
        flat(points, 5)
    explorer = Explorer(vectors(5))
    before = explorer.map.points
    with pytest.raises(ValueError, match=words):
        explorer.project(lambda _: points)
    assert np.array_equal(explorer.map.points, before)
    assert not explorer.undo()


def test_tsne_is_that_of_scikit_learn_and_tells_its_steps():
    x, said = vectors().astype(np.float32), []
    explorer = Explorer(x, seed=4, metric="euclidean")
    explorer.children[0].status.observe(lambda change: said.append(change["new"]), names="words")
    points = explorer.project("tsne", perplexity=8)
    expected = TSNE(perplexity=8, random_state=4, init="pca").fit_transform(x)
    assert points == pytest.approx(expected, abs=0.01)
    assert np.array_equal(explorer.map.points, points)
    assert any("t-SNE: " in words for words in said)
    assert said[-1] == "The map is t-SNE now"
    began = time.monotonic()
    explorer.project("pca")
    assert np.array_equal(explorer.project("tsne", perplexity=8), points)  # it was kept
    assert time.monotonic() - began < 1
    assert explorer.summary.startswith("t-SNE of 6 dimensions.")


def test_a_function_gets_rows_and_options_and_is_offered_by_its_name():
    def turned(x, *, by):
        return x[:, by : by + 2]

    x, explorer = vectors(), Explorer(vectors())
    assert math.isnan(explorer.estimate(turned))
    assert explorer.project(turned, by=2) == pytest.approx(x[:, 2:4], rel=1e-6)
    controls = explorer.children[0]
    assert ("turned", "turned") in controls.how.options
    assert explorer.estimate(turned) < 5
    explorer.project("pca")
    assert explorer.project("turned") == pytest.approx(x[:, 2:4], rel=1e-6)
    with pytest.raises(TypeError, match="or a function, got int"):
        explorer.project(3)


def test_a_function_that_fails_says_so_and_leaves_the_map():
    explorer = Explorer(vectors())

    def broken(_):
        raise KeyError("eigenvectors")

    with pytest.raises(KeyError, match="eigenvectors"):
        explorer.project(broken)
    assert explorer.children[0].status.words == "broken has failed: 'eigenvectors'"
    assert not explorer.children[0].compute.disabled
    assert explorer.project("pca").shape == (60, 2)


def test_a_function_that_is_cancelled_goes_on_unseen():
    explorer, go, gone = Explorer(vectors()), threading.Event(), threading.Event()
    before = explorer.map.points

    def slow(x):
        go.wait(30)
        gone.set()
        return x[:, :2] * 100

    job = explorer._projector.begin(slow, {})
    with pytest.raises(RuntimeError, match="slow is being computed"):
        explorer.project("pca")
    assert explorer.children[0].compute.disabled
    explorer.children[0].cancel.click()
    with pytest.raises(Cancelled, match="slow was cancelled"):
        job.wait()
    assert "goes on, but its result is dropped" in explorer.children[0].status.words
    go.set()
    gone.wait(10)
    time.sleep(0.1)
    assert np.array_equal(explorer.map.points, before)
    assert explorer.project("pca").shape == (60, 2)


def test_a_process_is_killed_when_the_projection_is_cancelled():
    explorer = Explorer(vectors(2000, 50))
    controls = explorer.children[0]
    controls.how.value = "umap"
    assert controls.compute.description.startswith("Compute (about ")
    controls.compute.click()
    job = explorer._projector._job
    until(lambda: job._child is not None)
    assert controls.compute.disabled
    assert not controls.cancel.disabled
    controls.cancel.click()
    assert job._child.wait(timeout=10) != 0
    assert controls.status.words == "UMAP was cancelled. The map is as it was"
    assert controls.cancel.disabled
    with pytest.raises(Cancelled):
        job.wait()


def test_an_interrupt_while_python_waits_kills_the_process(monkeypatch):
    explorer = Explorer(vectors(2000, 50))
    waited = Job.wait

    def interrupted(job):
        until(lambda: job._child is not None)
        monkeypatch.setattr(job._over, "wait", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
        return waited(job)

    monkeypatch.setattr(Job, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        explorer.project("tsne")
    assert explorer._projector._job._child.wait(timeout=10) != 0


def test_a_process_that_dies_is_an_error_with_its_last_words():
    explorer = Explorer(vectors(60, 6))
    with pytest.raises(RuntimeError, match=r"tsne has failed: .*random_state"):
        explorer.project("tsne", seed=-1)  # which the library refuses
    assert "t-SNE has failed" in explorer.children[0].status.words


def test_a_process_killed_from_outside_is_an_error():
    explorer = Explorer(vectors(2000, 50))
    job = explorer._projector.begin("tsne", {})
    until(lambda: job._child is not None)
    job._child.kill()
    with pytest.raises(RuntimeError, match="tsne has failed"):
        job.wait()


def test_the_process_draws_by_the_function_of_the_library_and_tells_its_steps(monkeypatch, tmp_path, capsys):
    import workbench.projections

    asked = []
    layouts = types.SimpleNamespace(tqdm=None)
    monkeypatch.setitem(sys.modules, "umap", types.SimpleNamespace(layouts=layouts))  # which takes long to load

    def drawn(rows, **options):
        asked.append(options)
        for _ in layouts.tqdm(range(4), disable=True):
            sys.stdout.write("a library's own words\n")
        return rows[:, :2]

    monkeypatch.setattr(projecting, "umap_map", drawn)
    assert inspect.signature(workbench.projections.umap_map).bind(None, metric="", n_neighbors=1, min_dist=1, seed=0)
    np.save(tmp_path / "x.npy", vectors())
    options = {"n_neighbors": 9, "min_dist": 0.2, "seed": 5}
    (tmp_path / "asked.json").write_text(json.dumps({"how": "umap", "metric": "dot", "options": options}))
    projecting.main(tmp_path)
    assert asked == [{"metric": "cosine"} | options]
    assert np.array_equal(np.load(tmp_path / "points.npy"), vectors()[:, :2])
    told = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    shares = [float(share) for share, _ in told]
    assert shares == sorted(shares)
    assert [words for _, words in told][-4:] == [f"UMAP: step {k} of 4" for k in range(4)]


@pytest.mark.slow  # the library compiles itself in every new process, half a minute
def test_umap_keeps_neighbours_and_the_reliability_follows_the_map():
    x = vectors(60).astype(np.float32)
    explorer = Explorer(x, seed=2)
    explorer.colour_by("map reliability")
    points = explorer.project("umap", n_neighbors=10)
    kept = map_reliability(x, points).shared
    assert explorer._shown.values == pytest.approx(kept)
    assert kept.mean() > 0.5
    assert "from 0." in explorer.map.summary
    assert explorer.summary.startswith("UMAP of 6 dimensions.")


def test_estimates_are_ranges_in_words():
    explorer = Explorer(vectors())
    assert explorer.estimate("pca") < 0.1
    assert explorer.estimate("umap") > 1
    assert explorer.expectation("pca") == "at once"
    assert seconds_of("umap", 50_000, 384) > 4 * seconds_of("umap", 5_000, 384)
    assert spoken(30) == "about 15 s to 60 s"
    assert spoken(400) == "about 3 min to 13 min"
    assert spoken(math.nan) == "time unknown"
    with pytest.raises(ValueError, match="no projection 'x'"):
        explorer.estimate("x")


def test_a_projector_says_why_there_is_no_estimate():
    explorer = Explorer(np.ones((3, 2)))
    assert isinstance(explorer._projector, Projector)
    assert explorer.expectation("tsne") == "tsne needs 4 rows or more, got 3"
    controls = explorer.children[0]
    controls.how.value = "tsne"
    assert (controls.compute.description, controls.compute.tooltip) == ("Compute", "tsne needs 4 rows or more, got 3")
    controls.compute.click()
    assert controls.status.words == "tsne needs 4 rows or more, got 3"
