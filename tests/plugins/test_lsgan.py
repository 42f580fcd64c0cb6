"""LSGAN is DCGAN with another loss."""

from ganzoo.testing import PluginConformance
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import resolve


class TestConformance(PluginConformance):
    plugin = "lsgan"


def test_what_was_published() -> None:
    """At 64 pixels the configuration is the paper's, and DCGAN's but for the loss."""
    asked = {"size": 64, "steps": 1}
    ours, dcgan = resolve(zoo(), "lsgan", asked), resolve(zoo(), "dcgan", asked)
    assert ours.config.generator.lr == ours.config.discriminator.lr == 2e-4
    assert ours.config.batch == 64
    assert ours.penalties == ()
    assert ours.networks == dcgan.networks
    assert ours.optimizers == dcgan.optimizers
    assert (ours.loss.name, dcgan.loss.name) == ("lsgan", "non-saturating")
