"""Has another process load a plugin that was not seen to load before, because one that ends its process ends ours.

What ends a process (``os._exit``, a segmentation fault, a signal, ``exec``), keeps it from ending (a thread, an endless
loop) or gives it another exit code cannot be caught. So a plugin of somebody else's is first loaded, and left again,
by a process of its own; if that does not end as it should, the plugin is set aside.

What was found is remembered in the cache, in a small file for each plugin, until its files change. The word that it
loads is taken back while it is loaded here, and given again after that: a plugin that ends this process all the same
is tried again by the next one. Where nothing can be written, each start has its trial.

What a plugin's hook may do to this process cannot be tried. So it is written down which one is being called, and by
which process: the next start sets a plugin aside whose call did not return before its process had ended. The cache may
be shared by machines and by containers, where a number is another process, or none: each start looks only at what
was written where it runs itself.
"""

import contextlib
import hashlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from ganzoo.errors import GanzooError
from ganzoo.files import cache_root
from ganzoo.machine import keep_quiet
from ganzoo.version import __version__
from ganzoo.zoo.foreign import PATIENCE_SECONDS, warn
from ganzoo.zoo.installed import Plugin, State

LIMIT_SECONDS = 60.0
"""How long a plugin may take to load."""

MOST_FILES = 1000
"""How many files of a plugin's package are looked at for a change."""

OLD_DAYS = 30
"""After how many days what is written of a call is taken away, whoever wrote it: nobody may come back to look at it."""

LOADS = "loads"

_states: dict[str, str] = {}
"""Plugin -> its state when it was first called here."""

PROGRAM = """
import json, sys
plugin, path, code = json.loads(sys.argv[1])
sys.path[:] = path
try:
    from ganzoo.zoo.discovery import Manager, Plugin
    plugin = Plugin(**plugin)
except BaseException:  # nothing can be tried here
    sys.exit(code)
Manager([plugin], {})
sys.exit(code)
"""
"""What the other process does: the load, and an end like that of any command."""


@contextlib.contextmanager
def tried(plugins: Sequence[Plugin]) -> Iterator[None]:
    """Around the loading of ``plugins``: sets aside those that cannot be loaded without an end to this process."""
    keep_quiet()  # one of them may import what ganzoo uses, too, and before it
    strangers = [plugin for plugin in plugins if plugin.state is State.AVAILABLE and not plugin.builtin]
    states = {plugin.qualified: _state(plugin) for plugin in strangers}
    notes = _notes() if strangers else []
    for plugin in strangers:
        state = states[plugin.qualified]
        found = _ended_by(plugin, notes) or _recall(plugin, state) or _try(plugin)
        if found != LOADS:
            _remember(plugin, state, found)
            plugin.set_aside(State.BROKEN, f"{found}; ganzoo plugins tries it again")
            warn(f"Plugin {plugin} is broken: {plugin.reason}")
    remaining = [plugin for plugin in strangers if plugin.state is State.AVAILABLE]
    for plugin in remaining:
        _forget(plugin)
    try:
        yield
    finally:
        for plugin in remaining:
            _remember(plugin, states[plugin.qualified], LOADS)


@contextlib.contextmanager
def written_down(plugin: Plugin, call: str) -> Iterator[None]:
    """Around a call of somebody else's plugin: if it ends this process, the next one knows."""
    if plugin.qualified not in _states:
        _states[plugin.qualified] = _state(plugin)
    caller = _caller(os.getpid())
    with contextlib.suppress(OSError, GanzooError, RuntimeError):
        place = _place(plugin, caller)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{_states[plugin.qualified]}\n{call}", "utf-8")
    try:
        yield
    finally:
        _forget(plugin, caller)


def _notes() -> list[Path]:
    """The files of the cache that are about plugins; of those about calls only what ``_has_ended`` takes."""
    with contextlib.suppress(OSError, GanzooError, RuntimeError):
        return [path for path in _home().iterdir() if not path.suffix or _has_ended(path)]
    return []


def _has_ended(note: Path) -> bool:
    """Whether a call was written down here, by a process that has ended; takes away what is old.

    An earlier ganzoo wrote a number alone. Nobody can tell where it is one of a process, so it accuses nobody.
    """
    with contextlib.suppress(OSError, ValueError, OverflowError):
        if note.suffix[1:].isdecimal() or time.time() - note.stat().st_mtime > OLD_DAYS * 86_400:
            note.unlink()
            return False
        where, number, start = note.suffix[1:].split("-")
        # Nothing is called before plugins are loaded: a call of this very process is from before an exec.
        return where == _here() and (
            int(number) == os.getpid() or not _is_running(int(number)) or _start(int(number)) not in ("", start)
        )
    return False


@cache
def _here() -> str:
    """A word for this machine since it was started, and this container: within it, processes have their numbers."""
    numbers = ""
    with contextlib.suppress(OSError):
        numbers = os.readlink("/proc/self/ns/pid")
    words = (os.uname().nodename, _read("/proc/sys/kernel/random/boot_id"), numbers)
    return hashlib.sha256("\n".join(words).encode(errors="replace")).hexdigest()[:16]


def _start(process: int) -> str:
    """When a process was started, as the kernel counts; empty: it does not say. No later one of its number has it."""
    return next(iter(_status(process)[19:20]), "")


def _status(process: int) -> list[str]:
    """What the kernel says of a process, from its state on; nothing: it does not say."""
    return _read(f"/proc/{process}/stat").rpartition(")")[2].split()


def _read(path: str) -> str:
    with contextlib.suppress(OSError):
        return Path(path).read_text("utf-8", "replace")
    return ""


def _caller(process: int) -> str:
    """A word for a process that runs here."""
    return f"{_here()}-{process}-{_start(process)}"


def _ended_by(plugin: Plugin, notes: Iterable[Path]) -> str | None:
    """What is known of a call that ended the process it was made by; None: of none."""
    for note in (path for path in notes if path.suffix and path.stem == _name(plugin)):
        with contextlib.suppress(OSError, ValueError):
            state, _, call = note.read_text("utf-8").partition("\n")
            note.unlink()
            if state == _state(plugin):
                return f"a process ended while it ran {call} of it"
    return None


def _is_running(process: int) -> bool:
    """Whether there is such a process that has not ended; one that its parent has not asked about since has."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        pass
    return _status(process)[:1] not in (["Z"], ["X"])


def try_again() -> None:
    """Forget which plugins were set aside, so that they have another trial; the command ``ganzoo plugins`` does it."""
    for note in _notes():
        with contextlib.suppress(OSError, ValueError):
            if note.read_text("utf-8").partition("\n")[2] != LOADS:
                note.unlink()


def _try(plugin: Plugin) -> str:
    """What comes of loading a plugin in a process of its own: ``LOADS``, or what is wrong, in words."""
    # An exit code that no plugin can know, so that none can end with it by chance.
    code = 64 + secrets.randbelow(64)
    fields = {name: getattr(plugin, name) for name in ("name", "distribution", "version", "location", "target", "api")}
    command = [sys.executable, "-I", "-c", PROGRAM, json.dumps([fields, search_path(), code])]
    # A plugin that asks ganzoo for something while it is loaded must not start the next trial.
    environment = {**os.environ, "GANZOO_PLUGINS": ""}
    nothing = subprocess.DEVNULL
    try:
        child = subprocess.Popen(command, env=environment, stdin=nothing, stdout=nothing, stderr=nothing)  # noqa: S603
    except (OSError, ValueError):
        return LOADS  # it cannot be tried; what can be caught will be
    with child:
        try:
            ended = _wait(child, plugin)
        finally:
            child.kill()
    if ended is None:
        return f"a process that loads it had not ended after {LIMIT_SECONDS:g} seconds"
    return LOADS if ended == code else f"it ends the process that loads it ({in_words(ended)})"


def search_path() -> list[str]:
    """Where modules are searched for here: the text in ``sys.path``, because imports pass over anything else."""
    return [each for each in sys.path if isinstance(each, str)]


def _wait(child: "subprocess.Popen[bytes]", plugin: Plugin) -> int | None:
    """The exit code, negative for a signal; None: it takes too long."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        return child.wait(PATIENCE_SECONDS)
    warn(f"plugin {plugin} is being tried for the first time, and takes more than {PATIENCE_SECONDS:g} seconds")
    with contextlib.suppress(subprocess.TimeoutExpired):
        return child.wait(LIMIT_SECONDS - PATIENCE_SECONDS)
    return None


def in_words(ended: int) -> str:
    """How a process ended: by which exit code, or by which signal if ``ended`` is negative."""
    if ended >= 0:
        return f"exit code {ended}"
    try:
        return signal.Signals(-ended).name
    except ValueError:
        return f"signal {-ended}"


def _home() -> Path:
    return cache_root() / "plugins"


def _place(plugin: Plugin, caller: str | None = None) -> Path:
    """Where it, or a process's call of it, is remembered."""
    return _home() / (_name(plugin) + (f".{caller}" if caller else ""))


def _name(plugin: Plugin) -> str:
    """A word for a plugin, of which one of the same name may be installed in several places."""
    name = hashlib.sha256(f"{plugin.location}\n{plugin.qualified}\n{plugin.target}".encode(errors="replace"))
    return name.hexdigest()[:32]


def _recall(plugin: Plugin, state: str) -> str | None:
    """What was found out about the plugin in this state; None: nothing."""
    with contextlib.suppress(OSError, ValueError, GanzooError, RuntimeError):
        known, _, found = _place(plugin).read_text("utf-8").partition("\n")
        if known == state:
            return found or None
    return None


def _remember(plugin: Plugin, state: str, found: str) -> None:
    with contextlib.suppress(OSError, GanzooError, RuntimeError):
        place = _place(plugin)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{state}\n{found}", "utf-8")


def _forget(plugin: Plugin, caller: str | None = None) -> None:
    with contextlib.suppress(OSError, GanzooError, RuntimeError):
        _place(plugin, caller).unlink()


def _state(plugin: Plugin) -> str:
    """A digest that changes with the plugin's files, with ganzoo, and with Python."""
    digest = hashlib.sha256(f"{sys.version}\n{__version__}\n{plugin}".encode(errors="replace"))
    for path in islice(_files(plugin), MOST_FILES):
        with contextlib.suppress(OSError):
            status = path.stat()
            digest.update(f"{path}\n{status.st_size}\n{status.st_mtime_ns}\n".encode(errors="replace"))
    return digest.hexdigest()


def _files(plugin: Plugin) -> Iterator[Path]:
    """The files of the module or the package that it is in; imports nothing."""
    top = plugin.target.partition(":")[0].partition(".")[0]
    try:
        spec: Any = find_spec(top)
    except Exception:  # what finders of others raise
        return
    if spec is None:
        return
    if spec.origin:
        yield Path(spec.origin)
    for folder in spec.submodule_search_locations or ():
        yield from _below(Path(folder))


def _below(folder: Path) -> Iterator[Path]:
    """The files below a folder, those of the folder itself first; no folder is read before its turn."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        yield from (Path(place, name) for name in sorted(names) if not name.endswith(".pyc"))
