"""What a name means: discovery of plugins, validation of what they provide, names, and recipes."""
