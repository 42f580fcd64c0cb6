"""What an optimizer remembers from step to step, for checkpoints: moments of each weight, and what its groups count."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

NUMBER = "#number"
"""What ends the name of a moment that is a number to the optimizer, and a tensor only in checkpoints."""


class Moments:
    """Reads and writes an optimizer's state.

    Args:
        named: the network's weights by name.
        varying: options that change from step to step, which are not counted.
        in_place: a CUDA graph may look for moments where they are, so they stay there; those of which there are none
            become zero. Else they are forgotten, and the optimizer makes new ones.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        named: Mapping[str, nn.Parameter],
        varying: Collection[str],
        in_place: bool,
    ) -> None:
        self._optimizer, self._named, self._in_place = optimizer, named, in_place
        self._uncounted = {"lr", *varying}
        self._first = [dict(self._counted(group)) for group in optimizer.param_groups]

    def tensors(self) -> dict[str, Tensor]:
        """What is remembered of each weight, as ``weight.moment``; nothing before its first update."""
        kept = {}
        for name, weight in self._named.items():
            for key, value in self._optimizer.state.get(weight, {}).items():
                if isinstance(value, Tensor):
                    kept[f"{name}.{key}"] = value
                elif type(value) in (int, float):
                    kept[f"{name}.{key}{NUMBER}"] = torch.tensor(value, dtype=torch.float64)
        return kept

    def load(self, moments: Mapping[str, Tensor]) -> None:
        """Go on from what ``tensors`` gave; a weight without any begins anew."""
        for name, weight in self._named.items():
            own = {k.removeprefix(f"{name}."): v for k, v in moments.items() if k.rpartition(".")[0] == name}
            if not own and not self._in_place:
                self._optimizer.state.pop(weight, None)
            elif held := self._optimizer.state.get(weight):
                for key, value in held.items():
                    if isinstance(value, Tensor):
                        value.copy_(own.get(key, torch.zeros(())))
                    elif type(value) in (int, float):
                        held[key] = type(value)(own.get(key + NUMBER, torch.zeros(())))
            elif own:
                beside = self._counts_beside(weight)
                self._optimizer.state[weight] = dict(_moment(weight, key, value, beside) for key, value in own.items())

    def _counts_beside(self, weight: nn.Parameter) -> bool:
        """Whether a weight's ``step`` lies on its device, and not on the CPU: torch's rule when it loads a state."""
        group = next(each for each in self._optimizer.param_groups if any(weight is other for other in each["params"]))
        return bool(group.get("capturable") or group.get("fused"))

    def counts(self) -> dict[str, float]:
        """What the groups count, by ``group.NUMBER.KEY``."""
        return {
            f"group.{number}.{key}": float(value)
            for number, group in enumerate(self._optimizer.param_groups)
            for key, value in self._counted(group)
        }

    def load_counts(self, counts: Mapping[str, float]) -> None:
        """Go on from what ``counts`` gave; what is not in it becomes what it was at the beginning."""
        for group, first in zip(self._optimizer.param_groups, self._first, strict=True):
            for key in dict(self._counted(group)).keys() - first.keys():
                if key in self._optimizer.defaults:
                    group[key] = self._optimizer.defaults[key]
                else:
                    del group[key]
            group.update(first)
        for name, value in counts.items():
            _, number, key = name.split(".", 2)
            group = self._optimizer.param_groups[int(number)]
            group[key] = value if type(group.get(key)) is float else _number(value)

    def _counted(self, group: Mapping[str, Any]) -> Iterator[tuple[str, int | float]]:
        """The numbers of a group that are the optimizer's own to change, as those are that were no default of it."""
        for key, value in group.items():
            own = key not in self._optimizer.defaults or value != self._optimizer.defaults[key]
            if own and type(value) in (int, float) and key not in self._uncounted:
                yield key, value


def _moment(weight: Tensor, key: str, value: Tensor, beside: bool) -> tuple[str, Tensor | float]:
    """A moment as the optimizer keeps it: in its weight's memory format, so that an update is the same to the bit."""
    if key.endswith(NUMBER):
        return key.removesuffix(NUMBER), _number(float(value))
    if key == "step" or value.shape != weight.shape:
        return key, value.to("cpu" if key == "step" and not beside else weight.device, copy=True)
    return key, torch.empty_like(weight, dtype=value.dtype).copy_(value)


def _number(value: float) -> int | float:
    return int(value) if value.is_integer() else value
