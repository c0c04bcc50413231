"""A method tried at once on one picture, into no folder: what the page shows while its options are being chosen.

LOTS      x(s) = round(clip(x_0 + s d, 0, 255)), its own line for target and layer; d is computed once
attacks   the attack itself with its options as they stand, given up where it takes long
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any, Final

from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.rerun.command import Command
from onnxray.errors import InputError, OnnxrayError
from onnxray.methods.attack.line_search import Line
from onnxray.methods.lots.lots import LOTS
from onnxray.objectives.goals import HotColdTargets, Own, TargetImages, TargetValues, read_values
from onnxray.web.work.bench import Bench, Desk
from onnxray.web.work.forms import Offered, is_tried, method_at
from onnxray.web.work.pictures import shown_change
from onnxray.web.work.running import command_of

LONGEST: Final = 8.0
"""Seconds from an attack's first step on."""
_MOST: Final = 65536
_AIMS: Final = ("own", "target", "target_values", "hot_cold")


def tried(bench: Bench, *, stale: Callable[[], bool], scale: float | None = None, **stated: Any) -> dict[str, Any]:
    """What a method gives of one picture, and what the judge says of it. stated: as for ``running.command_of``.

    stale: whether nobody waits for it any more. scale: of LOTS, how far to go along its line. Where it cannot be told,
    or not at once, ``reason`` says why. Errors: InputError for what the page does not offer.
    """
    if len(stated.get("pictures", ())) != 1:
        raise InputError("one picture is looked at; choose it first")
    one = method_at(stated["path"])
    if not is_tried(one):
        raise InputError(f"{one.method.name} is not tried at once; run it")
    desk, command = bench.desk(stated.get("model", 0)), command_of(bench, **stated)
    if one.method is LOTS and (scale is None or not 0 <= scale <= _MOST):
        raise InputError(f"the scale is {scale!r}; a number from 0 to {_MOST} was expected")
    try:
        if one.method is not LOTS:
            return _attacked(desk, one, command, stated, stale)
        line = _line(desk, _configured(one, command), stated["pictures"][0], command)
        return shown_change(desk, line.origin, line.at(float(scale or 0)))
    except OnnxrayError as error:
        return {"png": None, "reason": str(error)}


def _configured(one: Offered, command: Command) -> Any:
    names = {field.name for field in dataclasses.fields(one.method)}
    return one.method(**plain_options({name: value for name, value in command.values.items() if name in names}))


def _goal_of_lots(command: Command) -> Own | TargetImages | TargetValues | HotColdTargets:
    own, targets, values, hot_cold = (command.values[name] for name in _AIMS)
    if own:
        return Own(mode=own)
    if values is not None:
        return read_values(values)
    if hot_cold:
        return HotColdTargets(class_=hot_cold)
    if not targets:
        raise InputError("LOTS makes for a picture; choose one as the target")
    return TargetImages(images=tuple(targets))


def _line(desk: Desk, method: LOTS, picture: str, command: Command) -> Line:
    """The line of a method, computed once. Errors: those of LOTS, and for what is no picture."""
    pixels = desk.pixels(picture)
    if pixels.plain:
        raise InputError("this model's input is no picture, so there is none to look at; run it")
    aim = tuple(str(command.values[name]) for name in _AIMS)
    key = ("line", method.layer, method.wrt, method.metric, picture, *aim)
    return desk.once(key, lambda: method.line(desk.model, pixels, _goal_of_lots(command)))


def _attacked(
    desk: Desk, one: Offered, command: Command, stated: dict[str, Any], stale: Callable[[], bool]
) -> dict[str, Any]:
    begun: list[float] = []

    def look(_done: int, _total: int, _what: str) -> None:
        begun.append(time.monotonic())
        del begun[1:-1]
        if stale():
            raise InputError("another one is tried by now")
        if begun[-1] - begun[0] > LONGEST:
            raise InputError(f"it takes more than {LONGEST:g} s, so it is not tried at once; run it")

    targets = command.values.get("target")
    goal = None if not targets else targets[0] if len(targets) == 1 else tuple(targets)
    result = _configured(one, command)(
        desk.model, desk.pixels(stated["pictures"][0]), goal, seed=int(stated.get("seed", 0)), progress=look
    )
    item = result[0]
    if not {"origin", "image"} <= item.images.keys():
        raise InputError("no picture is changed, so there is none to look at; run it")
    found = shown_change(desk, item.images["origin"], item.images["image"])
    return {**found, "success": bool(item.success), "goal": item.goal}
