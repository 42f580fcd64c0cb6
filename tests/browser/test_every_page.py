"""Every page in both colour schemes, on a screen and on a phone."""

from collections.abc import Iterator
from typing import Any

import pytest
from rendered import CHECKS, LOOKS, keep_screenshot, opened

PAGES = ("run", "conditional", "together", "server", "web")


@pytest.fixture(
    scope="module",
    params=[(name, *look) for name in PAGES for look in LOOKS],
    ids=lambda look: "-".join(map(str, look)),
)
def page(request: pytest.FixtureRequest, browser: Any, pages: dict[str, str]) -> Iterator[Any]:
    name, scheme, width = request.param
    address = request.getfixturevalue("sites").address("classes") if name == "web" else pages[name]
    with opened(browser, address, scheme, width) as shown:
        keep_screenshot(shown, f"{name}-{scheme}-{width}")
        yield shown


@pytest.mark.parametrize("check", CHECKS)
def test_it_can_be_used_by_everybody(page: Any, check: str) -> None:
    CHECKS[check](page)


def test_nothing_is_forgotten(pages: dict[str, str]) -> None:
    assert {*pages, "web"} == set(PAGES)
