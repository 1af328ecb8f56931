"""Several runs at once: each in a process of its own, so that the death of one is the end of that one only."""

import os
import re
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from workbench.experiments.keys import Plan
from workbench.experiments.launch import RunFailed, launch
from workbench.experiments.records import Record

__all__ = ["Outcome", "run_many"]

# what a notebook imports that is worth importing once for all of them
HEAVY = re.compile(r"import torch|from workbench\.(encoders|models|losses|training|diagnostics)")


@dataclass(frozen=True)
class Outcome:
    """One planned run: its record and whether it was done before, or why there is none."""

    plan: Plan
    record: Record | None
    known: bool
    failure: str


def run_many(
    plans: Sequence[Plan], *, jobs: int, force: bool = False, on_end: Callable[[Outcome], object] = lambda _: None
) -> list[Outcome]:
    """Runs every plan, `jobs` at a time, and returns the outcomes in the order of the plans; none raises.

    `on_end` hears of each as it ends. The kernels start warm (`warm.fork_context`), and share the cores evenly
    unless OMP_NUM_THREADS says otherwise.

    Raises:
        ValueError: `jobs` is below 1.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be 1 or more, got {jobs}")
    from workbench.experiments.warm import process_context

    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // jobs)))
    heavy = any(HEAVY.search(cell["source"]) for plan in plans for cell in plan.paper.cells)
    context, processes = process_context(models=heavy), []
    with ThreadPoolExecutor(jobs) as pool:
        waiting = {pool.submit(_run_one, context, plan, force, processes): i for i, plan in enumerate(plans)}
        outcomes: dict[int, Outcome] = {}
        try:
            for future in as_completed(waiting):
                outcomes[waiting[future]] = future.result()
                on_end(outcomes[waiting[future]])
        except KeyboardInterrupt:
            for future in waiting:
                future.cancel()
            for process in processes:
                if process.is_alive():
                    os.kill(process.pid, signal.SIGINT)
            raise
    return [outcomes[i] for i in range(len(plans))]


def _run_one(context: Any, plan: Plan, force: bool, processes: list[Any]) -> Outcome:  # noqa: ANN401 - multiprocessing's
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(plan, force, theirs), name=plan.paper.slug)
    process.start()
    processes.append(process)
    theirs.close()
    try:
        record, known, failure = ours.recv()
    except EOFError:
        record, known, failure = None, False, ""
    process.join()
    if record is None and not failure:
        code = process.exitcode
        cause = signal.Signals(-code).name if code is not None and code < 0 else f"exit status {code}"
        failure = f"{plan.paper.slug}: its process ended: {cause}"
    return Outcome(plan, record, known, failure)


def _work(plan: Plan, force: bool, answer: Any) -> None:  # noqa: ANN401 - a multiprocessing connection
    """What a job's process does; it ends with the process that started it, and its kernel with it."""
    from workbench.experiments.warm import WARM, WarmKernel, die_with_parent

    if WARM:
        os.setpgrp()  # a terminal's Ctrl-C reaches the process that started this one, which passes it on
        WarmKernel(answer).offer()
    die_with_parent()
    from workbench.experiments.report import write_report

    try:
        done = launch(plan, force=force)
        write_report(plan.paper, done.record, done.folder)
        answer.send((done.record, done.known, ""))
    except RunFailed as error:
        answer.send((None, False, str(error)))
    except KeyboardInterrupt:
        answer.send((None, False, f"{plan.paper.slug}: interrupted"))
