"""map.html in headless Chromium, worked with as a reader does: points are drawn, a lasso lists, keys move, nothing leaves."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.methods.features.tsne import TSNE
from onnxray.report.features.map_page import map_page
from onnxray.report.features.tsne_report import pictures
from support.browser import browser
from support.browser_session import Session, session
from support.feature_folders import digits

pytest.importorskip("sklearn")
pytestmark = pytest.mark.skipif(browser() is None, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers' maps of 40 digits."""
    place = tmp_path_factory.mktemp("map")
    method = TSNE(layer=("relu1", "pool1"), true_labels="folders", perplexity=8)
    result = method(onnxray.open("lenet"), str(digits(place / "digits", 4)))
    (place / "map.html").write_bytes(pictures(result)["map.html"])
    return place / "map.html"


@pytest.fixture(scope="module")
def opened(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with session(tmp_path_factory.mktemp("home")) as held:
        held.open(page.as_uri(), width=1280)
        held.ask("image.decode()")
        held.frame()
        yield held


@pytest.fixture(autouse=True)
def unmoved(opened: Session) -> None:
    """As it was opened."""
    opened.ask("views.forEach(view => view.fit()); list([]); shared.one = -1; colourBy('label')")
    opened.frame()


def box(opened: Session) -> list[float]:
    """Left, top, width and height of the first map."""
    found: list[float] = opened.ask(
        "(() => { const one = document.querySelector('canvas').getBoundingClientRect();"
        " return [one.x, one.y, one.width, one.height]; })()"
    )
    return found


def ink(opened: Session, view: int = 0) -> int:
    """How many pixels of a map are drawn on."""
    return int(
        opened.ask(
            f"(() => {{ const c = views[{view}].canvas; const d = c.getContext('2d')"
            ".getImageData(0, 0, c.width, c.height).data; let n = 0;"
            " for (let k = 3; k < d.length; k += 4) n += Number(d[k] > 0); return n; })()"
        )
    )


def count(opened: Session) -> str:
    return str(opened.ask("document.getElementById('count').textContent"))


def test_points_are_drawn_with_their_pictures_and_without(opened: Session) -> None:
    assert opened.ask("views.length") == 2
    with_pictures = [ink(opened, view) for view in (0, 1)]
    opened.ask("document.getElementById('thumbs').click()")
    opened.frame()
    dots = ink(opened)
    opened.ask("document.getElementById('thumbs').click()")
    opened.frame()
    assert min(with_pictures) > 40 * 100
    assert 40 * 16 < dots <= 40 * 36, "forty points of five pixels"


def test_a_lasso_lists_what_lies_in_it_and_no_more(opened: Session) -> None:
    x, y, wide, high = box(opened)
    path = [(0.1, 0.1), (0.55, 0.1), (0.55, 0.9), (0.1, 0.9)]
    opened.drag([(x + a * wide, y + b * high) for a, b in path], shift=True)
    places = opened.ask("all.map(place => views[0].at(place))")
    inside = [k for k, (px, py) in enumerate(places) if 0.1 < px / wide < 0.55 and 0.1 < py / high < 0.9]
    assert 0 < len(inside) < 40
    assert count(opened) == f"{len(inside)} of 40 pictures"
    assert opened.ask("[...shared.listed].sort((a, b) => a - b)") == inside
    assert opened.ask("document.getElementById('list').children.length") == len(inside)
    paths = opened.ask("document.getElementById('paths').value").split("\n")
    assert paths == [opened.ask(f"data.paths[{k}]") for k in inside]


def test_a_press_shows_the_picture_and_its_nearest_in_the_original_space(opened: Session) -> None:
    x, y, *_ = box(opened)
    px, py = opened.ask("views[0].at(7)")
    place = opened.ask(f"views[0].nearest({px}, {py}, 20)")
    opened.drag([(x + px, y + py)])
    assert opened.ask("shared.one") == place
    told = opened.ask("document.getElementById('picture').textContent")
    assert opened.ask(f"data.paths[{place}]") in told
    near = opened.ask(
        "[...document.querySelectorAll('#near .near')].map(one => [...one.querySelectorAll('button')].map(b => b.title))"
    )
    expected = opened.ask(f"data.layers.map(layer => [...layer.near({place})].map(other => data.paths[other]))")
    assert near == expected
    assert [len(one) for one in near] == [5, 5]


def test_keys_do_what_a_mouse_does(opened: Session) -> None:
    opened.ask("document.querySelector('canvas').focus()")
    before = opened.ask("[views[0].scale, views[0].x]")
    opened.press("+")
    opened.press("ArrowRight")
    after = opened.ask("[views[0].scale, views[0].x]")
    assert after[0] == pytest.approx(1.25 * before[0])
    assert after[1] > before[1]
    opened.press("0")
    assert opened.ask("[views[0].scale, views[0].x]") == pytest.approx(before)
    opened.press("n")
    first = opened.ask("shared.one")
    opened.press("n")
    second = opened.ask("shared.one")
    assert len({-1, first, second}) == 3
    opened.press("p")
    assert opened.ask("shared.one") == first
    opened.press("l")
    assert count(opened) == "40 of 40 pictures"


def test_zooming_keeps_what_is_under_the_mouse(opened: Session) -> None:
    x, y, *_ = box(opened)
    before = opened.ask("views[0].at(3)")
    opened.call("Input.dispatchMouseEvent", type="mouseWheel", x=x + before[0], y=y + before[1], deltaX=0, deltaY=-300)
    opened.frame()
    assert opened.ask("views[0].scale") > 1.2
    assert opened.ask("views[0].at(3)") == pytest.approx(before, abs=1)


@pytest.mark.parametrize("kind", ["label", "prediction", "correct", "layer 1"])
def test_colours_tell_groups_and_a_legend_shows_one_alone(opened: Session, kind: str) -> None:
    opened.ask(f"(() => {{ const one = document.getElementById('colour'); one.value = '{kind}';"
               " one.dispatchEvent(new Event('change')); })()")  # fmt: skip
    opened.frame()
    colours = opened.ask("all.map(place => shared.colourOf(place))")
    if kind == "layer 1":
        assert len(set(colours)) > 20
        return
    groups = {"label": 10, "prediction": 10, "correct": 1}[kind]
    assert len(set(colours)) == groups
    assert opened.ask("document.querySelectorAll('#legend button').length") == groups
    opened.ask("document.querySelector('#legend button').click()")
    shown = opened.ask("all.filter(place => shared.shown(place)).length")
    assert shown == (40 if kind == "correct" else 4)


def test_layers_are_hidden_by_their_boxes(opened: Session) -> None:
    opened.ask("document.querySelectorAll('#layers input')[1].click()")
    assert opened.ask("open().length") == 1
    opened.ask("document.querySelectorAll('#layers input')[1].click()")
    assert opened.ask("open().length") == 2


def test_nothing_leaves_the_page_and_nothing_is_logged(opened: Session, page: Path) -> None:
    opened.ask("fetch('https://example.invalid/x').catch(() => null)")
    asked = [one for one in opened.requests if not one.startswith("data:")]
    assert asked == [page.as_uri()]
    said = " ".join(opened.logged)
    assert "https://example.invalid/x" in said, "its policy refuses what a script of it would ask for"
    own = ("example.invalid", "getImageData")  # of these tests
    assert [line for line in opened.logged if not any(word in line for word in own)] == []


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_it_fits_a_telephone_and_a_desk_on_dark_and_on_light(
    page: Path, tmp_path: Path, width: int, dark: bool
) -> None:
    with session(tmp_path) as held:
        held.open(page.as_uri(), width=width, dark=dark)
        held.frame()
        assert held.ask("document.documentElement.scrollWidth - innerWidth") <= 0
        ground = held.ask("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 200) is dark
        inks = held.ask("shared.inks.ink")
        assert inks == ("#f2f2f2" if dark else "#1a1a1a")
        assert held.ask("views.every(view => view.canvas.clientWidth > 250)")


def test_texts_of_strangers_are_texts_in_it(tmp_path: Path) -> None:
    from engine.report.features.test_map_page import item, known

    (tmp_path / "map.html").write_bytes(map_page([item(layer="<img src=x>")], known(), title="<img src=x>"))
    with session(tmp_path) as held:
        held.open((tmp_path / "map.html").as_uri(), width=800)
        held.ask("look(0); list([0, 1, 2])")
        assert held.ask("document.querySelectorAll('main img').length") == 0
        assert "</script><script>alert(1)</script>" in held.ask("document.getElementById('picture').textContent")
        assert held.logged == []


def test_ten_thousand_points_are_painted_in_time(tmp_path: Path) -> None:
    """Against a page of a tenth of them: what a frame takes grows no faster than the points do."""
    from engine.report.features.test_map_page import item

    def seconds(points: int) -> Any:
        path = [None] * points
        bare = {"path": path, "label": [str(k % 10) for k in range(points)], "prediction": None, "probability": None}
        (tmp_path / "map.html").write_bytes(map_page([item(points)], bare, title="maps"))
        with session(tmp_path) as held:
            held.open((tmp_path / "map.html").as_uri(), width=1280)
            held.ask("image.decode()")
            return np.median(
                held.ask(
                    "(async () => { const times = []; for (let k = 0; k < 20; k += 1) { views[0].x += 0.001;"
                    " const begun = performance.now(); views[0].paint(); await new Promise(requestAnimationFrame);"
                    " times.push(performance.now() - begun); } return times; })()"
                )
            )

    few, many = seconds(1000), seconds(10_000)
    assert many < 20 * max(few, 16)
