"""The course: its lessons, and the copies that students get."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from workbench.cli.shared import app, checked, fail, out

__all__ = ["course"]


@app.command()
def course(
    lessons: Annotated[list[str] | None, typer.Argument(help="lessons by name; without one, all of them")] = None,
    student: Annotated[
        bool, typer.Option("--student", help="write student copies: the lessons less solutions")
    ] = False,
    into: Annotated[Path | None, typer.Option(help="with --student: the folder to write into")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="with --student: write into a folder that is not empty")
    ] = False,
) -> None:
    """Lists the lessons with their minutes; --student writes the copies that students work in, without solutions."""
    from workbench.experiments.course import UnknownLesson, find_lesson, find_lessons, write_students

    if student and into is None:
        fail(2, "--student needs --into FOLDER to write into")
    if not student and (into is not None or force):
        fail(2, "--into and --force say how --student writes its copies")
    try:
        chosen = [find_lesson(name) for name in dict.fromkeys(lessons)] if lessons else find_lessons()
    except UnknownLesson as error:
        fail(2, str(error))
    if into is not None:
        try:
            written = write_students(chosen, into, force=force)
        except FileExistsError as error:
            fail(2, str(error))
        except (ValueError, OSError) as error:
            fail(1, str(error))
        for path in written:
            out.print(str(path), markup=False)
        return
    # a name is there to be typed, so it is never cut
    table = Table(Column("lesson", no_wrap=True), "title", "exercises", "to read and do", "to run")
    for lesson in chosen:
        reading, running = checked(lambda lesson=lesson: lesson.minutes)
        number = len(checked(lambda lesson=lesson: lesson.exercises))
        table.add_row(*map(escape, (lesson.name, lesson.title, str(number), f"{reading} min", f"{running} min")))
    out.print(table)
