"""Finds out whether a loss reads a value on the host, which would wait for the device in each step."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves


class ValueReadError(Exception):
    """A value was read."""


class Unwatched(nn.Module):
    """A network, run outside of ``NoReading``: networks may read values."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor | None) -> Any:
        """The network's output."""
        with _disable_current_modes():
            return self.network(*inputs)


class NoReading(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Refuses ``.item()``, ``float()``, ``if tensor`` and whatever else fetches a value from the device.

    Tensors that were made on the CPU from numbers may be read, because that costs no waiting. So may labels on the CPU:
    torch's own ``one_hot`` looks at their values there, and only there.
    """

    def __init__(self, labels: Tensor | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._constants = {} if labels is None else {id(labels): labels}

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run each operation, except one that reads."""
        given = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        constant = func is torch.ops.aten.lift_fresh.default or all(
            id(each) in self._constants and each.device.type == "cpu" for each in given
        )
        if func is torch.ops.aten._local_scalar_dense.default and not constant:
            raise ValueReadError
        result = func(*args, **(kwargs or {}))
        for each in tree_leaves(result):
            if isinstance(each, Tensor):
                self._constants.pop(id(each), None)  # it was changed in place
                if constant:
                    self._constants[id(each)] = each
        return result
