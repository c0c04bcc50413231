"""How a climb went: a panel a part, a line an image, each told from the others where they are few."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from onnxray.report.synthesis_report import trace_figure, trace_plot


def result(count: int, *, penalty: bool, path: str | None = None, target: str = "logit of class {}") -> Any:
    """A run of ``count`` images: an objective by step, and its total where a penalty is taken off."""
    items = []
    for k in range(count):
        objective = tuple(float(k + step) for step in range(4))
        trace = {"objective": objective, "total": tuple(value - 0.5 * penalty for value in objective)}
        if penalty:
            trace["blur"] = (0.5,) * 4
        items.append(
            SimpleNamespace(trace=trace, written_trace=lambda trace=trace: trace, path=path, target=target.format(k))
        )
    return SimpleNamespace(items=tuple(items), provenance=SimpleNamespace(method={"name": "maximize"}, background=None))


@pytest.mark.parametrize("penalty", [False, True])
def test_the_total_has_a_panel_where_it_is_another_number(penalty: bool) -> None:
    shown = [panel.get_ylabel() for panel in trace_figure(result(2, penalty=penalty)).axes]
    assert shown == (["objective", "total", "blur"] if penalty else ["objective"])


@pytest.mark.parametrize("count", [2, 7])
def test_few_lines_have_names_and_colours_of_their_own(count: int) -> None:
    (panel,) = trace_figure(result(count, penalty=False, path="a/cat.jpg")).axes
    lines = panel.get_lines()
    assert [line.get_label() for line in lines] == [f"cat.jpg: logit of class {k}" for k in range(count)]
    assert len({line.get_color() for line in lines}) == count
    assert [np.asarray(line.get_ydata()).tolist() for line in lines] == [[k, k + 1, k + 2, k + 3] for k in range(count)]
    legend = panel.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [line.get_label() for line in lines]


@pytest.mark.parametrize("count", [1, 8, 30])
def test_one_line_needs_no_name_and_many_have_one_colour(count: int) -> None:
    (panel,) = trace_figure(result(count, penalty=False)).axes
    assert panel.get_legend() is None
    assert len({line.get_color() for line in panel.get_lines()}) == 1
    assert len(panel.get_lines()) == min(count, 24)


@pytest.mark.parametrize("target", ["_nolegend_", "$\\frac{{$ {}", "\u202e\x1b[31m", "\U0001f600", "x" * 5000])
def test_names_of_strangers_are_text(target: str) -> None:
    (panel,) = trace_figure(result(2, penalty=False, target=target)).axes
    legend = panel.get_legend()
    assert legend is not None
    assert len(legend.get_texts()) == 2
    assert all(len(text.get_text()) <= 60 for text in legend.get_texts())
    assert trace_plot(result(2, penalty=False, target=target)).startswith(b"\x89PNG")
