"""How many cores a process may use: the least of affinity and the container's quota."""

import math
import os
from pathlib import Path

import pytest

from ganzoo import machine

FILES = {
    "half a core": ({"cpu.max": "50000 100000\n"}, 0.5),
    "no quota": ({"cpu.max": "max 100000\n"}, math.inf),
    "one and a half": ({"cpu.max": "150000 100000"}, 1.5),
    "version 1": ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2.0),
    "version 1 without": ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, math.inf),
    "none": ({}, math.inf),
    "nonsense": ({"cpu.max": "many"}, math.inf),
    "a period of nothing": ({"cpu.max": "100 0"}, math.inf),
}


@pytest.mark.parametrize(("files", "expected"), FILES.values(), ids=FILES)
def test_the_quota_of_a_control_group(tmp_path: Path, files: dict[str, str], expected: float) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert machine.quota(tmp_path) == expected


@pytest.mark.parametrize(("text", "expected"), [("50000 100000", 1), ("max 100000", None), ("150000 100000", 2)])
def test_cores_are_the_least_of_affinity_and_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: int | None
) -> None:
    usable = len(os.sched_getaffinity(0))
    (tmp_path / "cpu.max").write_text(text)
    monkeypatch.setattr(machine, "CGROUPS", tmp_path)
    assert machine.cores() == min(usable, expected or usable)
