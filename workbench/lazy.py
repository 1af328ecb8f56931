"""Names of a package that are resolved on first use, so that one part of it does not load what another needs."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module

__all__ = ["resolved_on_use"]


def resolved_on_use(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package whose public names live in the modules that `homes` tells.

    Reference: PEP 562.
    """

    def get(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return get, lambda: sorted({*vars(sys.modules[package]), *homes})
