"""What moves in a report."""

from typing import Any

from rendered import opened


def test_the_slider_moves_from_step_to_step(browser: Any, pages: dict[str, str]) -> None:
    """By the keyboard, under the page's own policy."""
    with opened(browser, pages["run"]) as page:
        slider, step = page.get_by_role("slider", name="step"), page.locator(".steps output")
        last = int(slider.get_attribute("max"))
        assert last >= 5
        assert (step.inner_text(), slider.input_value()) == ("300", str(last))
        shown = page.locator(".steps img:visible")
        newest = shown.get_attribute("src")
        slider.press("Home")
        assert (step.inner_text(), shown.count()) == ("50", 1)
        assert shown.get_attribute("src") != newest
        slider.press("ArrowRight")
        assert (step.inner_text(), shown.get_attribute("alt")) == ("100", "Grid of samples of plain/1, step 100")


def test_the_policy_lets_no_other_script_run(browser: Any, pages: dict[str, str]) -> None:
    with browser.new_page() as page:
        page.goto(pages["run"])
        page.evaluate("window.refused = 0; document.addEventListener('securitypolicyviolation', () => refused++)")
        page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))")
        page.wait_for_function("refused === 1")
        assert page.evaluate("window.ran") is None


def test_on_a_phone_two_runs_are_side_by_side_without_scrolling(browser: Any, pages: dict[str, str]) -> None:
    """What differs would else be beyond the edge."""
    with opened(browser, pages["together"], width=390) as page:
        for table in ("2 runs and versions", "Configuration", "Latest figures"):
            region = page.get_by_role("region", name=table, exact=True)
            assert region.evaluate("each => each.scrollWidth - each.clientWidth") <= 0, table
