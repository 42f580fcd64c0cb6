"""Images a second that a server gives to many clients that ask again at once, also where they are refused.

    python benchmarks/serving.py FILE.onnx

It starts ``ganzoo serve`` on as many threads as the machine has cores, and the clients beside it on the same cores, so
the shares are lower bounds. The peak is what 8 clients of the same kind get, which are never refused. A client keeps
its connection, or makes a new one for each request; the last line is JSON.
"""

import argparse
import asyncio
import json
import re
import signal
import subprocess
import sys
import time

import machine

FEW = 8


async def ask(port: int, n: int, seen: list[int], kind: str, end: float) -> None:
    """One client, which asks until ``end`` and counts refusals and answers in ``seen``."""
    close = "Connection: close\r\n" if kind == "reconnects" else ""
    request = f"GET /v1/models/m/sample?n={n}&format=npy HTTP/1.1\r\nHost: x\r\n{close}\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < end:
        writer.write(request)
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), max(end - time.monotonic(), 0.001))
        except TimeoutError:
            break
        await reader.readexactly(int(re.search(rb"content-length: (\d+)", head)[1]))  # type: ignore[index]
        status = int(head[9:12])
        seen[status == 200] += 1
        if status != 200 and kind == "waits":
            await asyncio.sleep(1)
        if kind == "reconnects":
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


async def measure(port: int, clients: int, n: int, kind: str, seconds: float) -> tuple[float, float]:
    """Images and refusals a second."""
    seen = [0, 0]
    end = time.monotonic() + seconds
    await asyncio.gather(*(ask(port, n, seen, kind, end) for _ in range(clients)))
    return seen[1] * n / seconds, seen[0] / seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="an exported generator")
    parser.add_argument("--clients", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=8)
    arguments = parser.parse_args()

    command = [sys.executable, "-m", "ganzoo", "serve", f"m={arguments.file}", "--port", "0", "--device", "cpu"]
    rows = []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:  # noqa: S603 - it is ours
        ready = server.stderr.readline() if server.stderr else ""
        port = int(re.search(r":(\d+)/", ready)[1])  # type: ignore[index]
        print(f"{'n':>4}  {'clients':12}{'peak':>8}{'images/s':>10}{'share':>7}{'refusals/s':>12}", flush=True)
        for n in (16, 64):
            for kind in ("waits", "keeps", "reconnects"):
                peak, _ = asyncio.run(measure(port, FEW, n, kind, arguments.seconds))
                images, refused = asyncio.run(measure(port, arguments.clients, n, kind, arguments.seconds))
                print(f"{n:4}  {kind:12}{peak:8,.0f}{images:10,.0f}{images / peak:7.2f}{refused:12,.0f}", flush=True)
                rows.append({"n": n, "clients": kind, "peak": peak, "images": images, "refusals": refused})
        server.send_signal(signal.SIGTERM)
    result = {"benchmark": "serving", "clients": arguments.clients, "seconds": arguments.seconds, "results": rows}
    print(json.dumps(result | {"machine": machine.describe()}))


if __name__ == "__main__":
    main()
