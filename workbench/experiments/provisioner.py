"""The provisioner through which jupyter_client starts a kernel that waits warm."""

import os
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from workbench.experiments.warm import WarmKernel

__all__ = ["WarmProvisioner"]


class WarmProvisioner(LocalProvisioner):
    """Takes the kernel that `WarmKernel.offer` left waiting, once."""

    async def launch_kernel(self, cmd: list[str], **options: Any) -> Any:  # noqa: ANN401 - jupyter_client's signature
        """Of `cmd`, the connection file is used: the interpreter is this one.

        Raises:
            RuntimeError: no kernel waits; one was taken already.
        """
        kernel, WarmKernel.waiting = WarmKernel.waiting, None
        if kernel is None:
            raise RuntimeError("no kernel waits: a job starts one kernel only")
        log = options.get("stderr")
        kernel.begin(
            cmd[cmd.index("-f") + 1],
            dict(options.get("env") or os.environ),
            str(options.get("cwd") or Path.cwd()),
            None if log is None else log.name,
        )
        self.process, self.pid = kernel, kernel.pid
        return self.connection_info  # no process group is set: signals go to the kernel alone
