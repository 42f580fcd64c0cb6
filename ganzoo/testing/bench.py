"""What checks work with: a plugin's networks and trainers, small, on one thread and on images that mean nothing."""

import copy
import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganzoo.config import NETWORKS, ExecutorName, PrecisionName, Settings, convert, merge
from ganzoo.data import ImageSet
from ganzoo.data.fetch import OfflineError, offline
from ganzoo.errors import GanzooError
from ganzoo.files import cache_root
from ganzoo.networks.build import Networks, build
from ganzoo.specs import Architecture, Augmentation, ImageShape, Loss, Optimizer, Penalty, Spec
from ganzoo.testing import stand
from ganzoo.testing.checks import Case, NotRun
from ganzoo.training.ranks import ALONE, Ranks
from ganzoo.training.setup import assemble, settle
from ganzoo.training.trainer import Trainer
from ganzoo.zoo.installed import Plugin
from ganzoo.zoo.names import Zoo, zoo
from ganzoo.zoo.recipe import LARGEST_BY_DEFAULT, Recipe, resolve

BATCH = 8
IMAGES = 64
CLASSES = 4

SMALL = {
    "batch": BATCH,
    "accumulate": 1,
    "warmup": 0,
    "size": 0,
    "steps": 4,
    "data": "digits",
    "device": "cpu",
    "executor": ExecutorName.EAGER,
    "threads": 1,
    "eval_every": 0,
    "patience": 0,
}
"""Settings of each training: short, and of nothing but what the model computes.

Learning rates do not rise from 0: in so few steps nothing would be learned, and no fault be seen in what was."""

CACHE = "GANZOO_CACHE"

MADE_HERE = {"extractors", "lock"}
"""What a check may make in the cache, by its name there."""

TWO_RANKS = "two ranks"


class Bench:
    """A place to check one plugin in.

    Args:
        plugin: the plugin.
        settings: configuration over each model's, in the checks that train.
    """

    def __init__(self, plugin: Plugin, settings: Settings) -> None:
        self.plugin = plugin
        self._settings = settings

    @cached_property
    def zoo(self) -> Zoo:
        """All plugins that are installed."""
        return Zoo(zoo().manager)

    @cached_property
    def _with_stand(self) -> Zoo:
        manager = copy.copy(zoo().manager)
        manager.plugins = [*manager.plugins, stand.PLUGIN]
        return Zoo(manager)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Leave the process's random numbers, torch's threads and the cache as they were, and download nothing.

        Raises:
            NotRun: something would have to be downloaded.
        """
        threads = torch.get_num_threads()
        states = random.getstate(), np.random.get_state()
        try:
            torch.set_num_threads(1)  # sums depend on their number to the bit
            with torch.random.fork_rng(devices=[]), _cache_of_its_own(), offline():
                yield
        except OfflineError as error:
            raise NotRun(str(error)) from error
        finally:
            torch.set_num_threads(threads)
            random.setstate(states[0])
            np.random.set_state(states[1])

    def recipe(self, spec: Spec, **settings: Any) -> Recipe:
        """A training in which ``spec`` has a part: of a model itself, of anything else in the stand's."""
        zoo, model, part = self._training_with(spec)
        usual = resolve(zoo, model)
        architecture = usual.architecture
        own = {**self._settings, "options": self._known_options(architecture)}
        if own.get("preset") not in usual.model.presets:  # a plugin may have several models
            own.pop("preset", None)
        small = {**SMALL, "size": least_size(architecture)}
        few = {"critic_steps": min(2, resolve(zoo, model, part).config.critic_steps)}
        return resolve(zoo, model, part, small, few, own, settings)

    def trainer(self, spec: Spec, ranks: Ranks = ALONE, **settings: Any) -> Trainer:
        """A trainer of that, ready for its first step, in fp32 unless ``settings`` say otherwise."""
        recipe = settle(self.recipe(spec, **merge({"precision": PrecisionName.FP32}, settings)), ranks)
        size = recipe.config.size
        channels = recipe.architecture.channels[0]
        return assemble(recipe, images(ImageShape(channels=channels, height=size, width=size, classes=CLASSES)), ranks)[
            1
        ]

    def networks(self, architecture: Architecture, shape: ImageShape, seeds: tuple[int, int] = (1, 2)) -> Networks:
        """An architecture's networks with its default options, or those of the settings that it takes."""
        return build(architecture, shape, self.options(architecture), seeds)

    def options(self, architecture: Architecture) -> Any:
        """An architecture's options."""
        return convert(self._known_options(architecture), architecture.options, "options.")

    def _known_options(self, architecture: Architecture) -> Settings:
        """The options in the settings that this architecture has: a plugin may have several."""
        known = {field.name for field in fields(architecture.options)}
        return {key: value for key, value in self._settings.get("options", {}).items() if key in known}

    def excuse(self, case: Case) -> str | None:
        """Why a check cannot pass, by what a spec itself declares; None: it should."""
        if case.check.name != TWO_RANKS or case.spec is None:
            return None
        coupled = [spec for spec in self.recipe(case.spec).specs if getattr(spec, "batch_coupled", False)]
        return f"{coupled[0].kind} {coupled[0].name} declares batch_coupled" if coupled else None

    def _training_with(self, spec: Spec) -> tuple[Zoo, str, Settings]:
        """What resolves names, the name of a model, and the settings that bring ``spec`` into it."""
        name, on_stand = self.zoo.qualified(spec), (self._with_stand, stand.NAME)
        match spec:
            case Loss():
                if further := set(spec.reads) - stand.HEADS:
                    raise NotRun(f"no model of the plugin trains with it, and it reads {', '.join(sorted(further))}")
                return *on_stand, {"loss": name}
            case Penalty():
                return *on_stand, {"penalties": {name: {"weight": spec.weight or 1.0, "every": spec.every}}}
            case Augmentation():
                return *on_stand, {"augment": name}
            case Optimizer():
                return *on_stand, {network: {"optimizer": name} for network in NETWORKS}
        return self.zoo, name, {}


@contextmanager
def _cache_of_its_own() -> Iterator[None]:
    """Have a cache for a time, with all that is in the person's but for what checks make."""
    before = os.environ.get(CACHE)
    with tempfile.TemporaryDirectory() as place:
        with suppress(GanzooError):  # without a home directory there is none
            for path in cache_root().absolute().glob("*"):
                if path.name not in MADE_HERE:
                    (Path(place) / path.name).symlink_to(path)
        os.environ[CACHE] = place
        try:
            yield
        finally:
            os.environ.pop(CACHE, None)
            if before is not None:
                os.environ[CACHE] = before


def least_size(architecture: Architecture) -> int:
    """The smallest images that the architecture makes, in pixels."""
    return min(architecture.resolutions)


def sizes_of(architecture: Architecture) -> list[int]:
    """The least size, and the largest that a training chooses by itself."""
    usual = [size for size in architecture.resolutions if size <= LARGEST_BY_DEFAULT]
    return sorted({least_size(architecture), max(usual, default=least_size(architecture))})


def shapes_of(architecture: Architecture) -> list[ImageShape]:
    """Each shape that its networks are built for in the checks; the least one first."""
    classes = CLASSES if architecture.conditional else 0
    return [
        ImageShape(channels=channels, height=size, width=size, classes=classes)
        for size in sizes_of(architecture)
        for channels in architecture.channels
    ]


def images(shape: ImageShape) -> ImageSet:
    """Labelled noise of a shape: uint8, each value as likely as any other."""
    stream = np.random.RandomState(np.random.Philox(key=np.array([0, 0], np.uint64)))
    return ImageSet(
        pixels=stream.randint(0, 256, (IMAGES, shape.channels, shape.height, shape.width), np.uint8),
        labels=np.arange(IMAGES, dtype=np.int64) % CLASSES,
        class_names=tuple(f"class {number}" for number in range(CLASSES)),
    )
