"""The bar that reading, packing and judging show on a terminal."""

import contextlib
import os
import pty
import re
import threading

import pytest

from ganzoo.cli.output import REDRAWS, ProgressBar


def shown(monkeypatch: pytest.MonkeyPatch, *calls: tuple[int, int]) -> str:
    """What a terminal gets; read meanwhile, because it holds a few kilobytes only."""
    master, slave = pty.openpty()
    seen = bytearray()

    def read() -> None:
        with contextlib.suppress(OSError):  # Linux says EIO when the other end is closed
            while chunk := os.read(master, 4096):
                seen.extend(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    with os.fdopen(slave, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        with ProgressBar("judging") as bar:
            for done, total in calls:
                bar(done, total)
        monkeypatch.undo()
    reader.join(timeout=20)
    os.close(master)
    return seen.decode()


def positions(text: str) -> list[int]:
    return [int(found) for found in re.findall(r"judging  \[[#-]{24}\]  +(\d+)/", text)]


def test_it_moves_to_the_end_and_leaves_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, *((done, 8) for done in range(1, 9)))
    assert positions(text)[-1] == 8
    assert positions(text) == sorted(positions(text))
    assert text.endswith("\x1b[?25h\r\n")


def test_it_is_not_redrawn_for_every_image(monkeypatch: pytest.MonkeyPatch) -> None:
    total = 10 * REDRAWS
    found = positions(shown(monkeypatch, *((done, total) for done in range(1, total, 2))))
    assert len(found) <= REDRAWS + 2
    assert found[-1] == total - 1


def test_one_that_is_stopped_leaves_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, (3, 8)).endswith("\x1b[?25h\r\n")


def test_nothing_is_shown_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("judging") as bar:
        bar(1, 2)
    assert capsys.readouterr() == ("", "")
