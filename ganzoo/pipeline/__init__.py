"""A whole training: from names and settings to a registered, exported and evaluated version."""
