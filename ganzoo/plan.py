"""What a training starts from, and what it leaves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ganzoo.data import Split
from ganzoo.evaluation.judgement import Judgement
from ganzoo.evaluation.record import Evaluation
from ganzoo.recipe import Recipe
from ganzoo.training.judging import Judge
from ganzoo.training.trainer import Trainer
from ganzoo_registry import Version


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run before its next step: everything is resolved, loaded and built; nothing is written.

    Args:
        judgement, judge: what to evaluate with, and who does; None where ``eval_every`` is 0.
        parents: the versions whose weights it starts from.
    """

    recipe: Recipe
    data: Split
    trainer: Trainer
    judgement: Judgement | None = None
    judge: Judge | None = None
    parents: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """What a finished training left.

    Args:
        run: its directory.
        version: in the registry.
        grid: PNG of 64 images.
        onnx: the exported file, or None if that was not wanted.
        gates: what each gate found.
        metrics: the newest of what training reported.
        best: the version of the step that evaluated best, which may be ``version``; None without evaluations.
        evaluations: of ``best`` and of ``version``, by reference.
    """

    run: Path
    version: Version
    grid: Path
    onnx: Path | None
    gates: Mapping[str, str]
    metrics: Mapping[str, float]
    best: Version | None = None
    evaluations: Mapping[str, Evaluation] = field(default_factory=dict)
