"""What the judge says along a change that a run found: a slider from the picture to the change and beyond.

    x(s) = round(clip(x_0 + s d, 0, 255))

LOTS    its own line: d = eta / max|eta|, the pullback of the change that is wanted at the layer, s in grey levels
others  d = (x_1 - x_0) / max|x_1 - x_0|, of the saved pictures; of LOTS too where it took several gradients
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.images.files import read_png
from onnxray.images.pixels import Pixels
from onnxray.methods.attack.line_search import Line, direction_of
from onnxray.methods.lots.lots import LOTS
from onnxray.objectives.goals import Own, TargetImages
from onnxray.results.loading import own_file, stored_document
from onnxray.web.work.bench import Bench, Desk
from onnxray.web.work.own_lines import is_on_own_line, own_scale
from onnxray.web.work.pictures import shown_change

_SAID_OF_PROFILES: Final = frozenset({
    "name", "labels", "logits", "features", "source", "assumed", "reasons",
})  # fmt: skip
"""What a profile says and no pixel depends on."""


def along(bench: Bench, *, model: int = 0, folder: str, item: int, scale: float) -> dict[str, Any]:
    """The picture at a scale, and what the judge says of it.

    Errors: InputError for an item without a picture before and after; OutputError for a damaged folder.
    """
    desk = bench.desk(model)
    line, own = desk.once(("along", folder, item), lambda: _line(desk, folder, item))
    if not 0 <= scale <= 65536:
        raise InputError(f"the scale is {scale!r}; a number from 0 to 65536 was expected")
    return {**shown_change(desk, line.origin, line.at(scale)), "scale": scale, "own": own}


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
    goal = _goal(place, entry, files)
    if goal is not None:
        method = LOTS(layer=str(entry["layer"]), metric=entry["metric"])
        return method.line(desk.model, Pixels.of(origin[None]), goal), float(own_scale(entry) or 0)
    direction = direction_of(_picture(place, files["image"]).astype(np.float64) - origin)
    if direction is None:
        raise InputError("nothing was changed, so there is no direction to go on in")
    return Line(origin, direction), float(own_scale(entry) or 0)


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


def _goal(place: Path, entry: dict[str, Any], files: dict[str, Any]) -> Own | TargetImages | None:
    """The goal of LOTS where one gradient was taken towards it; None of what else changed a picture."""
    if not is_on_own_line(entry):
        return None
    if entry["mode"] in {"inhibit", "magnify"}:
        return Own(mode=entry["mode"])
    return TargetImages(images=Pixels.of(_picture(place, files["target"])[None])) if "target" in files else None


def _picture(place: Path, name: object) -> NDArray[Any]:
    try:
        return read_png(own_file(place, name))
    except ValueError as error:
        raise InputError(str(error)) from None
