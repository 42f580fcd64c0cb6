"""Plugins as distributions: begun, installed, taken away, and searched for. Nothing here imports a plugin."""
