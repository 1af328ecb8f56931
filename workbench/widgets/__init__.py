"""Widgets for JupyterLab: what they show travels by message, and a saved notebook keeps a picture in its place.

Names are resolved on first use, so that nothing of Jupyter is loaded before a widget is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.widgets.training_monitor import TrainingMonitor

__all__ = ["TrainingMonitor"]

_HOMES = {"TrainingMonitor": "training_monitor"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
