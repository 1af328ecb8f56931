"""A view as one HTML file that works without a kernel and without the network."""

import json
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np

from workbench.home import replacing
from workbench.widgets.map import STATIC, Map
from workbench.widgets.map_notes import note
from workbench.widgets.modules import joined
from workbench.widgets.view import View

__all__ = ["export_html"]

MOST = 300_000  # points of one map
BYTES = 20  # of the file for every point of a map, beside its text: places, colour, size and value in base64
LIVE = " Run the cell to get the live map."  # the end of a caption in a notebook, where it can be done
POLICY = (
    "default-src 'none'; connect-src 'none'; script-src 'sha256-{key}'; style-src 'unsafe-inline'; img-src data:;"
    " base-uri 'none'; form-action 'none'"
)
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>As exported: {summary}</p>
<noscript>{pictures}</noscript>
<div class="maps">{places}</div>
<div id="workbench-lists"></div>
</main>
<script type="application/json" id="workbench-data">{data}</script>
<script type="module">{script}</script>
</body>
</html>
"""


def export_html(view: ipywidgets.Widget, path: str | Path, *, title: str = "") -> Path:
    """Writes the maps of `view` as they are now, with their texts, into one HTML file that needs nothing else.

    The maps move, zoom, show texts and select as in a notebook; maps of as many points are linked, and what is
    selected stands in a list. Charts and controls of a view are not in the file. Every text of a map is, up to its
    1,000th character: to publish the file is to publish them. A file of that name is replaced.

    Args:
        view: A Map, or a view with maps of at most 300,000 points each.
        path: Where to write, ending in .html.
        title: The words above the maps; by default those of the first map.

    Returns:
        The path of the file. It takes about 20 bytes a point and map beside the texts.

    Raises:
        TypeError: `view` is neither a Map nor a View.
        ValueError: another ending than .html, a folder, no map, or too many points.
        FileNotFoundError: the folder to write into does not exist.
    """
    if not isinstance(view, Map | View):
        raise TypeError(f"view must be a Map or a view with maps, got {type(view).__name__}")
    maps = _maps(view)
    target = _target(path)
    page = _page(view, maps, title or maps[0].title or type(view).__name__)
    with replacing(target) as file:
        file.write(page.encode("utf-8", "replace"))
    return target


def _maps(view: Map | View) -> tuple[Map, ...]:
    maps = (view,) if isinstance(view, Map) else view.maps
    if not maps:
        raise ValueError(f"view must have a map, and this {type(view).__name__} has none")
    most = max(len(one.points) for one in maps)
    if most > MOST:
        size = BYTES * sum(len(one.points) for one in maps) / 1e6
        raise ValueError(f"a map in a file may have {MOST:,} points, got {most:,}: {size:.0f} MB without the texts")
    return maps


def _target(path: str | Path) -> Path:
    target = Path(path)
    if target.suffix.lower() != ".html":
        raise ValueError(f"path must end in .html, got {str(path)!r}")
    if target.is_dir():
        raise ValueError(f"path must name a file, got the folder {str(path)!r}")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"the folder of {str(path)!r} does not exist")
    return target


def _page(view: Map | View, maps: Sequence[Map], title: str) -> str:
    script = _script()
    key = b64encode(sha256(script.encode()).digest()).decode()
    style = "\n".join((STATIC / name).read_text(encoding="utf-8") for name in ("map.css", "export/page.css"))
    return PAGE.format(
        policy=POLICY.format(key=key),
        title=escape(title),
        style=style,
        summary=escape(view.summary.replace(LIVE, "")),
        pictures=view.saved_page("export").replace(LIVE, ""),
        places="".join(f'<div id="workbench-map-{k}"></div>' for k in range(len(maps))),
        data=_data(maps),
        script=script,
    )


def _script() -> str:
    """The map's own page code, unchanged, and behind it what answers it and builds the page."""
    return f"\n{joined(STATIC / 'map' / 'view.js')}\n{joined(STATIC / 'export' / 'main.js')}\nbuild(render);\n"


def _data(maps: Sequence[Map]) -> str:
    """All maps as JSON that may stand inside a script element; texts that several maps share stand there once."""
    pool: list[list[str]] = []
    found = [_contents(one, pool) for one in maps]
    return json.dumps({"maps": found, "texts": pool}, separators=(",", ":")).replace("<", "\\u003c")


def _contents(one: Map, pool: list[list[str]]) -> dict[str, Any]:
    """What the page is sent of a map when it shows it, and what it is told of each point when it is pointed at."""
    with one._lock:
        colouring, frame, n = one._colouring, one._frame, len(one._points)
        head = {"n": n, "frame": [frame.x, frame.y, frame.half], "sized": one._sizes is not None, "title": one.title}
        head |= {"height": one._height, "legend": colouring.legend(), "camera": one.camera, "moved": one._moved}
        arrays = [frame.placed(one._points), colouring.codes, one._sizes, one.selection.astype("<u4")]
        notes = [note(point, one._texts, one._values, colouring) for point in range(n)]
    texts = [words["text"] for words in notes if "text" in words]
    if texts and texts not in pool:
        pool.append(texts)
    values = [words["value"] for words in notes if "value" in words]
    kinds, kind_of = np.unique(np.array(values, dtype=object), return_inverse=True)
    return {
        "head": head | {"marks": []},
        "buffers": [_base64(array) for array in arrays],
        "texts": pool.index(texts) if texts else None,
        "kinds": kinds.tolist(),
        "kindOf": _base64(kind_of.astype("<u4")),
    }


def _base64(array: np.ndarray | None) -> str:
    return "" if array is None else b64encode(np.ascontiguousarray(array).tobytes()).decode()
