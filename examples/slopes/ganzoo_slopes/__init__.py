"""Relativistic pairing, with R1 and R2 by finite differences, whose weight falls by a cosine as in R3GAN."""

from dataclasses import dataclass

from ganzoo import Loss, Model, hookimpl


def cosine(start, to):
    return {"from": start, "to": to, "curve": "cosine"}


ADAM = {"lr": cosine(2e-3, 2e-4), "betas": [0.0, cosine(0.9, 0.99)]}
SCHEDULES = {"generator": ADAM, "discriminator": ADAM, "loss_options": {"gamma": cosine(0.3, 0.03)}}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What ``--set loss_options.KEY=VALUE`` sets.

    Args:
        gamma: weight of R1 and of R2.
        sigma: standard deviation of the noise that images are moved by, on a scale where black is -1 and white 1.
    """

    gamma: float = 0.3
    sigma: float = 0.1


@hookimpl
def ganzoo_specs():
    yield Loss(name="slopes", summary="RpGAN, R1 and R2", target="ganzoo_slopes.losses:Relativistic", options=Options)
    # Differences of nearly equal logits want fp32.
    defaults = {"steps": 3000, "precision": "fp32", "options": {"width": 32}, **SCHEDULES}
    yield Model(name="slopes", summary="RpGAN with cosines", architecture="wgan-gp", loss="slopes", defaults=defaults)
