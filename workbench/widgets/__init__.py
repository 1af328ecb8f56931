"""Widgets for JupyterLab: what they show travels by message, and a saved notebook keeps a picture in its place.

Names are resolved on first use, so that nothing of Jupyter is loaded before a widget is asked for.
"""

from typing import TYPE_CHECKING

from workbench.lazy import resolved_on_use

if TYPE_CHECKING:
    from workbench.widgets.map import Map
    from workbench.widgets.training_monitor import TrainingMonitor

__all__ = ["Map", "TrainingMonitor"]

_HOMES = {"Map": "map", "TrainingMonitor": "training_monitor"}

__getattr__, __dir__ = resolved_on_use(__name__, _HOMES)
