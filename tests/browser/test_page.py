"""The page for people, used as people do: a click, a key, a line that is copied to a terminal."""

import os
import shlex
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from rendered import CHECKS, SCRIPT, downloaded, opened


def commands(page: Any) -> list[str]:
    return [str(line) for line in page.locator("#commands code").all_inner_texts()]


def test_the_grid_follows_and_the_commands_make_the_same_images(
    browser: Any, pages: dict[str, str], studio: Any, tmp_path: Path
) -> None:
    with opened(browser, pages["server"]) as page:
        first = downloaded(page, "16 samples of plain:1, seed 7")
        assert commands(page)[1] == "ganzoo sample plain:1 -n 16 --seed 7 -o samples.png"
        page.get_by_label("Model").select_option("classes:1")
        page.get_by_label("Class").select_option("3")
        page.get_by_label("Seed", exact=True).fill("18446744073709551615")
        page.get_by_label("Images", exact=True).select_option("4")
        shown = downloaded(page, "4 samples of classes:1, seed 18446744073709551615, class 3")
        assert shown != first
        curl, sample = commands(page)
    subprocess.run(curl, shell=True, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "samples.png").read_bytes() == shown
    assert sample == "ganzoo sample classes:1 -n 4 --seed 18446744073709551615 --label 3 -o samples.png"
    studio.ganzoo(sample.removeprefix("ganzoo "))
    assert (studio.directory / "samples.png").read_bytes() == shown


def test_a_random_seed_is_shown_by_the_keyboard_alone(browser: Any, pages: dict[str, str]) -> None:
    with opened(browser, pages["server"]) as page:
        downloaded(page, "16 samples of plain:1, seed 7")
        page.get_by_label("Seed", exact=True).focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        seed = page.get_by_label("Seed", exact=True).input_value()
        assert seed != "7"
        downloaded(page, f"16 samples of plain:1, seed {seed}")


def test_what_cannot_be_is_said(browser: Any, pages: dict[str, str]) -> None:
    """By the browser; and what is put right is shown."""
    with opened(browser, pages["server"]) as page:
        downloaded(page, "16 samples of plain:1, seed 7")
        seed = page.get_by_label("Seed", exact=True)
        seed.fill("-1")
        page.locator("input:invalid").wait_for()
        seed.fill(str(2**64))
        page.locator("input:invalid").wait_for()
        assert seed.evaluate("input => input.validationMessage") == f"0 to {2**64 - 1}"
        seed.fill(str(2**64 - 1))
        downloaded(page, f"16 samples of plain:1, seed {2**64 - 1}")
        seed.fill("8")
        downloaded(page, "16 samples of plain:1, seed 8")


def test_a_line_is_copied(browser: Any, pages: dict[str, str]) -> None:
    with opened(browser, pages["server"]) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        downloaded(page, "16 samples of plain:1, seed 7")
        page.get_by_role("button", name="Copy the ganzoo command").click()
        page.get_by_role("button", name="Copied the ganzoo command").wait_for()
        assert page.locator("#said").inner_text() == "Copied the ganzoo command"
        assert page.evaluate("navigator.clipboard.readText()") == commands(page)[1]


def test_the_key_of_a_server_is_asked_for(browser: Any, studio: Any, tmp_path: Path) -> None:
    key, title = "s3cret", "16 samples of plain:1, seed 7"
    with studio.serving("plain", environment={"GANZOO_API_KEY": key}) as address, browser.new_context() as context:
        page = context.new_page()
        page.goto(address)
        page.evaluate(SCRIPT)
        for name in ("contrast", "width", "names"):
            CHECKS[name](page)
        page.get_by_label("The API key of this server").fill("another")
        page.keyboard.press("Enter")
        page.get_by_label("The server takes another API key").fill("s3cret\u201c")  # which no header can hold
        page.keyboard.press("Enter")
        page.get_by_label("The server takes another API key").fill(key)
        page.get_by_role("button", name="Continue").click()
        shown = downloaded(page, title)
        assert page.locator("dialog").count() == 0
        curl, _ = commands(page)
        assert key not in curl
        environment = {**os.environ, "GANZOO_API_KEY": key}
        subprocess.run(curl, shell=True, cwd=tmp_path, check=True, capture_output=True, env=environment)
        assert (tmp_path / "samples.png").read_bytes() == shown
        page.reload()
        downloaded(page, title)  # of the same tab it is not asked again
        other = context.new_page()
        other.goto(address)
        other.get_by_label("The API key of this server").press("Escape")
        other.get_by_text("this server asks for an API key: load the page again to give it").wait_for()


HOSTILE = """"'></option><img src=x onerror=alert(1)><script>alert(1)</script>"""


@pytest.fixture
def pretended(browser: Any, pages: dict[str, str]) -> Iterator[tuple[Any, list[str]]]:
    """The page over a server that lists one hostile model, and what is asked of it; every picture is one pixel."""
    model = {
        "name": HOSTILE,
        "version": None,
        "reference": None,
        "shape": [1, 8, 8],
        "latent_dim": 4,
        "device": "cpu",
        "class_names": [HOSTILE, "it's"],
        "controls": {"truncation": {"low": 0.5, "high": 1.5, "default": 1.0}},
        "urls": {kind: f"models/m/{kind}" for kind in ("sample", "interpolate")},
    }
    asked: list[str] = []
    pixel = BytesIO()
    Image.new("L", (1, 1)).save(pixel, "PNG")

    def answer(route: Any) -> None:
        asked.append(route.request.url)
        route.fulfill(body=pixel.getvalue(), content_type="image/png")

    with browser.new_context() as context:
        context.route("**/v1/models", lambda route: route.fulfill(json={"models": [model]}))
        context.route("**/v1/models/m/*", answer)
        page = context.new_page()
        page.on("dialog", lambda dialog: pytest.fail(f"a script of strangers ran: {dialog.message}"))
        page.goto(pages["server"])
        yield page, asked


def test_names_of_strangers_are_text(pretended: tuple[Any, list[str]]) -> None:
    page, _ = pretended
    downloaded(page, f"16 samples of {HOSTILE}, seed 7")
    page.get_by_label("Class").select_option(HOSTILE)
    downloaded(page, f"16 samples of {HOSTILE}, seed 7, class {HOSTILE}")
    assert page.locator("h1").inner_text() == HOSTILE
    assert page.locator("img").count() == 1
    assert page.locator("script").count() == 1


def test_sliders_can_be_used_by_everybody(pretended: tuple[Any, list[str]]) -> None:
    page, _ = pretended
    page.locator("#picture").wait_for()
    page.evaluate(SCRIPT)
    for check in CHECKS.values():
        check(page)


def test_controls_and_walks_are_asked_for(pretended: tuple[Any, list[str]]) -> None:
    page, asked = pretended
    downloaded(page, f"16 samples of {HOSTILE}, seed 7")
    number = page.get_by_label("truncation", exact=True)
    number.fill("0.75")
    page.get_by_label("truncation, slider").press("Home")
    assert number.input_value() == "0.5"
    page.get_by_label("Class").select_option("it's")
    downloaded(page, f"16 samples of {HOSTILE}, seed 7, class it's")
    assert asked[-1].endswith("/v1/models/m/sample?seed=7&n=16&label=it%27s&truncation=0.5")
    page.get_by_label("a walk between two seeds").check()
    page.get_by_label("Images on the way").select_option("4")
    downloaded(page, f"4 images on a walk through {HOSTILE}, seeds 7 to 8, class it's")
    assert asked[-1].endswith("/v1/models/m/interpolate?seed=7&to=8&steps=4&label=it%27s&truncation=0.5")
    (curl,) = commands(page)
    assert shlex.split(curl)[1] == asked[-1]


@pytest.mark.parametrize("part", ["index.html", "page.js", "style.css"])
def test_the_page_is_small(part: str) -> None:
    """A person can read it."""
    from ganzoo.web import files

    (content,) = (content for name, content in files("over_http").items() if name.endswith(part))
    assert len(content.splitlines()) <= 300
