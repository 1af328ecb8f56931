"""What the commands share: the app, the two consoles, and the two ways to end early."""

from collections.abc import Callable
from typing import NoReturn, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from workbench.experiments.papers import Paper, UnknownPaper, find_paper
from workbench.experiments.parameters import ParameterError, nearest, parse_text

__all__ = ["app", "checked", "err", "fail", "find", "out", "split", "values_of"]

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Explore embedding spaces, rerun papers, teach.")
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

T = TypeVar("T")


def fail(status: int, message: str) -> NoReturn:
    """Ends the command with the message: status 1 is an error, 2 wrong use."""
    err.print(f"[red]error:[/red] {escape(message)}")
    raise typer.Exit(status)


def checked(function: Callable[[], T]) -> T:
    """What the function returns; an error of its own becomes exit 1 with its message."""
    try:
        return function()
    except (ValueError, LookupError, OSError) as error:
        fail(1, str(error))


def find(slug: str) -> Paper:
    """The paper of this slug; an unknown one is wrong use."""
    try:
        return find_paper(slug)
    except UnknownPaper as error:
        fail(2, str(error))


def split(text: str) -> tuple[str, str]:
    """Name and value of NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not (equals and name):
        fail(2, f"-p takes NAME=VALUE, got {text!r}")
    return name.strip(), value.strip()


def values_of(paper: Paper, texts: list[tuple[str, str]]) -> dict[str, object]:
    """Typed values of what the command line gives; a repeated or unknown name is wrong use."""
    values: dict[str, object] = {}
    for name, text in texts:
        if name not in paper.parameters:
            close = nearest(name, paper.parameters)
            fail(2, f"{paper.slug} has no parameter {name!r}{close} It has: {', '.join(paper.parameters)}")
        if name in values:
            fail(2, f"parameter {name!r} was given twice ('workbench sweep' runs one after the other)")
        try:
            values[name] = parse_text(paper.parameters[name], text)
        except ParameterError as error:
            fail(2, f"{paper.slug}: {error}")
    return values
