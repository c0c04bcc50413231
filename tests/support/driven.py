"""The page in a browser that is driven: what is clicked, waited for, logged and asked for."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.browser import browser
from support.paths import ROOT

AXE = "axe-core/axe.min.js"


def missing() -> str | None:
    """Why no browser can be driven here; None where one can."""
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium is not installed"
    if browser() is None or shutil.which("chromedriver") is None:
        return "there is no Chromium with its chromedriver on this machine"
    return None


def axe() -> Path | None:
    """axe-core, where npm has put it; None elsewhere."""
    places = (os.environ.get("NODE_PATH"), ROOT / "node_modules")
    return next((path for place in places if place and (path := Path(place) / AXE).is_file()), None)


class Page:
    """A page that is open."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def size(self, width: int, height: int, *, dark: bool = False) -> None:
        """Be a screen of this size, of a reader who likes it light or dark."""
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
        )

    def run(self, script: str, *given: object) -> Any:
        return self.driver.execute_script(script, *given)

    def until(self, script: str, within: float = 90) -> Any:
        """What an expression gives once it gives something; its errors count as nothing."""
        end = time.monotonic() + within
        while True:
            found = self.run(f"try {{ return {script}; }} catch {{ return null; }}")
            if found:
                return found
            said = self.run("return document.querySelector('#message:not([hidden])')?.textContent ?? ''")
            assert time.monotonic() < end, f"{script} did not come; the page says {said!r}; {self.logged()}"
            time.sleep(0.05)

    def click(self, selector: str) -> None:
        self.until(f"document.querySelector({selector!r})")
        self.driver.find_element("css selector", selector).click()

    def put(self, selector: str, text: str) -> None:
        """Write into a field, as a keyboard would."""
        field = self.driver.find_element("css selector", selector)
        field.clear()
        field.send_keys(text)

    def choose(self, selector: str, value: str) -> None:
        self.run(
            "const one = document.querySelector(arguments[0]); one.value = arguments[1];"
            "for (const name of ['input', 'change']) one.dispatchEvent(new Event(name, { bubbles: true }));",
            selector, value,
        )  # fmt: skip

    def logged(self) -> list[str]:
        """What the console holds since it was asked last."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def asked_for(self) -> set[str]:
        """The hosts of everything that was loaded."""
        return set(self.run("return performance.getEntriesByType('resource').map(one => new URL(one.name).host)"))

    def faults(self) -> list[str]:
        """What axe-core holds for a serious or critical fault."""
        source = axe()
        assert source is not None
        self.driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
        self.run(source.read_text(encoding="utf-8"))
        found = self.driver.execute_async_script(
            "axe.run(document, { resultTypes: ['violations'] }).then(arguments[arguments.length - 1])"
        )
        return [
            f"{one['id']}: {node['html'][:120]} {node.get('failureSummary', '')[:200]}"
            for one in found["violations"] if one["impact"] in {"serious", "critical"} for node in one["nodes"]
        ]  # fmt: skip


@contextmanager
def driven(
    width: int = 1280, height: int = 860, *, dark: bool = False, downloads: Path | None = None
) -> Iterator[Page]:
    """A headless Chromium of its own, of this size."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = browser() or ""
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                 "--disable-background-networking", "--no-first-run", "--force-color-profile=srgb"):  # fmt: skip
        options.add_argument(flag)
    options.add_argument(f"--window-size={width},{height}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if downloads is not None:
        options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        found = Page(driver)
        found.size(width, height, dark=dark)
        yield found
    finally:
        driver.quit()
