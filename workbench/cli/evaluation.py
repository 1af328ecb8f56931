"""Evaluations: a model on tasks, with intervals and published numbers; two of them compared with a test."""

import hashlib
import json
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from workbench.cli.shared import app, checked, err, fail, out, split
from workbench.cli.tasks import Task, published, task_of, unknown
from workbench.experiments.parameters import nearest
from workbench.home import data_dir

if TYPE_CHECKING:
    from workbench.encoders import Encoder
    from workbench.evaluation import Evaluation

__all__ = ["evaluate", "evaluations_at", "print_comparison"]

NUMBERS = ("max_length", "dimensions", "layers")
OPTIONS = ("pooling", "prompt", "device", "dtype", *NUMBERS)
BUILT = ("model", "torch", "transformers")  # parts of a recipe that say by what name and with what, not how
TRIED = 32  # texts encoded to see how fast it goes
COUNTED = 1000  # texts of a task whose tokens are counted


@app.command()
def evaluate(
    model: Annotated[str, typer.Option(help="a folder, or a name that is here or on the hub")],
    tasks: Annotated[str, typer.Option(help="names of data sets between commas; set:subset for a part")],
    folder: Annotated[Path | None, typer.Option("--out", help="where results go; else data/evaluations")] = None,
    part: Annotated[str | None, typer.Option("--split", help="train, dev or test; else as the leaderboards")] = None,
    setting: Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE of the encoder: pooling=cls")] = None,
) -> None:
    """Evaluates a model on data sets and prints its scores with intervals; what is done already is not done again."""
    names = list(dict.fromkeys(name.strip() for name in tasks.split(",") if name.strip()))
    options = _options(setting or [])
    if not names:
        fail(2, "--tasks takes names of data sets, as in --tasks stsb,scifact")
    if not err.is_terminal:
        os.environ.setdefault("TQDM_DISABLE", "1")  # a bar is for eyes
    for name in names:
        if why := checked(lambda name=name: unknown(name)):
            fail(2, why)
    todo = [_ready(name, part) for name in names]
    from workbench.encoders import Encoder, load_encoder

    encoder = checked(lambda: load_encoder(model, **options))
    if not isinstance(encoder, Encoder):
        fail(1, f"{model} encodes images; these tasks need a text encoder")
    target = (folder or data_dir() / "evaluations") / folder_name(encoder)
    done = {task.name: found for task in todo if (found := _done(task, target / _file(task, part)))}
    _say_minutes(encoder, [task for task in todo if task.name not in done])
    for task in todo:
        if task.name not in done:
            done[task.name] = checked(lambda task=task: _evaluated(task, encoder, target / _file(task, part)))
            err.print(f"{task.name}: {escape(str(target / _file(task, part)))}")
    _print_scores(todo, done, encoder.name, known=part is None)
    out.print(str(target), markup=False)


def folder_name(encoder: "Encoder") -> str:
    """The model's name and a digest of what decides its vectors: the weights and every setting."""
    decides = {name: value for name, value in encoder.recipe.items() if name not in BUILT}
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True, default=str).encode()).hexdigest()
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', encoder.name.rpartition('/')[2])}-{digest[:12]}"


def evaluations_at(text: str) -> "dict[str, Evaluation] | None":
    """The evaluations in a folder, by task, or in one file; None where there are none.

    Args:
        text: path of a folder or file, or the name of a folder under data/evaluations.

    Raises:
        ValueError: a file that is torn or of another version.
    """
    path = next((p for p in (Path(text), data_dir() / "evaluations" / text) if p.exists()), None)
    if path is None or (path.is_file() and path.suffix != ".json"):
        return None
    from workbench.evaluation.saving import is_evaluation, load_evaluation

    files = [path] if path.is_file() else sorted(path.glob("*.json"))
    return {file.stem: load_evaluation(file) for file in files if is_evaluation(file)} or None


def print_comparison(first: "dict[str, Evaluation]", second: "dict[str, Evaluation]") -> None:
    """Prints the recipe's difference, then the paired test of every task that both have."""
    from workbench.evaluation.comparison import compare

    if len(first) == len(second) == 1:  # two files may be called what they like
        second = {next(iter(first)): next(iter(second.values()))}
    shared = [task for task in first if task in second]
    if not shared:
        fail(1, f"no task in common: {', '.join(first)} and {', '.join(second)}")
    found = checked(lambda: compare({t: first[t] for t in shared}, {t: second[t] for t in shared}))
    for line in found.preface:
        out.print(line, markup=False)
    table = Table()
    for head in found.heads:
        table.add_column(head, overflow="fold")  # a narrow terminal breaks a number, and loses no digit
    for cells in found.cells():
        table.add_row(*map(escape, cells))
    out.print(table)
    if alone := sorted(first.keys() ^ second.keys()):
        out.print(f"in one of them only: {', '.join(alone)}", markup=False)


def _options(settings: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for text in settings:
        name, value = split(text)
        if name not in OPTIONS:
            fail(2, f"--set knows no {name!r}{nearest(name, list(OPTIONS))}; it takes {', '.join(OPTIONS)}")
        if name in NUMBERS and not re.fullmatch(r"[0-9]+", value, re.ASCII):
            fail(2, f"{name} must be a whole number, got {value!r}")
        options[name] = int(value) if name in NUMBERS else value
    return options


def _ready(name: str, part: str | None) -> Task:
    try:
        return checked(lambda: task_of(name, split=part))
    except TypeError as error:
        fail(2, str(error))


def _file(task: Task, part: str | None) -> str:
    return "-".join([*task.name.split(":"), *([part] if part else [])]) + ".json"


def _done(task: Task, path: Path) -> "Evaluation | None":
    """The evaluation of this very data that lies at `path`; None where there is none, or a torn one."""
    from workbench.evaluation.saving import load_evaluation

    try:
        found = load_evaluation(path)
    except (FileNotFoundError, ValueError):
        return None
    return found if (found.source, found.task) == (task.data.source.fingerprint, task.kind) else None


def _say_minutes(encoder: "Encoder", tasks: list[Task]) -> None:
    """Says how long encoding takes at most: tokens of all texts, by the speed on a few of them."""
    if not tasks:
        err.print("every task is done already")
        return
    tokens = sum(_tokens(encoder, task.texts) for task in tasks)
    tried = tasks[0].texts[:: -(-len(tasks[0].texts) // TRIED)]
    encoder.encode(tried[:2], progress=False, store=False)  # the first call is a slow one
    began = time.perf_counter()
    encoder.encode(tried, progress=False, store=False)
    seconds = (time.perf_counter() - began) / _tokens(encoder, tried) * tokens
    texts = sum(len(task.texts) for task in tasks)
    err.print(
        f"{len(tasks)} tasks, {texts:,} texts, {tokens:,.0f} tokens: {seconds / 60:.1f} minutes or so, "
        "less where vectors are stored"
    )


def _tokens(encoder: "Encoder", texts: tuple[str, ...]) -> float:
    counted = texts[:: -(-len(texts) // COUNTED)]
    return float(encoder.count_tokens(counted).clip(max=encoder.settings.max_length).mean()) * len(texts)


def _evaluated(task: Task, encoder: "Encoder", path: Path) -> "Evaluation":
    from workbench.evaluation.saving import save_evaluation

    found = task.evaluate(encoder)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_evaluation(found, path)
    return found


def _print_scores(tasks: list[Task], done: "dict[str, Evaluation]", model: str, *, known: bool) -> None:
    table = Table("task", "metric", "value x 100 [95 %]", "n", "published")
    for task in tasks:
        found = done[task.name]
        e = found[found.main]
        number = checked(lambda task=task, found=found: published(task, found, model)) if known else None
        value = f"{100 * e.value:.2f} [{100 * e.low:.2f}, {100 * e.high:.2f}]"
        cells = (task.name, found.main, value, f"{len(found.ids):,}", "" if number is None else f"{number:.2f}")
        table.add_row(*map(escape, cells))
    out.print(table)
