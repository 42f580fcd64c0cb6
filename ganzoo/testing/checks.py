"""The table of checks: what each is called, what it is of, and where it stands; imports none of them.

A check is a function of a ``Bench`` and a spec (None: it is of the plugin as a whole). It returns what it found, in a
few words, or raises: ``PluginError`` says what is wrong, ``NotRun`` why it cannot be said here. Any other exception is
the plugin's failure, too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields

from ganzoo.config import NETWORKS, RunConfig, Settings, convert
from ganzoo.errors import NotFoundError, PluginError, UsageError, did_you_mean
from ganzoo.specs import (
    Architecture,
    Augmentation,
    Dataset,
    Extractor,
    Loss,
    Metric,
    Model,
    Optimizer,
    Penalty,
    Reader,
    Spec,
)
from ganzoo.zoo.installed import Plugin, State
from ganzoo.zoo.names import zoo
from ganzoo.zoo.options import OF_NETWORKS, penalty_tables


class NotRun(Exception):  # noqa: N818 - an outcome, not a fault
    """A check has nothing to look at here; its message says why."""


@dataclass(frozen=True)
class Check:
    """One thing that plugins must do.

    Args:
        name: what reports and exemptions call it.
        target: ``"module:function"`` in ``ganzoo.testing``.
        kinds: kinds of spec that it is of; empty: it is of the plugin as a whole.
    """

    name: str
    target: str
    kinds: tuple[type[Spec], ...] = ()


TRAINED = (Model, Loss, Penalty, Augmentation, Optimizer)
"""Kinds of spec that have a part in a training step. A part that is no model is trained in the model of ``stand``."""

CHECKS = (
    Check("light import", "loading:light_import"),
    Check("names", "loading:names"),
    Check("hooks", "loading:hooks"),
    Check("options", "options:options", (Architecture, Loss, Augmentation, Optimizer)),
    Check("configuration", "options:configuration", (Model,)),
    Check("builds", "networks:builds", (Architecture,)),
    Check("images", "networks:images", (Architecture,)),
    Check("gradients", "networks:gradients", (Architecture,)),
    Check("seeds", "networks:seeds", (Architecture,)),
    Check("storage", "networks:storage", (Architecture,)),
    Check("onnx", "networks:onnx", (Architecture,)),
    Check("draws", "augmentations:draws", (Augmentation,)),
    Check("derivatives", "augmentations:derivatives", (Augmentation,)),
    Check("mixed precision", "training:mixed_precision", TRAINED),
    Check("tracing", "training:tracing", TRAINED),
    Check("two ranks", "ranks:two_ranks", TRAINED),
    Check("resume", "training:resume", TRAINED),
    Check("hidden state", "training:hidden_state", TRAINED),
    Check("cuda", "training:cuda", TRAINED),
    Check("images of the set", "datasets:images_of_the_set", (Dataset,)),
    Check("modes", "datasets:modes", (Dataset,)),
    Check("damage", "datasets:damage", (Reader,)),
    Check("figures", "figures:figures", (Metric,)),
    Check("features", "figures:features", (Extractor,)),
)
"""In the order in which they are run and reported."""

NAMED = {
    "architecture": Architecture,
    "loss": Loss,
    "augment": Augmentation,
    **{f"{network}_of": Architecture for network in NETWORKS},
}
"""Keys of the configuration -> the kind of spec that they name."""


@dataclass(frozen=True)
class Case:
    """A check of one plugin, or of one of its specs.

    Args:
        check: what is looked at.
        plugin: whose it is.
        spec: None where the check is of the plugin as a whole.
    """

    check: Check
    plugin: Plugin
    spec: Spec | None = None

    @property
    def subject(self) -> str:
        """``model my-gan``; empty where the check is of the plugin as a whole."""
        return "" if self.spec is None else f"{self.spec.kind} {self.spec.name}"

    def __str__(self) -> str:
        """``two ranks of model my-gan``, which an exemption may name."""
        return f"{self.check.name} of {self.subject}" if self.spec is not None else self.check.name


def cases_of(plugin: Plugin) -> list[Case]:
    """Every check that a plugin must pass: those of the plugin first, then one spec after the other.

    A loss or penalty that one of the plugin's own models trains with is checked there.
    """
    if plugin.state is not State.ACTIVE:
        return [Case(Check("loads", "loading:loads"), plugin)]
    whole = [Case(check, plugin) for check in CHECKS if not check.kinds]
    own = set(_trained_by_models(plugin.specs))
    return whole + [
        Case(check, plugin, spec)
        for spec in plugin.specs
        for check in CHECKS
        if isinstance(spec, check.kinds) and not (check.kinds == TRAINED and (spec.kind, spec.name) in own)
    ]


def _trained_by_models(specs: Iterable[Spec]) -> Iterator[tuple[str, str]]:
    """Kind and name of each loss that one of the plugin's models names, and of its penalties."""
    losses = {spec.name: spec for spec in specs if isinstance(spec, Loss)}
    for model in specs:
        if isinstance(model, Model) and (loss := losses.get(model.loss)):
            yield (loss.kind, loss.name)
            yield from ((penalty.kind, penalty.name) for penalty in loss.penalties)


def check_exemptions(exempt: Mapping[str, str], cases: Iterable[Case]) -> None:
    """Refuse exemptions of what is not checked, and those without a reason.

    Args:
        exempt: the name of a check, or ``CHECK of KIND NAME``, -> why the plugin need not pass it.
        cases: what is checked.

    Raises:
        UsageError: there is one; names it.
    """
    known = {name for case in cases for name in (case.check.name, str(case))}
    for name, reason in exempt.items():
        if name not in known:
            raise UsageError(f"exempt: there is no check {name!r} of this plugin", hint=did_you_mean(name, known))
        if not isinstance(reason, str) or not reason.strip():
            raise UsageError(f"exempt: {name!r} has no reason", hint="say in a few words why it cannot pass")


def check_settings(settings: Settings, plugins: Sequence[Plugin]) -> None:
    """Refuse settings that no training takes, so that the plugins are not blamed for them.

    Args:
        settings: configuration over each model's.
        plugins: what is checked.

    Raises:
        UsageError: an unknown key, a value that its key does not take, or an option or a preset that nothing has.
        NotFoundError: a name of a spec or an observer that nothing has.
    """
    options = settings.get("options", {})
    if not isinstance(options, Mapping):
        raise UsageError("configuration key 'options': expected a table", hint="--set options.KEY=VALUE")
    whole = {"model": "", "architecture": "", "loss": "", **settings, "penalties": {}}
    convert(whole, RunConfig)
    if any(plugin.state is not State.ACTIVE for plugin in plugins):
        return  # nobody knows what it would have
    # A penalty's table is complete only over the penalty's own values.
    tables = penalty_tables(zoo(), {}, [settings.get("penalties", {})], _home(plugins))
    config = convert({**whole, "penalties": tables}, RunConfig)
    _check_names(config, settings, plugins)
    known = {field.name for plugin in plugins for spec in _architectures(plugin) for field in fields(spec.options)}
    for key in options:
        if key not in known:
            hint = did_you_mean(key, known, "options.") if known else "leave it out: no architecture is checked"
            raise UsageError(f"no architecture that is checked has the option {key!r}", hint=hint)
    presets = {
        preset for plugin in plugins for spec in plugin.specs if isinstance(spec, Model) for preset in spec.presets
    }
    if config.preset and config.preset not in presets:
        hint = did_you_mean(config.preset, presets) if presets else "leave it out"
        raise UsageError(f"no model that is checked has the preset {config.preset!r}", hint=hint)


def _home(plugins: Sequence[Plugin]) -> str:
    """The distribution of all these plugins, whose own names come first; empty: they are of several."""
    homes = {plugin.distribution for plugin in plugins}
    return homes.pop() if len(homes) == 1 else ""


def _check_names(config: RunConfig, settings: Settings, plugins: Sequence[Plugin]) -> None:
    """Refuse names that stand for nothing, and options that no optimizer has.

    Raises:
        UsageError, NotFoundError: there is one; names it.
    """
    for key, kind in NAMED.items():
        if name := getattr(config, key):
            zoo().get(kind, name)
    for name in config.observers:
        zoo().observer(name)
    for network in NETWORKS:
        given = settings.get(network, {})
        chosen = [zoo().get(Optimizer, given["optimizer"], home=_home(plugins))] if "optimizer" in given else None
        known = {field.name for spec in chosen or zoo().all(Optimizer) for field in fields(spec.options)}
        for key in getattr(config, network).options:
            if key not in known:
                hint = did_you_mean(key, known | OF_NETWORKS, f"{network}.")
                raise UsageError(f"unknown configuration key {f'{network}.{key}'!r}", hint=hint)


def _architectures(plugin: Plugin) -> Iterator[Architecture]:
    """The architectures that the plugin provides, and those that its models train."""
    for spec in plugin.specs:
        if isinstance(spec, Architecture):
            yield spec
        elif isinstance(spec, Model):
            with suppress(NotFoundError, PluginError):  # which its checks find
                yield zoo().get(Architecture, spec.architecture, home=plugin.distribution)
