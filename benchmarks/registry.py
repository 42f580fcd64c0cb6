"""How the registry's commands grow with the number of versions of a model, and with the number of models.

    python benchmarks/registry.py [--sizes 100,1000,10000]

The registries are written as files, as registering would have left them; then each call is timed on them, without the
start of a process. Registering is timed with the disk's syncs. The last line is JSON.
"""

import argparse
import contextlib
import io
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import machine

from ganzoo.cli import main as ganzoo
from ganzoo_registry import Registry
from ganzoo_registry.records import Move, Pointer, encode

ROUNDS = 5


def fill(root: Path, models: int, versions: int) -> Registry:
    """A registry of so many models with so many versions each, three aliases on the first model's newest version."""
    registry = Registry(root)
    registry.register("model-0", {"generator": b"weights"}, {})
    for model in range(models):
        directory = root / "models" / f"model-{model}" / "versions"
        directory.mkdir(parents=True, exist_ok=True)
        for number in range(1, versions + 1):
            digest = registry.resolve("model-0:1").digest if number == 1 else f"sha256:{number:064x}"
            if not (path := directory / str(number)).exists():
                path.write_bytes(encode(Pointer(digest, f"2026-05-03T12:00:00.{number:06}Z")))
    for alias in ("champion", "challenger", "latest"):
        path = root / "models" / "model-0" / "aliases" / alias / "1"
        path.parent.mkdir(parents=True)
        path.write_bytes(encode(Move(versions, "2026-05-03T13:00:00.000000Z", "ada")))
    return registry


def calls(registry: Registry) -> dict[str, Callable[[], object]]:
    """What is timed, by name."""

    def quietly(*command: str) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            if ganzoo(["registry", *command, "--registry", str(registry.root)]):
                raise SystemExit(f"{command} failed")

    return {
        "register": lambda: registry.register("model-0", {"generator": os.urandom(32)}, {}),
        "resolve, the newest": lambda: registry.resolve("model-0"),
        "resolve, an alias": lambda: registry.resolve("model-0@champion"),
        "registry ls NAME": lambda: quietly("ls", "model-0"),
        "registry ls": lambda: quietly("ls"),
        "names": registry.names,
    }


def seconds(call: Callable[[], object]) -> float:
    """The median of some calls; one alone where it takes long."""
    taken = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begin)
        if taken[0] > 10:
            break
    return statistics.median(taken)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="100,1000,10000")
    sizes = [int(size) for size in parser.parse_args().sizes.split(",")]
    found: dict[str, dict[int, float]] = {}
    for size in sizes:
        for what, shape in {"versions": (1, size), "models": (size, 1)}.items():
            with tempfile.TemporaryDirectory() as directory:
                for name, call in calls(fill(Path(directory) / "registry", *shape)).items():
                    found.setdefault(f"{name}, by {what}", {})[size] = seconds(call)
    print(f"milliseconds{'':28}" + "".join(f"{size:>10,}" for size in sizes))
    for name, taken in found.items():
        print(f"{name:40}" + "".join(f"{taken[size] * 1e3:10.1f}" for size in sizes))
    print(json.dumps({"benchmark": "registry", "seconds": found, "machine": machine.describe()}))


if __name__ == "__main__":
    main()
