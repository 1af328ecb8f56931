"""The parameters cell of a notebook, read with `ast`: names, types, ranges, choices.

Papermill's own inspection drops union types, quoted choices and every line with a second equals sign,
and passes unknown names on with a warning, so nothing here relies on it.
"""

import ast
import difflib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Parameter", "ParameterError", "check_values", "parse_text", "read_parameters", "read_values"]

KINDS = ("int", "float", "str", "bool")

LEAST: dict[str, float] = {"seed": 0, "seeds": 1}  # of the parameters that every notebook has


class ParameterError(ValueError):
    """A parameter's name, type or value that the notebook does not declare."""


@dataclass(frozen=True)
class Parameter:
    """One declared parameter: its kind, whether it is a list or may be None, its range or choices."""

    name: str
    kind: str
    default: object
    is_list: bool = False
    optional: bool = False
    low: float | None = None
    high: float | None = None
    choices: tuple[object, ...] = ()

    def describe(self) -> str:
        """The declared type in words, for error messages and `workbench show`."""
        words = " or ".join(repr(c) for c in self.choices) or self.kind
        if self.low is not None or self.high is not None:
            words += f" from {_bound(self.low)} to {_bound(self.high)}"
        if self.is_list:
            words = f"list of {words}"
        return words + (" or None (by scale)" if self.optional else "")

    def check(self, value: object) -> object:
        """`value` itself (an int where a float is declared becomes a float).

        Raises:
            ParameterError: wrong type, out of range or not among the choices; states name, value and rule.
        """
        if value is None and self.optional:
            return None
        if not self.is_list:
            return self._check_one(value)
        if not isinstance(value, list) or not value:
            raise ParameterError(f"{self.name} must be a {self.describe()}, got {value!r}")
        return [self._check_one(item) for item in value]

    def _check_one(self, value: object) -> object:
        refusal = ParameterError(f"{self.name} must be {_article(self.describe())}, got {value!r}")
        if self.choices:
            if not any(type(value) is type(choice) and value == choice for choice in self.choices):
                raise refusal
            return value
        if self.kind == "float" and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value).__name__ != self.kind or (isinstance(value, float) and not math.isfinite(value)):
            raise refusal
        if isinstance(value, int | float) and not _inside(value, self.low, self.high):
            raise refusal
        return value


def read_parameters(source: str) -> dict[str, Parameter]:
    """Declared parameters by name, in order, of the source of a `parameters` cell.

    Raises:
        ParameterError: a line that is not an annotated assignment of a literal, or a default its own type refuses.
    """
    found: dict[str, Parameter] = {}
    for node in _parse(source).body:
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None):
            if isinstance(node, ast.ImportFrom | ast.Import):
                continue  # the cell may import Literal and Annotated
            raise ParameterError(f"parameters cell: {ast.unparse(node)!r} is not an annotated assignment of a literal")
        default = _literal(node.value, node.target.id)
        parameter = _declared(node.target.id, node.annotation, default)
        parameter.check(default)
        found[parameter.name] = parameter
    return found


def read_values(source: str) -> dict[str, object]:
    """Name and value of every assignment of a literal in a cell, for the cell that papermill injects.

    Raises:
        ParameterError: a line that assigns anything but a literal.
    """
    values: dict[str, object] = {}
    for node in _parse(source).body:
        if not (isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)):
            raise ParameterError(f"injected parameters: {ast.unparse(node)!r} does not assign a literal to one name")
        values[node.targets[0].id] = _literal(node.value, node.targets[0].id)
    return values


def check_values(declared: Mapping[str, Parameter], values: Mapping[str, object]) -> dict[str, object]:
    """The checked values, every name declared and every value of its type.

    Raises:
        ParameterError: an unknown name (the nearest declared one is offered) or a value that `check` refuses.
    """
    for name in values:
        if name not in declared:
            raise ParameterError(f"no parameter {name!r}{nearest(name, declared)}; declared: {', '.join(declared)}")
    return {name: declared[name].check(value) for name, value in values.items()}


def parse_text(parameter: Parameter, text: str) -> object:
    """The value that a command line's text means for this parameter: lists are JSON, None is none or null.

    Raises:
        ParameterError: the text does not read as the declared type, or the value is refused.
    """
    if parameter.optional and text.lower() in {"none", "null"}:
        return None
    if not parameter.is_list:
        return parameter.check(_scalar(parameter, text))
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ParameterError(
            f"{parameter.name} must be a {parameter.describe()} in JSON, as in [1, 0.8], got {text!r}"
        ) from error
    return parameter.check(value)


def nearest(name: str, known: Mapping[str, object] | list[str]) -> str:
    """The question whether the closest known name was meant, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f", did you mean {close[0]!r}?" if close else ""


def _scalar(parameter: Parameter, text: str) -> object:
    if parameter.choices:
        return next((choice for choice in parameter.choices if str(choice) == text), text)
    if parameter.kind == "bool":
        return {"true": True, "false": False}.get(text.lower(), text)
    if parameter.kind in {"int", "float"} and re.fullmatch(r"[+-]?[0-9]+", text):
        return int(text)
    if parameter.kind == "float" and re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        return float(text)
    return text


def _declared(name: str, annotation: ast.expr, default: object) -> Parameter:
    """Reads `T`, `T | None`, `list[T]`, `Literal[...]` and `Annotated[any of these, "low..high"]`."""
    low, high = LEAST.get(name), None
    optional = False
    if _subscripted(annotation) == "Annotated":
        annotation, span = _items(annotation)
        low, high = _range(name, _literal(span, name))
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        if ast.unparse(annotation.right) != "None":
            raise ParameterError(f"parameter {name}: the only union is with None, got {ast.unparse(annotation)}")
        optional, annotation = True, annotation.left
    is_list = _subscripted(annotation) == "list"
    if is_list:
        (annotation,) = _items(annotation)
    if _subscripted(annotation) == "Literal":
        choices = tuple(_literal(item, name) for item in _items(annotation))
        return Parameter(name, "choice", default, is_list, optional, low, high, choices)
    kind = ast.unparse(annotation)
    if kind not in KINDS:
        raise ParameterError(f"parameter {name}: a type is one of {', '.join(KINDS)}, Literal or a list, got {kind}")
    return Parameter(name, kind, default, is_list, optional, low, high)


def _subscripted(node: ast.expr) -> str | None:
    return node.value.id if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) else None


def _items(node: ast.expr) -> list[ast.expr]:
    inner = node.slice if isinstance(node, ast.Subscript) else node
    return list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]


def _range(name: str, text: object) -> tuple[float | None, float | None]:
    found = re.fullmatch(r"\s*([-+.\deE]*)\s*\.\.\s*([-+.\deE]*)\s*", text) if isinstance(text, str) else None
    if not found:
        raise ParameterError(f'parameter {name}: a range reads "low..high", got {text!r}')
    try:
        low, high = (float(part) if part else None for part in found.groups())
    except ValueError as error:
        raise ParameterError(f"parameter {name}: {text!r} is no range of numbers") from error
    return low, high


def _inside(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _bound(x: float | None) -> str:
    return "any" if x is None else f"{x:g}"


def _article(words: str) -> str:
    return ("an " if words[0] in "aeiou" else "a ") + words if words[0].isalpha() else words


def _parse(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError as error:
        raise ParameterError(f"parameters cell does not parse: {error}") from error


def _literal(node: ast.expr, name: str) -> object:
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise ParameterError(f"parameter {name}: {ast.unparse(node)!r} is not a literal") from error
