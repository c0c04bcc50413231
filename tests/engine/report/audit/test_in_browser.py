"""report.html in headless Chromium: nothing is logged or asked for, every picture is shown, nothing is cut off."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image

import onnxray
from support.auditing import digits
from support.browser import browser, seen

POLICY = 'policy = 1\nname = "unit"\n[[check]]\nuse = "file"\n[[check]]\nuse = "accuracy"\nmin = 0.999\n'
PROBE = """<script>
const told = {
  pictures: [...document.images].map(one => one.complete && one.naturalWidth > 0),
  asked: performance.getEntriesByType("resource").map(one => one.name).filter(name => !name.startsWith("data:")),
  wide: document.documentElement.scrollWidth - window.innerWidth,
};
document.documentElement.dataset.told = JSON.stringify(told);
</script>"""
"""Asks the page from inside; its own policy lets no script run, so that a copy is asked that has none."""

pytestmark = pytest.mark.skipif(browser() is None, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of an audit with a picture: one digit is labelled wrongly."""
    place = tmp_path_factory.mktemp("report")
    images = place / "pictures"
    images.mkdir()
    rows = []
    for number, one in enumerate(digits(6)):
        (images / one.path.name).write_bytes(one.path.read_bytes())
        rows.append(f"{one.path.name},{(int(str(one.label)) + (number == 0)) % 10}")
    (place / "labels.csv").write_text("\n".join(rows))
    (place / "policy.toml").write_text(POLICY)
    onnxray.audit("lenet", images, place / "policy.toml", labels=place / "labels.csv").save(place / "out")
    return place / "out" / "report.html"


def console(log: str) -> list[str]:
    """What a page had logged."""
    return [line for line in log.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize(("width", "dark"), [(390, False), (1280, True)])
def test_a_browser_shows_it_and_has_nothing_to_say(page: Path, tmp_path: Path, width: int, dark: bool) -> None:
    _, log, picture = seen(page, tmp_path, width=width, dark=dark)
    assert console(log) == []
    with Image.open(picture) as shown:
        corner = shown.convert("L").getpixel((2, 2))
    assert isinstance(corner, int)
    assert (corner < 80) is dark, "the ground is dark where the reader's desk is, and light elsewhere"


def test_from_inside_every_picture_is_loaded_nothing_is_asked_for_and_nothing_hangs_over(
    page: Path, tmp_path: Path
) -> None:
    text = page.read_text()
    open_ = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text).replace("</body>", f"{PROBE}</body>")
    (tmp_path / "open.html").write_text(open_)
    elements, _, _ = seen(tmp_path / "open.html", tmp_path, width=390)
    found = re.search(r'data-told="([^"]*)"', elements)
    assert found is not None
    told = json.loads(found[1].replace("&quot;", '"'))
    assert told["pictures"], "the mistakes are drawn"
    assert all(told["pictures"])
    assert told["asked"] == []
    assert told["wide"] <= 0


def test_what_such_a_page_would_ask_for_is_refused_and_told(page: Path, tmp_path: Path) -> None:
    """That the tests above can fail: the same page with a picture from elsewhere, and a script."""
    tampered = page.read_text().replace("</main>", '<img src="http://127.0.0.1:9/x.png"><script>1</script></main>')
    (tmp_path / "tampered.html").write_text(tampered)
    _, log, _ = seen(tmp_path / "tampered.html", tmp_path, width=390)
    told = " ".join(console(log))
    assert "img-src" in told
    assert "script-src" in told or "default-src" in told
