"""The page in Chromium, as people use it: nothing is logged as an error, and nothing is asked of anybody else."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the extra onnxray[web] is not installed")
pytest.importorskip("uvicorn", reason="the extra onnxray[web] is not installed")

import onnx

import onnxray
from conformance import zoo
from onnxray.images.pixels import save_png
from support import networks
from support.auditing import digits
from support.driven import Page, axe, driven, missing
from support.explored import explored, until

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))

FOUR, NINE = (digits(10)[k].path for k in (4, 9))


def opened(page: Page, address: str) -> None:
    page.driver.get(address)
    page.until("document.body.dataset.ready === 'model'")
    page.until("document.querySelector('#picture').dataset.ready")


def method(page: Page, path: str, **fields: str) -> None:
    page.click("#tab-methods")
    page.until("document.querySelector('#methods').dataset.ready")
    page.choose("#method", path)
    for name, value in fields.items():
        page.choose(f"#{name.replace('__', '-')}", value)


def ran(page: Page, run: str, state: str = "done") -> None:
    page.until(f"document.querySelector('#run-{run}').dataset.state === {state!r}", 120)
    page.until(f"document.querySelector('#run-{run}').dataset.ready")
    page.until(f"[...document.querySelectorAll('#run-{run} img')].every(one => one.complete && one.naturalWidth)")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")
def browser(place: Path) -> Iterator[Page]:
    """One browser for all tests of this file."""
    with driven(downloads=place) as found:
        yield found


@pytest.fixture(scope="module")
def page(place: Path, browser: Page) -> Iterator[Page]:
    """LeNet and two digits, on a page that most tests of this file go on with, in their order."""
    with explored("lenet", FOUR, NINE, folder=place) as server:
        opened(browser, server.whole)
        yield browser
        assert browser.logged() == []
        assert browser.asked_for() == {server.host}


@contextmanager
def tab(browser: Page) -> Iterator[Page]:
    """Another tab of it."""
    before = browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    try:
        yield browser
    finally:
        browser.driver.close()
        browser.driver.switch_to.window(before)


def test_the_page_is_open_and_the_token_is_gone_from_the_address(page: Page) -> None:
    assert "#" not in page.driver.current_url
    assert page.driver.title == "lenet.onnx – onnxray"
    assert page.driver.get_cookies()[0]["httpOnly"] is True
    assert page.run("return document.cookie") == "", "no script reads the key"
    classes = page.run("return [...document.querySelectorAll('#picture .classes th')].map(one => one.textContent)")
    assert classes[0] == "4"


def test_search_goes_to_the_node_and_shows_its_channels(page: Page) -> None:
    page.put("#search", "conv2")
    page.until("document.querySelector('#found').dataset.ready === 'conv2'")
    page.click("#found li")
    page.until("document.querySelector('#value').dataset.ready === 'conv2'")
    assert "50 channels, strongest first" in page.run("return document.querySelector('#value').textContent")
    page.until("document.querySelector('.tiles').naturalWidth > 100")
    page.click(".tiles")
    cell = page.until("document.querySelector('#value').dataset.cell")
    assert page.until("document.querySelector('.field-box').clientWidth > 5")
    assert len(cell.split(",")) == 3


def test_a_click_in_the_graph_chooses_what_is_there(page: Page) -> None:
    page.driver.find_element("id", "drawing").click()  # the middle, where the chain is drawn
    page.run("document.querySelector('#drawing').focus()")
    page.driver.switch_to.active_element.send_keys("\ue015")  # the arrow down
    page.until("document.querySelector('#spoken').textContent")
    assert int(page.run("return document.querySelector('#drawing').dataset.drawn")) > 5


def test_the_profile_is_changed_and_taken_back(page: Page) -> None:
    page.click("#tab-picture")
    before = page.run("return document.querySelector('#picture .classes .figure').textContent")
    page.choose("#profile-scale", "0.0005")
    page.until(f"document.querySelector('#picture .classes .figure').textContent !== {before!r}")
    page.run("[...document.querySelectorAll('.profile button')].at(-1).click()")
    page.until(f"document.querySelector('#picture .classes .figure').textContent === {before!r}")


def test_a_picture_is_dropped(page: Page, place: Path) -> None:
    page.run("document.querySelector('#choose').classList.remove('unseen')")
    page.driver.find_element("id", "choose").send_keys(str(digits(8)[7].path))
    page.until("document.querySelectorAll('.thumbs button').length === 3")
    page.until("document.querySelector('#picture .classes th').textContent === '7'")
    page.run("document.querySelector('.thumbs button').click()")
    page.until("document.querySelector('#picture .classes th').textContent === '4'")


def test_grad_cam_and_its_zip_are_the_command_lines(page: Page, place: Path) -> None:
    method(page, "saliency grad-cam", option__layer="conv2")
    page.click("#run")
    ran(page, "r1")
    page.run("document.querySelector('#run-r1 a[download]').click()")
    (found,) = until(lambda: [one for one in place.glob("*.zip") if zipfile.is_zipfile(one)])
    with zipfile.ZipFile(found) as file:
        name = next(name for name in file.namelist() if name.endswith("result.json"))
        document = json.loads(file.read(name))
    expected = onnxray.methods.GradCAM(layer="conv2")(onnxray.open("lenet"), [str(FOUR)])
    here = expected.to_dict()["items"]
    assert document["items"] == here
    assert page.run("return document.querySelector('#run-r1 .command code').textContent") == " ".join(
        document["command"]
    )


def test_lots_with_the_slider_and_the_judge(page: Page) -> None:
    method(page, "lots", option__layer="relu1")
    page.click("#run")
    ran(page, "r2")
    page.click("#run-r2 .along summary")
    page.until("document.querySelector('#run-r2 .along [data-ready]')")
    own = page.run("return document.querySelector('#run-r2 .along .classes th').textContent")
    assert own == "9", "at its own scale the goal is reached"
    page.choose("#run-r2 .along input", "0")
    page.until("document.querySelector('#run-r2 .along [data-ready=\"0\"]')")
    assert page.run("return document.querySelector('#run-r2 .along .classes th').textContent") == "4"


def test_an_inversion_grows_and_is_stopped(page: Page) -> None:
    method(page, "invert", option__layer="relu1", option__steps="1000000")
    page.click("#run")
    page.until("document.querySelector('#run-r3 .growing img').naturalWidth")
    page.driver.refresh()  # the tab is closed in the middle, and opened again
    page.until("document.querySelector('#picture').dataset.ready")
    page.click("#tab-runs")
    page.until("document.querySelector('#run-r3 .growing img').naturalWidth")
    page.click("#run-r3 .stop")
    ran(page, "r3", "stopped")
    page.run("document.querySelector('#run-r2').open = true")
    ran(page, "r2")
    assert "the best so far" in page.run("return document.querySelector('#run-r3').textContent")


def test_two_pictures_side_by_side_and_their_difference(page: Page) -> None:
    page.run("document.querySelector('#run-r2 button[title^=Lay]').click()")
    page.until("document.querySelector('#compare').dataset.ready")
    page.run("[...document.querySelectorAll('#run-r2 button[title^=Lay]')][1].click()")
    page.until("document.querySelector('#compare .three').dataset.ready === 'difference'")
    assert "L∞" in page.run("return document.querySelector('#compare').textContent")


def test_what_is_wrong_is_said_and_nothing_breaks(page: Page) -> None:
    method(page, "attack pgd", target="no such class")
    page.click("#run")
    page.until("document.querySelector('#run-r4').dataset.state === 'failed'")
    assert "no such class" in page.run("return document.querySelector('#run-r4').textContent")
    method(page, "attack pgd", option__steps="0")
    page.run("document.querySelector('#run').form.noValidate = true")
    page.click("#run")
    page.until(
        "document.querySelector('#message:not([hidden])') || document.querySelector('#run-r5').dataset.state === 'failed'"
    )
    page.logged()  # a refusal is logged by the browser as one


def test_what_is_verified_stands_at_the_node(page: Page) -> None:
    page.put("#search", "conv2")
    page.until("document.querySelector('#found').dataset.ready === 'conv2'")
    page.click("#found li")
    page.until("document.querySelector('#value').dataset.node === '2'")
    page.click("#verify")
    page.until(
        "[...document.querySelectorAll('.run')].some(one => one.textContent.startsWith('verify') && one.dataset.ready)"
    )
    page.until("document.querySelector('#value').textContent.includes('agrees, relative difference')")


def newest(page: Page) -> str:
    """The key of the run that was begun last."""
    return str(page.until("document.querySelector('#cards .run').id.slice(4)"))


def started(page: Page) -> str:
    before = page.run("return document.querySelectorAll('#cards .run').length")
    page.run("document.querySelector('#run').click()")
    page.until(f"document.querySelectorAll('#cards .run').length > {before}")
    return newest(page)


def test_lots_is_slid_over_before_it_is_run(page: Page) -> None:
    method(page, "lots", option__layer="relu1")
    page.click("#live summary")
    page.until("document.querySelector('#live').dataset.tried")
    verdicts = {}
    for scale in ("0", "250"):
        page.choose("#live-slider", scale)
        page.until(f"document.querySelector('#live').dataset.tried === {scale!r}")
        verdicts[scale] = page.run("return document.querySelector('#live .classes th').textContent")
    assert verdicts == {"0": "4", "250": "9"}
    page.run("document.querySelector('#live button').click()")
    run = started(page)
    ran(page, run)
    assert "--until linf --linf 250" in page.run(f"return document.querySelector('#run-{run} .command').textContent")
    assert page.run(f"return document.querySelector('#run-{run} .along input').value") == "250"


def test_an_attack_is_tried_at_each_eps(page: Page) -> None:
    method(page, "attack fgsm")
    page.click("#live summary")
    for eps in ("2", "60"):
        page.choose("#live-slider", eps)
        page.until(f"document.querySelector('#live').dataset.tried === {eps!r}")
        assert f"L∞ {eps}," in page.run("return document.querySelector('#live').textContent")
    assert page.run("return document.querySelector('#option-eps').value") == "60", "it is the form's own eps"
    page.choose("#target", "no such class")
    page.until("document.querySelector('#live').textContent.includes('no such class')")


def test_an_attack_shows_its_picture_while_it_runs(page: Page) -> None:
    method(page, "attack pgd", option__steps="100000", target="9")
    run = started(page)
    page.until(f"document.querySelector('#run-{run} .growing img').naturalWidth")
    page.click(f"#run-{run} .stop")
    page.until(f"['stopped', 'failed'].includes(document.querySelector('#run-{run}').dataset.state)")


def test_files_are_chosen_where_a_method_takes_them(page: Page) -> None:
    method(page, "attack transfer", option__setting="steps=4; eps=60")
    assert page.run("return document.querySelectorAll('#option-from_ option').length") == 1, "itself is no other model"
    page.driver.find_element("id", "choose").send_keys(str(onnxray.open("lenet").graph.path))
    page.until("document.querySelectorAll('#option-from_ option').length === 2")
    assert page.run("return document.querySelector('#option-setting').value") == "steps=4; eps=60", (
        "what was filled in stays"
    )
    page.choose("#option-from_", page.run("return document.querySelectorAll('#option-from_ option')[1].value"))
    run = started(page)
    ran(page, run)
    typed = page.run(f"return document.querySelector('#run-{run} .command').textContent")
    assert "dropped-" in typed
    assert "--setting steps=4 --setting eps=60" in typed
    page.run(f"document.querySelector('#run-{run} button[title^=Take]').click()")
    page.until("document.querySelector('#picture:not([hidden])')")
    page.until("document.querySelector('.thumbs [aria-checked=true]').textContent.includes('attack transfer')")
    method(page, "attack universal", option__epochs="1")
    assert page.run("return document.querySelector('#all-pictures').checked") is True
    page.run("document.querySelector('#option-held_out input').click()")
    run = started(page)
    page.until(f"document.querySelector('#run-{run}').dataset.state === 'failed'")
    assert "is held out, and a universal perturbation is made of the same picture" in page.run(
        f"return document.querySelector('#run-{run}').textContent"
    )


@pytest.mark.skipif(axe() is None, reason="axe-core is not there: npm install axe-core")
@pytest.mark.parametrize("tab", ["picture", "value", "methods", "runs", "compare"])
def test_axe_finds_no_serious_fault(page: Page, tab: str) -> None:
    page.click(f"#tab-{tab}")
    for theme in ("light", "dark"):
        page.until(
            f"document.documentElement.dataset.theme === {theme!r} || (document.querySelector('#theme').click(), false)"
        )
        assert page.faults() == []
    page.click("#theme")


def test_a_second_browser_is_refused_and_told_why(page: Page) -> None:
    address, (cookie,) = page.driver.current_url, page.driver.get_cookies()
    page.driver.delete_all_cookies()
    with tab(page) as other:
        other.driver.get(address)
        other.until("document.querySelector('#message:not([hidden])')")
        said = other.run("return document.querySelector('#message').textContent")
    assert "the browser that opened its address first" in said
    page.driver.add_cookie(cookie)
    page.logged()


WIDE_FORMS = """
    const [select, panel] = [document.querySelector('#method'), document.querySelector('#methods')];
    const wide = [];
    for (const option of select.options) {
      select.value = option.value;
      select.dispatchEvent(new Event('change', { bubbles: true }));
      for (const one of panel.querySelectorAll('details:not(#live)')) one.open = true;
      if (panel.scrollWidth > panel.clientWidth) wide.push(option.value);
    }
    return wide;
"""
"""The methods whose forms, with all that they have, are wider than there is room."""


@pytest.mark.parametrize(("width", "dark"), [(390, False), (1280, True)])
def test_nothing_hangs_over(page: Page, width: int, dark: bool) -> None:
    page.size(width, 844, dark=dark)
    page.until(f"document.documentElement.dataset.theme === '{'dark' if dark else 'light'}'")
    for tab in ("picture", "methods", "value", "runs", "compare"):
        page.click(f"#tab-{tab}")
        assert page.run("return document.documentElement.scrollWidth - innerWidth") <= 0, tab
        if tab == "methods":
            assert page.run(WIDE_FORMS) == []
    ground = page.run("return getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(21, 23, 27)") is dark


@pytest.mark.slow
def test_a_model_that_cannot_be_opened_is_said_on_the_page(browser: Page, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"\x08\xff" * 30)
    with explored(tmp_path / "broken.onnx", folder=tmp_path) as server, tab(browser) as page:
        page.driver.get(server.whole)
        page.until("document.querySelector('#message:not([hidden])')")
        assert "broken.onnx" in page.run("return document.querySelector('#message').textContent")


def test_names_of_a_hostile_file_are_text_on_the_page(browser: Page, tmp_path: Path) -> None:
    name = "<img src=x onerror=document.title='owned'>"
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (float[1, 4] v0) => (float[1, 4] v2) { v1 = Relu(v0) v2 = Neg(v1) }"""
    proto = onnx.parser.parse_model(text)
    proto.graph.node[0].name = proto.graph.node[0].output[0] = proto.graph.node[1].input[0] = name
    onnx.save(proto, tmp_path / "hostile.onnx")
    np.save(tmp_path / "row.npy", np.ones((1, 4), np.float32))
    with explored(tmp_path / "hostile.onnx", tmp_path / "row.npy", folder=tmp_path) as server, tab(browser) as page:
        opened(page, server.whole)
        page.put("#search", "img")
        page.until("document.querySelector('#found').dataset.ready === 'img'")
        page.click("#found li")
        page.until("document.querySelector('#value').dataset.ready")
        assert name in page.run("return document.querySelector('#value').textContent")
        assert page.run("return document.querySelectorAll('#value img, #found img').length") == 0
        assert page.driver.title == "hostile.onnx – onnxray"
        assert page.logged() == []


def looked_into(page: Page, address: str, layer: str) -> None:
    """Open, choose a layer, look at a cell, run Grad-CAM there, slide LOTS, stop an inversion, take its zip."""
    opened(page, address)
    page.put("#search", layer)
    page.until(f"document.querySelector('#found').dataset.ready === {layer!r}")
    page.click("#found li")
    value = page.until("document.querySelector('#value').dataset.ready")
    page.until("document.querySelector('.tiles').naturalWidth > 50")
    page.click(".tiles")
    page.until("document.querySelector('#value').dataset.cell")
    method(page, "saliency grad-cam")
    ran(page, started(page))
    method(page, "lots", option__layer=value, target__picture="inhibit")
    page.click("#live summary")
    page.choose("#live-slider", "8")
    page.until("document.querySelector('#live').dataset.tried === '8'")
    assert "grey levels" in page.run("return document.querySelector('#live').textContent")
    page.run("document.querySelector('#live button').click()")
    run = started(page)
    ran(page, run)
    page.click(f"#run-{run} .along summary")
    page.until(f"document.querySelector('#run-{run} .along [data-ready=\"8\"]')")
    method(page, "invert", option__layer=value, option__steps="1000000")
    run = started(page)
    page.until(f"document.querySelector('#run-{run} .growing img').naturalWidth")
    page.click(f"#run-{run} .stop")
    ran(page, run, "stopped")
    assert (
        page.run("return fetch(arguments[0]).then(one => one.blob()).then(one => one.size)", f"/runs/{run}/zip")
        > 10_000
    )
    assert page.logged() == []


@pytest.mark.slow
def test_a_vision_transformer(browser: Page, tmp_path: Path) -> None:
    model = networks.vit()
    onnx.save(model.graph.cut(["z"]), tmp_path / "vit.onnx")
    save_png(tmp_path / "waves.png", networks.picture(model))
    with explored(tmp_path / "vit.onnx", tmp_path / "waves.png", folder=tmp_path) as server, tab(browser) as page:
        looked_into(page, server.whole, "s1")


@pytest.mark.slow
@pytest.mark.skipif(not zoo.files(), reason="no models in ../shared/zoo, nor where ONNXRAY_ZOO says")
@pytest.mark.parametrize(("name", "layer"), [("fp32_from_fp16", "fire9/concat_1"), ("qdq_int8", "fire9/concat")])
def test_squeezenet_in_reals_and_in_8_bits(browser: Page, tmp_path: Path, name: str, layer: str) -> None:
    model = zoo.folder() / "squeezenet-v1.1-onnx" / f"squeezenet_v1.1_{name}.onnx"
    cat = zoo.folder() / "data-photos" / "cat.jpg"
    with explored(model, cat, folder=tmp_path) as server, tab(browser) as page:
        looked_into(page, server.whole, layer)
