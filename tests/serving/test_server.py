"""A server's life: its port, its first line and its end."""

import asyncio
import contextlib
import itertools
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from ganzoo.errors import ExitCode, GanzooError, UsageError
from ganzoo.machine import cores
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.serving.server import _ready_line, bind

if TYPE_CHECKING:
    from tests.serving.conftest import ServerProcess

BLOCKING = """
import sys
from pathlib import Path
from ganzoo.machine import cores
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.serving.server import bind, serve

class Blocking(ImageGenerator):
    def forward(self, *arguments, **options):
        print("sampling", flush=True)
        sys.stdin.readline()
        return super().forward(*arguments, **options)

data = Path(sys.argv[1]).read_bytes()
serve({"plain": Blocking.from_bytes(data, device="cpu", threads=1)}, bind("127.0.0.1", 0))
print("drained")
"""


def test_bind_takes_any_free_port_and_says_when_one_is_taken() -> None:
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert port > 0
        with pytest.raises(GanzooError) as caught:
            bind("127.0.0.1", port)
    assert str(caught.value) == f"port {port} on 127.0.0.1 is in use"
    assert caught.value.hint == "choose another, or any free one: --port 0"
    assert caught.value.exit_code == ExitCode.FAILURE
    bind("127.0.0.1", port).close()  # free again at once


def test_bind_where_the_system_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(listener: socket.socket, address: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(GanzooError, match="cannot listen on localhost:80: Permission denied") as caught:
        bind("localhost", 80)
    assert caught.value.exit_code == ExitCode.FAILURE


@pytest.mark.parametrize("port", [-1, 65536])
def test_bind_port_out_of_range(port: int) -> None:
    with pytest.raises(UsageError) as caught:
        bind("127.0.0.1", port)
    assert str(caught.value) == f"port must be from 0 to 65535, not {port}"
    assert caught.value.hint == "--port 0 takes any free one"
    assert caught.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize("host", ["nowhere.invalid", "x" * 70, "300.0.0.1"])
def test_bind_to_an_unknown_host(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError) as caught:
        bind(host, 0)
    assert str(caught.value) == f"the host {host!r} is not known"
    assert caught.value.hint == "for example --host 127.0.0.1"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_starts_says_so_and_stops(
    start: "Callable[..., ServerProcess]", server_code: str, directory: Path, number: signal.Signals
) -> None:
    server = start(server_code, directory)
    assert server.ready_line == (
        f"Serving broken, deep, pets, plain at {server.url}/ - "
        f"try: curl '{server.url}/v1/models/broken/sample?n=16&seed=7' -o samples.png\n"
    )
    assert httpx.get(f"{server.url}/v1/models/plain/sample").status_code == 200
    assert server.stop(number) == (0, "", "")


@pytest.mark.parametrize("api_key", [None, "secret"])
def test_the_line_to_try_shows_where_a_key_belongs(api_key: str | None) -> None:
    with bind("127.0.0.1", 0) as listener:
        line = _ready_line({"a": cast(Any, None)}, listener, api_key)
    assert ("curl -H 'X-API-Key: KEY' 'http" in line) == (api_key is not None)
    assert "secret" not in line


def test_an_address_of_another_machine() -> None:
    with pytest.raises(GanzooError) as caught:
        bind("192.0.2.1", 0)
    assert str(caught.value).startswith("cannot listen on 192.0.2.1:0: ")
    assert caught.value.hint == "choose an address of this machine, or all of them: --host 0.0.0.0"


def takes_connections(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_requests_under_way_are_answered_before_the_end(
    start: "Callable[..., ServerProcess]", directory: Path, generators: dict[str, ImageGenerator]
) -> None:
    server = start(BLOCKING, directory / "plain.onnx", stdin=subprocess.PIPE)
    answers = []

    def ask() -> None:
        answers.append(httpx.get(f"{server.url}/v1/models/plain/sample?n=2&seed=7&format=npy", timeout=20))

    client = threading.Thread(target=ask)
    client.start()
    assert server.process.stdout is not None
    assert server.process.stdout.readline() == "sampling\n"
    server.process.send_signal(signal.SIGTERM)
    while takes_connections(server.port):
        pass
    assert server.process.poll() is None  # still at work
    out, err = server.process.communicate("\n", timeout=20)
    client.join(timeout=20)
    assert answers[0].status_code == 200
    assert answers[0].content.endswith(generators["plain"].sample(2, 7).tobytes())
    assert (server.process.returncode, out, err) == (0, "drained\n", "")


def test_no_images_are_made_for_a_client_that_left(start: "Callable[..., ServerProcess]", directory: Path) -> None:
    """It asked while every thread was busy, and closed its connection."""
    server = start(BLOCKING, directory / "plain.onnx", stdin=subprocess.PIPE)
    request = b"GET /v1/models/plain/sample?n=%d HTTP/1.1\r\nHost: x\r\n\r\n"
    stdin, stdout = server.process.stdin, server.process.stdout
    assert stdin is not None
    assert stdout is not None
    with contextlib.ExitStack() as connections:

        def ask(n: int) -> socket.socket:
            client = connections.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=20))
            client.sendall(request % n)
            return client

        busy = []
        for _ in range(cores()):
            busy.append(ask(1))
            assert stdout.readline() == "sampling\n"
        left, stays = ask(20), ask(2)
        for _ in range(3):  # answered after what came before them
            assert httpx.get(f"{server.url}/healthz").status_code == 200
        left.close()
        for _ in range(3):
            assert httpx.get(f"{server.url}/healthz").status_code == 200
        waiting = [*busy, stays]
        while waiting:  # a line releases one thread, whichever
            stdin.write("\n")
            stdin.flush()
            answered = select.select(waiting, [], [], 20)[0][0]
            assert answered.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
            waiting.remove(answered)
        assert f"ganzoo_batch_images_sum {cores() + 2}.0" in httpx.get(f"{server.url}/metrics").text.splitlines()


def test_no_request_is_lost_when_the_server_ends_under_load(
    start: "Callable[..., ServerProcess]", server_code: str, directory: Path
) -> None:
    """Two servers; ``benchmarks/overload.py --full`` ends 200."""
    request = b"GET /v1/models/pets/sample?n=2 HTTP/1.1\r\nHost: x\r\n\r\n"

    async def client(port: int) -> int:
        """How many answers came until the server said that it closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for count in itertools.count(1):
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length: ")[2].split()[0]))
            assert head.startswith(b"http/1.1 200 ")
            if b"connection: close" in head:
                writer.close()
                return count
        raise AssertionError

    async def scenario(server: "ServerProcess") -> list[int]:
        clients = [asyncio.create_task(client(server.port)) for _ in range(8)]
        async with httpx.AsyncClient() as other:
            await other.get(f"{server.url}/v1/models/pets/sample?n=64")  # meanwhile the others have had many
        server.process.terminate()
        return await asyncio.gather(*clients)

    for _ in range(2):
        server = start(server_code, directory)
        assert min(asyncio.run(asyncio.wait_for(scenario(server), 60))) >= 1
        assert server.process.communicate(timeout=20) == ("", "")
        assert server.process.returncode == 0


def test_a_bug_is_in_the_log_and_not_in_the_answer(start: "Callable[..., ServerProcess]", directory: Path) -> None:
    code = BLOCKING.replace("sys.stdin.readline()", "raise ZeroDivisionError('secret')")
    server = start(code, directory / "plain.onnx")
    answer = httpx.get(f"{server.url}/v1/models/plain/sample")
    assert (answer.status_code, answer.json()["error"]) == (500, "internal error")
    status, _, err = server.stop(signal.SIGTERM)
    assert status == 0
    assert "ZeroDivisionError: secret" in err


def test_never_imports_torch_while_it_serves(
    start: "Callable[..., ServerProcess]", server_code: str, directory: Path
) -> None:
    """The child itself ends with an error if torch is there."""
    server = start(server_code, directory)
    for path in ("/", "/v1/models", "/v1/models/pets/sample?label=cat", "/v1/models/pets/sample?format=npy"):
        assert httpx.get(server.url + path).status_code == 200
    assert server.stop(signal.SIGTERM) == (0, "", "")


def test_the_port_is_taken_before_anything_is_loaded() -> None:
    code = "import sys; from ganzoo.serving.server import bind; bind('127.0.0.1', int(sys.argv[1]))"
    with bind("127.0.0.1", 0) as listener:
        port = str(listener.getsockname()[1])
        ended = subprocess.run([sys.executable, "-c", code, port], capture_output=True, text=True)
    assert ended.returncode == 1
    assert "is in use" in ended.stderr
