"""Folders of images, a zoo of one's own, and a server that misbehaves."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganzoo.specs import Spec
from ganzoo.zoo.discovery import Manager, Plugin, State
from ganzoo.zoo.names import Zoo


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """``put("cat/1.png", image)`` saves an image, or bytes, below ``tmp_path / "photos"``, which it returns."""
    root = tmp_path / "photos"

    def put(name: str, content: Image.Image | bytes | None = None, **options: Any) -> Path:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            (content or Image.new("L", (8, 8), 100)).save(path, **options)
        return root

    return put


@pytest.fixture
def noise() -> Callable[..., Any]:
    """``noise(height, width, ...)``: uint8 pixels that are the same in every test."""
    return lambda *shape: np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def make_zoo() -> Callable[..., Zoo]:
    """A zoo with the given specs, all of one third party."""

    def make(*specs: Spec) -> Zoo:
        here = {"name": "photos", "distribution": "acme", "version": "1", "location": "", "target": "x", "api": "v1"}
        return Zoo(Manager([Plugin(**here, state=State.ACTIVE, specs=specs)]))

    return make


class Mirror:
    """A server on loopback: ``requests`` are the paths and ranges that it was asked for.

    The path says how it behaves: ``/break-off``, say. Ranges are honoured everywhere but under ``/no-ranges``.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
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

    def start(self, request: BaseHTTPRequestHandler, content: bytes | None = None) -> bytes:
        """Send the headers; returns what is to follow."""
        content = self.content if content is None else content
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers["Range"] or "")
        first = int(asked[1]) if asked else 0
        request.send_response(206 if asked else 200)
        if asked:
            request.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        request.send_header("Content-Length", str(len(content) - first))
        request.end_headers()
        return content[first:]

    def good(self, request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(self.start(request))

    def no_length(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(self.content)

    def with_a_tail(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(self.content + b"<!-- served by cache 3 -->")

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
        request.wfile.write(self.start(request, self.content[:-1] + b"\0"))

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
def mirror_of() -> Iterator[Callable[[bytes], Mirror]]:
    """``mirror_of(content)`` starts a ``Mirror``; it ends with the test."""
    started: list[Mirror] = []

    def start(content: bytes) -> Mirror:
        started.append(Mirror(content))
        return started[-1]

    yield start
    for mirror in started:
        mirror.close()
