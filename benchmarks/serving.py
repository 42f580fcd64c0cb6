"""Images a second over HTTP, as a share of what ONNX Runtime alone makes; what a server costs; a naive one beside it.

    python benchmarks/serving.py [FILE.onnx]

The server has one core and the clients have another; ONNX Runtime alone (``session.run``, one thread, batches of as
many images as a request) has the server's, in turn with it. Shares are medians over rounds: of images a second, and of
images a second of processor time, which others on the machine change less. Without a file it is an untrained DCGAN of
64 pixels. The last line is JSON.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import machine
from load import Process, asked, command_of, serving

SERVER, CLIENTS = {0}, {1}

NAIVE = """
import io, socket, sys
import numpy as np, onnxruntime, uvicorn
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
latent = session.get_inputs()[0].shape[1]

def sample(n: int):
    z = np.random.default_rng().standard_normal((n, latent), dtype=np.float32)
    (images,) = session.run(["images"], {"z": z})
    pixels = ((images.transpose(0, 2, 3, 1) + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
    file = io.BytesIO()
    np.save(file, pixels)
    return file.getvalue()

try:
    from fastapi import FastAPI, Response
    app = FastAPI()
    @app.get("/v1/models/m/sample")
    def route(n: int, format: str) -> Response:
        return Response(sample(n))
except ImportError:
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route
    def route(request):
        return Response(sample(int(request.query_params["n"])))
    app = Starlette(routes=[Route("/v1/models/m/sample", route)])
listener = socket.create_server(("127.0.0.1", 0))
sys.stderr.write(f"{app.__class__.__name__} at http://127.0.0.1:{listener.getsockname()[1]}/\\n")
sys.stderr.flush()
uvicorn.Server(uvicorn.Config(app, log_level="critical")).run(sockets=[listener])
"""
"""The handler that everybody writes first, with the defaults of ONNX Runtime."""


def untrained(path: Path) -> Path:
    """An exported DCGAN of 64 pixels that was never trained."""
    import torch

    import ganzoo
    from ganzoo.exporting.exporter import export
    from ganzoo.networks.build import latent_dim
    from ganzoo.runtime.card import GeneratorCard

    torch.manual_seed(0)
    generator = ganzoo.create("dcgan", size=64, channels=3).generator.eval()
    card = GeneratorCard(name="dcgan", latent_dim=latent_dim(generator), channels=3, height=64, width=64)
    path.write_bytes(export(generator, card)[0])
    return path


def rate(images: Callable[[], int], cpu_seconds: Callable[[], float]) -> tuple[float, float]:
    """Images a second, and a second of processor time."""
    before, begin = cpu_seconds(), time.perf_counter()
    made = images()
    return made / (time.perf_counter() - begin), made / (cpu_seconds() - before)


def bare(file: Path) -> Callable[[int, float], tuple[float, float]]:
    """``bare(batch, seconds)``: the rates of ONNX Runtime alone, on the server's core."""
    from ganzoo.latents import draw
    from ganzoo.runtime.generator import ImageGenerator

    generator = ImageGenerator.from_bytes(file.read_bytes(), device="cpu", threads=1)
    card = generator.card

    def measure(batch: int, seconds: float) -> tuple[float, float]:
        z, labels = draw(7, 0, batch, card.latent_dim, len(card.class_names))

        def images() -> int:
            made, end = 0, time.perf_counter() + seconds
            while time.perf_counter() < end:
                generator.forward(z, labels)
                made += batch
            return made

        os.sched_setaffinity(0, SERVER)
        try:
            return rate(images, time.process_time)
        finally:
            os.sched_setaffinity(0, CLIENTS)

    return measure


def speed(file: Path, seconds: float, rounds: int) -> list[dict[str, object]]:
    """Rows of the table: what of the bare rate is left over HTTP."""
    alone = bare(file)
    cases = [("npy", 16, 4), ("npy", 1, 32), ("grid", 16, 4)]
    shares: dict[tuple[str, str, int, int], list[list[float]]] = {}

    def over_http(server: Process, form: str, n: int, clients: int) -> tuple[float, float]:
        path = f"/v1/models/m/sample?n={n}&format={form}"
        return rate(lambda: n * asked(server.port, clients, path, seconds).statuses[200], server.cpu_seconds)

    everywhere = os.sched_getaffinity(0)
    with (
        serving(command_of(m=file), SERVER) as ours,
        serving([sys.executable, "-c", NAIVE, str(file)], SERVER) as naive,
    ):
        os.sched_setaffinity(0, CLIENTS)
        contests = [("ganzoo", ours, case) for case in cases] + [("naive", naive, cases[1])]
        for _ in range(rounds):
            for name, server, (form, n, clients) in contests:
                before, found, after = alone(n, seconds / 2), over_http(server, form, n, clients), alone(n, seconds / 2)
                share = [2 * mine / (one + other) for mine, one, other in zip(found, before, after, strict=True)]
                shares.setdefault((name, form, n, clients), []).append(share)
    os.sched_setaffinity(0, everywhere)
    rows: list[dict[str, object]] = []
    print(f"{'':10}{'format':8}{'n':>4}{'clients':>9}{'share':>8}{'of CPU time':>13}", flush=True)
    for (name, form, n, clients), measured in shares.items():
        wall, cpu = (statistics.median(share[index] for share in measured) for index in (0, 1))
        print(f"{name:10}{form:8}{n:4}{clients:9}{wall:8.2f}{cpu:13.2f}", flush=True)
        rows.append({"server": name, "format": form, "n": n, "clients": clients, "share": wall, "cpu_share": cpu})
    return rows


def cost(file: Path, rounds: int) -> dict[str, float]:
    """Seconds until a server of a registered version is ready, and its memory before and after some images."""
    from ganzoo_registry import Registry

    ready, before, after = [], [], []
    with tempfile.TemporaryDirectory() as place:
        store = Registry(Path(place))
        store.attach(store.register("m", {}, {"config": {}, "data": {}}), "onnx", file.read_bytes())
        command = [sys.executable, "-m", "ganzoo", "serve", "m", "--registry", place, "--port", "0", "--device", "cpu"]
        for _ in range(rounds):
            with serving(command) as server:
                ready.append(server.ready_seconds)
                before.append(server.resident_bytes() / 1e6)
                asked(server.port, 8, "/v1/models/m/sample?n=16&format=npy", 1)
                after.append(server.resident_bytes() / 1e6)
    found = {"ready_seconds": min(ready), "megabytes": max(before), "megabytes_after": max(after)}
    print("ready after {ready_seconds:.2f} s, {megabytes:.0f} MB, {megabytes_after:.0f} after images".format(**found))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, help="an exported generator")
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        file = arguments.file or untrained(Path(place, "dcgan.onnx"))
        rows = speed(file, arguments.seconds, arguments.rounds)
        result = {"benchmark": "serving", "results": rows, "cost": cost(file, arguments.rounds)}
    print(json.dumps(result | {"machine": machine.describe()}))


if __name__ == "__main__":
    main()
