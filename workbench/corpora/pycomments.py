"""Comments of Python source files with the code that they speak of, read with `tokenize`."""

import ast
import io
import re
import textwrap
import tokenize
from collections.abc import Iterator

from workbench.corpora.docstrings import parsed

__all__ = ["LONGEST", "MINIMUM", "comments"]

MINIMUM = 30  # characters, as of docstrings
LONGEST = 20  # lines of a statement; what is longer is a table of hundreds or thousands of values

Place = tuple[int, int, str]  # row from 1, column from 0, the token's text

# what is written for tools: linters, type checkers, editors, copy checks
_MARK = re.compile(
    r"(?:type|mypy|pyright|pylint|ruff|flake8|isort|fmt|yapf|pragma|codespell|cython|doctest)\s*:|noqa|nosec|pyre-|pyrefly:|"
    r"-\*-|vim?:|(?:.* )?(?:copied|adapted) from transformers\.",
    re.IGNORECASE,
)
_TAIL = re.compile(r"\s*#+\s*(?:type:|noqa|pragma:|pylint:|pyright:|nosec|fmt:).*$")
_SIGN = re.compile(r"^#+[:!]? ?")
_BAR = re.compile(r"^\s*[-=*#~+_]{2,}(?:\s+|$)|(?:\s+[-=*#~+_]{2,}|[-=*#~]{3,})\s*$")
_CODE_POINT = re.compile(r"^0x[0-9A-Fa-f]+\s*->\s*")
_TOP = re.compile(
    r"copyright|licen[sc]e|all rights reserved|warrant|spdx|\bauthors?\b|written by|@\w+\.", re.IGNORECASE
)
_LICENCE = re.compile(r"copyright (?:\(c\)|©|\d{4})|licensed under|all rights reserved|spdx", re.IGNORECASE)
_CODING = re.compile(r"coding[:=]\s*[-\w.]+")  # PEP 263


def comments(text: str) -> Iterator[tuple[str, int, str]]:
    """Comments of MINIMUM characters or more, each with its first line and the code that it speaks of.

    Consecutive full-line comments of one column are one comment, their lines joined by line ends. The code is
    the statement (of a compound one the header, with its decorators) that follows directly in the same column,
    or beside which the comment stands; of a statement longer than LONGEST lines the nearest; within brackets
    the one line; '' where there is none. Left out are shebangs, coding lines, licences, marks for tools ("noqa",
    "type:"), rules of dashes, commented-out code, and what is all in capitals (headings, the Unicode names in
    tables of characters). A file that cannot be read as tokens gives none.
    """
    try:
        found, statements = _layout(text)
    except (tokenize.TokenError, SyntaxError):
        return
    lines = text.split("\n")
    top = min((first for first, _ in statements if not _is_string(lines[first - 1])), default=len(lines) + 1)
    around = {row: span for span in statements for row in range(span[0], span[1] + 1)}
    for block in _blocks(found, lines):
        row, column, _ = block[0]
        said = _cleaned(block)
        licence = _TOP if row < top else _LICENCE
        shouted = _CODE_POINT.sub("", said).isupper()
        if len(said) >= MINIMUM and not (shouted or licence.search(said) or _is_code(said)):
            beside = lines[row - 1][:column].strip()
            code = _beside(row, column, lines, around) if beside else _below(block[-1], lines, around)
            yield said, row, code


def _layout(text: str) -> tuple[list[Place], list[tuple[int, int]]]:
    """The comments, and the first and last row of every logical line, decorators joined to what they decorate."""
    found, statements = [], []
    first, decorated, fresh = 0, False, True
    for kind, string, (row, column), _, _ in tokenize.generate_tokens(io.StringIO(text).readline):
        if kind == tokenize.COMMENT:
            found.append((row, column, string))
        elif kind == tokenize.NEWLINE:
            if not decorated:
                statements.append((first, row))
                first = 0
            fresh = True
        elif fresh and kind not in (tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER):
            first, decorated, fresh = first or row, string == "@", False
    return found, statements


def _blocks(found: list[Place], lines: list[str]) -> Iterator[list[Place]]:
    block: list[Place] = []
    for row, column, string in found:
        alone = not lines[row - 1][:column].strip()
        if block and not (alone and block[-1][:2] == (row - 1, column) and not lines[row - 2][:column].strip()):
            yield block
            block = []
        block.append((row, column, string))
    if block:
        yield block


def _cleaned(block: list[Place]) -> str:
    said = []
    for row, _, string in block:
        line = _TAIL.sub("", string)
        coding = row <= 2 and (_CODING.search(line) or (row == 1 and line.startswith("#!")))
        line = _BAR.sub("", _SIGN.sub("", line)).rstrip()
        if not coding and not _MARK.match(line.lstrip()):
            said.append(line)
    return textwrap.dedent("\n".join(said)).strip()


def _beside(row: int, column: int, lines: list[str], around: dict[int, tuple[int, int]]) -> str:
    first, last = around.get(row, (row, row))
    own = lines[row - 1][:column].rstrip()
    whole = row == last and row - first < LONGEST
    return textwrap.dedent("\n".join([*lines[first - 1 : row - 1], own])) if whole else own.strip()


def _below(last: Place, lines: list[str], around: dict[int, tuple[int, int]]) -> str:
    row, column, _ = last
    following = lines[row] if row < len(lines) else ""
    if row in around:  # within brackets
        return following.strip()
    if row + 1 not in around or len(following) - len(following.lstrip()) != column:
        return ""
    first, end = around[row + 1]
    return textwrap.dedent("\n".join(lines[first - 1 : end])) if end - first < LONGEST else following.strip()


def _is_string(line: str) -> bool:
    return re.match(r"""[rbuRBU]{0,2}["']""", line) is not None


def _is_code(said: str) -> bool:
    # hardly any prose parses; what does ("not used (see below)") is an expression other than a call
    tree = parsed(said) if re.search(r"[=(]|import |return", said) else None
    return tree is not None and any(
        not isinstance(part, ast.Expr) or isinstance(part.value, ast.Call | ast.Await) for part in tree.body
    )
