"""Writers without locks: threads and processes register and move aliases at the same time."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import ganzoo_registry
from ganzoo_registry import Conflict, Registry

WRITERS, EACH = 4, 10


def write(root: Path, writer: int) -> list[int]:
    registry, numbers = Registry(root), []
    for k in range(EACH):
        word = f"{writer}.{k}"
        blobs = {"generator-ema": f"ema {word}".encode(), "generator": f"gen {word}".encode()}
        version = registry.register("dcgan", blobs, {"word": word})
        registry.alias(str(version), "newest")
        registry.attach(version, "onnx", word.encode())
        assert registry.register("dcgan", {"generator-ema": b"same"}, {}).name == "dcgan"
        numbers.append(version.number)
    return numbers


def write_in_a_process(root: Path, writer: int) -> list[int]:
    path = str(Path(ganzoo_registry.__file__).parents[1])
    command = [sys.executable, __file__, str(root), str(writer)]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    numbers: list[int] = json.loads(done.stdout)
    return numbers


@pytest.mark.parametrize("writer", [write, write_in_a_process], ids=["threads", "processes"])
def test_concurrent_writers_get_contiguous_unique_numbers(writer: Any, registry: Registry) -> None:
    with ThreadPoolExecutor(WRITERS) as pool:
        got = list(pool.map(writer, [registry.root] * WRITERS, range(WRITERS)))
    numbers = [version.number for version in registry.versions("dcgan")]
    assert numbers == list(range(1, WRITERS * EACH + 2))  # and one that all of them registered
    mine = [number for numbers in got for number in numbers]
    assert len(set(mine)) == WRITERS * EACH
    assert all(numbers == sorted(numbers) for numbers in got)
    for number in mine:
        version = registry.resolve(f"dcgan:{number}")
        assert registry.read(version, "onnx").decode() == registry.lineage(version)["word"]
    moves = [entry for entry in registry.log("dcgan") if entry.event == "aliased"]
    assert sorted(move.number for move in moves) == sorted(mine)
    assert [move.previous for move in moves] == [None, *(move.number for move in moves[:-1])]
    assert list((registry.root / "tmp").iterdir()) == []


def test_of_all_who_expect_the_same_one_wins(registry: Registry, put: Any) -> None:
    for word in range(9):
        put(str(word))
    registry.alias("dcgan:1", "champion")

    def swap(number: int) -> bool:
        try:
            registry.alias(f"dcgan:{number}", "champion", expect=1)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(swap, range(2, 10)))
    assert sum(won) == 1
    assert registry.aliases("dcgan") == {"champion": 2 + won.index(True)}


if __name__ == "__main__":
    print(json.dumps(write(Path(sys.argv[1]), int(sys.argv[2]))))
