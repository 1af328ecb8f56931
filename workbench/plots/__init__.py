"""Numbers in, plotly Figure out: one look, readable without colour, with alternative text for every picture."""

from workbench.plots.charts import interval_chart, line_chart, scatter_chart
from workbench.plots.depth import depth_chart, depth_ranking
from workbench.plots.geometry import hubness_chart, layer_chart, length_chart, spectrum_chart
from workbench.plots.grids import heat_map
from workbench.plots.landscapes import landscape_chart
from workbench.plots.maps import map_figure
from workbench.plots.matrices import matrix_chart
from workbench.plots.radar import radar_chart

__all__ = [
    "depth_chart",
    "depth_ranking",
    "heat_map",
    "hubness_chart",
    "interval_chart",
    "landscape_chart",
    "layer_chart",
    "length_chart",
    "line_chart",
    "map_figure",
    "matrix_chart",
    "radar_chart",
    "scatter_chart",
    "spectrum_chart",
]
