"""``Keys``: the configuration as keywords, for people who call ``ganzoo.train`` with a type checker."""

from typing import TypedDict

from ganzoo.config.tables import Settings


class Keys(TypedDict, total=False):
    """The keys of ``RunConfig`` but ``model`` and ``init_from``, which ``train`` takes itself; a test compares them."""

    architecture: str
    loss: str
    preset: str
    data: str
    held_out: float
    name: str
    size: int
    seed: int
    steps: int
    kimg: float
    max_time: float
    patience: int
    batch: int
    accumulate: int
    critic_steps: int
    ema_kimg: float | Settings
    generator: Settings
    discriminator: Settings
    schedule: str
    warmup: int
    fake_labels: str
    flip: bool
    augment: str
    augment_options: Settings
    options: Settings
    generator_of: str
    discriminator_of: str
    generator_options: Settings
    discriminator_options: Settings
    loss_options: Settings
    penalties: Settings
    device: str
    precision: str
    tf32: bool
    deterministic: bool
    executor: str
    threads: int
    report_every: int
    preview_every: int
    checkpoint_every: int
    checkpoint_minutes: float
    eval_every: int
    features: str
    best: str
    on_collapse: str
    observers: list[str]
