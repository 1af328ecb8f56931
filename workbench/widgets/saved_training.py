"""What a saved notebook shows of a training: one picture with its words, and a table of the last numbers."""

import math
from base64 import b64encode
from collections.abc import Mapping
from html import escape

from workbench.widgets.curve import Curve
from workbench.widgets.stand_in import figure

__all__ = ["number", "page", "picture"]

WIDTH, HEIGHT, ACROSS = 220, 84, 3


def number(value: float) -> str:
    """A number as it is shown: four digits, or NaN, inf, -inf."""
    return "NaN" if math.isnan(value) else f"{value:.4g}"


def picture(curves: Mapping[str, Curve]) -> str:
    """The curves as one SVG drawing on white, three panels a row."""
    rows = math.ceil(len(curves) / ACROSS) or 1
    wide, high = ACROSS * (WIDTH + 20), rows * (HEIGHT + 40)
    panels = "".join(
        f'<g transform="translate({10 + (i % ACROSS) * (WIDTH + 20)},{24 + (i // ACROSS) * (HEIGHT + 40)})">'
        f"{_panel(name, curve)}</g>"
        for i, (name, curve) in enumerate(curves.items())
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" '
        f'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>{panels}</svg>'
    )


def _panel(name: str, curve: Curve) -> str:
    label = f'<text y="-6" fill="#333">{escape(name)}: {number(curve.last)}</text>'
    frame = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#bbb"/>'
    return label + frame + "".join(f'<path d="{line}" fill="none" stroke="#1f5fa8"/>' for line in _lines(curve))


def _lines(curve: Curve) -> list[str]:
    """Paths through the finite points; one that is not finite parts two of them."""
    if curve.lowest is None or curve.highest is None:
        return []
    steps, values = curve.points()
    low, span = curve.lowest[0], (curve.highest[0] - curve.lowest[0]) or 1.0
    width = (steps[-1] - steps[0]) or 1.0
    parts: list[list[str]] = [[]]
    for step, value in zip(steps, values, strict=True):
        if math.isfinite(value):
            x, y = WIDTH * (step - steps[0]) / width, HEIGHT * (0.95 - 0.9 * (value - low) / span)
            parts[-1].append(f"{x:.1f} {y:.1f}")
        elif parts[-1]:
            parts.append([])
    return ["M" + "L".join(part if len(part) > 1 else part * 2) for part in parts if part]


def page(mark: str, caption: str, curves: Mapping[str, Curve]) -> str:
    """HTML that stands in for the widget: picture, caption, table. The live widget hides what bears its mark."""
    if not curves:
        return f'<div data-workbench-saved="{escape(mark)}"><p>{escape(caption)}</p></div>'
    source = b64encode(picture(curves).encode()).decode()
    cells = "".join(f"<tr><th scope='row'>{escape(k)}</th>{_cells(c)}</tr>" for k, c in curves.items())
    described = f"{caption} Curves over the steps: {', '.join(curves)}."
    table = (
        "<table><thead><tr><th scope='col'>number</th><th scope='col'>last</th><th scope='col'>lowest (step)</th>"
        "<th scope='col'>highest (step)</th><th scope='col'>NaN or infinite</th></tr></thead>"
        f"<tbody>{cells}</tbody></table>"
    )
    address = f"data:image/svg+xml;base64,{source}"
    return figure(mark, source=address, alt=described, caption=caption, below=table)


def _cells(curve: Curve) -> str:
    ends = ["none" if end is None else f"{number(end[0])} ({end[1]})" for end in (curve.lowest, curve.highest)]
    odd = "none" if curve.odd_at is None else f"{curve.odd}, first at step {curve.odd_at}"
    return "".join(f"<td>{cell}</td>" for cell in (number(curve.last), *ends, odd))
