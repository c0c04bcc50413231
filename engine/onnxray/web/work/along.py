"""What the judge says along a change that a run found: a slider from the picture to the change and beyond.

    x(s) = round(clip(x_0 + s d, 0, 255))

LOTS    d = eta / max|eta|, the pullback of the change that is wanted at the layer: its own line, s in grey levels
others  d = (x_1 - x_0) / max|x_1 - x_0|, of the saved pictures
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.images.distances import l2, linf
from onnxray.images.drawing.signed_grey import signed_to_grey
from onnxray.images.files import png_bytes, read_png
from onnxray.images.pixels import Pixels
from onnxray.methods.attack.line_search import Line, direction_of
from onnxray.results.loading import own_file, stored_document
from onnxray.web.work.bench import Bench, Desk
from onnxray.web.work.own_lines import is_on_own_line, own_scale
from onnxray.web.work.pictures import answer_of

_SAID_OF_PROFILES: Final = frozenset({
    "name", "labels", "logits", "features", "source", "assumed", "reasons",
})  # fmt: skip
"""What a profile says and no pixel depends on."""


def along(bench: Bench, *, model: int = 0, folder: str, item: int, scale: float) -> dict[str, Any]:
    """The picture at a scale, and what the judge says of it.

    Errors: InputError for an item without a picture before and after; OutputError for a damaged folder.
    """
    desk = bench.desk(model)
    line, own = _line(desk, folder, item)
    if not 0 <= scale <= 65536:
        raise InputError(f"the scale is {scale!r}; a number from 0 to 65536 was expected")
    image = line.at(scale)
    return {
        "png": png_bytes(image), "change": png_bytes(signed_to_grey(image.astype(np.int16) - line.origin)[0]),
        "l2": l2(image, line.origin), "linf": linf(image, line.origin), "scale": scale, "own": own,
        **answer_of(desk, Pixels.of(image[None])),
    }  # fmt: skip


@lru_cache(maxsize=4)
def _line(desk: Desk, folder: str, item: int) -> tuple[Line, float]:
    """The line of an item, and the scale at which its own picture lies."""
    place = Path(folder)
    document = stored_document(place)
    stated, own = document["model"]["sha256"], desk.model.graph.sha256
    if stated != own:
        raise InputError(f"this run is of another model, {str(stated)[:12]}, and the one that is open is {own[:12]}")
    _check_profile(desk, document)
    entries = document["items"]
    if not 0 <= item < len(entries):
        raise InputError(f"the run has no item {item}; it has {len(entries)}")
    entry = entries[item]
    files = entry.get("files", {})
    if not {"origin", "image"} <= files.keys():
        raise InputError("this item has no picture before and after its change")
    origin = _picture(place, files["origin"])
    own_line = is_on_own_line(document, entry)
    if own_line and entry.get("target") and "target" in files:
        direction = _of_lots(desk, entry, origin, _picture(place, files["target"]))
    elif own_line and entry.get("mode") in {"inhibit", "magnify"}:
        direction = _of_lots(desk, entry, origin, None)
    else:
        direction = direction_of(_picture(place, files["image"]).astype(np.float64) - origin)
    if direction is None:
        raise InputError("nothing was changed, so there is no direction to go on in")
    return Line(origin, direction), float(own_scale(document, entry) or 0)


def _check_profile(desk: Desk, document: Mapping[str, Any]) -> None:
    """Refuse what was run with pixels that entered otherwise: the judge would speak of other numbers.

    Errors: InputError.
    """
    profile = desk.model.profile
    now = {} if profile is None else json.loads(json.dumps(profile.to_dict()))
    then = document.get("profile") or {}
    for name in now:
        if name not in _SAID_OF_PROFILES and name in then and then[name] != now[name]:
            raise InputError(
                f"this run is of another profile: {name} was {short(then[name])}, and is {short(now[name])} now; "
                "state it as it was, or run it anew"
            )


def _of_lots(
    desk: Desk, entry: dict[str, Any], origin: NDArray[Any], target: NDArray[Any] | None
) -> NDArray[np.float64] | None:
    layer = desk.model.select_values([str(entry["layer"])])[0]
    start = Pixels.of(origin[None])
    here = desk.model.values(start, [layer])[layer]
    if target is None:
        wanted = here if entry["mode"] == "magnify" else -here
    else:
        wanted = desk.model.values(Pixels.of(target[None]), [layer])[layer] - here
    return direction_of(np.asarray(desk.model.pullback(start, {layer: wanted}))[0])


def _picture(place: Path, name: object) -> NDArray[Any]:
    try:
        return read_png(own_file(place, name))
    except ValueError as error:
        raise InputError(str(error)) from None
