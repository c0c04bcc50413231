"""A page in headless Chromium: what a browser says of it, asks for, and shows."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def browser() -> str | None:
    """The browser of this machine; None where there is none."""
    return next((path for name in BROWSERS if (path := shutil.which(name)) is not None), None)


def seen(page: Path, folder: Path, *, width: int, dark: bool = False) -> tuple[str, str, Path]:
    """(the page's elements once it is loaded, what the browser logs of it, a picture of it)."""
    command = browser()
    assert command is not None
    picture = folder / f"{width}.png"
    scheme = ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"] if dark else []
    done = subprocess.run(
        [
            command, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
            "--disable-background-networking", "--no-first-run", "--mute-audio",
            f"--window-size={width},1600", f"--screenshot={picture}", "--dump-dom", *scheme, page.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True, env={**os.environ, "HOME": str(folder)},
    )  # fmt: skip
    return done.stdout, done.stderr, picture
