"""The page itself: complete, safe whatever things are called, and readable without eyes, colours or a network."""

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ganzoo.records.evaluation import Evaluation, Figure, Protocol
from ganzoo.records.run import Run
from ganzoo.reporting.page import page
from ganzoo.reporting.subject import Subject, of_run
from ganzoo_registry import Registry

VOID = {"meta", "img", "input", "path", "circle"}
"""Elements that nothing closes in our pages: HTML's own, and SVG's that end in ``/>``."""

HOSTILE = "</title><script>alert(1)</script><img src=x onerror=alert(1)>\"'&lt;é\u202e{}%s"


class Reader(HTMLParser):
    """Collects elements with their attributes, and the text; every element must be closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def make_subject(name: str = "net/1", text: str = "digits", key: str = "loss_d", value: float = 1.5) -> Subject:
    return Subject(
        name=name,
        state=text,
        facts={"model": text, "data": text},
        tables={"Configuration": {key: text, "same": [1, 2]}, "Data": {}},
        picture=b"\x89PNG",
        frames={1: Path("1"), 3: Path("3")},
        reports=[{"step": step, key: value * step} for step in (1, 2, 3)],
        history=[{"step": step, "protocol": text, "figures": {"fd": value, key: None}} for step in (1, 2)],
    )


def check(text: str) -> Reader:
    """What holds of every page."""
    found = Reader(text)
    assert text.startswith("<!doctype html>\n")
    assert found.all("html") == [{"lang": "en"}]
    assert len(found.all("title")) == 1 + len([svg for svg in found.all("svg") if "role" in svg])
    assert {name for name, _ in found.elements}.isdisjoint({"link", "iframe", "object", "form", "base"})
    for name, attributes in found.elements:
        assert not any(key.startswith("on") or key == "srcset" for key in attributes), name
        assert (attributes.get("src") or "data:image/").startswith("data:image/")
        assert "href" not in attributes or (name == "a" and re.fullmatch(r"[\w.%-]+", attributes["href"] or ""))
    assert all(image["alt"] for image in found.all("img"))
    assert all(heading["scope"] in ("col", "row") for heading in found.all("th"))
    assert all(svg.get("role") == "img" or svg.get("aria-hidden") == "true" for svg in found.all("svg"))
    assert len(found.all("script")) == len(found.all("input")) <= 1
    (style,) = re.findall("<style>(.*?)</style>", text, re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style
    return found


def test_a_page_of_one_run() -> None:
    found = check(page([make_subject()], better={"fd": "lower"}, stills={1: b"RIFF", 1500: b"RIFF"}))
    for shown in ("loss", "lower is better", "Configuration", "same", "[1, 2]", "1, the best", "Step 1,500"):
        assert shown in found.text, shown
    alternatives = [image["alt"] for image in found.all("img")]
    assert alternatives == [f"Grid of samples of net/1, step {step}" for step in ("1", "1,500")]


def test_a_page_is_readable_in_the_dark_and_on_a_phone() -> None:
    text = page([make_subject()], better={})
    assert "prefers-color-scheme: dark" in text
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in Reader(text).all("meta")


def test_a_page_may_load_nothing_and_run_its_sliders_script_alone() -> None:
    text = page([make_subject()], better={}, stills={1: b"", 2: b""})
    (policy,) = [each["content"] or "" for each in Reader(text).all("meta") if "http-equiv" in each]
    (script,) = re.findall("<script>(.*?)</script>", text, re.DOTALL)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert policy == f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert "<script>" not in page([make_subject()], better={})


def test_without_its_script_a_slider_is_the_last_picture() -> None:
    found = check(page([make_subject()], better={}, stills=dict.fromkeys((5, 10, 15), b"")))
    assert ["hidden" in image for image in found.all("img")] == [True, True, False]
    (slider,) = found.all("input")
    assert (slider["type"], slider["max"], slider["value"]) == ("range", "2", "2")
    assert "hidden" in slider


def test_hostile_names_stay_text() -> None:
    hostile = make_subject(HOSTILE, HOSTILE, HOSTILE)
    for subjects in ([hostile], [hostile, make_subject()]):
        found = check(page(subjects, better={HOSTILE: HOSTILE}))
        assert found.text.count("<script>alert(1)</script>") >= 6


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.text(min_size=1), st.text(), st.text(min_size=1), st.floats(allow_nan=True, allow_infinity=True))
def test_any_name_and_number_makes_a_page(name: str, text: str, key: str, value: float) -> None:
    if key == "step":
        return
    subject = make_subject(name, text, key, value)
    check(page([subject], better={}))
    check(page([subject, make_subject(f"{name}2")], better={key: text}))


def test_what_is_told_of_both_networks_is_in_one_chart() -> None:
    keys = ["loss_d", "loss_g", "grad_norm_d", "grad_norm_g", "images_per_second", "gradient-penalty", "my_a", "my_b"]
    reports = [{"step": step, **dict.fromkeys(keys, 1.0)} for step in (1, 2)]
    subject = Subject(name="a", state="", facts={}, tables={}, picture=None, reports=reports)
    captions = re.findall("<figcaption>(.*?)</figcaption>", page([subject], better={}))
    assert captions == ["Losses", "Gradient norms", "Images per second", "gradient-penalty", "my"]


def test_runs_side_by_side() -> None:
    one, other = make_subject("a/1"), make_subject("b/1", text="letters")
    found = check(page([one, other], better={}))
    captions = re.findall("<figcaption>(.*?)</figcaption>", page([one, other], better={}))
    assert captions[:3] == ["a/1, step 3", "b/1, step 3", "loss_d"]
    assert "Configuration: 1 of 2 entries are alike and left out." in found.text
    assert "same" not in found.text
    assert "letters" in found.text


def test_a_comparison_starts_with_what_differs_settings_first() -> None:
    one, two = (
        Subject(
            name=f"net/{i}",
            state="finished",
            facts={},
            tables={"Latest figures": {"fd": str(i)}, "Configuration": {"batch": i, "seed": 0}},
            picture=b"\x89PNG",
        )
        for i in (1, 2)
    )
    text = page([one, two], better={})
    order = ["Side by side", "What differs", "<caption>Configuration", "<caption>Latest figures", "<h2>Samples"]
    assert sorted(order, key=text.index) == order
    assert "Configuration: 1 of 2 entries are alike" in text
    assert "What differs" not in page([one], better={})


def test_a_page_starts_with_the_settings_that_are_not_the_models_own() -> None:
    text = page([replace(make_subject(), departures={"<b>": (1, 2)})], better={}, files=["a b.png", "config.toml"])
    assert '<tr><th scope="row">&lt;b&gt;</th><td>1</td><td>2</td></tr>' in text
    assert '<a href="a%20b.png">a b.png</a>' in text
    assert text.index("&lt;b&gt;") < text.index("a%20b") < text.index("<h2>Samples") < text.index("<h2>Records")
    check(text)
    for departures, shown in ((None, "They are unknown"), ({}, "None: everything is")):
        assert shown in page([replace(make_subject(), departures=departures)], better={})


def test_real_images_and_nearest_ones_stand_beside_the_samples() -> None:
    subject = replace(make_subject(), real=b"real", nearest=b"pairs")
    found = check(page([subject], better={}, stills={1: b"", 3: b""}))
    captions = [image["alt"] for image in found.all("img")][2:]
    assert captions == ["Training images in the same form", "Pairs of a sample and a training image"]
    assert "training images stay with the run" not in found.text
    assert "training images stay with the run" in page([make_subject()], better={})


def test_real_images_of_several_are_shown_once() -> None:
    same = [replace(make_subject(name), real=b"real") for name in ("a/1", "b/1")]
    found = check(page(same, better={}))
    assert [image["alt"] for image in found.all("img")].count("Training images in the same form") == 1
    other = replace(make_subject("c/1"), real=b"others")
    found = check(page([*same, other, make_subject("d/1")], better={}))
    assert "Real images of a/1, b/1" in found.text
    assert "Real images of c/1" in found.text


PHONE = 390
"""Pixels of a phone's width; a rem has 16."""


def test_nothing_is_cut_on_a_phone() -> None:
    subject = replace(make_subject(), real=b"real", nearest=b"pairs", departures={"a": (1, 2)}, commands=["ganzoo"])
    text = page([subject], better={}, stills={1: b"", 3: b""})
    (style,) = re.findall("<style>(.*?)</style>", text, re.DOTALL)
    rules = dict(re.findall(r"([^{}]+?)\s*{([^{}]*)}", style.replace("\n", " ")))
    assert text.count("<table>") == text.count('<div class="scroll" tabindex="0"')
    assert all("overflow-x: auto" in rules[f" {box}"] for box in (".scroll", "pre"))
    assert "width: 100%" in rules[" .grids img"]
    widest = [16 * float(rem) for rem in re.findall(r"(?<!max-)(?:width|minmax\(|min\(100%,)[: ]*([\d.]+)rem", style)]
    assert 0 < max(widest) < PHONE - 2 * 20  # between the body's margins


def test_what_to_type_next_stands_before_the_samples() -> None:
    subject = replace(make_subject(), commands=["ganzoo sample net:1", "ganzoo eval <b>"])
    text = page([subject], better={})
    assert "<pre><code>ganzoo sample net:1\nganzoo eval &lt;b&gt;</code></pre>" in text
    assert text.index("<pre>") < text.index("<h2>Samples")
    assert "<pre>" not in page([make_subject()], better={})


def test_figures_of_different_protocols_share_no_chart() -> None:
    one, other = make_subject("a/1", text="p"), make_subject("b/1", text="q")
    text = page([one, other], better={})
    charts = re.findall(r"<figcaption>fd</figcaption>.*?</figure>", text, re.DOTALL)
    assert [("a/1" in chart, "b/1" in chart) for chart in charts] == [(True, False), (False, True)]


def attached(fd: float) -> dict[str, Evaluation]:
    protocol = Protocol(
        features="digits",
        sha256="0" * 64,
        data="digits",
        digest="d",
        other="o",
        against="held-out",
        real=359,
        n=1438,
        pairs=359,
        seeds=(0, 1),
    )
    figure = Figure(mean=fd, low=fd - 1, high=fd + 1, values=(fd, fd))
    found = Evaluation(protocol=protocol, figures={"fd": figure}, floor={"fd": 16.0}, floor_n=359, metrics=())
    return {protocol.key: found}


def test_versions_without_curves() -> None:
    tables: dict[str, dict[str, object]] = {"Configuration": {"seed": 0}, "Data": {"digest": "sha256:1"}}
    one, other = (
        Subject(name=name, state="", facts={}, tables=tables, picture=None, evaluations={name: attached(fd)})
        for name, fd in (("net:1", 25.0), ("net:2", 31.0))
    )
    found = check(page([one, other], better={"fd": "lower"}))
    assert "Curves" not in found.text
    for shown in ("25 [24, 26]", "31 [30, 32]", "16", "lower", "Intervals: 95 %, over sample seeds."):
        assert shown in found.text
    mixed = check(page([make_subject(), one], better={}))
    assert "Without curves, which belong to a run and not to a registered version: net:1." in mixed.text


def test_thousands_of_reports_make_a_page_of_bounded_size(make_run: Callable[..., object]) -> None:
    subject = make_subject()
    reports = [{"step": step, "loss_d": float(step % 97)} for step in range(50_000)]
    many = Subject(**{**vars(subject), "reports": reports})
    assert len(page([many], better={})) < len(page([subject], better={})) + 20_000


@pytest.mark.parametrize("value", [None, float("nan")])
def test_a_run_that_broke_at_once(make_run: Callable[..., Run], value: float | None, store: Registry) -> None:
    run = make_run(reports=[{"step": 1, "loss_d": value or float("nan")}], samples=[])
    found = check(page([of_run(run, store)], better={}))
    assert "broke off after step 1 of 30" in found.text
    assert not found.all("img")
