"""A run's configuration: its fields, and how values are laid over the defaults."""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from enum import Enum, StrEnum
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from ganzoo.errors import UsageError, did_you_mean

HELD_OUT_SHARE = 0.1
"""Share of the images to hold out, of a set that does not say itself which of them are held out."""

FINITE = sys.float_info.max
Count = Annotated[int, msgspec.Meta(ge=1)]
Whole = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[float, msgspec.Meta(gt=0, le=FINITE)]
NonNegative = Annotated[float, msgspec.Meta(ge=0, le=FINITE)]
Decay = Annotated[float, msgspec.Meta(ge=0, lt=1)]


class PrecisionName(StrEnum):
    """Number format that the networks compute in; ``auto`` becomes bf16 where that is fast, else fp32."""

    AUTO = "auto"
    BF16 = "bf16"
    FP16 = "fp16"
    FP32 = "fp32"
    FP64 = "fp64"


class ExecutorName(StrEnum):
    """How a step is run; ``auto`` becomes cudagraph on one CUDA device, else eager."""

    AUTO = "auto"
    EAGER = "eager"
    COMPILE = "compile"
    CUDAGRAPH = "cudagraph"


class ScheduleName(StrEnum):
    """How the learning rates fall from the end of the warm-up to the last step."""

    CONSTANT = "constant"
    LINEAR = "linear"
    COSINE = "cosine"


class OnCollapse(StrEnum):
    """What to do when the generator's images become alike."""

    WARN = "warn"
    STOP = "stop"


CHANGEABLE = {
    "steps",
    "max_time",
    "patience",
    "report_every",
    "preview_every",
    "checkpoint_every",
    "eval_every",
    "features",
    "on_collapse",
    "observers",
    "executor",
    "data",
}
"""Keys that a resumed run may change: the data's path, too, as long as the images' digest is the same."""

OF_THE_HARDWARE = {"executor", "threads"}
"""Keys that may resolve differently when torchrun starts a command again with another number of ranks."""


@dataclass(frozen=True, kw_only=True)
class AdamConfig:
    """Adam (Kingma and Ba, 2015) for one network."""

    lr: Positive = 2e-4
    betas: tuple[Decay, Decay] = (0.5, 0.999)


@dataclass(frozen=True, kw_only=True)
class PenaltyConfig:
    """A penalty's weight (0 takes it out) and interval in steps."""

    weight: NonNegative
    every: Count = 1


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that decides what a run computes, and how often it logs, saves and evaluates.

    Args:
        model, architecture, loss: names of specs, with the distribution's name where it is not ganzoo.
        data: a data set's name or a path.
        held_out: share of the images to evaluate by; a set that says itself what is held out is left as it is.
        name: the run's directory and the registry name.
        size: image height and width in pixels; 0 means the data's own, until the data are read.
        seed: decides the initial weights and all random numbers of training.
        steps: generator updates.
        kimg: the same length in thousands of real images, from which ``steps`` is computed; 0: ``steps`` counts.
        max_time: seconds of training after which a run ends as if it had come to its last step; 0: no limit.
        patience: evaluations without a better one after which it ends in the same way; 0: no limit.
        batch: real images per critic update, over all ranks.
        accumulate: parts in which each rank computes its share of a batch, one after the other, to save memory.
        critic_steps: critic updates per step.
        ema_kimg: half-life of the generator's average, in thousands of real images.
        generator, discriminator: their optimizers.
        schedule: how both learning rates fall: ``constant`` (not at all), or down to 0 at the last step by a
            ``linear`` or ``cosine`` curve.
        warmup: steps over which the learning rates rise from 0.
        flip: mirror each real image with probability 1/2.
        augment: an augmentation's name, or none.
        augment_options: the augmentation's options, all of them once resolved.
        options: the architecture's options, all of them once resolved.
        penalties: penalties by name; the loss's own unless given.
        device: ``cpu``, ``cuda``, ``cuda:N``; ``auto`` becomes one of them.
        precision: see ``PrecisionName``.
        tf32: let CUDA multiply fp32 matrices in TF32, with 10 bits of mantissa.
        deterministic: use only algorithms of CUDA that repeat their results to the bit, which costs speed.
        executor: see ``ExecutorName``.
        threads: number of CPU threads; 0 becomes as many as the networks are worth.
        report_every, preview_every, checkpoint_every: steps between log lines, previews and checkpoints.
        eval_every: steps between evaluations; 0: none.
        features: the extractor to evaluate with, by name or path; none: the data set's own.
        best: the figure that decides which weights are kept, when ``patience`` is over, and by what ``registry ls
            --sort`` sorts; a second one after a comma decides among equals. Empty: ``fd``, or ``modes,good`` where
            the data have no extractor.
        on_collapse: what happens if the generator's images become alike: a note (``warn``), or the end of the run
            (``stop``).
        observers: plugins, built-in or not, that watch only the runs that name them.
        init_from: the version whose weights it started from.
    """

    model: str
    architecture: str
    loss: str
    data: str = "digits"
    held_out: Annotated[float, msgspec.Meta(ge=0, le=0.9)] = HELD_OUT_SHARE
    name: str = ""
    size: Whole = 0
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0
    steps: Count = 3000
    kimg: NonNegative = 0.0
    max_time: NonNegative = 0.0
    patience: Whole = 0
    batch: Annotated[int, msgspec.Meta(ge=2)] = 64
    accumulate: Count = 1
    critic_steps: Count = 1
    ema_kimg: Positive = 10.0
    generator: AdamConfig = AdamConfig()
    discriminator: AdamConfig = AdamConfig()
    schedule: ScheduleName = ScheduleName.CONSTANT
    warmup: Whole = 0
    flip: bool = False
    augment: str = ""
    augment_options: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    penalties: dict[str, PenaltyConfig] = field(default_factory=dict)
    device: str = "auto"
    precision: PrecisionName = PrecisionName.AUTO
    tf32: bool = False
    deterministic: bool = False
    executor: ExecutorName = ExecutorName.AUTO
    threads: Annotated[int, msgspec.Meta(ge=0, le=1024)] = 0
    report_every: Count = 50
    preview_every: Count = 500
    checkpoint_every: Count = 500
    eval_every: Whole = 0
    features: str = ""
    best: str = ""
    on_collapse: OnCollapse = OnCollapse.WARN
    observers: list[str] = field(default_factory=list)
    init_from: str = ""

    def to_toml(self) -> str:
        """The configuration as the text of a file that ``--config`` reads."""
        import tomli_w

        return tomli_w.dumps(self.to_dict())

    def fingerprint(self) -> str:
        """SHA-256 of every key that decides the result; a resumed run keeps it, and no other training has it."""
        elsewhere = CHANGEABLE | OF_THE_HARDWARE | {"name", "device", "best"}  # best: which weights are kept
        decides = {key: value for key, value in self.to_dict().items() if key not in elsewhere}
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """The configuration as JSON."""
        plain: dict[str, Any] = _plain(msgspec.to_builtins(asdict(self)))
        return plain


Settings = Mapping[str, Any]
"""Configuration as nested tables, as in a TOML file."""


def merge(base: Settings, *over: Settings) -> dict[str, Any]:
    """``base`` with the values of each of ``over`` laid over it, table by table."""
    merged = dict(base)
    for settings in over:
        for key, value in settings.items():
            below = merged.get(key)
            both = isinstance(below, Mapping) and isinstance(value, Mapping)
            merged[key] = merge(below, value) if both else value  # type: ignore[arg-type]
    return merged


def as_settings(given: object) -> Settings:
    """What a Python caller gives as ``settings``; None is none.

    Raises:
        UsageError: it is no mapping.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise UsageError(f"settings: a {type(given).__name__} is not a mapping", hint='give a dict: {"batch": 32}')
    return given


def layered(*layers: Settings) -> dict[str, Any]:
    """Each of ``layers`` over those before; a length in kimg replaces one in steps below it, and the other way round.

    Raises:
        UsageError: one layer gives both lengths.
    """
    settings: dict[str, Any] = {}
    for layer in layers:
        if layer.get("kimg") and "steps" in layer:
            raise UsageError("steps and kimg exclude each other", hint="say how long to train in one of them")
        if "steps" in layer:
            settings.pop("kimg", None)
        elif layer.get("kimg"):
            settings.pop("steps", None)
        settings = merge(settings, layer)
    return settings


def check_keys(values: Settings, to: type[Any], prefix: str = "") -> None:
    """Refuse a key that the dataclass ``to``, or one of the dataclasses in it, has no field for.

    Raises:
        UsageError: there is such a key; names it, and the one that was probably meant.
    """
    known = {field.name: get_type_hints(to)[field.name] for field in fields(to)}
    for key, value in values.items():
        if key not in known:
            raise UsageError(f"unknown configuration key {prefix + key!r}", hint=did_you_mean(key, known, prefix))
        if is_dataclass(known[key]) and isinstance(value, Mapping):
            check_keys(value, known[key], f"{prefix}{key}.")


def convert(values: Settings, to: type[Any], prefix: str = "") -> Any:
    """Check ``values`` against the dataclass ``to`` and build it.

    Raises:
        UsageError: a value is wrong; names the key, and says what its value should be.
    """
    check_keys(values, to, prefix)
    try:
        return msgspec.convert(_with_infinity(values, to), to)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `$")
        key = (prefix + where.strip("`.")).rstrip(".")
        allowed = choices(to, where.strip("`.").split(".")[0].partition("[")[0])
        raise UsageError(
            f"configuration key {key!r}: {problem[:1].lower()}{problem[1:]}",
            hint=f"choose one of: {', '.join(allowed)}" if allowed else "ganzoo train --print-config",
        ) from error


def _with_infinity(values: Settings, to: type[Any]) -> Settings:
    """``values`` with numbers where ``to`` takes some and JSON has words in their place; see ``json_value``."""
    hints = get_type_hints(to)
    numbers = {key for key, hint in hints.items() if float in (hint, *get_args(hint)) and str not in get_args(hint)}
    words = ("inf", "-inf", "nan")
    return {
        key: float(value) if key in numbers and isinstance(value, str) and value in words else value
        for key, value in values.items()
    }


def choices(to: type[Any], name: str) -> list[str]:
    """The words that the field ``name`` of the dataclass ``to`` takes; empty for a field that takes anything else."""

    def words(annotation: Any) -> list[str]:
        if isinstance(annotation, type) and issubclass(annotation, Enum):
            return [member.value for member in annotation]
        if get_origin(annotation) is Literal:
            return list(get_args(annotation))
        return [word for inner in get_args(annotation) for word in words(inner)]

    return words(get_type_hints(to).get(name))


def changes(old: RunConfig, new: RunConfig) -> list[str]:
    """The keys that differ, each in one line: ``batch: 64 -> 32``."""
    before, after = flat(old.to_dict()), flat(new.to_dict())
    keys = sorted(before.keys() | after.keys())
    return [f"{k}: {before.get(k)} -> {after.get(k)}" for k in keys if not same(before.get(k), after.get(k))]


def same(one: Any, other: Any) -> bool:
    """Whether two values of a configuration are equal; NaN is equal to NaN."""
    return bool(one == other) or repr(one) == repr(other)


def _plain(value: Any) -> Any:
    """The value with lists for tuples, which JSON and TOML lack, so that it is equal when it is read again."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def flat(table: Settings, prefix: str = "") -> dict[str, Any]:
    """``{"a": {"b": 1}}`` -> ``{"a.b": 1}``; an empty table leaves nothing."""
    rows: dict[str, Any] = {}
    for key, value in table.items():
        rows |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return rows
