"""The plugin ``readers`` does what every plugin must."""

from ganzoo.testing import PluginConformance


class TestConformance(PluginConformance):
    plugin = "readers"
