"""The ways to run a phase; all of them compute the same."""
