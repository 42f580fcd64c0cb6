"""The ways in which a phase can be run, each of which computes the same."""
