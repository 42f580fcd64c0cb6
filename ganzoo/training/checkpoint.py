"""A trainer's whole state as one safetensors file: no pickle, tensors by parameter name, scalars as metadata.

Because random numbers depend on the step alone (``draws``), no generator state is needed to go on bit for bit.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ganzoo.errors import IntegrityError
from ganzoo.files import parse_object, write_atomic
from ganzoo.networks.weights import copy_into, host_copies, mark_copies
from ganzoo.training.trainer import Trainer

FORMAT = "1"


@dataclass(frozen=True)
class Snapshot:
    """Everything that the next step depends on, in host memory: training may go on meanwhile.

    Args:
        tensors: by name, contiguous; they share memory with nothing. Read them only after ``arrived``.
        steps_done: finished steps.
        scalars: see ``Trainer.scalars``.
        fingerprint: see ``RunConfig.fingerprint``.
        copied: event after the copies from a CUDA device; None where there are none to wait for.
    """

    tensors: Mapping[str, Tensor]
    steps_done: int
    scalars: Mapping[str, float]
    fingerprint: str
    copied: torch.cuda.Event | None = None

    def arrived(self) -> "Snapshot":
        """Wait until all copies are in host memory; returns itself."""
        if self.copied is not None:
            self.copied.synchronize()
        return self


def take(trainer: Trainer) -> Snapshot:
    """Copy the state between two steps; on a CUDA device, without waiting for the copies."""
    tensors = _weights(trainer)
    for name, optimization in trainer.optimizations.items():
        tensors |= {f"{optimization.rule}.{name}.{key}": value for key, value in optimization.moments().items()}
    tensors |= {f"telemetry.{name}": pair for name, pair in trainer.telemetry.state().items()}
    scalars, fingerprint = trainer.scalars(), trainer.config.fingerprint()
    return Snapshot(host_copies(tensors), trainer.steps_done, scalars, fingerprint, mark_copies(tensors))


def put_back(trainer: Trainer, snapshot: Snapshot, source: object) -> None:
    """Bring ``trainer`` to the state of ``snapshot``; its tensors keep their place in memory.

    Args:
        source: where the state came from, for messages.

    Raises:
        IntegrityError: the state is another training's.
    """
    tensors = snapshot.arrived().tensors
    if snapshot.fingerprint != trainer.config.fingerprint():
        raise IntegrityError(f"{source}: is of a training with another configuration")
    copy_into(_weights(trainer), tensors, source)
    for name, optimization in trainer.optimizations.items():
        optimization.load_moments(_below(tensors, f"{optimization.rule}.{name}."))
    trainer.telemetry.load_state(_below(tensors, "telemetry."))
    trainer.steps_done = snapshot.steps_done
    trainer.load_scalars(snapshot.scalars)


def encode(snapshot: Snapshot) -> bytes:
    """The bytes of a checkpoint file.

    Any thread may call this, because no torch operation computes here: a thread that computes with torch gets OpenMP
    threads of its own, which slow the training's down.
    """
    arrived = snapshot.arrived()
    header = {
        "format": FORMAT,
        "steps_done": arrived.steps_done,
        "scalars": dict(arrived.scalars),
        "training": arrived.fingerprint,
        "digest": _digest(arrived),
    }
    return save(dict(arrived.tensors), {"ganzoo": json.dumps(header)})


def load(path: Path) -> Snapshot:
    """Read a checkpoint file.

    Raises:
        IntegrityError: it is missing or damaged, of another format, or not of the step that its name ends in.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = parse_object((file.metadata() or {})["ganzoo"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
        if header["format"] != FORMAT:
            raise IntegrityError(f"checkpoint {path} is of a newer ganzoo", hint="pip install --upgrade ganzoo")
        snapshot = Snapshot(tensors, int(header["steps_done"]), dict(header["scalars"]), str(header["training"]))
        if header["digest"] != _digest(snapshot):
            raise ValueError("its content is not what was saved")
        named = path.stem.rpartition("-")[2]
        if named.isdecimal() and int(named) != snapshot.steps_done:
            raise ValueError(f"it holds step {snapshot.steps_done}, as a copy of another file would")
        return snapshot
    except FileNotFoundError as error:
        raise IntegrityError(f"checkpoint {path} is missing") from error
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise IntegrityError(
            f"checkpoint {path} is damaged: {error}",
            hint="remove it, and --resume goes on from the one before",
        ) from error


def write(trainer: Trainer, path: Path) -> None:
    """Save the state; the file appears whole or not at all."""
    write_atomic(path, encode(take(trainer)))


def read(trainer: Trainer, path: Path) -> None:
    """Bring ``trainer`` to the state that was saved.

    Raises:
        IntegrityError: the file is damaged, or is another training's.
    """
    put_back(trainer, load(path), path)


def _weights(trainer: Trainer) -> dict[str, Tensor]:
    return {
        f"{name}.{key}": tensor
        for name, module in trainer.modules().items()
        for key, tensor in module.state_dict().items()
    } | {f"state.{name}": value for name, value in trainer.objective.state.items()}


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _digest(snapshot: Snapshot) -> str:
    """SHA-256 of the scalars and of every tensor's name, type, shape and bytes."""
    scalars = [snapshot.steps_done, snapshot.fingerprint, sorted(snapshot.scalars.items())]
    digest = hashlib.sha256(json.dumps(scalars).encode())
    for key, tensor in sorted(snapshot.tensors.items()):
        digest.update(f"/{key} {tensor.dtype} {list(tensor.shape)}/".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
