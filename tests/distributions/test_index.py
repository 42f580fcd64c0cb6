"""The index of plugins: read from a file or a server, bounded, and refused where it is none."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ganzoo.distributions import index
from ganzoo.distributions.index import MOST_BYTES, VARIABLE, parse, search
from ganzoo.errors import GanzooError, IntegrityError, NotFoundError, UsageError


def entry(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "distribution": f"ganzoo-{name}",
        "version": "1.0",
        "summary": f"the {name} of hinge",
        "provides": [{"kind": "model", "name": name}],
        **fields,
    }


INDEX = json.dumps({"format": 1, "plugins": [entry("sngan", url="https://sn.example", stars=3), entry("biggan")]})


def write(path: Path, text: str | bytes) -> dict[str, str]:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return {VARIABLE: str(path)}


@pytest.mark.parametrize(
    ("word", "found"),
    [("sngan", ["sngan"]), ("HINGE", ["sngan", "biggan"]), ("model big", ["biggan"]), ("lecam", [])],
)
def test_words_are_found_in_every_field(tmp_path: Path, word: str, found: list[str]) -> None:
    environ = write(tmp_path / "index.json", INDEX)
    assert [each.name for each in search(word, environ)] == found


def test_an_entry(tmp_path: Path) -> None:
    environ = write(tmp_path / "index.json", INDEX)
    (found,) = search("sngan", {VARIABLE: "file://" + environ[VARIABLE]})
    assert (found.distribution, found.version, found.url) == ("ganzoo-sngan", "1.0", "https://sn.example")
    assert found.provides == ("model sngan",)


def test_none_is_built_in() -> None:
    for environ in ({}, {VARIABLE: ""}):
        with pytest.raises(UsageError, match="no index of plugins is configured") as caught:
            search("gan", environ)
        assert str(caught.value.hint).startswith(f"{VARIABLE}=FILE or ")


def test_no_such_file(tmp_path: Path) -> None:
    for place in (tmp_path / "none.json", tmp_path, "~nobody-of-that-name/index.json"):
        with pytest.raises(NotFoundError, match="no such file"):
            search("gan", {VARIABLE: str(place)})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no index of plugins: "),
        ("[]", "it is not a JSON object"),
        ("{}", "is an index of format None"),
        ('{"format": 2, "plugins": []}', "is an index of format 2; this ganzoo reads format 1"),
        ('{"format": 1}', "it lacks 'plugins'"),
        ('{"format": 1, "plugins": 3}', "is no index of plugins: "),
        ('{"format": 1, "plugins": ["sngan"]}', "an entry is a str, not an object"),
        ('{"format": 1, "plugins": [{}]}', "it lacks 'name'"),
        (json.dumps({"format": 1, "plugins": [entry("a", summary=3)]}), "'summary' of an entry is no text"),
        (json.dumps({"format": 1, "plugins": [entry("a", provides="a")]}), "'provides' of an entry is no list"),
        (json.dumps({"format": 1, "plugins": [entry("a", provides=[{}])]}), "it lacks 'kind'"),
        ("[" * 10_000, "it is nested too deeply"),
        (b"\xff\xfe", "is no index of plugins: "),
        (b" " * (MOST_BYTES + 1), "has more than 4,194,304 bytes"),
    ],
)
def test_what_is_no_index(tmp_path: Path, text: str | bytes, message: str) -> None:
    environ = write(tmp_path / "index.json", text)
    with pytest.raises(IntegrityError, match=message) as caught:
        search("gan", environ)
    assert caught.value.hint


def test_the_example_of_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text("utf-8")
    shown = page.split("```json\n")[1].split("```")[0]
    (found,) = parse(shown.encode(), "the page")
    assert found.provides == ("model my-gan",)


class Handler(BaseHTTPRequestHandler):
    answers: ClassVar[dict[str, tuple[int, bytes, dict[str, str]]]] = {
        "/index.json": (200, INDEX.encode(), {}),
        "/moved": (302, b"", {"Location": "/index.json"}),
        "/file": (302, b"", {"Location": "file:///etc/hostname"}),
        "/large": (200, b" " * (MOST_BYTES + 2), {}),
        "/short": (200, b"{", {"Content-Length": "100"}),
    }

    def do_GET(self) -> None:
        if self.path == "/slow":
            self.send_response(200)
            self.end_headers()
            for _ in range(100):
                self.wfile.write(b" ")
                self.wfile.flush()
                if self.server.stopped.wait(0.02):  # type: ignore[attr-defined]
                    return
        code, body, headers = self.answers.get(self.path, (404, b"", {}))
        self.send_response(code)
        for key, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.stopped = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.stopped.set()  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("path", ["/index.json", "/moved"])
def test_from_a_server(address: str, path: str) -> None:
    assert [each.name for each in search("big", {VARIABLE: address + path})] == ["biggan"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/nothing", "HTTP 404"),
        ("/file", "unknown url type|cannot be read|302"),
        ("/large", "has more than 4,194,304 bytes"),
        ("/short", "cannot be read|is no index"),
        ("/slow", "it sends no whole index within 0.2 seconds"),
    ],
)
def test_a_server_that_does_not_send_it(address: str, path: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "PATIENCE_SECONDS", 0.2)
    with pytest.raises(GanzooError, match=message):
        search("gan", {VARIABLE: address + path})


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(GanzooError, match="cannot be read: ") as caught:
        search("gan", {VARIABLE: "http://127.0.0.1:9/index.json"})
    assert "right address" in str(caught.value.hint)
