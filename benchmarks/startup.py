"""How long light commands take to start, beside ``python -c "import click"``, which they all need.

    python benchmarks/startup.py [--rounds 21]

Each round starts every command once, the reference first, so that a slow moment of the machine meets them all alike;
ratios are taken round by round. The last line is JSON.
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


def measure(rounds: int) -> dict[str, list[float]]:
    """Seconds of each command, measured in turn; the first round only warms the disk cache and is left out."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as empty:
        environment = {**os.environ, "GANZOO_REGISTRY": str(Path(empty) / "registry")}
        for number in range(-1, rounds):
            for name, command in COMMANDS.items():
                begin = time.perf_counter()
                done = subprocess.run(command, cwd=empty, env=environment, capture_output=True, check=False)  # noqa: S603
                if done.returncode not in (0, 3):  # 3: nothing is called wgan_gp
                    raise SystemExit(done.stderr.decode())
                if number >= 0:
                    seconds[name].append(time.perf_counter() - begin)
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=21)
    arguments = parser.parse_args()
    seconds = measure(arguments.rounds)
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    ratios = {
        name: statistics.median(ours / reference for ours, reference in zip(taken, seconds[REFERENCE], strict=True))
        for name, taken in seconds.items()
    }
    print(f"starting a process, {arguments.rounds} rounds (medians; ratio round by round)")
    print(f"{'':20}{'ms':>8}{'ratio':>8}")
    for name in COMMANDS:
        print(f"{name:20}{medians[name] * 1e3:8.1f}{ratios[name]:8.2f}")
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
