"""A trainer's whole state as one safetensors file: no pickle, tensors by parameter name, the counter as metadata.

Because random numbers depend on the step alone (``draws``), no generator state is needed to go on bit for bit.
"""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ganzoo.errors import IntegrityError
from ganzoo.files import write_atomic
from ganzoo.training.trainer import Trainer

FORMAT = "1"


def write(trainer: Trainer, path: Path) -> None:
    """Save everything that the next step depends on; the file appears whole or not at all."""
    tensors = _weights(trainer)
    for name, optimizer in trainer.optimizers.items():
        module = trainer.modules()[name]
        for parameter_name, parameter in module.named_parameters():
            for key, value in optimizer.state.get(parameter, {}).items():
                tensors[f"adam.{name}.{parameter_name}.{key}"] = value
    tensors |= {f"telemetry.{name}": pair for name, pair in trainer.telemetry.state().items()}
    stored = _storable(tensors)
    header = {"format": FORMAT, "steps_done": trainer.steps_done, "digest": _digest(stored, trainer.steps_done)}
    write_atomic(path, save(stored, {"ganzoo": json.dumps(header)}))


def read(trainer: Trainer, path: Path) -> None:
    """Bring ``trainer`` to the state that was saved.

    Raises:
        IntegrityError: the file is damaged, or is another model's.
    """
    tensors, steps_done = _load(path)
    _copy(_weights(trainer), tensors, path)
    for name, optimizer in trainer.optimizers.items():
        for parameter_name, parameter in trainer.modules()[name].named_parameters():
            prefix = f"adam.{name}.{parameter_name}."
            state = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
            if state:
                optimizer.state[parameter] = {key: _like(parameter, value) for key, value in state.items()}
    prefix = "telemetry."
    sums = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    trainer.telemetry.load_state(sums)
    trainer.steps_done = steps_done


def network_bytes(module: nn.Module) -> bytes:
    """A network's weights and buffers as a safetensors file."""
    return save(_storable(module.state_dict()))


def load_network(module: nn.Module, data: bytes, source: str) -> None:
    """Fill ``module`` from what ``network_bytes`` made.

    Raises:
        IntegrityError: the tensors are not this network's.
    """
    from safetensors.torch import load

    try:
        tensors = load(data)
    except SafetensorError as error:
        raise IntegrityError(f"{source}: not a safetensors file ({error})") from error
    targets = dict(module.state_dict())
    _copy(targets, tensors, source)
    if foreign := sorted(tensors.keys() - targets.keys()):
        raise IntegrityError(f"{source}: is another model's: there is no {foreign[0]} here")


def _weights(trainer: Trainer) -> dict[str, Tensor]:
    return {
        f"{name}.{key}": tensor
        for name, module in trainer.modules().items()
        for key, tensor in module.state_dict().items()
    }


def _storable(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Dense, on the CPU, and sharing no memory: tied weights are stored under each of their names."""
    return {key: tensor.detach().cpu().contiguous().clone() for key, tensor in tensors.items()}


def _digest(tensors: dict[str, Tensor], steps_done: int) -> str:
    """SHA-256 of the counter and of every tensor's name, type, shape and bytes."""
    digest = hashlib.sha256(str(steps_done).encode())
    for key in sorted(tensors):
        tensor = tensors[key]
        digest.update(f"/{key} {tensor.dtype} {list(tensor.shape)}/".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _load(path: Path) -> tuple[dict[str, Tensor], int]:
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["ganzoo"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
        if header["format"] != FORMAT:
            raise IntegrityError(f"checkpoint {path} is of a newer ganzoo", hint="pip install --upgrade ganzoo")
        steps_done = int(header["steps_done"])
        if header["digest"] != _digest(tensors, steps_done):
            raise ValueError("its content is not what was saved")
        return tensors, steps_done
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise IntegrityError(
            f"checkpoint {path} is damaged: {error}",
            hint="remove it, and --resume goes on from the one before",
        ) from error


@torch.no_grad()
def _copy(targets: dict[str, Tensor], tensors: dict[str, Tensor], source: object) -> None:
    for key, target in targets.items():
        found = tensors.get(key)
        if found is None or found.shape != target.shape:
            has = "nothing" if found is None else f"{list(found.shape)}"
            raise IntegrityError(f"{source}: is another model's: {key} should be {list(target.shape)}, and is {has}")
        target.copy_(found)


def _like(parameter: Tensor, value: Tensor) -> Tensor:
    """Adam's state in its parameter's memory format, so that a resumed update is the same to the bit."""
    if value.shape != parameter.shape:
        return value.to(parameter.device)
    return torch.empty_like(parameter).copy_(value)
