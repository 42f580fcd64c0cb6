"""Downloads, from loopback servers that also break off, corrupt, stall, trickle and point elsewhere."""

import hashlib
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from terminal import terminal

from ganzoo.data.fetch import fetch
from ganzoo.errors import ExitCode, GanzooError
from ganzoo.files import cache_root
from ganzoo.progress.stderr import be_quiet, show

CONTENT = bytes(range(256)) * 1200
DIGEST = hashlib.sha256(CONTENT).hexdigest()
NAME = "set/images.gz"


Mirror = Any


@pytest.fixture
def mirror(mirror_of: Callable[[bytes], Mirror]) -> Mirror:
    return mirror_of(CONTENT)


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


def test_a_terminal_shows_a_bar_and_quiet_nothing(mirror: Mirror, cache: Path) -> None:
    def shown(*, quiet: bool) -> list[str]:
        with terminal(80) as made:
            be_quiet(quiet)
            show("loading the data")
            fetch(NAME, size=len(CONTENT), sha256=DIGEST, urls=[mirror.url("good")])
        be_quiet(False)
        (cache / NAME).unlink()
        return made.lines()

    said, bar = shown(quiet=False)
    assert said == f"downloading {NAME} (307 kB) from {mirror.host}"
    assert re.fullmatch(r"downloading 100% \S+ 307/307 kB, 00:00 left", bar)
    assert shown(quiet=True) == ["loading the data …"]


def test_the_bar_counts_what_was_there_before(get: Get, cache: Path) -> None:
    partial(cache).parent.mkdir(parents=True)
    partial(cache).write_bytes(CONTENT[:200_000])
    with terminal(80) as made:
        get("good")
    shown = [int(found) for found in re.findall(r" (\d+)/307 kB", made.text)]
    assert shown[-1] == 307
    assert min(shown[1:]) >= 200


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
    with pytest.raises(GanzooError, match=f"(?m)^cannot download set/images.gz: {mirror.host}: Connection refused$"):
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
