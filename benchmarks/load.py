"""A server in a process of its own, and clients that ask it again and again: what benchmarks of serving share."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A server.

    Args:
        port: where it listens.
        ready_seconds: from exec to the line that says so.
    """

    process: "subprocess.Popen[str]"
    port: int
    ready_seconds: float

    def resident_bytes(self) -> int:
        """Its memory (VmRSS)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) << 10  # type: ignore[index]


@contextmanager
def serving(command: Sequence[str], cores: set[int] | None = None) -> Iterator[Process]:
    """Run a server, which says at which port on stderr, until the end; then it must stop in an orderly way.

    Args:
        command: its words; ``ganzoo serve …``, say.
        cores: the processors that it may use; None: all.
    """
    before = os.sched_getaffinity(0)
    begin = time.monotonic()
    os.sched_setaffinity(0, cores or before)  # which children inherit
    try:
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: S603 - it is ours
    finally:
        os.sched_setaffinity(0, before)
    with process:
        assert process.stderr  # noqa: S101
        line = process.stderr.readline()
        found = re.search(r":(\d+)/", line)
        if not found:
            raise SystemExit(line + process.stderr.read())
        try:
            yield Process(process, int(found[1]), time.monotonic() - begin)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def ganzoo(file: str | Path) -> list[str]:
    """The command that serves a file as ``m`` on any free port."""
    return [sys.executable, "-m", "ganzoo", "serve", f"m={file}", "--port", "0", "--device", "cpu"]


@dataclass
class Seen:
    """What clients saw.

    Args:
        statuses: how many answers of each.
        lost: requests that got no answer, though they were sent whole.
    """

    statuses: "Counter[int]" = field(default_factory=Counter)
    lost: int = 0


async def ask(port: int, path: Callable[[], str], seen: Seen, end: float, kind: str = "keeps") -> None:
    """One client, which asks until ``end``.

    Args:
        path: of the next request.
        kind: ``keeps`` its connection; ``waits`` a second after a refusal, too; ``reconnects`` for each request.
    """
    close = "Connection: close\r\n" if kind == "reconnects" else ""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < end:
        writer.write(f"GET {path()} HTTP/1.1\r\nHost: x\r\n{close}\r\n".encode())
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), max(end - time.monotonic(), 0.001))
        except TimeoutError:
            break
        await reader.readexactly(int(re.search(rb"content-length: (\d+)", head)[1]))  # type: ignore[index]
        status = int(head[9:12])
        seen.statuses[status] += 1
        if status != 200 and kind == "waits":
            await asyncio.sleep(1)
        if kind == "reconnects":
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


def asked(port: int, clients: int, path: str, seconds: float, kind: str = "keeps") -> Seen:
    """What so many clients saw that asked for the same for so long."""
    seen, end = Seen(), time.monotonic() + seconds

    async def run() -> None:
        await asyncio.gather(*(ask(port, lambda: path, seen, end, kind) for _ in range(clients)))

    asyncio.run(run())
    return seen
