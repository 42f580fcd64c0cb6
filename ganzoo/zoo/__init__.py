"""Who is meant by a name: discovery of plugins, validation of what they provide, names, and recipes."""
