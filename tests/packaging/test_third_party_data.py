"""``third_party_data/``: a data set, a reader, a metric and an augmentation, from a distribution of their own."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).with_name("third_party_data")
TINY = ("--steps", "2", "--batch", "4", "--device", "cpu", "--set", "options.width=2")


@pytest.fixture(scope="module", autouse=True)
def _installed(place: Any, pip: Callable[..., str]) -> Iterator[None]:
    pip(place.python, "install", SOURCE)
    (place.directory / "x.rings").write_text("1\n2\n3\n1.5\n" * 5)
    yield
    pip(place.python, "uninstall", "--yes", "ganzoo-rings")
    assert place.run(place.command, "data", "show", "x.rings").returncode == 3


def test_they_are_listed(place: Any) -> None:
    found = json.loads(place.ganzoo("data", "ls", "--json"))
    assert "rings" in {each["name"] for each in found["datasets"]}
    assert "radii" in {each["name"] for each in found["readers"]}


def test_a_file_is_read(place: Any) -> None:
    facts = json.loads(place.ganzoo("data", "show", "x.rings", "--held-out", "0.5", "--json"))
    assert (facts["count"], facts["held_out"], facts["height"]) == (10, 10, 8)
    (place.directory / "bad.rings").write_text("wide")
    refused = place.run(place.command, "data", "show", "bad.rings")
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[1] == "Hint: a radius in pixels a line"


def test_it_is_trained_on_with_the_augmentation(place: Any) -> None:
    place.ganzoo("train", "--model", "vanilla", "--data", "x.rings", "--augment", "dim", "--name", "dimmed", *TINY)
    shown = json.loads(place.ganzoo("registry", "show", "dimmed", "--json"))
    assert shown["lineage"]["config"]["augment"] == "ganzoo-rings/dim"
    assert shown["lineage"]["config"]["augment_options"] == {"depth": 0.5}
    assert shown["lineage"]["data"]["count"] == 20
    assert "ganzoo-rings" in {plugin["distribution"] for plugin in shown["lineage"]["plugins"]}


def test_its_modes_and_its_metric_judge(place: Any) -> None:
    place.ganzoo("train", "--model", "vanilla", "--data", "rings", "--eval-every", "1", "--name", "ringed", *TINY)
    found = json.loads(place.ganzoo("eval", "ringed", "-n", "20", "--seeds", "2", "--json"))
    assert found["figures"]["ink"]["mean"] == found["figures"]["good"]["mean"] == 1
    assert found["floor"]["modes"] == 3
    assert "ringed:" in place.ganzoo("registry", "ls", "ringed", "--sort", "ink")
