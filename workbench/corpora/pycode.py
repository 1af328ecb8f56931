"""Functions and identifiers of Python source files, read with `ast`; nothing is imported."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from workbench.corpora.docstrings import Function, definitions, docstring, parsed, signature, source_of

__all__ = ["functions", "named", "source_text", "split_words"]

# upper-case run before a capitalised word, word, upper-case run with a plural s ("URLs"), digits ("2d" is one word)
_WORDS = re.compile(r"U{2,}s(?![ls])|U+(?=U[ls])|U?[ls]+|U+|d+[ls](?![ls])|d+")


def source_text(path: Path) -> str | None:
    """The file's text in its declared encoding (PEP 263), with Unix line ends; None where it cannot be decoded."""
    source = path.read_bytes()
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        text = source.decode(encoding)
    except (SyntaxError, UnicodeDecodeError):
        return None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def functions(text: str, module: str) -> Iterator[tuple[str, str, str, str, str, int]]:
    """Code without docstring, dotted name, kind, signature, docstring and lines of a file's functions and methods.

    Local functions stay within the function that holds them. Stubs, whose body is nothing but a docstring,
    `pass` or `...`, are left out.
    """
    tree = parsed(text)
    if tree is None:
        return
    lines = text.encode("utf-8", "surrogatepass").splitlines(keepends=True)
    for node, name, kind in definitions(tree, module):
        if isinstance(node, Function) and not _is_stub(node):
            code = _dedented(source_of(node, lines))
            yield code, name, kind, signature(node), docstring(node) or "", code.count("\n") + 1


def named(text: str) -> Iterator[tuple[str, str]]:
    """Every occurrence of an identifier in a file with what it names there.

    The kinds: function, class, variable (a name that is bound), argument (of a definition or by keyword),
    attribute; '' for a name that is only used. Imports are not counted.
    """
    for node in ast.walk(parsed(text) or ast.Module([], [])):
        if isinstance(node, ast.Name):
            yield node.id, "variable" if isinstance(node.ctx, ast.Store) else ""
        elif isinstance(node, ast.Attribute):
            yield node.attr, "attribute"
        elif isinstance(node, ast.arg | ast.keyword):
            yield node.arg or "", "argument"
        elif isinstance(node, ast.ExceptHandler):
            yield node.name or "", "variable"
        elif isinstance(node, Function):
            yield node.name, "function"
        elif isinstance(node, ast.ClassDef):
            yield node.name, "class"


def split_words(identifier: str) -> list[str]:
    """The words of a snake_case or camelCase identifier in lower case: get, http, response, 2.

    Digits are words of their own, with one letter that follows them: "conv2d" is conv, 2d.
    """
    shape = "".join(
        "U" if c.isupper() else "d" if c.isdigit() else "_" if c == "_" else "s" if c == "s" else "l"
        for c in identifier
    )
    return [identifier[found.start() : found.end()].lower() for found in _WORDS.finditer(shape)]


def _is_stub(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return all(
        isinstance(part, ast.Pass)
        or (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))  # a docstring, or `...`
        for part in node.body
    )


def _dedented(code: str) -> str:
    # not textwrap.dedent: one line of a multi-line string at the margin would keep it from the whole function
    indent = code[: len(code) - len(code.lstrip(" \t\f"))]
    lines = [line.removeprefix(indent) if line.strip() else "" for line in code.split("\n")]
    return "\n".join(lines).rstrip()
