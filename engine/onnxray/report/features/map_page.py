"""``map.html``: maps of codes to look into, in one file: zoom, lasso, colours, neighbours in the original space.

See whole_page.py: it loads nothing. What it shows stands in it as JSON in which no ``<`` is left, so that nothing of it
can end its element; the script puts texts of strangers on the page as text alone.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from onnxray.errors.shown_text import html_text, terminal
from onnxray.methods.features.tsne_item import TsneItem
from onnxray.report.features.map_parts import CATEGORIES, in_square, quality_words
from onnxray.report.page.whole_page import whole_page

_QUALITY: Final = 85
_CONTROLS: Final = """
<div class="bar" role="group" aria-label="How the maps are shown">
<label>Colour by <select id="colour"></select></label>
<label><input type="checkbox" id="thumbs" checked> pictures</label>
<label><input type="checkbox" id="lasso"> lasso: draw around pictures</label>
<button type="button" id="closer">closer</button><button type="button" id="further">further</button>
<button type="button" id="whole">all</button><button type="button" id="seen">list what is in view</button>
<span id="layers"></span>
</div>
<ul id="legend" aria-label="What the colours are; press one to see it alone"></ul>
<div id="maps"></div>
<p class="soft">Drag to move, turn the wheel to zoom, click a picture. With Shift, or lasso switched on, draw around
pictures to list them. Keys on a map: arrows move, + and - zoom, 0 shows all, N and P go to the next picture and back,
L lists what is in view. Distances between groups, and their sizes, mean nothing on such a map.</p>
<section id="one" aria-live="polite" hidden><h2>Picture</h2><div id="picture"></div><div id="near"></div></section>
<section id="listed"><h2>List</h2><p><output id="count">Nothing is listed.</output>
<button type="button" id="empty" hidden>empty it</button></p><ul id="list"></ul>
<label id="copied" hidden>Paths, to copy <textarea id="paths" readonly rows="6"></textarea></label></section>
"""


def map_page(
    items: Sequence[TsneItem], known: Mapping[str, Any], *, title: str
) -> bytes:  # fmt: skip
    """The page of a result's maps. known: of each picture, lists as a result's ``points`` has them."""
    count = items[0].pictures_seen
    layers = [
        {
            "name": terminal(item.layer), "said": "; ".join([*quality_words(item), f"by {item.made_by}"]),
            "positions": _packed(in_square(item.numbers_["positions"]), "<f4"), "k": item.k,
            "neighbors": _packed(item.numbers_["neighbors"], "<i4"), "metric": item.metric,
            "distances": _packed(item.numbers_["distances"], "<f4"),
        }
        for item in items
    ]  # fmt: skip
    columns, sheet = items[0].columns, items[0].images["thumbnails"]
    rows = -(-count // columns)
    paths = known.get("path") or [None] * count
    data = {
        "count": count, "layers": layers, "colours": list(CATEGORIES),
        "sheet": {
            "url": _sheet_url(sheet), "columns": columns, "width": sheet.shape[2] // columns,
            "height": sheet.shape[1] // rows,
        },
        "paths": [terminal(path) if path else f"picture {place}" for place, path in enumerate(paths)],
        **{name: _texts(known.get(name)) for name in ("label", "prediction")},
        "probability": known.get("probability"), "correct": known.get("correct"),
    }  # fmt: skip
    text = json.dumps(data, allow_nan=False, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    body = [
        f"<h1>{html_text(title)}</h1>", f'<p class="soft">{count} pictures; numbers: '
        '<a href="result.json">result.json</a>, all files: <a href="index.html">index.html</a></p>',
        "<noscript><p>The maps are drawn by a script of this page; maps.png shows them without.</p></noscript>",
        _CONTROLS, f'<script type="application/json" id="data">{text}</script>',
    ]  # fmt: skip
    return whole_page(title, body, styles=("base.css", "map.css"), scripts=("map_view.js", "map.js"))


def _texts(words: Sequence[str | None] | None) -> dict[str, Any] | None:
    """Words, each once, and which of them each picture has; -1 for none."""
    if words is None:
        return None
    named = sorted({word for word in words if word is not None})
    numbers = {word: number for number, word in enumerate(named)}
    return {
        "words": [terminal(word) for word in named],
        "of": _packed(np.array([-1 if word is None else numbers[word] for word in words]), "<i4"),
    }


def _packed(array: NDArray[Any], kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(array, np.dtype(kind)).tobytes()).decode("ascii")


def _sheet_url(sheet: NDArray[np.uint8]) -> str:
    """All thumbnails as one picture: WebP, grey ones without loss; PNG where Pillow has no WebP."""
    picture = Image.fromarray(sheet[0] if len(sheet) == 1 else sheet.transpose(1, 2, 0).copy())
    stream = io.BytesIO()
    kind = "webp" if features.check("webp") else "png"
    if kind == "webp":
        picture.save(stream, "WEBP", quality=_QUALITY, lossless=len(sheet) == 1)
    else:
        picture.save(stream, "PNG", optimize=True)
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"
