"""How long light commands take to start, beside ``python -c "import click"``, which they all need.

    python benchmarks/startup.py [--rounds 21]

Each round starts every command once, the reference first, so that a slow moment of the machine meets them all alike;
ratios are taken round by round. What scans the metadata of 50 plugins is measured beside a bare scan of them. The last
line is JSON.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine

REFERENCE = "import click"
GANZOO = str(Path(sys.executable).with_name("ganzoo"))
COMMANDS = {
    REFERENCE: [sys.executable, "-c", "import click"],
    "nothing": [sys.executable, "-c", ""],
    "import ganzoo": [sys.executable, "-c", "import ganzoo"],
    "ganzoo --help": [GANZOO, "--help"],
    "ganzoo models": [GANZOO, "models"],
    "ganzoo plugins": [GANZOO, "plugins"],
    "ganzoo registry ls": [GANZOO, "registry", "ls"],
    "ganzoo train --help": [GANZOO, "train", "--help"],
    "ganzoo train, a typo": [GANZOO, "train", "--model", "wgan_gp"],
}

PLUGINS = 50
SCAN = "import click, and a scan"
MANY = {
    SCAN: [
        sys.executable,
        "-c",
        "import click; from importlib.metadata import distributions; "
        "[each.read_text('entry_points.txt') for each in distributions()]",
    ],
    f"models, {PLUGINS} plugins": [GANZOO, "models"],
    f"--help, {PLUGINS} plugins": [GANZOO, "--help"],
}
"""What is measured with ``PLUGINS`` plugins of others installed; the first is what the others are compared with."""

MODULE = """from ganzoo import Model, hookimpl
@hookimpl
def ganzoo_specs():
    yield Model(name="many-{number}", architecture="dcgan", loss="hinge")
"""


def install(site: Path) -> None:
    """Put ``PLUGINS`` distributions into a directory as pip would, each with a model."""
    for number in range(PLUGINS):
        information = site / f"many_{number}-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: many-{number}\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text(f"[ganzoo.v1]\nmany-{number} = many_{number}\n")
        (site / f"many_{number}.py").write_text(MODULE.format(number=number))


def measure(rounds: int) -> dict[str, list[float]]:
    """Seconds of each command, measured in turn; the first round only warms the caches and is left out."""
    seconds: dict[str, list[float]] = {name: [] for name in (*COMMANDS, *MANY)}
    with tempfile.TemporaryDirectory() as empty, tempfile.TemporaryDirectory() as site:
        install(Path(site))
        home = {"GANZOO_REGISTRY": str(Path(empty) / "registry"), "GANZOO_CACHE": str(Path(empty) / "cache")}
        alone = {**os.environ, **home}
        crowded = {**alone, "PYTHONPATH": os.pathsep.join(filter(None, [site, os.environ.get("PYTHONPATH")]))}
        for number in range(-1, rounds):
            for name, command in (COMMANDS | MANY).items():
                begin = time.perf_counter()
                environment = crowded if name in MANY else alone
                done = subprocess.run(command, cwd=empty, env=environment, capture_output=True, check=False)  # noqa: S603
                if done.returncode not in (0, 3):  # 3: nothing is called wgan_gp
                    raise SystemExit(done.stderr.decode())
                if number >= 0:
                    seconds[name].append(time.perf_counter() - begin)
    return seconds


def beside(name: str) -> str:
    """What a command is compared with."""
    return SCAN if name in MANY else REFERENCE


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=21)
    arguments = parser.parse_args()
    seconds = measure(arguments.rounds)
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    ratios = {
        name: statistics.median(ours / reference for ours, reference in zip(taken, seconds[beside(name)], strict=True))
        for name, taken in seconds.items()
    }
    print(f"starting a process, {arguments.rounds} rounds (medians; ratio round by round)")
    print(f"{'':24}{'ms':>8}{'ratio':>8}")
    for name in seconds:
        print(f"{name:24}{medians[name] * 1e3:8.1f}{ratios[name]:8.2f}")
    result = {
        "benchmark": "startup",
        **vars(arguments),
        "seconds": medians,
        "ratio": ratios,
        "machine": machine.describe(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
