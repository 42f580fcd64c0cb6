"""A network that is only used: a pretrained one whose features a discriminator looks at, say."""

import hashlib
from collections.abc import Callable
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from ganzoo.errors import IntegrityError, UsageError


class Frozen(nn.Module):
    """Runs ``network`` with the weights of a file, in eval mode; nothing learns, averages or stores them.

    The file's digest stands in the plugin's code and in the lineage of what was trained, so checkpoints and versions
    need not hold the weights. Gradients flow through it to its inputs.

    Args:
        network: a module of the file's shapes; its own weights are replaced.
        file: a path, or ``"package:file.safetensors"`` in a package: a safetensors file, or a state dict that torch
            saved, ``.pth`` or ``.pt``, of which nothing but tensors is read.
        sha256: of that file, 64 hexadecimal digits.

    Raises:
        UsageError: there is no such file.
        IntegrityError: the file has another digest, or holds other tensors than the network.
    """

    network: nn.Module

    def __init__(self, network: nn.Module, file: str | Path, sha256: str) -> None:
        super().__init__()
        self.sha256 = sha256
        self.__dict__["network"] = network.eval().requires_grad_(False)  # no submodule, so no weight is ours
        data = _read(file)
        if (found := hashlib.sha256(data).hexdigest()) != sha256:
            raise IntegrityError(f"{file}: its SHA-256 is {found[:12]}…, not {sha256[:12]}…", hint="fetch it anew")
        if any(tensor.is_meta for tensor in network.state_dict().values()):
            return  # its shapes alone are asked for
        try:
            network.load_state_dict(_tensors(data, str(file)))
        except (SafetensorError, UnpicklingError, RuntimeError, TypeError) as error:
            raise IntegrityError(f"{file}: it is not of this network: {' '.join(str(error).split())[:200]}") from error

    def forward(self, *inputs: Any) -> Any:
        """The network's output."""
        return self.network(*inputs)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move and convert the network with everything else."""
        self.network._apply(fn)  # type: ignore[no-untyped-call]
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self


def _tensors(data: bytes, file: str) -> Any:
    """The state dict in a file whose digest was verified before."""
    saved_by_torch = file.endswith((".pth", ".pt"))
    return torch.load(BytesIO(data), "cpu", weights_only=True) if saved_by_torch else load(data)


def _read(file: str | Path) -> bytes:
    package, _, name = str(file).partition(":")
    try:
        if isinstance(file, str) and name and package.replace(".", "").isidentifier():
            return files(package).joinpath(name).read_bytes()
        return Path(file).read_bytes()
    except (OSError, ModuleNotFoundError) as error:
        raise UsageError(f"{file}: there is no such file of weights", hint="install the package that has it") from error
