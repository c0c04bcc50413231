"""A page in one file: it loads nothing, and needs no network.

Its policy lets a browser use the style, and run the script if there is one, that stand in it, told by their hashes, and
show pictures that it holds itself; nothing else, whatever its texts say.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from importlib.resources import files

from onnxray.errors.shown_text import html_text


def whole_page(title: str, body: Iterable[str], *, styles: Sequence[str], scripts: Sequence[str] = ()) -> bytes:
    """The page. body: HTML whose texts went through ``html_text``; styles, scripts: files of this folder, by name, each
    kind joined into one.
    """
    style, code = ("".join(map(_own, names)) for names in (styles, scripts))
    runs = "" if not scripts else f" script-src '{_hash(code)}';"
    policy = f"default-src 'none'; img-src data:; style-src '{_hash(style)}';{runs} base-uri 'none'; form-action 'none'"
    parts = [
        "<!doctype html>", '<html lang="en">', "<head>", '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{html_text(policy)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{html_text(title)}</title>", f"<style>{style}</style>", "</head>", "<body>", "<main>", *body,
        "</main>", *([] if not scripts else [f"<script>{code}</script>"]), "</body>", "</html>", "",
    ]  # fmt: skip
    return "\n".join(parts).encode()


def _own(name: str) -> str:
    return files("onnxray.report.page").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
