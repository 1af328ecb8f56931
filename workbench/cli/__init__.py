"""The command line `workbench`. Exit 0 done, 1 error, 2 wrong use."""

from workbench.cli import course, evaluation, files, machine, papers, running
from workbench.cli.shared import app

__all__ = ["app"]

# Each module adds its commands to `app` when it is imported, in the order of `workbench --help`.
COMMANDS = (papers, running, course, evaluation, files, machine)
