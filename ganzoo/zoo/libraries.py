"""Switches of libraries that decide what everybody in the process computes, for plugins that turn them."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

UNKNOWN = object()
"""What a library chooses when it is imported."""


@dataclass(frozen=True)
class Switch:
    """A global setting of a library.

    Args:
        library: the module that has it.
        name: what it is, for a person.
        default: its value where the library has just been imported, or ``UNKNOWN``.
        read: module -> value.
        write: sets it, given the module and a value.
    """

    library: str
    name: str
    default: Any
    read: Callable[[Any], Any]
    write: Callable[[Any, Any], object]

    def current(self) -> Any:
        """Its value; what it will be if the library is not imported yet."""
        module = sys.modules.get(self.library)
        try:
            return self.default if module is None else self.read(module)
        except AttributeError:  # it is being imported
            return self.default

    def put_back(self, before: Any) -> bool:
        """Set it as it was before; returns whether it had changed."""
        module = sys.modules.get(self.library)
        if module is None or before is UNKNOWN or self.current() == before:
            return False
        self.write(module, before)
        return True


def _attribute(library: str, path: str, default: Any) -> Switch:
    owner, _, name = path.rpartition(".")

    def write(module: Any, value: Any) -> None:
        setattr(attrgetter(owner)(module) if owner else module, name, value)

    return Switch(library, f"{library}.{path}", default, attrgetter(path), write)


def _called(library: str, read: str, write: str, default: Any) -> Switch:
    return Switch(
        library,
        f"{library}.{write}",
        default,
        lambda module: attrgetter(read)(module)(),
        lambda module, value: attrgetter(write)(module)(value),
    )


def _autocasts(torch: Any) -> tuple[int, bool, bool]:
    """How many autocasts are entered, which torch tells only whom it lets enter or leave one, and on which devices."""
    torch.autocast_increment_nesting()
    return torch.autocast_decrement_nesting(), torch.is_autocast_enabled("cpu"), torch.is_autocast_enabled("cuda")


def _put_autocasts_back(torch: Any, before: tuple[int, bool, bool]) -> None:
    """Leave those that were entered since: until the last one is left, torch computes with copies of old weights."""
    depth, cpu, cuda = before
    while _autocasts(torch)[0] > depth:
        torch.autocast_decrement_nesting()
    torch.clear_autocast_cache()
    torch.set_autocast_enabled("cpu", cpu)
    torch.set_autocast_enabled("cuda", cuda)


def _flushes(_: Any) -> bool:
    """Whether the processor makes numbers below the normal ones 0."""
    return sys.float_info.min / 2 == 0


SWITCHES = (
    Switch(
        "torch",
        "torch.set_default_dtype",
        "torch.float32",
        lambda torch: str(torch.get_default_dtype()),
        lambda torch, name: torch.set_default_dtype(attrgetter(name.partition(".")[2])(torch)),
    ),
    Switch(
        "torch",
        "torch.set_default_device",
        "cpu",
        lambda torch: str(torch.get_default_device()),
        lambda torch, name: torch.set_default_device(None if name == "cpu" else name),
    ),
    Switch("torch", "torch.set_flush_denormal", False, _flushes, lambda torch, on: torch.set_flush_denormal(on)),
    _called("torch", "is_grad_enabled", "set_grad_enabled", True),
    _called("torch", "get_num_threads", "set_num_threads", UNKNOWN),
    _called("torch", "is_anomaly_enabled", "autograd.set_detect_anomaly", False),
    _called("torch", "are_deterministic_algorithms_enabled", "use_deterministic_algorithms", False),
    Switch("torch", "torch.autocast", (0, False, False), _autocasts, _put_autocasts_back),
    _attribute("torch", "backends.mkldnn.enabled", True),
    _attribute("torch", "backends.mkldnn.matmul.fp32_precision", "none"),
    _attribute("torch", "backends.cuda.matmul.fp32_precision", "none"),
    _attribute("torch", "backends.cudnn.enabled", True),
    _attribute("torch", "backends.cudnn.benchmark", False),
    Switch(
        "numpy",
        "numpy.seterr",
        {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"},
        lambda numpy: numpy.geterr(),
        lambda numpy, before: numpy.seterr(**before),
    ),
    _called("socket", "getdefaulttimeout", "setdefaulttimeout", None),
    _attribute("PIL.ImageFile", "LOAD_TRUNCATED_IMAGES", False),
    _attribute("PIL.Image", "MAX_IMAGE_PIXELS", 89_478_485),
)
