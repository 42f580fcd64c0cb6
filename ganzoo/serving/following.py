"""Names that follow an alias of the registry: who moves it changes what is served, without a restart."""

import asyncio
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path

from ganzoo.errors import GanzooError
from ganzoo.files import registry_root
from ganzoo.progress.stderr import say_whole
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.runtime.opening import open_generator
from ganzoo.runtime.providers import Device
from ganzoo_registry import Registry

POLL_SECONDS = 1.0
"""Seconds between two looks at an alias."""


@dataclass(kw_only=True)
class Alias:
    """An alias that a name follows.

    Args:
        reference: ``model@alias``.
        registry: its directory; None: the usual one.
        device: where its generators run.
        int8: whether they are those in int8.
        number: the version that was seen last.
    """

    reference: str
    registry: Path | None
    device: Device
    int8: bool
    number: int | None
    fault: str = field(init=False, default="")

    def moved(self) -> ImageGenerator | None:
        """The generator that it stands for now; None: that of last time.

        Raises:
            GanzooError: it stands for nothing that can be served.
        """
        version = Registry(registry_root(self.registry)).resolve(self.reference)
        if version.number == self.number:
            return None
        found = open_generator(str(version), self.registry, self.device, threads=1, int8=self.int8)
        self.number = version.number
        return found


async def follow(served: MutableMapping[str, ImageGenerator], aliases: Mapping[str, Alias]) -> None:
    """Replace what is served under each name whenever its alias has moved, until cancelled.

    The new generator is there before the old one goes; requests under way finish with the one that they began with. An
    alias that cannot be followed is told of once, and the old generator stays.

    Args:
        served: generators by the name that URLs use.
        aliases: by the same names.
    """
    while aliases:
        await asyncio.sleep(POLL_SECONDS)
        for name, alias in aliases.items():
            try:
                generator = await asyncio.to_thread(alias.moved)
            except GanzooError as error:
                if alias.fault != str(error):
                    say_whole(f"{name} stays as it is: {error}")
                alias.fault = str(error)
                continue
            alias.fault = ""
            if generator is not None:
                served[name] = generator
                say_whole(f"{name} is now {alias.reference.partition('@')[0]}:{alias.number}")
