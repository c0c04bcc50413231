"""Whether somebody looks at a notebook, and a picture shown to whoever looks."""

from __future__ import annotations

import sys
from typing import Any

from onnxray.errors import OutputError


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook (Jupyter, Colab, VS Code): an IPython with an ipykernel."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


def show_picture(picture: Any) -> None:
    """Show a PIL image: in the output of a notebook's cell, else in the viewer of the system.

    Errors: OutputError where there is no viewer.
    """
    if in_notebook():
        from IPython.display import display

        display(picture)
        return
    from PIL import ImageShow

    if not ImageShow.show(picture):
        raise OutputError("no picture viewer is known on this system; save it: result.sheet().save('sheet.png')")
