"""Runs a notebook's cells in a kernel: refuses wrong parameters, names a kernel's death, never calls it completed.

Papermill's own engine marks every cell completed when a kernel dies, exits 0 after `sys.exit(0)` in a cell,
accepts unknown parameters and rewrites the file twice a cell; each override below answers one of these.
"""

import contextlib
import functools
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from queue import Empty
from typing import IO, Any

import nbformat
from nbclient.exceptions import CellExecutionError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NotebookExecutionManager

from workbench.experiments.locks import running
from workbench.experiments.parameters import check_values, read_parameters, read_values
from workbench.experiments.records import write_atomic

__all__ = ["KernelDied", "NotebookStopped", "execute"]

SAVE_EVERY = 5.0  # seconds; 62 cells took 4.5 s with two saves each and 2.9 s with this


class KernelDied(RuntimeError):
    """The kernel ended while a cell ran; the message names the cell and the signal or exit status."""


class NotebookStopped(RuntimeError):
    """A cell ended the notebook early (`sys.exit`), so not every cell ran."""


class Manager(NotebookExecutionManager):
    """Saves by atomic rename, at most every `SAVE_EVERY` seconds, and leaves what never ran pending."""

    def save(self, *, force: bool = False, **_: object) -> None:
        """Writes the notebook; within `SAVE_EVERY` seconds of the last time only when `force` is given."""
        if not self.output_path or (time.monotonic() - self._saved < SAVE_EVERY and not force):
            return
        write_atomic(Path(self.output_path), nbformat.writes(self.nb))
        self._saved = time.monotonic()

    _saved = -SAVE_EVERY

    def autosave_cell(self) -> None:
        """Saves between outputs of a long cell."""
        self.save()

    def notebook_complete(self, **_: object) -> None:
        """Stamps the end without touching any cell's status."""
        self.end_time = self.now()
        self.nb.metadata.papermill["end_time"] = self.end_time.isoformat()
        if self.start_time is not None:
            self.nb.metadata.papermill["duration"] = (self.end_time - self.start_time).total_seconds()
        self.cleanup_pbar()
        self.save(force=True)


class Client(PapermillNotebookClient):
    """Runs the cells; a dead kernel is an error that says which cell and which signal."""

    on_cell: Callable[[int, int, str], None] | None = None

    def papermill_execute_cells(self) -> None:
        """One cell after the other, until the first that fails."""
        channel = self.kc.shell_channel  # pyright: ignore[reportOptionalMemberAccess]
        channel.get_msg = functools.partial(_patiently, channel.get_msg)  # pyright: ignore[reportAttributeAccessIssue]
        for index, cell in enumerate(self.nb.cells):
            if self.on_cell and cell.cell_type == "code":
                self.on_cell(index + 1, len(self.nb.cells), cell.source)
            self.nb_man.cell_start(cell, index)
            try:
                self.execute_cell(cell, index)
            except CellExecutionError as error:
                self.nb_man.cell_exception(cell, cell_index=index, exception=error)
                self.nb_man.cell_complete(cell, cell_index=index)
                return
            except DeadKernelError as error:
                self.nb_man.cell_exception(cell, cell_index=index, exception=error)
                where = f"cell {index + 1} of {len(self.nb.cells)}"
                raise KernelDied(f"kernel died in {where}: {self._cause()}") from error
            except BaseException as error:  # an interrupt, too, must not leave the cell 'running'
                self.nb_man.cell_exception(cell, cell_index=index, exception=error)
                raise
            self.nb_man.cell_complete(cell, cell_index=index)

    def _cause(self) -> str:
        """The signal or exit status of the kernel's process; it is known only until the clean-up."""
        process = getattr(getattr(self.km, "provisioner", None), "process", None)
        status = process.poll() if process is not None else None
        if status is None:
            return "its process is gone"
        return signal.Signals(-status).name if status < 0 else f"exit status {status}"


def execute(
    nb: nbformat.NotebookNode,
    kernel_name: str,
    *,
    output_path: str | None = None,
    progress_bar: bool = True,
    log_output: bool = False,
    run_folder: Path | None = None,
    on_cell: Callable[[int, int, str], None] | None = None,
    **options: Any,  # noqa: ANN401 - what papermill passes to every engine
) -> nbformat.NotebookNode:
    """Checks the injected parameters before a kernel starts, then runs the cells and leaves the record.

    Raises:
        ParameterError: a parameter that the notebook does not declare, or a value that it refuses.
        KernelDied: the kernel ended while a cell ran.
        NotebookStopped: a cell ended the notebook early.
    """
    values = injected_values(nb)
    own = None if run_folder else _default_folder(values, options.get("input_path"))
    manager = Manager(nb, output_path, log_output, progress_bar)
    client = Client(
        manager,
        kernel_name=kernel_name,
        startup_timeout=options.get("start_timeout", 120),
        timeout=options.get("execution_timeout"),
        log_output=log_output,
    )
    client.on_cell = on_cell
    with running(own) if own else contextlib.nullcontext():  # whoever gave the folder holds it already
        _run_cells(client, manager, run_folder or own)
    return nb


def _run_cells(client: Client, manager: Manager, folder: Path | None) -> None:
    """Runs the cells and turns what they measured into the record of `folder`, where there is one."""
    if folder is not None:  # what an earlier run measured before it was killed is not this run's
        (Path(folder) / "measured.json").unlink(missing_ok=True)
    manager.notebook_start()
    try:
        with _kernel_log(folder) as log:
            client.execute(env=_environment(folder), **log)
    finally:
        manager.notebook_complete()
    _check_all_ran(manager.nb)
    if folder is not None:
        _finish(manager.nb, Path(folder))


def _environment(folder: Path | None) -> dict[str, str]:
    """The kernel's environment: it knows the run's folder and an absolute WORKBENCH_DATA."""
    environment = dict(os.environ)
    if folder is not None:
        environment["WORKBENCH_RUN"] = str(folder)
    if environment.get("WORKBENCH_DATA"):
        environment["WORKBENCH_DATA"] = str(Path(environment["WORKBENCH_DATA"]).resolve())
    return environment


def _check_all_ran(nb: nbformat.NotebookNode) -> None:
    """Raises where cells are left although no cell has an error that papermill itself will raise."""
    left = [i for i, cell in enumerate(nb.cells) if cell.metadata.papermill["status"] != "completed"]
    outputs = [out for cell in nb.cells if cell.cell_type == "code" for out in cell.outputs]
    real = [o for o in outputs if o.output_type == "error" and (o.ename != "SystemExit" or o.evalue not in {"", "0"})]
    if left and not real:
        where = f"cell {left[0] + 1} of {len(nb.cells)}"
        raise NotebookStopped(f"{where} ended the notebook early (sys.exit?): not all cells ran")


async def _patiently(get_msg: Callable[..., Awaitable[dict]], timeout: float | None = None) -> dict:
    """The next message of a channel, asked for anew every second while no timeout is given.

    nbclient answers an Output widget by a raw send on the channel on which it waits for the cell's reply; the
    send can swallow the socket's wake-up, and a single long wait then never sees the reply (one run in three did
    not end). Asking again looks at the socket's state and not at the wake-up.
    """
    while timeout is None:
        with contextlib.suppress(Empty):
            return await get_msg(timeout=1.0)
    return await get_msg(timeout=timeout)


@contextlib.contextmanager
def _kernel_log(folder: Path | None) -> Iterator[dict[str, IO]]:
    """The kernel's own stderr goes to `folder`/kernel.log, so that it can be read when the kernel dies."""
    if folder is None:
        yield {}
        return
    with (Path(folder) / "kernel.log").open("w", encoding="utf-8") as handle:
        yield {"stderr": handle}


def injected_values(nb: nbformat.NotebookNode) -> dict[str, object]:
    """The values papermill injected, checked against the parameters cell; none where none were injected."""
    tagged = {tag: cell.source for cell in nb.cells for tag in cell.metadata.get("tags", [])}
    if "injected-parameters" not in tagged:
        return {}
    return check_values(read_parameters(tagged.get("parameters", "")), read_values(tagged["injected-parameters"]))


def _default_folder(values: dict[str, object], path: str | None) -> Path | None:
    """Where a paper's notebook that plain papermill runs leaves its record; None for any other notebook."""
    from workbench.experiments.keys import plan_run
    from workbench.experiments.papers import find_papers

    paper = next((p for p in find_papers() if path and p.path.resolve() == Path(path).resolve()), None)
    if paper is None:
        return None
    folder = plan_run(paper, values).folder
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _finish(nb: nbformat.NotebookNode, folder: Path) -> None:
    """Turns what `verdict` measured into the record, the only sign of completion, if every cell ran."""
    measured = folder / "measured.json"
    if all(cell.metadata.papermill["status"] == "completed" for cell in nb.cells) and measured.is_file():
        measured.replace(folder / "record.json")
