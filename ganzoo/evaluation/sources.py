"""The images that candidates were trained on, found again.

A lineage names a data set, or has the digest of a path's images: where these lie, only a run's directory knows.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganzoo.errors import NotFoundError, UsageError
from ganzoo.records.run import Run
from ganzoo.specs import Dataset
from ganzoo.zoo.names import Zoo

Facts = Mapping[str, Any]
"""What a lineage says of the training images; empty for a file, which has no lineage."""


def common_source(facts: Mapping[str, Facts], zoo: Zoo, runs: Path) -> str:
    """What ``--data`` would say for the images that all candidates were trained on.

    Args:
        facts: candidate -> what its lineage says of its images.
        runs: directory of the runs. Without a run of these images, a path is looked for in the working directory.

    Raises:
        UsageError: they were trained on different images, or nothing says on which.
        NotFoundError: the images are no longer there.
    """
    names = {_spoken(each) for each in facts.values()}
    if len(names) > 1:
        raise UsageError(
            f"they were trained on different images: {', '.join(sorted(filter(None, names)))}",
            hint="say which to evaluate all of them by: --data SOURCE",
        )
    (name,) = names
    if not name:
        raise UsageError("the file does not say what it was trained on", hint="give the images: --data PATH")
    if any(name in (dataset.name, zoo.qualified(dataset)) for dataset in zoo.all(Dataset)):
        return name
    digests = {each["digest"] for each in facts.values()}
    path = next((run.config.data for digest in digests for run in Run.trained_on(digest, runs)), name)
    if not os.path.exists(path):
        raise NotFoundError(
            f"{path}: the images that {next(iter(facts))} was trained on are not there",
            hint="say where they are: --data PATH",
        )
    return path


def require_same(source: str, digest: str, facts: Mapping[str, Facts]) -> None:
    """Refuse images that are no longer those that candidates were trained on.

    Args:
        source: where they were found.
        digest: of what is there now, without what is held out.
        facts: see ``common_source``; of the candidates that were trained with as much held out.

    Raises:
        UsageError: a candidate was trained on others.
    """
    for candidate, each in facts.items():
        if each["digest"] != digest:
            raise UsageError(
                f"{source} has other images now than {candidate} was trained on",
                hint=f"put them back; or evaluate by what is there, which a note will say: --data {source}",
            )


def _spoken(facts: Facts) -> str:
    """The data set's name, or the last part of a path as one."""
    name: str = facts.get("name", "")
    return f"./{name}" if name and not facts.get("named", True) else name
