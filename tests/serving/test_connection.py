"""What a client may hold, send and leave unread: connections without a network, and a clock that is set by hand."""

import asyncio
import errno
import functools
import json
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
from hypothesis import given, strategies as st
from uvicorn.server import ServerState

from ganzoo.serving.bodies import BODY_SECONDS
from ganzoo.serving.connection import GONE, HEAD_BYTES, MOST_PIPELINED, ROOM, UNREAD_SECONDS, Connection
from ganzoo.serving.desk import HEAD_SECONDS, Desk
from ganzoo.serving.pool import Pool
from ganzoo.serving.query import images_asked, makes_images

if TYPE_CHECKING:
    from tests.serving.conftest import ServerProcess

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
SAMPLE = b"GET /v1/models/m/sample?n=8 HTTP/1.1\r\nHost: x\r\n\r\n"


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.unread, self.closed, self.aborted, self.reading = b"", 0, False, False, True
        self.reset = 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Its socket has no address, and the error that the test says."""
        if name != "socket":
            return default
        return SimpleNamespace(getsockname=str, getpeername=str, getsockopt=lambda level, option: self.reset)

    def write(self, data: Any) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return self.unread

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def write_eof(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    @property
    def answers(self) -> list[int]:
        return [int(status) for status in re.findall(rb"HTTP/1.1 (\d+) ", self.written)]


class Server:
    """The desk and its connections, with a clock of its own, and an application that answers when it is told to."""

    def __init__(self, most: int = 3) -> None:
        self.now = 1000.0
        self.pool = Pool(1, max_waiting=20)
        self.desk = Desk(self.pool, most, clock=lambda: self.now)
        self.release = asyncio.Event()
        self.asked = 0
        self.scopes: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            self.asked += 1
            self.scopes.append(scope)
            if scope["path"] == "/slow":
                await self.release.wait()
            if scope["path"].endswith("/sample") and b"none" not in scope["query_string"]:
                work = Work(self, 8)
                await self.release.wait()
                work.end()
            status = 200 if not scope["path"].endswith("/infer") or await scope["state"][ROOM](8) else 503
            headers = [(b"content-length", b"2")]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": b"ok"})

        self.config = uvicorn.Config(app, http=functools.partial(Connection, desk=self.desk), ws="none")  # type: ignore[arg-type]
        self.config.load()
        self.state = ServerState()
        self.state.default_headers = [(b"X-Said", b"always")]

    def connect(self, *said: bytes) -> tuple[Connection, Transport]:
        transport = Transport()
        connection = Connection(desk=self.desk, config=self.config, server_state=self.state, app_state={})
        connection.connection_made(transport)
        for data in said:
            connection.data_received(data)
        return connection, transport

    def later(self, seconds: float) -> None:
        self.now += seconds
        self.desk.tick()


class Work:
    """Images under way, as if a request had asked for them."""

    def __init__(self, server: Server, images: int) -> None:
        self.server, self.images = server, images
        server.pool._waiting += images

    def end(self) -> None:
        self.server.pool._waiting -= self.images
        self.server.pool.on_room()


def scenario(test: Callable[[Server], Any], most: int = 3) -> None:
    async def run() -> None:
        await test(Server(most))

    asyncio.run(run())


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def body(transport: Transport) -> dict[str, str]:
    answer: dict[str, str] = json.loads(transport.written.rpartition(b"\r\n\r\n")[2])
    return answer


@pytest.mark.parametrize(
    "head",
    [
        pytest.param([b"GET /healthz HTTP/1.1\r\nX: " + b"a" * (1 << 18)], id="one header in one piece"),
        pytest.param([b"GET /healthz HTTP/1.1\r\nX: " + b"a" * (1 << 18) + b"\r\n\r\n"], id="a whole head"),
        pytest.param([b"GET /healthz HTTP/1.1\r\nX: ", *[b"a" * 1000] * 100], id="one header in many pieces"),
        pytest.param([b"GET /healthz HTTP/1.1\r\n", *[b"X: a\r\n" * 100] * 200], id="many headers"),
        pytest.param([b"GET /" + b"a" * (1 << 17) + b" HTTP/1.1\r\n\r\n"], id="a long path"),
        pytest.param([b"GET /healthz?", *[b"a" * 1000] * 100], id="a long query"),
        pytest.param([b"\r\n" * 50_000], id="empty lines"),
        pytest.param(
            [b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;", *[b"a" * 1000] * 100],
            id="a chunk's extension",
        ),
    ],
)
def test_a_head_without_an_end(head: list[bytes]) -> None:
    async def test(server: Server) -> None:
        _, transport = server.connect()
        connection, transport = server.connect()
        for data in head:
            if not transport.closed:
                connection.data_received(data)
            await settle()
        assert transport.closed
        assert transport.answers in ([431], [200, 431])  # 200: a whole head came before what has no end

    scenario(test)


def test_a_head_of_the_largest_size_is_taken() -> None:
    async def test(server: Server) -> None:
        filler = b"a" * (HEAD_BYTES - len("/healthzHostxX"))
        _, transport = server.connect(GET[:-2] + b"X: " + filler + b"\r\n\r\n")
        await settle()
        assert transport.answers == [200]
        _, transport = server.connect(GET[:-2] + b"X: a" + filler + b"\r\n\r\n")
        await settle()
        assert transport.answers == [431]
        assert body(transport) == {
            "error": "the request's head has over 65536 bytes",
            "hint": "send fewer headers",
        }

    scenario(test)


def test_who_says_nothing_is_closed_and_who_dribbles_is_told() -> None:
    async def test(server: Server) -> None:
        _, silent = server.connect()
        dribbler, dribbling = server.connect(b"G")
        _, asking = server.connect(GET.replace(b"/healthz", b"/slow"))
        for letter in GET[1 : HEAD_SECONDS + 1]:
            server.later(1)
            dribbler.data_received(bytes([letter]))
        assert (silent.closed, dribbling.closed) == (False, False)
        server.later(0.1)
        assert silent.aborted
        assert silent.written == b""
        assert dribbling.answers == [408]
        assert dribbling.closed
        server.later(100)
        assert not asking.closed  # its request is under way, and takes as long as it takes
        server.release.set()
        await settle()
        assert asking.answers == [200]

    scenario(test)


def test_after_an_answer_the_time_begins_anew() -> None:
    async def test(server: Server) -> None:
        connection, transport = server.connect(GET)
        await settle()
        for _ in range(3):
            server.later(HEAD_SECONDS - 1)
            connection.data_received(GET)
            await settle()
        assert transport.answers == [200] * 4
        connection.data_received(b"POST / HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n")
        await settle()
        for _ in range(HEAD_SECONDS):
            server.later(1)
            connection.data_received(b"a byte of a body that nobody wants")
        server.later(0.1)
        assert transport.closed

    scenario(test)


def test_a_new_connection_takes_the_place_of_the_one_that_was_silent_for_longest() -> None:
    async def test(server: Server) -> None:
        transports = [server.connect()[1] for _ in range(10)]  # of which 3 have a place
        assert [transport.aborted for transport in transports] == [True] * 7 + [False] * 3
        _, health = server.connect(GET)
        await settle()
        assert health.answers == [200]
        assert len(server.desk.open) == 3

    scenario(test)


def test_where_every_place_has_a_request_the_next_is_refused() -> None:
    async def test(server: Server) -> None:
        busy = [server.connect(GET.replace(b"/healthz", b"/slow"))[1] for _ in range(3)]
        _, refused = server.connect()
        assert refused.answers == [503]
        assert refused.closed
        assert body(refused)["error"] == "too many connections"
        assert b"retry-after: 1\r\n" in refused.written
        assert b"\r\nX-Said: always\r\n" in refused.written
        server.release.set()
        await settle()
        assert [transport.answers for transport in busy] == [[200]] * 3

    scenario(test)


def test_who_takes_nothing_of_an_answer_is_closed_and_who_is_slow_is_not() -> None:
    async def test(server: Server) -> None:
        _, stuck = server.connect(GET)
        _, slow = server.connect(GET)
        await settle()
        stuck.unread = slow.unread = 1000
        for _ in range(UNREAD_SECONDS + 2):
            server.later(1)
            slow.unread -= 1
        assert stuck.aborted
        assert not slow.aborted

    scenario(test)


def test_a_client_that_closed_its_own_half_gets_its_answer() -> None:
    async def test(server: Server) -> None:
        connection, transport = server.connect(GET.replace(b"/healthz", b"/slow"), GET)
        await settle()
        assert connection.eof_received()
        server.release.set()
        await settle()
        assert transport.answers == [200, 200]
        assert transport.closed
        connection, _ = server.connect(b"GET /he")
        assert not connection.eof_received()

    scenario(test)


def test_a_client_that_has_left_is_told_from_one_that_has_sent_all() -> None:
    async def test(server: Server) -> None:
        connection, transport = server.connect(SAMPLE)
        await settle()
        assert connection.eof_received()
        assert transport.written == b"HTTP/1.1 100 Continue\r\n\r\n"
        gone = server.scopes[0]["state"][GONE]
        assert not gone()
        transport.reset = errno.ECONNRESET
        assert gone()
        transport.reset = 0
        transport.abort()
        assert gone()

    scenario(test)


@pytest.mark.parametrize(
    "rubbish",
    [
        b"GET /v1/models/m/sample?label=\xc3\xa9 HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"\x00" * 100,
        b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_no_request_is_answered_in_json(rubbish: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def test(server: Server) -> None:
        _, transport = server.connect(rubbish)
        await settle()
        assert transport.answers == [400]
        assert body(transport)["error"] == "this is no HTTP request"
        assert transport.closed

    scenario(test)
    assert caplog.records == []  # a client's fault is no news of the server


@pytest.mark.parametrize(
    ("hosts", "version", "status"),
    [(b"", b"1.1", 400), (b"Host: x\r\nHost: y\r\n", b"1.1", 400), (b"", b"1.0", 200), (b"Host:\r\n", b"1.1", 200)],
)
def test_there_is_one_host(hosts: bytes, version: bytes, status: int) -> None:
    async def test(server: Server) -> None:
        _, transport = server.connect(b"GET /healthz HTTP/%s\r\n%s\r\n" % (version, hosts))
        await settle()
        assert transport.answers == [status]
        assert server.asked == (status == 200)
        assert transport.closed == (status != 200 or version == b"1.0")

    scenario(test)


def test_rubbish_behind_a_request_does_not_take_its_answer() -> None:
    async def test(server: Server) -> None:
        connection, transport = server.connect(GET.replace(b"/healthz", b"/slow"))
        await settle()
        connection.data_received(b"\x00rubbish")
        assert transport.written == b""
        server.release.set()
        await settle()
        assert transport.answers == [200]
        assert transport.closed

    scenario(test)


def test_an_upgrade_is_answered_as_if_it_had_not_been_asked_for() -> None:
    async def test(server: Server) -> None:
        _, transport = server.connect(GET[:-2] + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        await settle()
        assert transport.answers == [200]
        assert transport.closed

    scenario(test)


def test_who_sends_too_many_requests_at_once_is_cut_off_there(caplog: pytest.LogCaptureFixture) -> None:
    """Each would take memory until those before it have their answers."""

    async def test(server: Server) -> None:
        connection, transport = server.connect(GET.replace(b"/healthz", b"/slow") + GET * 10_000)
        connection.data_received(GET * 10_000)
        await settle()
        assert len(connection.pipeline) == MOST_PIPELINED
        server.release.set()
        for _ in range(MOST_PIPELINED):
            await settle()
        assert transport.answers == [200] * (1 + MOST_PIPELINED)
        assert transport.closed

    scenario(test)
    assert caplog.records == []


def test_a_client_that_left_gets_none_of_its_answers(caplog: pytest.LogCaptureFixture) -> None:
    """Not of the request under way, nor of those behind it; and nothing of it is an error."""

    async def test(server: Server) -> None:
        connection, transport = server.connect(GET.replace(b"/healthz", b"/slow") + GET * 3)
        await settle()
        connection.connection_lost(None)
        server.release.set()
        await settle()
        assert transport.answers == []
        assert server.asked == 1

    scenario(test)
    assert caplog.records == []


def test_tensors_wait_for_room_in_their_turn() -> None:
    """As images of a seed do, and behind those that wait already."""
    infer = b"POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"

    async def test(server: Server) -> None:
        work = Work(server, 20)
        sample, tensors = server.connect(SAMPLE)[1], server.connect(infer)[1]
        await settle()
        assert len(server.desk.held) == 2
        assert tensors.answers == []
        server.later(1)
        await settle()
        assert (sample.answers, tensors.answers) == ([503], [503])
        again = server.connect(infer)[1]
        await settle()
        work.end()
        await settle()
        assert again.answers == [200]
        assert not server.desk.held

    scenario(test)


@pytest.mark.parametrize(
    ("url", "wanted"),
    [(b"/v1/models/m/sample", True), (b"/v2/models/m/infer?x=/", True), (b"/healthz?a=/infer", False), (b"/", False)],
)
def test_which_urls_ask_for_images(url: bytes, wanted: bool) -> None:
    assert makes_images(url) == wanted


def test_a_full_server_lets_requests_wait_in_their_order_and_refuses_them_after_a_second() -> None:
    async def test(server: Server) -> None:
        work = Work(server, 16)
        transports = [server.connect(SAMPLE)[1] for _ in range(4)]  # for 8 images each, of 20
        await settle()
        _, small = server.connect(SAMPLE.replace(b"n=8", b"n=1"))  # for which there is room, but others were first
        _, health = server.connect(GET)
        await settle()
        assert health.answers == [200]
        assert server.asked == 1  # nothing that waits has cost a route
        work.end()
        await settle()
        assert server.asked == 3
        server.later(1)
        await settle()
        for transport in (*transports[2:], small):
            assert transport.answers == [503]
            assert b"retry-after: 1\r\n" in transport.written
            assert body(transport)["error"] == "16 images are waiting already, and at most 20 may"
        assert not server.desk.held
        server.release.set()
        await settle()
        assert [transport.answers for transport in transports[:2]] == [[200], [200]]

    scenario(test, most=10)


def test_a_request_that_waited_and_needed_no_room_lets_the_next_in() -> None:
    async def test(server: Server) -> None:
        work = Work(server, 20)
        other = SAMPLE.replace(b"n=8", b"n=20&none=1")
        transports = [server.connect(other)[1] for _ in range(3)]
        await settle()
        assert server.asked == 0
        work.end()
        await settle()
        assert [transport.answers for transport in transports] == [[200]] * 3

    scenario(test)


def test_requests_in_one_piece_wait_one_after_another() -> None:
    async def test(server: Server) -> None:
        work = Work(server, 20)
        _, transport = server.connect(SAMPLE * 3)
        await settle()
        assert len(server.desk.held) == 1
        work.end()
        server.release.set()
        await settle()
        await settle()
        assert transport.answers == [200] * 3
        assert not server.desk.held

    scenario(test)


def test_a_client_that_left_while_it_waited_takes_nothing() -> None:
    async def test(server: Server) -> None:
        work = Work(server, 20)
        (gone, left), (_, stayed) = server.connect(SAMPLE), server.connect(SAMPLE)
        await settle()
        gone.connection_lost(None)
        await settle()
        assert len(server.desk.held) == 1
        work.end()
        server.release.set()
        await settle()
        assert left.answers == []
        assert stayed.answers == [200]
        assert server.asked == 1

    scenario(test)


@given(st.integers(0, 9999), st.sampled_from(["", "seed=1&", "label=n%3D5&"]), st.sampled_from(["", "&n2=3", "&x=n=4"]))
def test_the_images_that_a_url_asks_for(n: int, before: str, after: str) -> None:
    assert images_asked(f"/v1/models/m/sample?{before}n={n}{after}".encode()) == min(n, 256)
    assert images_asked(f"/v1/models/m/sample?{before[:-1]}".encode()) == 16
    assert images_asked(f"/v1/models?n={n}".encode()) == 0


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_any_bytes_end_in_an_answer_or_in_silence(parts: list[bytes]) -> None:
    async def test(server: Server) -> None:
        connection, transport = server.connect()
        for part in parts:
            if not transport.closed and transport.reading:
                connection.data_received(part)
        await settle()
        server.later(HEAD_SECONDS + 1)
        assert transport.closed

    scenario(test)


def test_a_request_on_its_way_is_answered_when_the_server_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganzoo.serving.connection.LAST_SECONDS", 0)

    async def test(server: Server) -> None:
        (late, answered), (silent_one, silent) = server.connect(GET), server.connect()
        await settle()
        server.pool.draining = True
        for connection in (late, silent_one):
            connection.shutdown()
        late.data_received(GET)
        await asyncio.sleep(0.01)
        assert answered.answers == [200, 200]
        assert answered.written.endswith(b"connection: close\r\n\r\nok")
        assert answered.closed
        assert silent.closed

    scenario(test)


# A whole server


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
"""


@pytest.fixture
def silent() -> Iterator[list[socket.socket]]:
    clients: list[socket.socket] = []
    yield clients
    for client in clients:
        client.close()


def test_silent_connections_do_not_keep_others_out(
    start: "Callable[..., ServerProcess]", server_code: str, directory: Path, silent: list[socket.socket]
) -> None:
    """250 of them, where 256 files may be open."""
    server = start(LIMITED + server_code, directory)
    for _ in range(250):
        silent.append(socket.create_connection(("127.0.0.1", server.port), timeout=20))
    assert httpx.get(f"{server.url}/healthz", timeout=20).json() == {"status": "ok"}
    assert server.stop(signal.SIGTERM) == (0, "", "")


def test_a_body_that_never_comes_and_one_that_never_ends(
    start: "Callable[..., ServerProcess]", server_code: str, directory: Path
) -> None:
    """A Content-Length that lies, and pieces without an end; meanwhile others are answered."""
    server = start("import ganzoo.serving.bodies\nganzoo.serving.bodies.BODY_SECONDS = 0.5\n" + server_code, directory)
    head = b"POST /v2/models/plain/infer HTTP/1.1\r\nHost: x\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as short:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as endless:
            short.sendall(head + b"Content-Length: 100\r\n\r\n{")
            endless.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
            for _ in range(129):  # of 64 KiB
                endless.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")
            assert httpx.get(f"{server.url}/healthz").status_code == 200
            assert endless.recv(1 << 16).startswith(b"HTTP/1.1 413 ")
        answer = short.recv(1 << 16)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in answer.lower()
    assert server.stop(signal.SIGTERM) == (0, "", "")


INFER = b"POST /v2/models/plain/infer HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"Content-Length: 100\r\n\r\n{{{{{", id="too short"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n3\r\n{{{\r\n", id="without a last chunk"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", id="no chunk"),
        pytest.param(
            b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", id="no chunk, upgrade"
        ),
    ],
)
def test_a_body_that_ends_early_is_told_at_once(client: httpx.Client, said: bytes) -> None:
    """Not after the time that a slow body has."""
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", client.base_url.port or 0), timeout=20) as connection:
        connection.sendall(INFER + said)
        if b"zz" not in said:
            connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert time.monotonic() - begin < BODY_SECONDS / 2
    answer = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"the body ended early, or is not what its headers say" in answer


@pytest.mark.parametrize("chunked", [False, True])
def test_a_request_for_an_upgrade_keeps_its_body(client: httpx.Client, chunked: bool) -> None:
    """Java's client asks for HTTP/2 so, with each first request."""
    content = json.dumps(
        {"inputs": [{"name": "z", "datatype": "FP32", "shape": [1, 4], "data": [0, 0, 0, 0]}]}
    ).encode()
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(content)
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content) if chunked else content
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\n"
    with socket.create_connection(("127.0.0.1", client.base_url.port or 0), timeout=20) as connection:
        connection.sendall(INFER + upgrade + framing + b"\r\n\r\n" + body[:20])
        time.sleep(0.05)
        connection.sendall(body[20:])
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["outputs"][0]["shape"][0] == 1


STUCK = """
import sys, threading
from pathlib import Path
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.serving import server

class Stuck(ImageGenerator):
    def forward(self, *arguments, **options):
        print("sampling", flush=True)
        threading.Event().wait()

server.DRAIN_SECONDS = 1
data = Path(sys.argv[1]).read_bytes()
server.serve({"plain": Stuck.from_bytes(data, device="cpu", threads=1)}, server.bind("127.0.0.1", 0))
print("a thread of a graph would hold the interpreter's end")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_graph_that_never_returns_does_not_keep_the_server(
    start: "Callable[..., ServerProcess]", directory: Path, number: signal.Signals
) -> None:
    server = start(STUCK, directory / "plain.onnx")
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(SAMPLE.replace(b"/m/", b"/plain/"))
        assert server.process.stdout is not None
        assert server.process.stdout.readline() == "sampling\n"
        status, out, err = server.stop(number)
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 503 ")
    assert (status, out) == (0, "")
    assert "Traceback" not in err
