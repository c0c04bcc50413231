"""A hook of mkdocs (``make docs``): pages of docs/ that mkdocs.yml does not place stand under "More"."""

from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Place the pages that are not placed."""
    folder = Path(config["docs_dir"])
    placed = set(_files(config["nav"]))
    more = sorted(str(page.relative_to(folder)) for page in folder.rglob("*.md"))
    rest = [page for page in more if page not in placed]
    if rest:
        config["nav"].append({"More": rest})
    return config


def _files(part: Any) -> list[str]:
    if isinstance(part, str):
        return [part]
    parts = part.values() if isinstance(part, dict) else part
    return [name for one in parts for name in _files(one)]
