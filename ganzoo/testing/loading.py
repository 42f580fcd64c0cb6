"""Checks of a plugin as a whole: how it loads, what its names mean, and that its hooks do not fail."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ganzoo.config import RunConfig
from ganzoo.errors import PluginError
from ganzoo.records.run import Run
from ganzoo.specs import Spec
from ganzoo.testing.bench import Bench
from ganzoo.testing.checks import NotRun
from ganzoo.zoo.discovery import Manager
from ganzoo.zoo.installed import Plugin
from ganzoo_registry import Version

HEAVY = ("torch", "numpy", "onnxruntime")
"""Packages that a plugin's module must not import: every command loads it, ``ganzoo models`` and a server's, too."""

BUDGET = 1.0
"""Most time that a plugin's module may take to import, in times of what it needs of ganzoo itself."""

TRIES = 3
"""How often it is measured at most, because a busy machine slows a single one down."""

IMPORT = """
import json, sys, time
path, module, heavy = json.loads(sys.argv[1])
sys.path[:] = path
begin = time.process_time()
from ganzoo import Architecture, hookimpl
between = time.process_time()
__import__(module)
end = time.process_time()
print("\\n" + json.dumps([between - begin, end - between, [name for name in heavy if name in sys.modules]]))
"""


def loads(bench: Bench, spec: Spec | None) -> str:
    """The plugin can be used; the reason where it cannot is that of ``ganzoo plugins``."""
    plugin = bench.plugin
    raise PluginError(f"it is {plugin.state}: {plugin.reason}")


def light_import(bench: Bench, spec: Spec | None) -> str:
    """The plugin's module imports nothing heavy, and costs every command less than what it needs of ganzoo costs."""
    taken = []
    for _ in range(TRIES):
        ganzoo, own, heavy = _import(bench.plugin)
        if heavy:
            raise PluginError(
                f"the module {_module(bench.plugin)} imports {', '.join(heavy)}",
                hint="name what is heavy as 'package.module:attribute', or import it in the function that needs it",
            )
        taken.append((own, ganzoo))
        if own <= BUDGET * ganzoo:
            break
    own, ganzoo = min(taken)
    if own > BUDGET * ganzoo:
        raise PluginError(f"its import takes {own * 1e3:.0f} ms, and what it needs of ganzoo {ganzoo * 1e3:.0f} ms")
    return f"{own * 1e3:.0f} ms after {ganzoo * 1e3:.0f} ms of ganzoo"


def _import(plugin: Plugin) -> tuple[float, float, list[str]]:
    """CPU seconds that ganzoo and then the plugin's module take to import in a fresh process; what is heavy there."""
    command = [sys.executable, "-I", "-c", IMPORT, json.dumps([sys.path, _module(plugin), HEAVY])]
    done = subprocess.run(command, env={**os.environ}, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        last = next(reversed(done.stderr.splitlines()), f"exit code {done.returncode}")
        raise PluginError(f"the module {_module(plugin)} cannot be imported alone: {last}")
    ganzoo, own, heavy = json.loads(done.stdout.splitlines()[-1])
    return ganzoo, own, heavy


def _module(plugin: Plugin) -> str:
    return plugin.target.partition(":")[0]


def names(bench: Bench, spec: Spec | None) -> str:
    """Each spec is meant by its bare name: no other plugin that is installed has one of its kind and name."""
    for each in bench.plugin.specs:
        if bench.zoo.shortest(each) != each.name:
            others = [other for other in bench.zoo.all(type(each)) if other.name == each.name and other is not each]
            raise PluginError(
                f"{each.kind} {each.name!r} is also in {bench.zoo.owner(others[0])}",
                hint=f"people would have to type {bench.zoo.qualified(each)}",
            )
    return f"{len(bench.plugin.specs)} specs"


def hooks(bench: Bench, spec: Spec | None) -> str:
    """The hooks of runs and versions do not fail: each is called once, as for a run that ended without a result."""
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
            manager.notify(hook, problems.append, run=run, **arguments)
        manager.notify("ganzoo_alias_moved", problems.append, version=version, alias="champion")
    if problems:
        raise PluginError(problems[0])
    return ", ".join(implemented)
