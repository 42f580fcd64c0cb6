"""Time never runs backwards in the log, whatever the clock does."""

import tempfile
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, strategies as st

from ganzoo_registry import Registry, disk, shelf

DAYS = st.integers(1, 28)
STEPS = st.lists(
    st.tuples(st.sampled_from(["register", "remove", "champion", "canary", "elsewhere"]), DAYS), min_size=2, max_size=12
)


def do(registry: Registry, step: str, number: int) -> list[str]:
    """Take a step; returns what it adds to the log."""
    if step == "register":
        version = registry.register("dcgan", {"generator": str(number).encode()}, {})
        return [f"registered {version.number}"]
    versions = registry.versions("dcgan") if registry.names() else []
    if not versions:
        return []
    aliases = registry.aliases("dcgan")
    if step == "remove":
        free = [version for version in versions if version.number not in aliases.values()]
        if free:
            registry.remove(free[0])
        return [f"removed {version.number}" for version in free[:1]]
    here, there = aliases.get(step), versions[number % len(versions)].number
    registry.alias(f"dcgan:{there}", step)
    return [] if here == there else [f"{step}: {here or 'none'} -> {there}"]


@given(STEPS)
def test_the_log_has_what_happened_in_its_order(steps: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        registry, happened = Registry(Path(directory) / "registry"), []
        for number, (step, day) in enumerate(steps):
            with mock.patch.object(shelf, "now", lambda day=day: f"2026-05-{day:02}T00:00:00.000000Z"):
                happened += do(registry, step, number)
        if not happened:
            return
        log = registry.log("dcgan")
        assert sorted(entry.what for entry in log) == sorted(happened)
        times: dict[str, list[str]] = {}  # an alias may move from 2 to 3 more than once
        for entry in log:
            times.setdefault(entry.what, []).append(entry.when)
        found = [times[what].pop(0) for what in happened]
        assert found == sorted(found)
        # Among those of one time nothing comes before what made it possible.
        seen: list[str] = []
        for what in (entry.what for entry in log):
            if what.startswith("removed"):
                assert f"registered {what.split()[1]}" in seen
            elif not what.startswith("registered"):
                assert f"registered {what.split()[-1]}" in seen
                assert f"removed {what.split()[-1]}" not in seen
            seen.append(what)


@pytest.mark.parametrize("last", ["register", "alias", "remove", "remove an old one"])
def test_the_clock_is_put_back_by_a_day(registry: Registry, last: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def at(day: int) -> None:
        monkeypatch.setattr(shelf, "now", lambda: f"2026-05-{day:02}T00:00:00.000000Z")

    at(1)
    for seed in range(3):
        registry.register("dcgan", {}, {"seed": seed})
    at(3)
    match last:
        case "register":
            registry.register("dcgan", {}, {"seed": 3})
        case "alias":
            registry.alias("dcgan:2", "champion")
        case "remove":
            registry.remove(registry.resolve("dcgan:3"))
        case "remove an old one":
            registry.remove(registry.resolve("dcgan:1"))
    at(2)
    before = registry.log("dcgan")
    made = registry.register("dcgan", {}, {"seed": 9})
    registry.alias(str(made), "newest")
    registry.alias("dcgan:2", "newest")
    registry.remove(made)
    log = registry.log("dcgan")
    later = [entry for entry in log if entry not in before]
    assert {entry.when[:10] for entry in later} == {"2026-05-03"}
    assert [entry.event for entry in later] == ["registered", "aliased", "aliased", "removed"]


def test_a_directory_may_be_dated_in_any_year(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems keep dates that are after the last that a calendar of Python's has."""
    registry.register("dcgan", {}, {"seed": 0})
    monkeypatch.setattr(disk.Disk, "changed", lambda *_: 1e15)
    assert registry.register("dcgan", {}, {"seed": 1}).number == 2
