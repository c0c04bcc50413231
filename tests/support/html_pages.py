"""What a notebook is given, read by a parser: whether it is well formed, and what it may not hold."""

from __future__ import annotations

from html.parser import HTMLParser

TAGS = frozenset(
    {
        "div", "img", "figure", "figcaption", "table", "thead", "tbody", "tr", "th", "td", "details", "summary",
    }
)  # fmt: skip
ATTRIBUTES = frozenset({"style", "src", "alt", "width"})
VOID = frozenset({"img"})


class Page(HTMLParser):
    """faults: what is wrong with it; text: what is read of it; pictures: their sources."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.text = ""
        self.pictures: list[str] = []
        self.alternatives: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        self.faults += [f"{tag} is not closed" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.faults.append(f"<{tag}>")
        for name, value in attrs:
            if name not in ATTRIBUTES or value is None:
                self.faults.append(f"attribute {name}={value!r}")
            elif name == "src":
                self.pictures.append(value)
                if not value.startswith("data:image/png;base64,"):
                    self.faults.append(f"from elsewhere: {value[:80]}")
            elif name == "alt":
                self.alternatives.append(value)
            elif name == "style" and ("url" in value or "expression" in value):
                self.faults.append(f"style {value}")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing of its own")

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.faults.append("a comment")

    def handle_decl(self, decl: str) -> None:
        self.faults.append("a declaration")
