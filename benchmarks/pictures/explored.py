"""Pictures of the page that ``onnxray explore`` serves, in Chromium: docs/explore.md."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image
from studio import DIGITS, Recipe, Studio

from support.driven import Page, driven, missing
from support.explored import explored

FOUR, NINE = "4_4.png", "9_9.png"


@contextmanager
def page_of(
    studio: Studio, *arguments: str, width: int = 1280, height: int = 820, dark: bool = False
) -> Iterator[Page]:
    """The page of a model and its pictures, open and asked about the first of them."""
    for name in (FOUR, NINE):
        shutil.copyfile(DIGITS / name, studio.folder / name)
    shutil.rmtree(studio.folder / "explored", ignore_errors=True)
    with (
        explored(*arguments, folder=studio.folder, inside=True) as server,
        driven(width, height, dark=dark) as page,
    ):
        page.driver.get(server.whole)
        page.until("document.querySelector('#picture').dataset.ready")
        yield page


def shot(studio: Studio, page: Page, name: str) -> None:
    """What is on the screen, once all pictures on it are loaded and nothing is asked any more."""
    page.until("document.body.dataset.waiting === '0'")
    page.until("[...document.images].filter(one => one.offsetParent).every(one => one.complete)")
    page.run("document.activeElement.blur()")
    page.driver.execute_async_script("setTimeout(arguments[0], 400)")
    studio.save(name, Image.open(io.BytesIO(page.driver.get_screenshot_as_png())).convert("RGB"))


def chosen(page: Page, text: str) -> None:
    """Search, and go to the first that is found."""
    page.put("#search", text)
    page.until(f"document.querySelector('#found').dataset.ready === {text!r}")
    page.click("#found li")
    page.until("document.querySelector('#value').dataset.ready")


def filled(page: Page, method: str, **fields: str) -> None:
    """Fill in a method's form."""
    page.click("#tab-methods")
    page.until("document.querySelector('#methods').dataset.ready")
    page.choose("#method", method)
    for name, value in fields.items():
        page.choose(f"#{name.replace('__', '-')}", value)


def tried(page: Page, value: str) -> None:
    """Open what is tried at once, slide there, and let it be seen beneath the form's own sliders."""
    page.click("#live summary")
    page.until("document.querySelector('#live').dataset.tried")
    page.choose("#live-slider", value)
    page.until(f"document.querySelector('#live').dataset.tried === {value!r}")
    page.run("document.querySelector('#live').scrollIntoView({ block: 'end' })")


def ran(page: Page, run: str, method: str, **fields: str) -> None:
    """Fill in a method's form, run it, and wait for its end."""
    filled(page, method, **fields)
    page.run("document.querySelector('#run').click()")
    page.until(f"document.querySelector('#run-{run}').dataset.ready", 300)


def photographs(studio: Studio) -> None:
    if (why := missing()) is not None:
        print(f"explore-*: left alone, {why}")
        return
    with page_of(studio, "squeezenet.onnx", "cat.jpg", "dog.jpg", "--profile", "caffe-imagenet") as page:
        shot(studio, page, "explore-picture.jpg")
        chosen(page, "fire4/concat")
        shot(studio, page, "explore-value.jpg")
        page.click("#value form button")
        page.until("document.querySelector('#value').dataset.cell")
        page.run("document.querySelector('.field-box').closest('figure').previousElementSibling.scrollIntoView()")
        shot(studio, page, "explore-cell.jpg")
        ran(page, "r1", "saliency grad-cam")
        ran(page, "r2", "saliency grad-cam++", target="281")
        page.run("document.querySelector('#run-r1 button[title^=Lay]').click()")
        page.run("document.querySelector('#run-r2 button[title^=Lay]').click()")
        page.until("document.querySelector('#compare .three').dataset.ready === 'difference'")
        shot(studio, page, "explore-compare.jpg")
        filled(page, "invert", option__layer="fire5/concat_1", option__steps="400")
        page.run("document.querySelector('#run').click()")
        page.until("document.querySelector('#run-r3 .growing img').naturalWidth", 300)
        page.until(
            "document.querySelector('#run-r3 progress').value > 0.15 * document.querySelector('#run-r3 progress').max",
            300,
        )
        shot(studio, page, "explore-growing.jpg")
        page.click("#run-r3 .stop")
    with page_of(
        studio, "squeezenet.onnx", "dog.jpg", "--profile", "caffe-imagenet", width=390, height=844, dark=True
    ) as page:
        shot(studio, page, "explore-phone.jpg")


def digits(studio: Studio) -> None:
    if (why := missing()) is not None:
        print(f"explore-*: left alone, {why}")
        return
    with page_of(studio, "lenet", FOUR, NINE, height=1000) as page:
        chosen(page, "relu1")
        filled(page, "attack pgd")
        tried(page, "50")
        shot(studio, page, "explore-methods.png")
        filled(page, "lots", option__layer="relu1")
        tried(page, "250")
        shot(studio, page, "explore-lots.png")
        ran(page, "r1", "lots", option__layer="relu1")
        page.click("#run-r1 .along summary")
        page.until("document.querySelector('#run-r1 .along [data-ready]')")
        shot(studio, page, "explore-run.png")


PHOTOGRAPHS = ("picture", "value", "cell", "compare", "growing", "phone")
RECIPES = (
    Recipe(
        tuple(f"explore-{name}.jpg" for name in PHOTOGRAPHS), photographs,
        ("squeezenet.onnx", "cat.jpg", "dog.jpg"), ("selenium",),
    ),
    Recipe(("explore-methods.png", "explore-lots.png", "explore-run.png"), digits, packages=("selenium",)),
)  # fmt: skip
