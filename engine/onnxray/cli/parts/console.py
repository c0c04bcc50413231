"""Where the commands print their tables: consoles on which text is text, whatever it holds.

Strings are never read as markup and never reach a terminal with their control characters; what is ours to colour is a
:func:`line` of parts.
"""

from __future__ import annotations

import sys
from typing import Any, final

from rich.console import Console
from rich.text import Text

from onnxray.errors.shown_text import terminal

_LONGEST = 8000
_WIDEST = 20_000


@final
class PlainConsole(Console):
    """A console that shows every string as it is: in what is printed, in cells, heads and titles of tables."""

    def render_str(self, text: str, **options: Any) -> Text:
        """The one way that a string takes into what rich draws."""
        return super().render_str(terminal(text, _LONGEST), **{**options, "markup": False, "emoji": False})


def line(*parts: str | tuple[str, str]) -> Text:
    """Text of parts: a string, or a string and its style."""
    pairs = ((part, "") if isinstance(part, str) else part for part in parts)
    return Text.assemble(*((terminal(text, _LONGEST), style) for text, style in pairs))


def table_console() -> Console:
    """Where tables go: standard output; as wide as they need where that is no terminal, so that nothing is cut."""
    return PlainConsole(highlight=False, width=None if sys.stdout.isatty() else _WIDEST)


def progress_console() -> Console:
    """Where progress is drawn: standard error."""
    return PlainConsole(stderr=True, highlight=False, soft_wrap=True)
