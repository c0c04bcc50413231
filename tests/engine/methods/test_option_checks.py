"""Options against their kinds and ranges: one statement beside the help text, read by the check and by --help."""

import copy
import dataclasses
import math
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_type_hints

import pytest
from typer.testing import CliRunner

from onnxray import methods as named
from onnxray.assess.maps.check import Check
from onnxray.cli.app import app
from onnxray.errors import InputError
from onnxray.methods.catalogue import methods
from onnxray.methods.option_checks import Range, check_choices, described
from onnxray.methods.synthesis.invert import Invert


@dataclass(frozen=True, kw_only=True)
class Options:
    steps: Annotated[int, "steps", Range(1, 100)] = 1
    often: Annotated[int | None, "how often", Range(2)] = None
    share: Annotated[float, "a share", Range(0.25, 0.75)] = 0.5
    most: Annotated[float, "how much", Range(1.0)] = 2.0

    def __post_init__(self) -> None:
        check_choices(self)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps is 0; a whole number from 1 to 100 was expected"),
        ({"steps": 101}, "steps is 101; a whole number from 1 to 100 was expected"),
        ({"steps": True}, "steps is True; a whole number was expected"),
        ({"steps": 2.0}, r"steps is 2\.0; a whole number was expected"),
        ({"often": 1}, "often is 1; a whole number from 2 was expected"),
        ({"often": "x"}, "often is 'x'; a whole number or None was expected"),
        ({"most": math.inf}, "most is inf; a number from 1 was expected"),
        ({"share": 0.2}, r"share is 0\.2; a number from 0\.25 to 0\.75 was expected"),
        ({"share": math.nan}, r"share is nan; a number from 0\.25 to 0\.75 was expected"),
    ],
)
def test_what_is_out_of_its_range_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Options(**options)


def test_the_ends_of_a_range_are_in_it() -> None:
    assert Options(steps=1, often=2, share=0.25).often == 2
    assert Options(steps=100, share=0.75).often is None


def ranged() -> list[tuple[type[Any], str, Any, Range]]:
    found = []
    for method in methods().values():
        hints = get_type_hints(method, include_extras=True)
        for field in dataclasses.fields(method):
            kind, _, limits = described(hints[field.name])
            if limits is not None:
                found.append((method, field.name, kind, limits))
    return found


@pytest.mark.parametrize(("method", "name", "kind", "limits"), ranged())
def test_every_method_holds_its_options_to_their_ranges(method: type[Any], name: str, kind: Any, limits: Range) -> None:
    whole = int in (get_args(kind) or (kind,))
    assert {type(limits.least)} | ({type(limits.most)} - {float} if limits.most == math.inf else {type(limits.most)}) == (
        {int} if whole else {float}
    )  # fmt: skip
    beyond = limits.least - 1 if whole else math.nextafter(limits.least, -math.inf)
    with pytest.raises(InputError, match=f"^{name} is .* {limits} was expected".replace("+", r"\+")):
        method(**{name: beyond})
    if limits.most < math.inf:
        beyond = limits.most + 1 if whole else math.nextafter(limits.most, math.inf)
        with pytest.raises(InputError, match=f"^{name} is "):
            method(**{name: beyond})


def test_help_shows_the_range() -> None:
    limits = described(get_type_hints(Invert, include_extras=True)["samples"])[2]
    assert str(limits) == "from 1 to 1000"
    told = CliRunner().invoke(app, ["invert", "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert "from different noise (from 1 to 1000)." in " ".join(told.output.split())


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("invert", "lenet", "--samples", "1001"), "samples is 1001; a whole number from 1 to 1000 was expected"),
        (("saliency", "occlusion", "lenet", "X", "--size", "0"), "size is 0; a whole number from 1 was expected"),
        (("apply", "lenet", "X", "--size", "0"), "size is 0; a whole number from 1 was expected"),
    ],
)
def test_what_is_out_of_range_on_the_command_line_ends_with_one_line(command: tuple[str, ...], message: str) -> None:
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 1
    assert f"onnxray: {message}" in refused.stderr


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: named.GradCAM("conv2"), "GradCAM was given 'conv2' without a name; GradCAM(layer=...); its options: "),
        (
            lambda: named.GradCAM(target_layers=["conv2"]),
            "no option 'target_layers'; did you mean 'layer'? its options",
        ),
        (lambda: named.SmoothGrad(sampels=3), "SmoothGrad has no option 'sampels'; did you mean 'samples'? "),
        (lambda: Check(), "Check needs method: Check(method=...); its options: curve_steps, "),
    ],
)
def test_what_a_method_cannot_be_configured_with_is_said_in_words(make: Callable[[], object], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        make()


def test_a_configured_method_is_pickled_copied_and_replaced() -> None:
    one = named.GradCAM(layer="conv2")
    assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == dataclasses.replace(one, layer="conv2") == one
