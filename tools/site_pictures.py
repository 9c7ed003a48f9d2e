"""Looks at the site in Chromium: prints it, takes pictures of it, for a person and for the README.

`pdf PAGE FILE` prints a page. `look FOLDER [NAME...]` takes pictures of pages of `site/html` in
five ways: light, dark, as wide as a phone, printed, and without JavaScript. `readme` takes the two
pictures of the README, `docs/pictures/`. They need what `make site`, or `make site-pdf`, wrote.
"""

from __future__ import annotations

import argparse
import base64
import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

ROOT = Path(__file__).resolve().parents[1]
HTML, PICTURES = ROOT / "site" / "html", ROOT / "docs" / "pictures"
WIDE, PHONE, HEIGHT, LONGEST = 1200, 390, 900, 12_000
"""Of the window, in pixels; and of the longest picture that is taken."""
DARK = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
WAYS: dict[str, tuple[int, dict[str, Any], bool]] = {
    "light": (WIDE, {}, False),
    "dark": (WIDE, DARK, False),
    "phone": (PHONE, {}, False),
    "print": (WIDE, {"media": "print"}, False),
    "no-script": (WIDE, {}, True),
}
"""Width, emulated media, and whether scripts are off."""
LARGEST = 40_000
"""Bytes of a picture of the README."""


@contextmanager
def chromium() -> Iterator[Chrome]:
    """A headless Chromium with an empty profile."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found, driver = next(filter(None, map(shutil.which, names)), None), shutil.which("chromedriver")
    if not found or not driver:
        sys.exit("needs Chromium. Next: sudo apt-get install chromium chromium-driver")
    options = ChromeOptions()
    options.binary_location = found
    with tempfile.TemporaryDirectory() as profile:
        for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage",
                     "no-first-run", "disable-background-networking", "hide-scrollbars",
                     "allow-file-access-from-files", f"user-data-dir={profile}"):  # fmt: skip
            options.add_argument(f"--{flag}")
        browser = Chrome(options=options, service=Service(driver))
        try:
            yield browser
        finally:
            browser.quit()


def open_page(browser: Chrome, page: Path, way: str = "light") -> None:
    """Open a page in one of `WAYS`."""
    width, media, no_script = WAYS[way]
    size = {"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": width == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []} | media)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": no_script})
    browser.get(page.as_uri())


def picture_of(browser: Chrome, clip: dict[str, float]) -> Image.Image:
    """A picture of a part of the open page, wherever it stands."""
    options = {"captureBeyondViewport": True, "clip": {**clip, "scale": 1}}
    answer = browser.execute_cdp_cmd("Page.captureScreenshot", options)
    return Image.open(io.BytesIO(base64.b64decode(answer["data"])))


def whole_page(browser: Chrome) -> dict[str, float]:
    """The clip of the whole open page, at most `LONGEST` high."""
    size = browser.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
    return {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], LONGEST)}


def look(folder: Path, names: list[str]) -> None:
    """Take pictures of pages, all unless named, in all ways."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = [HTML / f"{name}.html" for name in names] or sorted(HTML.glob("*.html"))
    with chromium() as browser:
        for page in pages:
            for way in WAYS:
                open_page(browser, page, way)
                file = folder / f"{page.stem}-{way}.png"
                picture_of(browser, whole_page(browser)).save(file)
                print(file)


def print_page(page: Path, file: Path) -> None:
    """Print a page as PDF."""
    with chromium() as browser:
        browser.get(page.resolve().as_uri())
        options = {"printBackground": False, "preferCSSPageSize": True}
        answer = browser.execute_cdp_cmd("Page.printToPDF", options)
    file.write_bytes(base64.b64decode(answer["data"]))
    print(f"{file}: {file.stat().st_size:,} bytes")


def for_readme() -> None:
    """Take the pictures of the README: a card of a check, and the top of a lab's page."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        open_page(browser, HTML / "lab1_mnist.html")
        picture = picture_of(browser, {"x": 0, "y": 0, "width": WIDE, "height": 760})
        save_small(picture.resize((840, 532)), PICTURES / "page.png")
        browser.execute_script(
            "for (const b of document.querySelectorAll('.toggle-button')) b.click()"
        )
        box = browser.execute_script(
            "const r = document.querySelector('.failing .litcourse-card').getBoundingClientRect();"
            "return {x: r.x + scrollX, y: r.y + scrollY, width: r.width, height: r.height}"
        )
        save_small(picture_of(browser, box), PICTURES / "card.png")


def save_small(picture: Image.Image, file: Path) -> None:
    """Save a picture with few colours.

    Raises:
        SystemExit: it is too large for a README.
    """
    picture.convert("RGB").quantize(32).save(file, optimize=True)
    if file.stat().st_size > LARGEST:
        sys.exit(f"{file} has {file.stat().st_size:,} bytes, more than {LARGEST:,}: show less")
    print(f"{file}: {file.stat().st_size:,} bytes")


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("action", choices=("pdf", "look", "readme"))
    parser.add_argument("arguments", nargs="*")
    given = parser.parse_args()
    if given.action == "pdf":
        page, file = map(Path, given.arguments)
        print_page(page, file)
    elif given.action == "look":
        look(Path(given.arguments[0]), given.arguments[1:])
    else:
        for_readme()


if __name__ == "__main__":
    main()
