"""Pages, followed as a person would: each command in order, each file written, each Python block run.

What a page shows under a command is compared with what the command prints, except for what differs from run to run.
In a shown text ``…`` stands for anything, alone on a line for any number of lines; an ``Error:`` is expected.
"""

import io
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]

PROGRAMS = ("ganzoo", "mkdir", "cp", "python")
"""What is run as it stands."""

VARIES = {
    r"sha256:[0-9a-f]+": "sha256:#",
    r"\b[0-9a-f]{64}\b": "#",
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC": "# UTC",
    r"(\w) +\d+ +(?=sha256:)": r"\1 # ",  # bytes
    r"[\d,]+ images/s": "# images/s",
    r"-?\d+(\.\d[\w.+-]*|e-\d+)": "#",  # versions, losses, differences
    r"\b(cpu|cuda(:\d+)?) in (bf16|fp32)\b": "# in #",
    r"[ \t]+": " ",  # columns are as wide as what is in them
}


def blocks(page: str) -> Iterator[tuple[str, str, str]]:
    """(language, file name or nothing, text) of each fenced block; the name stands in backticks before the block."""
    text = (ROOT / page).read_text("utf-8")
    for found in re.finditer(r"(?:^`([\w./-]+\.\w+)`[^\n]*\n\n)?^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield found[2], found[1] or "", found[3]


def commands(block: str) -> Iterator[tuple[str, str]]:
    """(command, what is shown under it) of each ``$`` line."""
    assert block.startswith("$ "), block
    for entry in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, shown = entry.partition("\n")
        yield command, shown


def normal(text: str) -> str:
    for pattern, replacement in VARIES.items():
        text = re.sub(pattern, replacement, text)
    return text


def agrees(shown: str, printed: str) -> bool:
    patterns = [
        r"(?:.*\n)*?" if line == "…" else re.escape(line.rstrip()).replace("…", ".*") + " ?\n"
        for line in normal(shown).splitlines()
    ]
    return re.fullmatch("".join(patterns), normal(printed).rstrip("\n") + "\n") is not None


class Tour:
    """A directory, and somebody who follows a page there.

    Args:
        directory: where to work.
        environment: the variables of all commands; ``PATH`` says which ``ganzoo`` and ``python`` are meant.
        elsewhere: commands that are not run -> (file, line) of each test that does the same.
        printed: commands that were run before -> what they printed.
    """

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str],
        elsewhere: Mapping[str, list[tuple[str, str]]] | None = None,
        printed: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.environment = {**environment, "LOGNAME": "ada"}
        self._elsewhere = elsewhere or {}
        self._printed = printed or {}
        self._server: subprocess.Popen[str] | None = None
        self._port = "8000"

    def follow(self, page: str, python: bool = True) -> None:
        """Do all that a page of the repository shows; its Python only if it is asked for."""
        script = ""
        for language, name, text in blocks(page):
            if name:
                (self.directory / name).parent.mkdir(exist_ok=True)
                (self.directory / name).write_text(text, "utf-8")
            elif language == "python":
                script += text
            elif language == "console":
                for command, shown in commands(text):
                    self.obey(command, shown)
        if python:
            self.python(script)

    def obey(self, command: str, shown: str) -> None:
        if command in self._elsewhere:
            assert not shown, f"$ {command}\nis not run here, so nothing holds what is shown"
            for file, line in self._elsewhere[command]:
                assert line in (ROOT / file).read_text("utf-8"), f"$ {command}\nis no longer covered by {file}"
            return
        first, _, then = command.partition(" && ")
        if then:
            self.obey(first, "")
            self.obey(then, shown)
            return
        printed = self.run(command, fails=shown.startswith("Error: "))
        if output := re.search(r" -o (\S+)", command):
            self.look_at(self.directory / output[1])
        if shown or not command.startswith(("curl ", "mkdir ", "cp ")):
            assert agrees(shown, printed), f"$ {command}\nshows\n{shown}\nand prints\n{printed}"

    def run(self, command: str, fails: bool) -> str:
        words = [word for word in shlex.split(command) if not re.fullmatch(r"[A-Z_]+=\S*", word)]
        if command in self._printed:
            return self._printed[command]
        if command.startswith("ganzoo serve ") and command.endswith(" &"):
            return self.serve(words[:-1])
        if words[0] == "curl":
            return self.fetch(words[1:])
        assert words[0] in PROGRAMS, f"this test does not know how to run: {command}"
        if "photos" in words:
            make_photos(self.directory / "photos")
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        assert (done.returncode != 0) == fails, f"$ {command}\nexits with {done.returncode}\n{done.stdout}"
        return done.stdout

    def python(self, script: str) -> None:
        """The blocks of a page build on each other."""
        done = subprocess.run(
            ["python", "-c", script],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def serve(self, words: list[str]) -> str:
        """On a free port, which later commands then mean by 8000."""
        assert self._server is None, "one server a page"
        command = [*words, "--port", "0"]
        self._server = subprocess.Popen(
            command, cwd=self.directory, env=self.environment, stderr=subprocess.PIPE, text=True
        )
        assert self._server.stderr is not None
        ready = self._server.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", ready)
        assert found, ready + self._server.communicate()[1]
        self._port = found[1]
        return ready.replace(f":{self._port}/", ":8000/")

    def fetch(self, words: list[str]) -> str:
        """``curl URL [-o FILE]``, or what it does where it is not installed."""
        url = words[0].replace("127.0.0.1:8000", f"127.0.0.1:{self._port}")
        if shutil.which("curl"):
            command = ["curl", "--silent", "--show-error", url, *words[1:]]
            return subprocess.run(command, cwd=self.directory, capture_output=True, text=True, check=True).stdout
        assert len(words) == 1 or words[1] == "-o", f"this test does not know how to run: curl {words}"
        try:
            with urlopen(url, timeout=60) as answer:
                body: bytes = answer.read()
        except HTTPError as error:
            body = error.read()
        if len(words) == 1:
            return body.decode()
        (self.directory / words[2]).write_bytes(body)
        return ""

    def look_at(self, output: Path) -> None:
        """What a command left is what its name says."""
        if output.suffix == ".npy":
            assert np.load(io.BytesIO(output.read_bytes())).dtype == np.uint8
        elif output.suffix == ".png":
            with Image.open(output) as picture:
                assert picture.format == "PNG"
        else:
            assert output.stat().st_size > 0

    def stop(self) -> None:
        if self._server is not None:
            self._server.send_signal(signal.SIGTERM)
            _, errors = self._server.communicate(timeout=60)
            assert (self._server.returncode, errors) == (0, "")


def make_photos(directory: Path) -> None:
    """Small pictures in class sub-folders."""
    rng = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (directory / name).mkdir(parents=True, exist_ok=True)
        for number in range(20):
            pixels = rng.integers(0, 256, (24, 32, 3), np.uint8)
            Image.fromarray(pixels).save(directory / name / f"{number}.png")
