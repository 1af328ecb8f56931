"""What the code that builds a model says: its source, that of the functions beside it, and of this package."""

import dis
import hashlib
import inspect
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

__all__ = ["build_sources", "package_digest"]

PACKAGE = Path(__file__).resolve().parent.parent
# layers that can change a weight; what is drawn, measured or stored cannot
BUILDING = ("tensors.py", "corpora", "encoders", "losses", "models", "retrieval", "training")
CONSTANTS = (int, float, complex, str, bytes, bool, type(None))


def build_sources(build: Callable[..., Any]) -> dict[str, str]:
    """Source of `build` and of every function and class of the same module that it uses, and the constants it reads.

    By name; functions of other modules are named only: their versions are told elsewhere.

    Raises:
        ValueError: `build` is no plain function, closes over a variable, reads a global that is not code nor a plain
            constant, or has no readable source.
    """
    if not isinstance(build, FunctionType):
        raise ValueError(f"build must be a function written with def, got {type(build).__name__}")
    found: dict[str, str] = {}
    waiting: list[Any] = [build]
    while waiting:
        thing = waiting.pop()
        found[thing.__qualname__] = _source(thing)
        for name, value in _used(thing):
            if isinstance(value, FunctionType | type) and value.__module__ == build.__module__:
                if value.__qualname__ not in found and value not in waiting:
                    waiting.append(value)
            else:
                found[f"{thing.__qualname__}: {name}"] = _named(name, value)
    return found


@cache
def package_digest() -> str:
    """SHA-256, in hex, over the files of this package that can change a weight, as they were at the first call."""
    total = hashlib.sha256()
    for name in BUILDING:
        place = PACKAGE / name
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            total.update(f"{path.relative_to(PACKAGE).as_posix()}\0".encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _source(thing: Any) -> str:  # noqa: ANN401 - a function or class
    try:
        return inspect.getsource(thing)
    except (OSError, TypeError):
        raise ValueError(f"the source of {thing.__qualname__} cannot be read: define it in a cell or a file") from None


def _used(thing: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Name and value of every global that a function, or a class's own functions, may read."""
    for function in [thing] if isinstance(thing, FunctionType) else vars(thing).values():
        if not isinstance(function, FunctionType):
            continue
        if function.__closure__ and set(function.__code__.co_freevars) - {"__class__"}:
            names = sorted(function.__code__.co_freevars)
            raise ValueError(f"{function.__qualname__} must close over nothing, got {names}: put it in the recipe")
        for i, value in enumerate((*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())):
            yield f"default {i}", value
        for name in sorted(_names(function.__code__)):
            if name in function.__globals__:
                yield name, function.__globals__[name]


def _names(code: CodeType) -> set[str]:
    inner = (part for part in code.co_consts if isinstance(part, CodeType))
    own = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return own.union(*(_names(part) for part in inner))


def _named(name: str, value: object) -> str:
    if isinstance(value, ModuleType):
        return value.__name__
    if isinstance(value, CONSTANTS) or (isinstance(value, tuple | frozenset) and _plain(value)):
        return repr(sorted(value, key=repr)) if isinstance(value, frozenset) else repr(value)
    if callable(value) and getattr(value, "__module__", None) and getattr(value, "__qualname__", None):
        return f"{value.__module__}.{value.__qualname__}"
    raise ValueError(f"build reads {name}, a {type(value).__name__} outside it: load it inside or put it in the recipe")


def _plain(value: tuple[object, ...] | frozenset[object]) -> bool:
    return all(isinstance(v, CONSTANTS) or (isinstance(v, tuple | frozenset) and _plain(v)) for v in value)
