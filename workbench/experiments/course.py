"""The lessons of notebooks/course/: one source notebook each, from which student copies are made.

An exercise is three code cells, directly one below the other, told by their tags: `exercise`, the stub that students
fill in; `solution`, folded, which stands in the source alone; `check`, which fails with a hint until the stub is filled
in. The source runs whole, for the solution does what the stub leaves open. A student copy is the source without its
solutions.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from workbench.experiments.parameters import nearest
from workbench.experiments.records import write_atomic
from workbench.home import project_root

__all__ = ["Lesson", "UnknownLesson", "find_lesson", "find_lessons", "write_students"]

STEPS = ("exercise", "solution", "check")


class UnknownLesson(LookupError):
    """No notebook of the course has this name."""


@dataclass(frozen=True)
class Lesson:
    """One lesson: notebooks/course/<name>.ipynb.

    Raises (on reading a property):
        ValueError: the file is no notebook, its minutes are missing, or a cell of an exercise stands where it must not.
    """

    path: Path

    @property
    def name(self) -> str:
        """File name without its ending."""
        return self.path.stem

    @cached_property
    def notebook(self) -> dict:
        """The whole notebook as JSON, with the source of every cell joined to one text."""
        try:
            notebook = json.loads(self.path.read_text(encoding="utf-8"))
            cells = [{**cell, "source": "".join(cell["source"])} for cell in notebook["cells"]]
        except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise ValueError(f"{self.path} is not a notebook: {error!r}") from error
        return {**notebook, "cells": cells}

    @property
    def title(self) -> str:
        """First heading of the first cell."""
        return (self.notebook["cells"][0]["source"].splitlines() or [""])[0].lstrip("# ").strip()

    @property
    def minutes(self) -> tuple[int, int]:
        """Minutes of reading and exercises, estimated, and of running on 2 cores, measured and rounded up."""
        said = self.notebook.get("metadata", {}).get("lesson", {})
        reading, running = said.get("reading_minutes"), said.get("running_minutes")
        if not (isinstance(reading, int) and isinstance(running, int) and min(reading, running) > 0):
            raise ValueError(
                f"{self.path.name}: its metadata must hold lesson.reading_minutes and lesson.running_minutes, "
                f"whole numbers above 0, got {reading!r} and {running!r}"
            )
        return reading, running

    @cached_property
    def exercises(self) -> list[tuple[dict, dict, dict]]:
        """The cells of each exercise: stub, solution and check."""
        cells = self.notebook["cells"]
        for before, cell, after in zip([{}, *cells], cells, [*cells[1:], {}], strict=False):
            self._in_place(before, cell, after)
        steps = [[cell for cell in cells if _step(cell) == step] for step in STEPS]
        return list(zip(*steps, strict=True))

    def student(self) -> dict:
        """The copy for students as a notebook's JSON: the source without its solutions and without outputs."""
        solutions = [id(solution) for _, solution, _ in self.exercises]
        left = [cell for cell in self.notebook["cells"] if id(cell) not in solutions]
        metadata = {key: value for key, value in self.notebook.get("metadata", {}).items() if key != "widgets"}
        return {**self.notebook, "metadata": metadata, "cells": [_stripped(cell) for cell in left]}

    def _in_place(self, before: dict, cell: dict, after: dict) -> None:
        where = f"{self.path.name}: cell {cell.get('id')!r}"
        step = _step(cell)
        if len(_steps(cell)) > 1:
            raise ValueError(f"{where} has more than one of the tags {', '.join(STEPS)}")
        if step and cell["cell_type"] != "code":
            raise ValueError(f"{where} is tagged {step!r} and must be a code cell, it is {cell['cell_type']}")
        if step == "solution" and _step(before) != "exercise":
            raise ValueError(f"{where} is a solution without a stub: no cell tagged 'exercise' is directly above it")
        if step == "check" and _step(before) != "solution":
            raise ValueError(f"{where} is a check, and no cell tagged 'solution' is directly above it")
        for this, needed in pairwise(STEPS):
            if step == this and _step(after) != needed:
                raise ValueError(f"{where} is tagged {this!r}, and no cell tagged {needed!r} is directly below it")


def find_lessons() -> list[Lesson]:
    """The lessons of the project, by name."""
    paths = sorted((project_root() / "notebooks" / "course").glob("*.ipynb"))
    return [Lesson(path) for path in paths if not path.name.startswith(".")]


def find_lesson(name: str) -> Lesson:
    """The lesson of this name.

    Raises:
        UnknownLesson: there is none; the nearest name is offered.
    """
    lessons = {lesson.name: lesson for lesson in find_lessons()}
    if name not in lessons:
        raise UnknownLesson(f"no lesson {name!r}{nearest(name, list(lessons))} ('workbench course' lists them)")
    return lessons[name]


def write_students(lessons: Sequence[Lesson], into: Path, *, force: bool = False) -> list[Path]:
    """Writes the student copy of each lesson into the folder `into`, made where it is missing; returns the paths.

    All copies are made before the first is written. `force` writes into a folder that holds something already: a copy
    of the same name is replaced, anything else stays.

    Raises:
        ValueError: as `Lesson.exercises`.
        FileExistsError: `into` is a file, the folder of the sources, or not empty and `force` is not given.
    """
    if into.exists() and not into.is_dir():
        raise FileExistsError(f"{into} is a file; the student copies need a folder")
    if into.resolve() in {lesson.path.parent.resolve() for lesson in lessons}:
        raise FileExistsError(f"{into} holds the sources themselves; the student copies need another folder")
    if not force and into.is_dir() and any(into.iterdir()):
        raise FileExistsError(f"{into} is not empty (--force writes all the same, in place of copies that are there)")
    copies = {into / lesson.path.name: lesson.student() for lesson in lessons}
    into.mkdir(parents=True, exist_ok=True)
    for path, copy in copies.items():
        write_atomic(path, json.dumps(copy, indent=1, ensure_ascii=False) + "\n")
    return list(copies)


def _step(cell: dict) -> str:
    """Which step of an exercise a cell is; empty for any other cell."""
    return next(iter(_steps(cell)), "")


def _steps(cell: dict) -> list[str]:
    return [step for step in STEPS if step in cell.get("metadata", {}).get("tags", [])]


def _stripped(cell: dict) -> dict:
    clean = {**cell, "source": cell["source"].splitlines(keepends=True)}
    return clean | {"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else clean
