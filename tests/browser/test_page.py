"""The page for people, used as people do: a click, a key, a line that is copied to a terminal."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from rendered import downloaded, opened


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
    """By the browser where it sees it, else by the server; and what is put right is shown."""
    with browser.new_page() as page:  # whose console says that an answer was 422
        page.goto(pages["server"])
        downloaded(page, "16 samples of plain:1, seed 7")
        seed = page.get_by_label("Seed", exact=True)
        seed.fill("-1")
        page.locator("input:invalid").wait_for()
        seed.fill("99999999999999999999")
        page.get_by_text("seed must be a whole number from 0 to 18446744073709551615").wait_for()
        seed.fill("8")
        downloaded(page, "16 samples of plain:1, seed 8")


def test_a_line_is_copied(browser: Any, pages: dict[str, str]) -> None:
    with opened(browser, pages["server"]) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        downloaded(page, "16 samples of plain:1, seed 7")
        page.get_by_role("button", name="Copy the ganzoo command").click()
        page.get_by_text("Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == commands(page)[1]


@pytest.mark.parametrize("part", ["index.html", "page.js", "style.css"])
def test_the_page_is_small(part: str) -> None:
    """A person can read it."""
    from ganzoo.web import files

    (content,) = (content for name, content in files("over_http").items() if name.endswith(part))
    assert len(content.splitlines()) <= 300
