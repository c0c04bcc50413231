"""What is sent back: JSON of whatever text there is, and one line for whatever goes wrong."""

from __future__ import annotations

import json
from typing import Any, Final, final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from onnxray.errors.shown_text import one_line
from onnxray.web.server.bodies import Refused

FAULTS: Final = (
    ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
"""What is no answer of ours: a full disk, a folder that is gone, or a mistake. One line of each reaches the page."""


@final
class Answer(JSONResponse):
    """JSON in ASCII: names of files may hold what no UTF-8 can, and one of them must not take the others along."""

    def render(self, content: Any) -> bytes:
        """The bytes. Errors: ValueError for numbers that are none."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


async def refused(_: Request, error: Exception) -> Response:
    """A refusal of ours, with its status; 400 where the worker says it."""
    status = error.status if isinstance(error, Refused) else 400
    headers = {"connection": "close"} if status in {408, 413} else None
    return Answer({"error": one_line(str(error))}, status, headers)


async def faulty(_: Request, error: Exception) -> Response:
    """What went wrong here, by its kind; of files what the system says, and not where they are."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else f"{type(error).__name__}: {error}"
    return Answer({"error": one_line(f"onnxray explore could not do this: {said}")}, 500, {"connection": "close"})


async def missing(_: Request, error: Exception) -> Response:
    """A path that there is not, or not by this method."""
    status = getattr(error, "status_code", 404)
    return Answer({"error": "there is nothing there" if status == 404 else "no such method"}, status)
