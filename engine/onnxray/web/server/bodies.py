"""What a browser sends, read within bounds: so many bytes, in so much time, of such a kind."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request

LARGEST_PICTURE: Final = 64 * 2**20
"""Bytes of a picture or an array that is dropped on the page."""
LARGEST_MODEL: Final = 512 * 2**20
"""Bytes of a model that is dropped; larger ones are named on the command line."""
LARGEST_QUESTION: Final = 2**18
_PATIENCE: Final = 20.0
"""Seconds that a sender may be silent for."""
_LONGEST: Final = 120.0
"""Seconds that a body may take altogether."""


class Refused(Exception):
    """A request that is not answered as it wishes: a status, and why, in one line."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


async def read_body(request: Request, most: int, *, patience: float = _PATIENCE, longest: float = _LONGEST) -> bytes:
    """All of a body. Errors: Refused with 413 where it is larger than ``most``, 408 where its sender is slow."""
    parts: list[bytes] = []
    async for part in _parts(request, most, patience, longest):
        parts.append(part)
    return b"".join(parts)


async def save_body(request: Request, place: Path, most: int, *, patience: float = _PATIENCE) -> int:
    """Write a body to a file as it comes. Gives its bytes. Errors: as for ``read_body``; the file is gone then.

    FileExistsError for a place that is another's, who keeps it.
    """
    count = 0
    with place.open("xb") as file:
        try:
            async for part in _parts(request, most, patience, _LONGEST):
                file.write(part)
                count += len(part)
            file.flush()
        except BaseException:
            place.unlink(missing_ok=True)
            raise
    return count


async def _parts(request: Request, most: int, patience: float, longest: float) -> Any:
    stated = request.headers.get("content-length", "")
    if stated.isdigit() and int(stated) > most:
        raise Refused(413, f"{int(stated)} bytes are sent; at most {most} are taken")
    end, count = asyncio.get_running_loop().time() + longest, 0
    more = True
    while more:
        try:
            left = end - asyncio.get_running_loop().time()
            message = await asyncio.wait_for(request.receive(), min(patience, max(left, 0.01)))
        except TimeoutError:
            raise Refused(408, "the body did not come in time") from None
        if message["type"] == "http.disconnect":
            raise Refused(400, "the body was cut off")
        body, more = message.get("body", b""), message.get("more_body", False)
        count += len(body)
        if count > most:
            raise Refused(413, f"more than {most} bytes are sent")
        yield body


async def read_question(request: Request) -> dict[str, Any]:
    """The JSON object that a question is. Errors: Refused with 415 and 400 for what is none."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refused(415, "a question is sent as application/json")
    try:
        question = json.loads(await read_body(request, LARGEST_QUESTION))
    except (ValueError, RecursionError):
        raise Refused(400, "the question is no JSON") from None
    if not isinstance(question, dict):
        raise Refused(400, "the question is no JSON object")
    return question
