"""The plugin ``wgan-gp`` does what every plugin must."""

from ganzoo.testing import PluginConformance


class TestConformance(PluginConformance):
    plugin = "wgan-gp"
