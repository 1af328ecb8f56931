"""Kernels that start warm: forked from a process that has imported the heavy libraries and done nothing else.

The standard library's fork server imports these libraries, opens no socket, starts no thread and touches no GPU. Each
job is a fork of it and begins by forking once more: that second process waits, and becomes the job's kernel.
Linux only: elsewhere forking after these imports is not safe, and kernels start as fresh interpreters.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from importlib.metadata import EntryPoint
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, ClassVar

__all__ = ["WarmKernel", "die_with_parent", "process_context"]

RUNNER = ("ipykernel.kernelapp", "workbench.experiments.runner", "jinja2")
MODELS = (
    "scipy.special",
    "torch",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.bert.modeling_bert",
    "plotly.graph_objects",
    "pyarrow.parquet",
)
WARM = sys.platform == "linux"


def process_context(*, models: bool) -> Any:  # noqa: ANN401 - multiprocessing's contexts share no public type
    """How jobs start: as forks of a warm server where that is safe, else as fresh interpreters.

    With `models` the server imports torch and transformers too, which takes 10 s of CPU once.
    """
    if not WARM:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*RUNNER, *MODELS] if models else [*RUNNER])
    return context


def die_with_parent() -> None:
    """Interrupts this process when the one that started it ends, however it ends."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=watch, daemon=True).start()


class WarmKernel:
    """A kernel's process that waits to be told what to run; it has the few methods of a Popen that are needed.

    Must be made while this process has one thread. It ends, unused, when this process does.
    """

    stdin = stdout = stderr = None
    waiting: ClassVar["WarmKernel | None"] = None

    def __init__(self, *inherited: Connection) -> None:
        theirs, self._orders = multiprocessing.Pipe(duplex=False)
        self._status: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            for connection in (self._orders, *inherited):  # whose other ends must notice this process's parent end
                connection.close()
            _become_kernel(theirs)
        theirs.close()

    def offer(self) -> None:
        """The next kernel that this process starts is this one."""
        from jupyter_client.provisioning.factory import KernelProvisionerFactory

        WarmKernel.waiting = self
        factory = KernelProvisionerFactory.instance()
        value = "workbench.experiments.provisioner:WarmProvisioner"
        factory.provisioners["workbench-warm"] = EntryPoint("workbench-warm", value, factory.GROUP_NAME)
        factory.default_provisioner_name = "workbench-warm"

    def begin(self, connection: str, environment: dict[str, str], cwd: str, log: str | None) -> None:
        """Turns the waiting process into a kernel."""
        self._orders.send((connection, environment, cwd, log))

    def poll(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = os.waitstatus_to_exitcode(status) if pid else None
        return self._status

    def wait(self) -> int:
        """Waits for the end and returns the exit status."""
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._status

    def send_signal(self, signum: int) -> None:
        """Sends a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, signum)


def _become_kernel(orders: Connection) -> None:
    """What the second fork does: waits, then is an ordinary kernel; never returns."""
    status = 1
    try:
        with contextlib.suppress(EOFError):
            _run_kernel(*orders.recv())
            status = 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    finally:
        os._exit(status)  # the exit handlers are those of the job


def _run_kernel(connection: str, environment: dict[str, str], cwd: str, log: str | None) -> None:
    from ipykernel.kernelapp import IPKernelApp

    parent = os.getppid()
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    if log is not None:
        with Path(log).open("a", encoding="utf-8") as file:
            os.dup2(file.fileno(), 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    IPKernelApp.launch_instance(["-f", connection, f"--IPKernelApp.parent_handle={parent}"])
