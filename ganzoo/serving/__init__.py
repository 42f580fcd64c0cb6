"""Serves exported generators over HTTP; never imports torch."""
