from ganzoo.testing import PluginConformance


class TestConformance(PluginConformance):
    plugin = "label-projection"
