"""What a browser makes of a page: how it is opened, and what is asked of every page."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SCRIPT = Path(__file__).with_suffix(".js").read_text("utf-8")

WIDTHS, HEIGHT = (1280, 390), 900
SCHEMES = ("light", "dark")
LOOKS = [(scheme, width) for scheme in SCHEMES for width in WIDTHS]
"""Every way in which a page is looked at: colour scheme, and pixels of the window."""

INTERACTIVE = {"button", "checkbox", "combobox", "link", "listbox", "radio", "searchbox", "slider", "spinbutton"}
INTERACTIVE |= {"textbox", "region", "image", "img", "group"}
"""Roles of what needs a name, to whoever cannot see it."""


@contextmanager
def opened(browser: Any, address: str, scheme: str = "light", width: int = 1280) -> Iterator[Any]:
    """A page as Playwright's ``Page``; no message in its console may be a warning or an error."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": HEIGHT})
    context.set_default_timeout(20_000)
    page = context.new_page()
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text) if message.type in ("warning", "error") else None)
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("requestfailed", lambda request: messages.append(f"{request.url[:100]}: {request.failure}"))
    try:
        page.goto(address)
        page.wait_for_load_state("networkidle")
        page.evaluate(SCRIPT)  # by the debugger, which no policy of the page stops
        yield page
        assert messages == []
    finally:
        context.close()


def downloaded(page: Any, words: str) -> bytes:
    """The PNG that the page for people gives, once it says that it shows these images."""
    page.get_by_role("status").filter(has_text=words).wait_for()
    page.locator("section[aria-busy=false]").wait_for()
    assert page.locator("#picture").get_attribute("alt") == words
    with page.expect_download() as download:
        page.get_by_text("Download PNG").click()
    return Path(download.value.path()).read_bytes()


def pixels(png: bytes) -> NDArray[np.uint8]:
    """[H, W, 3] of a PNG."""
    return np.asarray(Image.open(BytesIO(png)).convert("RGB"))


def keep_screenshot(page: Any, name: str) -> None:
    """Keep a picture of the whole page, to look at, in the directory ``$SCREENSHOTS``, if that is set."""
    if directory := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(directory) / f"{name}.png", full_page=True)


def check_contrast(page: Any) -> None:
    """WCAG 2.1 AA: text 4.5:1, lines and edges of controls 3:1."""
    found = page.evaluate("rendered.contrasts()")
    assert len(found) >= 2
    assert [each for each in found if each[1] < each[2]] == []


def check_width(page: Any) -> None:
    """Nothing reaches beyond the window's right edge."""
    assert page.evaluate("rendered.overflowing()") == []


def check_images(page: Any) -> None:
    """Every image was loaded and decoded."""
    assert page.evaluate("document.images.length + document.querySelectorAll('canvas').length") > 0
    assert page.evaluate("rendered.broken()") == []


def check_names(page: Any) -> None:
    """The browser's own accessibility tree has a name for whatever can be used or looked at."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    roles = [
        (node["role"]["value"], node.get("name", {}).get("value", "").strip()) for node in nodes if not node["ignored"]
    ]
    assert [role for role, name in roles if role in INTERACTIVE and not name] == []


def check_keyboard(page: Any) -> None:
    """The tabulator comes by everything that can be used, and each time it is seen where it is."""
    page.evaluate("document.activeElement?.blur()")
    places = page.evaluate("rendered.reachable()")
    seen = []
    for _ in range(places):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("rendered.focus()"))
    assert None not in seen, f"the keyboard comes by {seen.index(None)} of {places}"
    assert [each for each in seen if not each[1] or each[2] < 3] == []


CHECKS: dict[str, Callable[[Any], None]] = {
    re.sub("^check_", "", check.__name__): check
    for check in (check_contrast, check_width, check_images, check_names, check_keyboard)
}
