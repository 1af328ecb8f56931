"""Widgets for JupyterLab: what they show travels by message, and a saved notebook keeps a picture in its place.

Names are resolved on first use, so that nothing of Jupyter is loaded before a widget is asked for.
"""

from typing import TYPE_CHECKING

from workbench.lazy import resolved_on_use

if TYPE_CHECKING:
    from workbench.widgets.compare_explorer import CompareExplorer
    from workbench.widgets.depth_explorer import DepthExplorer
    from workbench.widgets.explorer import Explorer
    from workbench.widgets.export import export_html
    from workbench.widgets.layer_explorer import LayerExplorer
    from workbench.widgets.live_text import LiveText
    from workbench.widgets.map import Map
    from workbench.widgets.training_monitor import TrainingMonitor
    from workbench.widgets.view import View

__all__ = [
    "CompareExplorer",
    "DepthExplorer",
    "Explorer",
    "LayerExplorer",
    "LiveText",
    "Map",
    "TrainingMonitor",
    "View",
    "export_html",
]

_HOMES = {
    "CompareExplorer": "compare_explorer",
    "DepthExplorer": "depth_explorer",
    "Explorer": "explorer",
    "LayerExplorer": "layer_explorer",
    "LiveText": "live_text",
    "Map": "map",
    "TrainingMonitor": "training_monitor",
    "View": "view",
    "export_html": "export",
}

__getattr__, __dir__ = resolved_on_use(__name__, _HOMES)
