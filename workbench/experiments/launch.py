"""Runs a paper's notebook through the engine, once per key."""

import contextlib
import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from workbench.experiments.keys import Plan
from workbench.experiments.locks import running
from workbench.experiments.records import Record, TornRecord, read_record, write_atomic
from workbench.home import data_dir

__all__ = ["Finished", "RunFailed", "complete_record", "launch", "newest_record"]


class RunFailed(RuntimeError):
    """The notebook did not run to its end; no record was written."""


@dataclass(frozen=True)
class Finished:
    """A completed run: its record, its folder, and whether it had been done before."""

    record: Record
    folder: Path
    known: bool


def launch(
    plan: Plan,
    *,
    force: bool = False,
    on_cell: Callable[[int, int, str], None] | None = None,
    on_wait: Callable[[], object] = lambda: None,
) -> Finished:
    """Executes the planned run, unless its record is there already (`force` runs it again).

    While another process does this very run, waits for it (`on_wait` is called once) and takes its record.

    Raises:
        RunFailed: a cell failed, the kernel died, the notebook ended early, or the disk took no more; names the
            cell. A record of an earlier run with the same key stays as it was.
    """
    known = complete_record(plan.folder)
    if known is not None and not force:
        return Finished(known, plan.folder, known=True)
    try:
        with running(plan.folder, on_wait=on_wait) as joined:
            known = complete_record(plan.folder) if joined else None
            return Finished(known, plan.folder, known=True) if known is not None else _run(plan, on_cell)
    except OSError as error:
        raise RunFailed(f"{plan.paper.slug}: {error}") from error


def _run(plan: Plan, on_cell: Callable[[int, int, str], None] | None) -> Finished:
    write_atomic(plan.folder / "key.json", json.dumps(plan.parts, indent=1, sort_keys=True) + "\n")
    if os.environ.get("WORKBENCH_DATA"):  # papermill changes the folder before a kernel starts
        os.environ["WORKBENCH_DATA"] = str(Path(os.environ["WORKBENCH_DATA"]).resolve())
    _execute(plan, on_cell)
    record = complete_record(plan.folder)
    if record is None or (plan.folder / "measured.json").exists():
        raise RunFailed(f"{plan.paper.slug} ran to its end but wrote no record: no cell called run.verdict()")
    return Finished(record, plan.folder, known=False)


def complete_record(folder: Path) -> Record | None:
    """The record of the run in this folder; None when it never completed or its record is torn."""
    try:
        return read_record(folder / "record.json")
    except (FileNotFoundError, TornRecord):
        return None


def newest_record(slug: str, scale: str | None = None) -> tuple[Record, Path] | None:
    """The latest completed run of a paper on this machine, at one scale or any, with its folder."""
    folders = sorted(
        (data_dir() / "runs" / slug).glob("*/record.json"), key=lambda p: p.stat().st_mtime_ns, reverse=True
    )
    found = ((complete_record(path.parent), path.parent) for path in folders)
    return next(((r, folder) for r, folder in found if r is not None and scale in (None, r["scale"])), None)


def _execute(plan: Plan, on_cell: Callable[[int, int, str], None] | None) -> None:
    with _quiet():
        from papermill import execute_notebook
        from papermill.exceptions import PapermillExecutionError

        from workbench.experiments.kernel import KernelDied, NotebookStopped

        try:
            execute_notebook(
                str(plan.paper.path),
                str(plan.folder / "notebook.ipynb"),
                {name: value for name, value in plan.parameters.items() if value is not None},
                engine_name="workbench",
                kernel_name="python3",
                progress_bar=False,
                start_timeout=120,
                cwd=str(plan.paper.path.parent),
                run_folder=plan.folder,
                on_cell=on_cell,
            )
        except PapermillExecutionError as error:
            raise RunFailed(f"{plan.paper.slug}: cell {error.cell_index + 1}: {error.ename}: {error.evalue}") from error
        except (KernelDied, NotebookStopped) as error:
            raise RunFailed(f"{plan.paper.slug}: {error}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without papermill's progress log and its libraries' warnings, which are not the reader's."""
    logging.getLogger("papermill").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="(papermill|nbclient|jupyter_client|zmq).*")
        yield
