"""``ganzoo doctor``: shows what works here, and what does not. It checks everything, and never fails itself."""

import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ganzoo.cli.output import emit, json_option, registry_option
from ganzoo.cli.tables import listing
from ganzoo.errors import GanzooError, PluginError, first_line
from ganzoo.files import registry_root
from ganzoo.machine import cores
from ganzoo.version import __version__

DAMAGED_SHOWN = 3
"""Damaged records that are named; all are counted, and --json has them all."""


@click.command()
@registry_option
@json_option
def command(registry: Path | None, as_json: bool) -> None:
    """Show what works on this machine: processors, PyTorch, ONNX Runtime, the registry, the plugins."""
    findings = {
        "ganzoo": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": cores(),
        "torch": _torch(),
        "onnxruntime": _onnxruntime(),
        "temporary": _temporary(),
        "registry": _registry(registry),
        "plugins": _plugins(),
    }
    emit({**findings, "problems": _problems(findings)}, as_json, _page)


def _torch() -> dict[str, Any]:
    try:
        import torch

        return {
            "version": torch.__version__,
            "cpu": torch.backends.cpu.get_cpu_capability(),
            "bf16": torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported(),
            "cuda": torch.version.cuda,
            "devices": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
            "fault": None,
        }
    except Exception as error:  # a damaged installation fails in any way
        return {"version": None, "fault": first_line(error)}


def _onnxruntime() -> dict[str, Any]:
    try:
        from ganzoo.runtime.providers import survey

        return asdict(survey())
    except Exception as error:
        return {
            "version": None,
            "distributions": {},
            "faults": {"import": first_line(error)},
            "collision": None,
        }


def _temporary() -> dict[str, str | None]:
    import tempfile

    try:
        return {"path": tempfile.gettempdir(), "fault": None}
    except OSError as error:  # a container with a read-only root
        return {"path": None, "fault": first_line(error)}


def _registry(option: Path | None) -> dict[str, Any]:
    from ganzoo_registry import NotWritable, Registry, RegistryError

    found: dict[str, Any] = {"path": str(option or ""), "models": 0, "writable": False, "fault": None, "damaged": []}
    try:
        store = Registry(registry_root(option))
        found["path"] = str(store.root)
        faults = store.faults()
        found["models"] = len(store.names())
    except RegistryError as error:
        faults = [error]
    except GanzooError as error:
        return {**found, "fault": f"{error}; {error.hint}"}
    refusals = [str(error) for error in faults if isinstance(error, NotWritable)]
    damaged = [str(error) for error in faults if not isinstance(error, NotWritable)]
    return {**found, "writable": not refusals, "fault": next(iter(refusals), None), "damaged": damaged}


def _plugins() -> list[dict[str, str]]:
    from ganzoo.zoo.names import zoo

    try:
        plugins = zoo().manager.plugins
    except PluginError as error:  # as GANZOO_STRICT_PLUGINS=1 asks for
        return [{"plugin": "?", "state": "broken", "reason": first_line(error)}]
    return [{"plugin": str(plugin), "state": str(plugin.state), "reason": plugin.reason} for plugin in plugins]


def _problems(findings: dict[str, Any]) -> list[str]:
    torch, runtime, registry = findings["torch"], findings["onnxruntime"], findings["registry"]
    problems = []
    if torch["fault"]:
        problems.append(f"PyTorch cannot be used, so nothing can be trained or exported: {torch['fault']}")
    if runtime["version"] is None:
        problems.append(f"ONNX Runtime cannot be used: {next(iter(runtime['faults'].values()))}")
    if runtime["collision"]:
        found = " and ".join(f"{name} {version}" for name, version in runtime["distributions"].items())
        problems.append(f"the ONNX Runtime wheels collide ({found}): {runtime['collision']}")
    if findings["temporary"]["fault"]:
        problems.append("there is no directory for temporary files, so nothing can be exported: set TMPDIR")
    if registry["fault"]:
        problems.append(f"the registry: {registry['fault']}")
    if count := len(registry["damaged"]):
        problems.append(
            f"the registry: {count} of its records cannot be read: {'; '.join(registry['damaged'][:DAMAGED_SHOWN])}"
            + ("; ..." if count > DAMAGED_SHOWN else "")
        )
    problems += [
        f"plugin {plugin['plugin']} is {plugin['state']}: {plugin['reason']}"
        for plugin in findings["plugins"]
        if plugin["state"] not in ("active", "disabled")
    ]
    return problems


def _page(findings: dict[str, Any]) -> str:
    torch, runtime, registry = findings["torch"], findings["onnxruntime"], findings["registry"]
    rows = [(key, findings[key]) for key in ("ganzoo", "python", "platform", "cores")]
    if torch["version"]:
        bf16 = "native bf16" if torch["bf16"] else "no native bf16"
        rows += [
            ("torch", f"{torch['version']}, CPU {torch['cpu']}, {bf16}"),
            (
                "torch CUDA",
                ", ".join(torch["devices"]) or f"no device (built for {torch['cuda'] or 'the CPU only'})",
            ),
        ]
    if runtime["version"]:
        rows.append(("onnxruntime", runtime["version"]))
        rows += [(f"  {name}", fault or "works") for name, fault in runtime["faults"].items()]
    rows += [
        ("temporary files", findings["temporary"]["path"] or "nowhere"),
        ("registry", f"{registry['path']} ({registry['models']} models)"),
        ("plugins", f"{sum(plugin['state'] == 'active' for plugin in findings['plugins'])} active"),
    ]
    problems = findings["problems"] or ["none"]
    return "\n".join([listing(rows), "", "Problems:", *(f"  {line}" for line in problems)])
