"""A picture is shown in the cell of a notebook, else in the viewer of the system, else one line says what to do."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
from PIL import Image, ImageShow

from onnxray.errors import OutputError
from onnxray.notebooks.surroundings import show_picture

PICTURE = Image.new("L", (2, 2))


def test_a_notebook_displays_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    ipython, display = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    display.display = seen.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    show_picture(PICTURE)
    assert seen == [PICTURE]


@pytest.mark.parametrize("there", [True, False])
def test_elsewhere_the_viewer_does(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageShow, "show", lambda image: there)
    if there:
        show_picture(PICTURE)
        return
    with pytest.raises(OutputError, match=r"result\.sheet\(\)\.save"):
        show_picture(PICTURE)
