"""Bars: who gets one, who does not, and what stands in it."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import onnxray
from onnxray.errors import InputError, UnknownValue
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.saliency.perturbation.rise import RISE
from onnxray.notebooks.progress_bars import shown
from onnxray.notebooks.surroundings import in_notebook
from support import models


class Bar:
    """What tqdm is called with."""

    made: list["Bar"] = []  # noqa: RUF012

    def __init__(self, **options: Any) -> None:
        self.options, self.n, self.total, self.closed = options, 0, options["total"], False
        self.told: list[tuple[int, int, str]] = []
        Bar.made.append(self)

    def reset(self, total: int) -> None:
        self.n, self.total = 0, total

    def set_description_str(self, text: str, refresh: bool) -> None:
        self.text = text

    def update(self, count: int) -> None:
        self.n += count
        self.told.append((self.n, self.total, self.text))

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> list[Bar]:
    auto = ModuleType("tqdm.auto")
    auto.tqdm = Bar  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tqdm", ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", auto)
    monkeypatch.setattr(Bar, "made", [])
    return Bar.made


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    ipython = ModuleType("IPython")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)


def test_a_terminal_ipython_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not in_notebook()
    for shell in (None, SimpleNamespace()):
        ipython = ModuleType("IPython")
        ipython.get_ipython = lambda shell=shell: shell  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "IPython", ipython)
        assert not in_notebook()


def model() -> onnxray.Model:
    return onnxray.open(models.lenet(), models.GREY)


def test_a_bar_comes_unasked_in_a_notebook_alone(bars: list[Bar], monkeypatch: pytest.MonkeyPatch) -> None:
    Gradient()(model(), models.pictures(1))
    assert bars == []


def test_in_a_notebook_a_run_is_counted_to_its_end(bars: list[Bar], notebook: None) -> None:
    assert in_notebook()
    RISE(masks=40)(model(), models.pictures(2))
    (bar,) = bars
    assert bar.closed
    assert not bar.options["leave"]
    assert bar.told[-1][0] == bar.told[-1][1] > 1


def test_a_bar_is_asked_for_and_declined(bars: list[Bar], notebook: None) -> None:
    Gradient()(model(), models.pictures(1), progress=False)
    assert bars == []
    seen: list[int] = []
    Gradient()(model(), models.pictures(1), progress=lambda done, total, what: seen.append(done))
    assert seen
    assert bars == []
    onnxray.compare(model(), models.pictures(1), ["gradient"], progress=True, curve_steps=0)
    onnxray.check("gradient", model(), models.pictures(1), progress=True, curve_steps=0, noise_copies=0, weights="none")
    assert len(bars) == 2


def test_a_bar_goes_when_the_run_fails(bars: list[Bar]) -> None:
    with pytest.raises(UnknownValue):
        Gradient()(model(), models.pictures(1), "no such class", progress=True)
    assert [bar.closed for bar in bars] == [True]


def test_names_of_strangers_are_escaped_in_a_bar(bars: list[Bar]) -> None:
    with shown(True) as tick:
        assert tick is not None
        tick(1, 2, "\x1b[31m\u202e" + "n" * 500)
    ((done, total, text),) = bars[0].told
    assert (done, total) == (1, 2)
    assert len(text) < 120
    assert text.startswith("\\x1b[31m\\u202e")


def test_without_tqdm_a_notebook_is_silent_and_who_asks_is_told(
    notebook: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    Gradient()(model(), models.pictures(1))
    with pytest.raises(InputError, match=r"pip install onnxray\[notebooks\]"):
        Gradient()(model(), models.pictures(1), progress=True)


def test_tqdm_itself_draws_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    with shown(True) as tick:
        assert tick is not None
        tick(1, 4, "masks")
    assert capsys.readouterr().out == ""
