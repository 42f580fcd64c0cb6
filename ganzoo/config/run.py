"""``RunConfig``: every setting of a run, its default, and the closed sets of words."""

import hashlib
import json
import sys
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from ganzoo.config.schedule import Schedule, ScheduleName

HELD_OUT_SHARE = 0.1
"""Share of the images to hold out, of a set that does not say itself which of them are held out."""

FINITE = sys.float_info.max
Count = Annotated[int, msgspec.Meta(ge=1)]
Whole = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[float, msgspec.Meta(gt=0, le=FINITE)]
NonNegative = Annotated[float, msgspec.Meta(ge=0, le=FINITE)]
Varying = Positive | Schedule
"""A number, or how it changes in the course of the run."""


NETWORKS = ("generator", "discriminator")


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


class FakeLabels(StrEnum):
    """Labels that fakes are made with: the real images' (``real``), or any with equal probability (``uniform``)."""

    REAL = "real"
    UNIFORM = "uniform"


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
    "checkpoint_minutes",
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


LATER = {
    "preset": "",
    "fake_labels": "real",
    "generator_of": "",
    "discriminator_of": "",
    "generator_options": {},
    "discriminator_options": {},
    "loss_options": {},
    **{
        f"{network}.{key}": value
        for network in NETWORKS
        for key, value in {"optimizer": "adam", "eps": 1e-8, "weight_decay": 0.0}.items()
    },
}
"""Keys that came after runs had been recorded without them -> what those runs did."""


@dataclass(frozen=True, kw_only=True)
class TermConfig:
    """A network's own term of its loss (``regularise``): its weight (0 takes it out) and interval in steps."""

    weight: NonNegative | Schedule = 1.0
    every: Count = 1


@dataclass(frozen=True, kw_only=True)
class PenaltyConfig:
    """A penalty's weight (0 takes it out), its interval in steps, and its own options, all of them once resolved."""

    weight: NonNegative | Schedule
    every: Count = 1
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """How one network learns.

    Args:
        lr: learning rate.
        optimizer: name of an optimizer.
        regularise: weight and interval of the network's own term; None: 1 and 1, if it has one.
        options: the optimizer's options, all of them once resolved. In tables they stand beside the other keys:
            ``generator.betas``.
    """

    lr: Varying = 2e-4
    optimizer: str = "adam"
    regularise: TermConfig | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that decides what a run computes, and how often it logs, saves and evaluates.

    Args:
        model, architecture, loss: names of specs, with the distribution's name where it is not ganzoo.
        preset: one of the model's, laid over its defaults; none: these alone.
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
        generator, discriminator: how they learn.
        schedule: how both learning rates fall: ``constant`` (not at all), or down to 0 at the last step by a
            ``linear`` or ``cosine`` curve.
        warmup: steps over which the learning rates rise from 0.
        fake_labels: see ``FakeLabels``.
        flip: mirror each real image with probability 1/2.
        augment: an augmentation's name, or none.
        augment_options: the augmentation's options, all of them once resolved.
        options: the architecture's options, all of them once resolved.
        generator_of, discriminator_of: architectures that one network is taken from; none: ``architecture``.
        generator_options, discriminator_options: the options of these.
        loss_options: the loss's options, all of them once resolved.
        penalties: penalties by name; the loss's own unless given.
        device: ``cpu``, ``cuda``, ``cuda:N``; ``auto`` becomes one of them.
        precision: see ``PrecisionName``.
        tf32: let CUDA multiply fp32 matrices in TF32, with 10 bits of mantissa.
        deterministic: use only algorithms of CUDA that repeat their results to the bit, which costs speed.
        executor: see ``ExecutorName``.
        threads: number of CPU threads; 0 becomes as many as the networks are worth.
        report_every, preview_every, checkpoint_every: steps between log lines, previews and checkpoints.
        checkpoint_minutes: minutes of training after which there is a checkpoint between these, too; 0: no limit.
        eval_every: steps between evaluations; 0: none.
        features: the extractor to evaluate with, by name or path; none: the data set's, or ``own``.
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
    preset: str = ""
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
    ema_kimg: Varying = 10.0
    generator: NetworkConfig = NetworkConfig()
    discriminator: NetworkConfig = NetworkConfig()
    schedule: ScheduleName = ScheduleName.CONSTANT
    warmup: Whole = 0
    fake_labels: FakeLabels = FakeLabels.REAL
    flip: bool = False
    augment: str = ""
    augment_options: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    generator_of: str = ""
    discriminator_of: str = ""
    generator_options: dict[str, Any] = field(default_factory=dict)
    discriminator_options: dict[str, Any] = field(default_factory=dict)
    loss_options: dict[str, Any] = field(default_factory=dict)
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
    checkpoint_minutes: NonNegative = 10.0
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
        for key, value in LATER.items():
            *path, last = key.split(".")
            table = decides[path[0]] if path else decides
            if table.get(last) == value:
                del table[last]
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """The configuration as JSON; an optimizer's options stand beside the other keys of its network."""
        plain: dict[str, Any] = _plain(msgspec.to_builtins(asdict(self)))
        for network in NETWORKS:
            options = plain[network].pop("options")
            plain[network] = {k: v for k, v in plain[network].items() if v is not None} | options
        for penalty in plain["penalties"].values():
            if not penalty["options"]:
                del penalty["options"]
        return plain


def _plain(value: Any) -> Any:
    """The value with lists for tuples, which JSON and TOML lack, so that it is equal when it is read again."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
