"""Images a second that a server gives to clients that all ask again at once, also where they are refused.

    python benchmarks/serving.py FILE.onnx

It starts ``ganzoo serve`` on as many threads as the machine has cores, and the clients beside it on the same cores, so
the shares are lower bounds. Each client keeps one connection, and asks for the next images when it has an answer.
"""

import asyncio
import re
import signal
import subprocess
import sys
import time

SECONDS = 8
FEW, MANY = 8, 400


async def ask(port: int, n: int, seen: list[int], patient: bool, end: float) -> None:
    """One client: asks again at once, or after the seconds that a refusal names."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = b"GET /v1/models/m/sample?n=%d&format=npy HTTP/1.1\r\nHost: x\r\n\r\n" % n
    while time.monotonic() < end:
        writer.write(request)
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), max(end - time.monotonic(), 0.001))
        except TimeoutError:
            break
        await reader.readexactly(int(re.search(rb"content-length: (\d+)", head)[1]))  # type: ignore[index]
        status = int(head[9:12])
        seen[status == 200] += 1
        if status != 200 and patient:
            await asyncio.sleep(1)
    writer.close()


async def measure(port: int, clients: int, n: int, patient: bool) -> tuple[float, float]:
    """Images and refusals a second."""
    seen = [0, 0]
    end = time.monotonic() + SECONDS
    await asyncio.gather(*(ask(port, n, seen, patient, end) for _ in range(clients)))
    return seen[1] * n / SECONDS, seen[0] / SECONDS


def main(file: str) -> None:
    """Print one line a case."""
    command = [sys.executable, "-m", "ganzoo", "serve", f"m={file}", "--port", "0", "--device", "cpu"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:  # noqa: S603 - it is ours
        ready = server.stderr.readline() if server.stderr else ""
        port = int(re.search(r":(\d+)/", ready)[1])  # type: ignore[index]
        for n in (16, 64):
            peak, _ = asyncio.run(measure(port, FEW, n, patient=False))
            for patient in (True, False):
                images, refused = asyncio.run(measure(port, MANY, n, patient))
                words = "wait a second" if patient else "ask again at once"
                print(
                    f"n={n}: {FEW} clients {peak:,.0f} images/s; {MANY} that {words}: "
                    f"{images:,.0f}, {images / peak:.2f} of that, and {refused:,.0f} refusals/s",
                    flush=True,
                )
        server.send_signal(signal.SIGTERM)


if __name__ == "__main__":
    main(*sys.argv[1:])
