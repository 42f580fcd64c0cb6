"""A data set of discs, squares and rings, and an observer that writes what runs report as CSV."""

import csv

from ganzoo import Dataset, hookimpl


@hookimpl
def ganzoo_specs():
    yield Dataset(
        name="shapes",
        summary="6,000 discs, squares and rings, 16x16, grey, 3 classes",
        target="ganzoo_shapes.images:training",
    )


@hookimpl
def ganzoo_report(run, step, metrics):
    if "shapes" in run.config.observers:
        with (run.directory / "reports.csv").open("a", newline="") as file:
            csv.writer(file).writerows((step, name, value) for name, value in metrics.items())
