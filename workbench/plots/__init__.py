"""Numbers in, plotly Figure out: one look, readable without colour, with alternative text for every picture."""

from workbench.plots.charts import interval_chart, line_chart, scatter_chart
from workbench.plots.maps import map_figure

__all__ = ["interval_chart", "line_chart", "map_figure", "scatter_chart"]
