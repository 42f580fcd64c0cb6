"""A server under more load than it can take, told to end under load, and asked for all kinds of things at once.

    python benchmarks/overload.py FILE.onnx... [--full]

Overload: clients that ask again at once, ten times as many as those whose images a second are the peak, and who never
are refused; a client keeps its connection, or makes a new one for each request, or waits a second after a refusal.
SIGTERM: every request that a client sent on an open connection must be answered, and the exit code be 0. Bytes: random
requests of 32 clients at once, whose answers must be those of the library. ``--full`` takes 60 seconds of each kind of
client, 200 trials and 10,000 requests. The last line is JSON.
"""

import argparse
import asyncio
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import machine
from load import Process, Seen, ask, asked, command_of, get, serving

from ganzoo.images import encode_npy, encode_png, grid
from ganzoo.runtime.generator import ImageGenerator

FEW, MANY = 8, 80


def overload(file: Path, seconds: float) -> list[dict[str, object]]:
    """Peak and images a second of each kind of client, refusals, errors, and how the server's memory grew."""
    rows: list[dict[str, object]] = []
    print(f"{'clients':12}{'peak':>8}{'images/s':>10}{'share':>7}{'503s':>8}{'other':>7}{'memory':>8}", flush=True)
    n = 64
    path = f"/v1/models/m/sample?n={n}&format=npy"
    with serving(command_of(m=file)) as server:

        def rate(clients: int, seconds: float) -> tuple[float, Seen]:
            begin = time.monotonic()
            seen = asked(server.port, clients, path, seconds, kind)
            return seen.statuses[200] * n / (time.monotonic() - begin), seen

        for kind in ("waits", "keeps", "reconnects"):
            rate(MANY, seconds / 3)  # what its connections take once is no growth
            first, _ = rate(FEW, seconds / 3)
            before = server.resident_bytes()
            images, seen = rate(MANY, seconds)
            growth = server.resident_bytes() / before
            last, _ = rate(FEW, seconds / 3)
            peak = (first + last) / 2
            refused = seen.statuses[503]
            other = seen.statuses.total() - seen.statuses[200] - refused + seen.lost
            row = {"peak": peak, "images": images, "share": images / peak, "refused": refused, "other": other}
            rows.append({"clients": kind, **row, "memory": growth})
            print(
                f"{kind:12}{peak:8,.0f}{images:10,.0f}{images / peak:7.2f}{refused:8,}{other:7,}{growth:8.2f}",
                flush=True,
            )
    return rows


def endings(file: Path, trials: int) -> dict[str, int]:
    """Requests that were answered and lost where the server was told to end under load, and exit codes but 0."""
    answered, lost, failed = 0, 0, 0
    for trial in range(trials):
        seen = Seen()
        with serving(command_of(m=file)) as server:
            asyncio.run(_end_under_load(server, seen, 0.1 + 0.1 * random.Random(trial).random()))  # noqa: S311 - a moment
        answered += seen.statuses[200]
        lost += seen.lost
        failed += server.process.returncode != 0
    print(f"SIGTERM: {trials} trials, {answered} requests answered, {lost} lost, {failed} exit codes but 0", flush=True)
    return {"trials": trials, "answered": answered, "lost": lost, "failed": failed}


async def _end_under_load(server: Process, seen: Seen, seconds: float) -> None:
    path, end = "/v1/models/m/sample?n=2&format=npy", time.monotonic() + 30
    clients = [asyncio.create_task(ask(server.port, path, seen, end)) for _ in range(FEW)]
    await asyncio.sleep(seconds)
    server.process.terminate()
    await asyncio.gather(*clients)
    server.process.wait(60)


def queries(generator: ImageGenerator, count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Random queries, and what the library makes of them."""
    rng = random.Random(seed)  # noqa: S311 - a test's choices
    for _ in range(count):
        n, first, form = rng.choice((1, 1, 1, 1, 2, 5, 40)), rng.randrange(2**64), rng.choice(("npy", "grid"))
        label = rng.choice([None, *map(str, range(len(generator.card.class_names)))])
        images, _ = generator.pixels(n, first, label)
        content = encode_npy(images) if form == "npy" else encode_png(grid(images))
        yield f"n={n}&seed={first}&format={form}" + f"&label={label}" * (label is not None), content


def bytes_under_load(files: dict[str, Path], count: int) -> dict[str, int]:
    """How many of so many answers are not the library's, to the byte."""
    generators = {
        name: ImageGenerator.from_bytes(file.read_bytes(), device="cpu", threads=1) for name, file in files.items()
    }
    share = count // len(generators)
    wanted = [(name, *each) for name, generator in generators.items() for each in queries(generator, share, 1)]
    random.Random(2).shuffle(wanted)  # noqa: S311 - an order
    waiting = iter(wanted)
    wrong = 0

    async def client(port: int) -> None:
        nonlocal wrong
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for name, query, expected in waiting:
            status, _, content = await get(reader, writer, f"/v1/models/{name}/sample?{query}")
            wrong += status != 200 or content != expected
        writer.close()

    async def clients(port: int) -> None:
        await asyncio.gather(*(client(port) for _ in range(32)))

    with serving(command_of(**files)) as server:
        asyncio.run(clients(server.port))
    print(f"bytes: {len(wanted)} requests of 32 clients, {wrong} other than the library's", flush=True)
    return {"requests": len(wanted), "wrong": wrong}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, help="exported generators; the first is overloaded and ended")
    parser.add_argument("--full", action="store_true", help="60 seconds, 200 trials, 10,000 requests")
    arguments = parser.parse_args()
    seconds, trials, requests = (60.0, 200, 10_000) if arguments.full else (6.0, 10, 500)
    file = arguments.files[0]
    result = {
        "overload": overload(file, seconds),
        "endings": endings(file, trials),
        "bytes": bytes_under_load({f"m{number}": each for number, each in enumerate(arguments.files)}, requests),
    }
    print(json.dumps({"benchmark": "overload", **result, "machine": machine.describe()}))


if __name__ == "__main__":
    main()
