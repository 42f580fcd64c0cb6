"""LeCam (Tseng et al., 2021): a regulariser for few images, which remembers means of logits."""

from dataclasses import dataclass

from ganzoo import Loss, Model, hookimpl

ADAM = {"lr": 1e-3, "betas": [0.0, 0.9]}
DEFAULTS = {"steps": 2000, "augment": "diffaugment", "generator": ADAM, "discriminator": ADAM}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What ``--set loss_options.KEY=VALUE`` sets.

    Args:
        weight: of the distance.
        decay: how much of a mean is kept from step to step.
    """

    weight: float = 0.1
    decay: float = 0.99


@hookimpl
def ganzoo_specs():
    yield Loss(
        name="lecam",
        summary="hinge; logits stay near the moving mean of the other side's",
        target="ganzoo_lecam.losses:LeCam",
        options=Options,
        state={"real": 0.0, "fake": 0.0},
    )
    yield Model(name="lecam", summary="for few images", architecture="conditional", loss="lecam", defaults=DEFAULTS)
