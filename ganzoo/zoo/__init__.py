"""Who is meant by a name: discovery of plugins, validation of what they provide, names, and recipes."""

from ganzoo.zoo.names import Zoo, load_target, zoo

__all__ = ["Zoo", "load_target", "zoo"]
