"""Checks of a plugin as a whole: how it loads, what its names mean, and that its hooks do not fail."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ganzoo.config import RunConfig
from ganzoo.errors import PluginError
from ganzoo.pipeline.hooks import gathered
from ganzoo.records.run import Run
from ganzoo.specs import Spec
from ganzoo.testing.bench import Bench
from ganzoo.testing.checks import NotRun
from ganzoo.zoo.discovery import Manager
from ganzoo.zoo.installed import Plugin, State
from ganzoo.zoo.trial import LIMIT_SECONDS, search_path
from ganzoo_registry import Version

HEAVY = ("torch", "numpy", "onnxruntime")
"""Packages that a plugin's module must not import: every command loads it, ``ganzoo models`` and a server's, too."""

BUDGET = 1.0
"""Most time of a CPU that a plugin's module may take to import, in times of what it needs of ganzoo itself."""

PATIENCE = 5.0
"""Most time by the clock, in the same way; it is more, because a busy machine lets a process wait."""

TRIES = 3
"""How often it is measured at most, because a busy machine slows a single one down."""

IMPORT = """
import json, sys, time
path, module, heavy, place = json.loads(sys.argv[1])
sys.path[:] = path
def now():
    return time.process_time(), time.perf_counter()
begin = now()
from ganzoo import Architecture, hookimpl
between = now()
__import__(module)
end = now()
with open(place, "w") as file:
    json.dump([begin, between, end, [name for name in heavy if name in sys.modules]], file)
"""


class Seconds(NamedTuple):
    """What an import took: of a CPU, and by the clock, which counts waiting, too."""

    computing: float
    elapsed: float

    @classmethod
    def between(cls, begin: Sequence[float], end: Sequence[float]) -> "Seconds":
        """What passed between two readings of both."""
        return cls(*(after - before for before, after in zip(begin, end, strict=True)))

    def __str__(self) -> str:
        """``23 ms (25 ms with waiting)``."""
        return f"{self.computing * 1e3:.0f} ms ({self.elapsed * 1e3:.0f} ms with waiting)"


def loads(bench: Bench, spec: Spec | None) -> str:
    """The plugin can be used; the reason where it cannot is that of ``ganzoo plugins``."""
    plugin = bench.plugin
    if plugin.state is State.DISABLED:
        raise NotRun(f"it is {plugin.state}: {plugin.reason}")
    raise PluginError(f"it is {plugin.state}: {plugin.reason}")


def light_import(bench: Bench, spec: Spec | None) -> str:
    """The plugin's module imports nothing heavy, and costs every command less than what it needs of ganzoo costs."""
    taken = []
    for _ in range(TRIES):
        ganzoo, own, heavy = _import(bench.plugin)
        excess = max(own.computing / (BUDGET * ganzoo.computing), own.elapsed / (PATIENCE * ganzoo.elapsed))
        if heavy:
            raise PluginError(
                f"the module {_module(bench.plugin)} imports {', '.join(heavy)}",
                hint="name what is heavy as 'package.module:attribute', or import it in the function that needs it",
            )
        if excess <= 1:
            return f"{own.computing * 1e3:.0f} ms after {ganzoo.computing * 1e3:.0f} ms of ganzoo"
        taken.append((excess, own, ganzoo))
    _, own, ganzoo = min(taken)
    raise PluginError(f"its import takes {own}, and what it needs of ganzoo {ganzoo}")


def _import(plugin: Plugin) -> tuple[Seconds, Seconds, list[str]]:
    """What ganzoo and then the plugin's module take to import in a fresh process; what is heavy there."""
    module = _module(plugin)
    # Files, because a plugin may print anything, and leave a process behind that keeps a pipe open.
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile() as errors:
        place = Path(directory) / "taken.json"
        arguments = json.dumps([search_path(), module, HEAVY, str(place)])
        command = [sys.executable, "-I", "-c", IMPORT, arguments]
        nothing = subprocess.DEVNULL
        try:
            done = subprocess.run(  # noqa: S603
                command, stdin=nothing, stdout=nothing, stderr=errors, timeout=LIMIT_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise PluginError(f"the import of {module} had not ended after {LIMIT_SECONDS:g} seconds") from error
        if done.returncode or not place.is_file():
            errors.seek(0)
            said = errors.read().decode(errors="replace").splitlines()
            last = next(reversed(said), f"exit code {done.returncode}")
            raise PluginError(f"the module {module} cannot be imported alone: {last}")
        begin, between, end, heavy = json.loads(place.read_bytes())
    return Seconds.between(begin, between), Seconds.between(between, end), heavy


def _module(plugin: Plugin) -> str:
    return plugin.target.partition(":")[0]


def names(bench: Bench, spec: Spec | None) -> str:
    """Each spec is meant by its bare name: no other plugin that is installed has one of its kind and name."""
    for each in bench.plugin.specs:
        if bench.zoo.shortest(each) != each.name:
            alike = [other for other in bench.zoo.all(Spec) if (other.kind, other.name) == (each.kind, each.name)]
            other = next(other for other in alike if other is not each)
            raise PluginError(
                f"{each.kind} {each.name!r} is also in {bench.zoo.owner(other)}",
                hint=f"people would have to type {bench.zoo.qualified(each)}",
            )
    return f"{len(bench.plugin.specs)} specs"


def hooks(bench: Bench, spec: Spec | None) -> str:
    """The hooks of runs and versions do not fail: each is called once, as for a run that ended without a result.

    What ``ganzoo_lineage`` answers can be recorded.
    """
    own = bench.plugin
    fields = {name: getattr(own, name) for name in ("name", "distribution", "version", "location", "target", "api")}
    manager, problems = Manager([Plugin(**fields)], {}), list[str]()
    version = Version("m", 1, f"sha256:{'0' * 64}", "2026-01-01T00:00:00.000000Z")
    told: dict[str, dict[str, Any]] = {
        "ganzoo_run_started": {},
        "ganzoo_report": {"step": 50, "metrics": {"loss_d": 1.0, "loss_g": 1.0}},
        "ganzoo_evaluated": {"step": 50, "figures": {"fd": 1.0}},
        "ganzoo_lineage": {},
        "ganzoo_registered": {"version": version},
        "ganzoo_run_ended": {"result": None},
    }
    implemented = [hook for hook in (*told, "ganzoo_alias_moved") if manager.watching(hook)]
    if not implemented:
        raise NotRun("it has no hooks of runs")
    with tempfile.TemporaryDirectory() as directory:
        config = RunConfig(model="m", architecture="a", loss="l", name="m", observers=[own.name])
        facts = {"data": {"name": "digits", "digest": "sha256:0", "class_names": []}, "environment": {}, "parents": []}
        run = Run.create(Path(directory), config, facts)
        run.make_folders()
        for hook, arguments in told.items():
            call = gathered if hook == "ganzoo_lineage" else Manager.notify
            call(manager, hook, problems.append, run=run, **arguments)
        manager.notify("ganzoo_alias_moved", problems.append, version=version, alias="champion")
    if problems:
        raise PluginError(problems[0])
    return ", ".join(implemented)
