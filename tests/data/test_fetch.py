"""Downloads, from loopback servers that also break off, corrupt, stall, trickle and point elsewhere."""

import hashlib
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ganzoo.data.fetch import fetch
from ganzoo.errors import ExitCode, GanzooError
from ganzoo.paths import cache_root

CONTENT = bytes(range(256)) * 1200
DIGEST = hashlib.sha256(CONTENT).hexdigest()
NAME = "set/images.gz"


class Mirror:
    """A server on loopback: ``requests`` are the paths and ranges that it was asked for.

    The path says how it behaves: ``/break-off``, say. Ranges are honoured everywhere but under ``/no-ranges``.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, str | None]] = []
        self.over = threading.Event()
        self.opened = threading.Event()
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.requests.append((self.path, self.headers["Range"]))
                answer = getattr(mirror, self.path.strip("/").replace("-", "_"), None)
                answer(self) if answer else self.send_error(int(self.path.strip("/")))

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def url(self, path: str) -> str:
        return f"http://{self.host}/{path}"

    def close(self) -> None:
        self.over.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def start(self, request: BaseHTTPRequestHandler, content: bytes = CONTENT, length: int | None = None) -> bytes:
        """Send the headers; returns what is to follow."""
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers["Range"] or "")
        first = int(asked[1]) if asked else 0
        request.send_response(206 if asked else 200)
        if asked:
            request.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        request.send_header("Content-Length", str(len(content) - first if length is None else length))
        request.end_headers()
        return content[first:]

    def good(self, request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(self.start(request))

    def no_length(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(CONTENT)

    def with_a_tail(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(CONTENT + b"<!-- served by cache 3 -->")

    def no_ranges(self, request: BaseHTTPRequestHandler) -> None:
        del request.headers["Range"]
        self.good(request)

    def other_range(self, request: BaseHTTPRequestHandler) -> None:
        del request.headers["Range"]
        request.headers["Range"] = "bytes=7-"
        self.good(request)

    def break_off(self, request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(self.start(request)[:100_000])

    def corrupt(self, request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(self.start(request, CONTENT[:-1] + b"\0"))

    def endless(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not self.over.is_set():
            request.wfile.write(bytes(1 << 16))

    def sign_in(self, request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(self.start(request, b"<html>Please sign in</html>"))

    def stall(self, request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(self.start(request)[:5000])
        self.over.wait(10)

    def mute(self, request: BaseHTTPRequestHandler) -> None:
        self.over.wait(10)

    def trickle(self, request: BaseHTTPRequestHandler) -> None:
        for byte in self.start(request):
            request.wfile.write(bytes([byte]))
            if self.over.wait(0.01):
                return

    def slow(self, request: BaseHTTPRequestHandler) -> None:
        content = self.start(request)
        for start in range(0, len(content), 7680):
            request.wfile.write(content[start : start + 7680])
            time.sleep(0.03)

    def gate(self, request: BaseHTTPRequestHandler) -> None:
        self.opened.wait(10)
        self.good(request)

    def moved(self, request: BaseHTTPRequestHandler) -> None:
        self.redirect(request, "/good")

    def to_a_file(self, request: BaseHTTPRequestHandler) -> None:
        self.redirect(request, Path(__file__).as_uri())

    def to_ftp(self, request: BaseHTTPRequestHandler) -> None:
        self.redirect(request, f"ftp://{self.host}/good")

    def in_circles(self, request: BaseHTTPRequestHandler) -> None:
        self.redirect(request, request.path)

    def redirect(self, request: BaseHTTPRequestHandler, target: str) -> None:
        request.send_response(302)
        request.send_header("Location", target)
        request.end_headers()

    def not_http(self, request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    mirror = Mirror()
    yield mirror
    mirror.close()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "cache"


@pytest.fixture
def get(mirror: Mirror) -> Callable[..., Path]:
    """``get("good", "404", ...)``: fetch from these mirrors, one after the other."""

    def get(*paths: str, patience: float = 5.0, note: Callable[[str], None] = lambda line: None) -> Path:
        urls = [path if ":" in path else mirror.url(path) for path in paths]
        return fetch(NAME, size=len(CONTENT), sha256=DIGEST, urls=urls, patience=patience, note=note)

    return get


Get = Callable[..., Path]


def partial(cache: Path) -> Path:
    return cache / "set/.images.gz.partial"


def files(cache: Path) -> set[str]:
    return {str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file()}


def put_partial(cache: Path, content: bytes) -> None:
    partial(cache).parent.mkdir(parents=True)
    partial(cache).write_bytes(content)


# What works


@pytest.mark.parametrize("path", ["good", "no-length", "with-a-tail", "no-ranges", "moved", "slow"])
def test_a_file_is_downloaded_once(get: Get, mirror: Mirror, cache: Path, path: str) -> None:
    for _ in range(2):
        assert get(path) == cache / NAME
        assert (cache / NAME).read_bytes() == CONTENT
    assert files(cache) == {NAME, "lock"}
    assert len(mirror.requests) == (2 if path == "moved" else 1)


def test_what_is_in_the_cache_needs_no_mirror_and_no_word(get: Get, cache: Path) -> None:
    (cache / NAME).parent.mkdir(parents=True)
    (cache / NAME).write_bytes(CONTENT)
    told: list[str] = []
    assert get(note=told.append) == cache / NAME
    assert told == []
    assert files(cache) == {NAME}


def test_what_is_told(get: Get, mirror: Mirror) -> None:
    told: list[str] = []
    get("404", "good", note=told.append)
    assert told == [
        f"downloading set/images.gz (307 kB) from {mirror.host}",
        f"{mirror.host}: HTTP 404, Not Found",
        f"downloading set/images.gz (307 kB) from {mirror.host}",
    ]


def test_a_long_download_says_how_far_it_is(get: Get) -> None:
    told: list[str] = []
    get("slow", patience=0.5, note=told.append)
    assert re.fullmatch(r"\d+ kB of 307 kB", told[1])


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GANZOO_CACHE", "~/here")
    assert cache_root() == tmp_path / "here"
    monkeypatch.delenv("GANZOO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_root().name == "ganzoo"


# Going on


def test_the_next_mirror_goes_on_where_one_broke_off(get: Get, mirror: Mirror, cache: Path) -> None:
    assert get("break-off", "good").read_bytes() == CONTENT
    assert mirror.requests == [("/break-off", None), ("/good", "bytes=100000-")]
    assert files(cache) == {NAME, "lock"}


def test_the_next_call_goes_on_where_one_broke_off(get: Get, mirror: Mirror, cache: Path) -> None:
    for kept in (100_000, 200_000, 300_000):
        with pytest.raises(GanzooError, match=f"stopped after {kept:,} of 307,200 bytes"):
            get("break-off")
        assert partial(cache).read_bytes() == CONTENT[:kept]
    assert get("break-off").read_bytes() == CONTENT
    assert mirror.requests[-1] == ("/break-off", "bytes=300000-")


def test_a_download_that_was_interrupted_goes_on(get: Get, mirror: Mirror, cache: Path) -> None:
    def interrupt(line: str) -> None:
        if " of " in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get("slow", patience=0.5, note=interrupt)
    assert files(cache) == {"set/.images.gz.partial", "lock"}
    kept = partial(cache).stat().st_size
    assert 0 < kept < len(CONTENT)
    assert partial(cache).read_bytes() == CONTENT[:kept]
    assert get("good").read_bytes() == CONTENT
    assert mirror.requests[-1] == ("/good", f"bytes={kept}-")


def test_a_server_without_ranges_starts_again(get: Get, mirror: Mirror, cache: Path) -> None:
    put_partial(cache, b"?" * 1000)
    assert get("no-ranges").read_bytes() == CONTENT
    assert len(mirror.requests) == 1


def test_a_partial_file_that_was_complete_needs_no_request(get: Get, mirror: Mirror, cache: Path) -> None:
    put_partial(cache, CONTENT)
    assert get("good").read_bytes() == CONTENT
    assert mirror.requests == []


@pytest.mark.parametrize("size", [1000, len(CONTENT), len(CONTENT) + 1])
def test_a_damaged_partial_file_is_no_fault_of_the_mirror(get: Get, mirror: Mirror, cache: Path, size: int) -> None:
    put_partial(cache, b"?" * size)
    assert get("good").read_bytes() == CONTENT
    assert mirror.requests[-1] == ("/good", None)


# What does not


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("404", "HTTP 404, Not Found"),
        ("500", "HTTP 500, Internal Server Error"),
        ("break-off", "stopped after 100,000 of 307,200 bytes"),
        ("corrupt", "sends other bytes than it should (by their sha256)"),
        ("endless", "sends other bytes than it should (by their sha256)"),
        ("sign-in", "offers 27 bytes, where 307200 are wanted"),
        ("other-range", "sends another part than was asked for"),
        ("stall", "no answer"),
        ("mute", "no answer"),
        ("trickle", "sends fewer than 4,096 bytes a second"),
        ("to-a-file", "HTTP 302, .* is not allowed"),
        ("to-ftp", "unknown url type: ftp"),
        ("in-circles", "HTTP 302, .* infinite loop."),
        ("not-http", "SSH-2.0-OpenSSH_9.6"),
    ],
)
def test_a_mirror_that_is_given_up(get: Get, mirror: Mirror, cache: Path, path: str, reason: str) -> None:
    with pytest.raises(GanzooError) as caught:
        get(path, patience=0.5)
    reason = reason if "*" in reason else re.escape(reason)
    assert re.fullmatch(rf"cannot download set/images\.gz: {mirror.host}: {reason}", str(caught.value))
    assert caught.value.exit_code == ExitCode.FAILURE
    assert not (cache / NAME).exists()
    assert get(path, "good", patience=0.5).read_bytes() == CONTENT


def test_no_more_bytes_are_kept_than_the_file_has(get: Get, cache: Path) -> None:
    with pytest.raises(GanzooError):
        get("endless")
    assert files(cache) == {"lock"}


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("file:///etc/hostname", "cannot download set/images.gz: file:///etc/hostname: unknown url type: file"),
        ("ftp://127.0.0.1/x", "cannot download set/images.gz: 127.0.0.1: unknown url type: ftp"),
        ("data:,x", "cannot download set/images.gz: data:,x: unknown url type: data"),
    ],
)
def test_only_the_web_is_opened(get: Get, url: str, message: str) -> None:
    with pytest.raises(GanzooError) as caught:
        get(url)
    assert str(caught.value) == message


def test_offline(get: Get, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(GanzooError) as caught:
        get("https://one.example/x", "http://two.example/x")
    assert str(caught.value) == (
        "cannot download set/images.gz: one.example: Name or service not known; two.example: Name or service not known"
    )
    assert caught.value.hint == f"try again, or put the file whose sha256 is {DIGEST} at {cache / NAME}"


def test_nobody_listens(get: Get, mirror: Mirror) -> None:
    mirror.close()
    with pytest.raises(GanzooError, match=f"^cannot download set/images.gz: {mirror.host}: Connection refused$"):
        get("good")


# The cache


def test_a_damaged_file_in_the_cache_is_fetched_again(get: Get, mirror: Mirror, cache: Path) -> None:
    get("good")
    for damaged in (CONTENT[:-1], CONTENT[:-1] + b"\0", b""):
        (cache / NAME).write_bytes(damaged)
        told: list[str] = []
        with pytest.raises(GanzooError):
            get("404", note=told.append)
        assert told[0] == f"{cache / NAME} is not the file that it should be, and is downloaded again"
        assert (cache / NAME).read_bytes() == damaged
        assert get("good").read_bytes() == CONTENT
    assert len(mirror.requests) == 7


def test_a_cache_that_cannot_be_written(get: Get, mirror: Mirror, cache: Path) -> None:
    cache.write_bytes(b"")
    with pytest.raises(GanzooError) as caught:
        get("good")
    assert str(caught.value) == f"cannot keep set/images.gz in {cache}: Not a directory"
    assert caught.value.hint == "set GANZOO_CACHE to a directory that can be written to"
    assert mirror.requests == []


def test_two_processes_download_it_once(mirror: Mirror, cache: Path) -> None:
    script = (
        "import sys; from ganzoo.data.fetch import fetch\n"
        "url, size, sha256 = sys.argv[1:]\n"
        f"fetch({NAME!r}, size=int(size), sha256=sha256, urls=[url], note=print)"
    )
    command = [sys.executable, "-c", script, mirror.url("slow"), str(len(CONTENT)), DIGEST]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = {process.communicate(timeout=60)[0] for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert (cache / NAME).read_bytes() == CONTENT
    assert len(mirror.requests) == 1
    downloading = f"downloading set/images.gz (307 kB) from {mirror.host}\n"
    assert told in ({downloading, ""}, {downloading, "waiting for another process that downloads\n"})


def test_threads_wait_for_one_another(get: Get, mirror: Mirror, cache: Path) -> None:
    told: list[str] = []

    def note(line: str) -> None:
        told.append(line)
        if told.count("waiting for another process that downloads") == 3:
            mirror.opened.set()

    threads = [threading.Thread(target=get, args=["gate"], kwargs={"note": note}) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (cache / NAME).read_bytes() == CONTENT
    assert len(mirror.requests) == 1
    assert len(told) == 4
