"""Docstrings and the code they describe, read from source files with `ast`; nothing is imported."""

import ast
import inspect
import os
import textwrap
import warnings
from collections.abc import Container, Iterator
from pathlib import Path

__all__ = [
    "MINIMUM", "COLUMNS", "Function", "definitions", "described", "docstring", "parsed", "signature", "source_files",
    "source_of",
]  # fmt: skip

MINIMUM = 30  # characters; shorter ones ("Return self.", "See base class.") say too little to embed
COLUMNS = ("text", "name", "module", "package", "kind", "signature", "code")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Described = ast.Module | ast.ClassDef | Function
Row = tuple[str, str, str, str, str, str, str]

# tests and their fixtures; idlelib and turtledemo are programs, lib2to3 left the standard library
_LEFT_OUT = {"test", "tests", "idlelib", "lib2to3", "turtledemo", "site-packages", "dist-packages", "__pycache__"}


def source_files(root: Path, *, only: Container[str] | None = None) -> Iterator[tuple[Path, str]]:
    """Python files below `root` with their dotted module names, tests left out, in a fixed order.

    The names start below `root`: "linalg._basic" for linalg/_basic.py, "" for __init__.py. `only` keeps the
    modules and packages of these names directly in `root`.
    """
    for folder, below, files in os.walk(root):
        inside = Path(folder).relative_to(root).parts
        # torch keeps the tests of its operators in torch.testing._internal
        below[:] = sorted(d for d in below if _wanted(d, inside, only) and (*inside, d) != ("testing", "_internal"))
        for name in sorted(files):
            stem, dot, suffix = name.partition(".")
            if dot and suffix == "py" and _wanted(stem, inside, only):
                yield Path(folder, name), ".".join(inside if stem == "__init__" else (*inside, stem))


def _wanted(name: str, inside: tuple[str, ...], only: Container[str] | None) -> bool:
    if not inside and only is not None and name not in only:
        return False
    return name.isidentifier() and name not in _LEFT_OUT and name != "conftest" and not name.startswith("test_")


def described(path: Path, module: str) -> Iterator[Row]:
    """Rows (in the order of COLUMNS) of the docstrings of one file with MINIMUM characters or more.

    Local functions (defined inside a function) are left out. A file that this Python version cannot parse
    gives no rows.
    """
    source = path.read_bytes()
    tree = parsed(source)
    if tree is None:
        return
    lines = source.splitlines(keepends=True)
    package = module.partition(".")[0]
    for node, name, kind in definitions(tree, module):
        text = docstring(node)
        if text is not None and len(text) >= MINIMUM:
            code = textwrap.dedent(source_of(node, lines)).rstrip() if isinstance(node, Function) else ""
            yield text, name, module, package, kind, signature(node), code


def parsed(source: str | bytes) -> ast.Module | None:
    """The syntax tree of a file; None where this Python version cannot parse it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # invalid escapes in the docstrings of others
            warnings.simplefilter("ignore", DeprecationWarning)
            return ast.parse(source)
    except (SyntaxError, ValueError):
        return None


def definitions(tree: ast.Module, module: str) -> Iterator[tuple[Described, str, str]]:
    """The module, its classes, functions and methods, with dotted name and kind; no local functions."""
    yield tree, module, "module"
    stack: list[tuple[ast.AST, str, bool]] = [(tree, module, False)]
    while stack:
        parent, prefix, in_class = stack.pop()
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, ast.ClassDef):
                yield node, f"{prefix}.{node.name}", "class"
                stack.append((node, f"{prefix}.{node.name}", True))
            elif isinstance(node, Function):
                yield node, f"{prefix}.{node.name}", "method" if in_class else "function"
            elif isinstance(node, ast.If | ast.Try | ast.With | ast.ExceptHandler):
                stack.append((node, prefix, in_class))


def docstring(node: Described) -> str | None:
    """The docstring as `inspect.cleandoc` gives it; None where there is none."""
    first = node.body[0] if node.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return inspect.cleandoc(first.value.value)
    return None


def signature(node: Described) -> str:
    """The line that defines it, without colon, as `ast.unparse` writes it; '' for a module."""
    if isinstance(node, ast.Module):
        return ""
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in [*node.bases, *node.keywords])
        return f"class {node.name}({bases})" if bases else f"class {node.name}"
    kind = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{kind} {node.name}({ast.unparse(node.args)}){returns}"


def source_of(node: Function, lines: list[bytes]) -> str:
    """Source of a function, its decorators with it and its docstring left out, as indented in its file.

    `lines` are those of the file in UTF-8, with their ends.
    """
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]) - 1
    if docstring(node) is None:
        return b"".join(lines[first : node.end_lineno]).decode("utf-8", "replace")
    doc = node.body[0]
    last, column = doc.end_lineno or doc.lineno, doc.end_col_offset or 0
    before = b"".join(lines[first : doc.lineno - 1]) + lines[doc.lineno - 1][: doc.col_offset]
    rest = lines[last - 1][column:] + b"".join(lines[last : node.end_lineno])
    indent = before.rpartition(b"\n")[2]
    if not indent.strip():
        rest = rest.lstrip(b" \t;")
        if rest[:1] in (b"\r", b"\n"):  # the docstring had its lines to itself: they go with it
            before, rest = before[: len(before) - len(indent)], rest.removeprefix(b"\r").removeprefix(b"\n")
    return (before + rest).decode("utf-8", "replace")
