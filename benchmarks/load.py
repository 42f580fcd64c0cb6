"""A server in a process of its own, and clients that ask it again and again: what benchmarks of serving share."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
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

    def cpu_seconds(self) -> float:
        """Processor time that it has taken, in the kernel, too."""
        user, system = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(command: Sequence[str], cores: set[int] | None = None) -> Iterator[Process]:
    """Run a server, which says at which port on stderr, until the end.

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
        line = process.stderr.readline() if process.stderr else ""
        found = re.search(r":(\d+)/", line)
        if not found:
            raise SystemExit(line + (process.stderr.read() if process.stderr else ""))
        try:
            yield Process(process, int(found[1]), time.monotonic() - begin)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(60)


def command_of(**files: str | Path) -> list[str]:
    """The command that serves files under names of ours, on any free port."""
    named = [f"{name}={file}" for name, file in files.items()]
    return [sys.executable, "-m", "ganzoo", "serve", *named, "--port", "0", "--device", "cpu"]


@dataclass
class Seen:
    """What clients saw.

    Args:
        statuses: how many answers of each.
        lost: requests that were sent whole, and got no whole answer.
    """

    statuses: "Counter[int]" = field(default_factory=Counter)
    lost: int = 0


async def get(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, headers: str = ""
) -> tuple[int, bytes, bytes]:
    """Status, head and content of one answer."""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    content = await reader.readexactly(int(re.search(rb"content-length: (\d+)", head)[1]))  # type: ignore[index]
    return int(head[9:12]), head, content


async def ask(port: int, path: str, seen: Seen, end: float, kind: str = "keeps") -> None:
    """One client, which asks until ``end``, and gets that last answer, or until the server ends.

    Args:
        kind: ``keeps`` its connection; ``waits`` a second after a refusal, too; ``reconnects`` for each request.
    """
    headers = "Connection: close\r\n" if kind == "reconnects" else ""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < end:
        try:
            status, head, _ = await get(reader, writer, path, headers)
        except (ConnectionError, asyncio.IncompleteReadError):
            seen.lost += 1
            break
        seen.statuses[status] += 1
        if status != 200 and kind == "waits":
            await asyncio.sleep(1)
        if b"connection: close" in head:
            writer.close()
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionError:
                break
    writer.close()


def asked(port: int, clients: int, path: str, seconds: float, kind: str = "keeps") -> Seen:
    """What so many clients saw that asked for the same for so long."""
    seen, end = Seen(), time.monotonic() + seconds

    async def run() -> None:
        await asyncio.gather(*(ask(port, path, seen, end, kind) for _ in range(clients)))

    asyncio.run(run())
    return seen
