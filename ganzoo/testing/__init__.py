"""The conformance kit: what every plugin must do, as checks that its author runs with pytest or the command line.

    from ganzoo.testing import PluginConformance

    class TestConformance(PluginConformance):
        plugin = "my-gan"

``ganzoo plugins check my-gan`` runs the same checks. The table of them is in ``ganzoo.testing.checks``.
"""

from ganzoo.testing.conformance import PluginConformance

__all__ = ["PluginConformance"]
