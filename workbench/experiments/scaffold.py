"""A new paper's notebook, with every cell that the contract asks for; it runs as it stands."""

import json
import re
from pathlib import Path

from workbench.experiments.papers import find_papers
from workbench.experiments.records import write_atomic
from workbench.home import project_root

__all__ = ["write_notebook"]

# (kind, cell id, tags, source); {slug} is filled in. The example claim is small, real and to be replaced.
CELLS: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    (
        "markdown",
        "title",
        (),
        "# {slug}: title of the paper\n\n"
        "Authors, *Title*, venue and year (link).\n\n"
        "**The claim in one sentence.** Say what the paper says.\n\n"
        "Smoke: seconds, nothing is judged. Small: say how many minutes on 2 cores. Say what is not rerun here.",
    ),
    (
        "code",
        "parameters",
        ("parameters",),
        "from typing import Annotated, Literal\n\n"
        'scale: Literal["smoke", "small", "paper"] = "smoke"\n'
        "seed: int = 0\n"
        "seeds: int | None = None\n"
        'n_texts: Annotated[int | None, "20..5000"] = None  # None: by scale',
    ),
    (
        "code",
        "claims",
        ("claims",),
        "from workbench.experiments import Effect\n\n"
        "SCALES = {{\n"
        '    "smoke": {{"seeds": 1, "n_texts": 40}},\n'
        '    "small": {{"seeds": 1, "n_texts": 400}},\n'
        '    "paper": {{"seeds": 1, "n_texts": 4000}},\n'
        "}}\n"
        'USES = {{"corpora": ["pydocs"], "models": ["all-MiniLM-L6-v2"]}}\n'
        "CLAIMS = [\n"
        "    Effect(\n"
        '        "C1",\n'
        '        "texts lie closer to each other than chance allows",\n'
        '        unit="cosine",\n'
        '        baseline="an isotropic cloud, 0",\n'
        "        at_least=0.01,\n"
        '        on="pydocs",\n'
        '        where="replace: table or figure",\n'
        "        decides=True,\n"
        "    ),\n"
        "]",
    ),
    (
        "code",
        "start",
        (),
        "from workbench.corpora import load\n"
        "from workbench.diagnostics import mean_cosine\n"
        "from workbench.encoders import load_encoder\n"
        "from workbench.experiments import start\n"
        "from workbench.plots import interval_chart\n"
        "from workbench.projections import pca\n\n"
        'run = start("{slug}", CLAIMS, SCALES, USES, scale=scale, seed=seed, seeds=seeds, n_texts=n_texts)\n'
        "run",
    ),
    ("markdown", "idea", (), "## The idea\n\nThe method in 150 words, with its formula and the names used in code."),
    (
        "code",
        "data",
        (),
        'docs = load("pydocs", scope="stdlib-core").take(range(run.p.n_texts))\nprint(docs.texts[0][:200])',
    ),
    (
        "code",
        "encode",
        (),
        'encoder = load_encoder("all-MiniLM-L6-v2")\nx = encoder.encode(docs.texts, normalize=False, progress=False)',
    ),
    ("code", "record", (), 'similarity = run.record("C1", mean_cosine(x))\nprint(similarity)'),
    (
        "code",
        "figure",
        (),
        "figure = interval_chart(\n"
        '    {{"all texts": (similarity.value, similarity.low, similarity.high)}},\n'
        '    x="mean cosine (no unit)",\n'
        '    alt="Mean cosine between different texts with its 95 % interval.",\n'
        ")\n"
        'run.figure("similarity", figure, alt="Mean cosine between different texts with its 95 % interval.")',
    ),
    ("code", "verdict", ("verdict",), "run.verdict()"),
    (
        "markdown",
        "held",
        (),
        "## What held, what differed\n\nWritten after the small run: the likeliest cause and its control.",
    ),
    (
        "markdown",
        "exercise-text",
        (),
        "## Exercise\n\nWhich row lies farthest from the others? Put its number into `answer`.",
    ),
    (
        "code",
        "exercise",
        ("exercise",),
        "answer = None\n"
        "if answer is not None:\n"
        '    assert answer == int((x @ x.sum(axis=0)).argmin()), "hint: compare each row with the sum of all rows"',
    ),
    ("code", "explore", ("explore",), "points = pca(x)  # draw them with workbench.plots.map_figure"),
)


def write_notebook(slug: str, family: str) -> Path:
    """Writes notebooks/<family>/<slug>.ipynb and returns its path.

    Raises:
        ValueError: a slug or family that is not lower-case letters, digits and '_', starting with a letter, or a
            slug that another family has.
        FileExistsError: the notebook is there already.
    """
    for name in (slug, family):
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name == "course":
            raise ValueError(f"slug and family have lower-case letters, digits and '_', got {name!r}")
    taken = {paper.slug: paper.family for paper in find_papers()}
    path = project_root() / "notebooks" / family / f"{slug}.ipynb"
    if path.exists():
        raise FileExistsError(f"{path} is there already")
    if slug in taken:
        raise ValueError(f"slug {slug!r} is taken by family {taken[slug]}")
    cells = [_cell(kind, name, tags, source.format(slug=slug)) for kind, name, tags, source in CELLS]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    return path


def _cell(kind: str, name: str, tags: tuple[str, ...], source: str) -> dict[str, object]:
    metadata = {"tags": list(tags)} if tags else {}
    cell: dict[str, object] = {"cell_type": kind, "id": name, "metadata": metadata}
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}
    return cell | {"source": source.splitlines(keepends=True)}
