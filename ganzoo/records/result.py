"""``TrainResult``: what ``ganzoo.train`` returns, and what plugins are given at the end of a run."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ganzoo.records.evaluation import Evaluation
from ganzoo_registry import Version


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """The result of a finished training.

    Args:
        run: the run's directory.
        version: the version of the last step in the registry.
        grid: PNG of 64 images.
        onnx: the exported file, or None if that was not wanted.
        gates: gate -> what it found.
        metrics: the newest value of each metric that training logged.
        best: the version of the step that evaluated best, which may be ``version``; None without evaluations.
        evaluations: the evaluations of ``best`` and of ``version``, by reference.
        class_names: the classes that its images can be asked for by; empty where there are none.
    """

    run: Path
    version: Version
    grid: Path
    onnx: Path | None
    gates: Mapping[str, str]
    metrics: Mapping[str, float]
    best: Version | None = None
    evaluations: Mapping[str, Evaluation] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()

    def __repr__(self) -> str:
        references = ", ".join(f"{what} {reference}" for what, reference in self.registered().items())
        return f"<TrainResult {references}, {self.run}>"

    def _repr_png_(self) -> bytes | None:
        """The grid of samples, which a notebook shows; None: it is there no more."""
        return self.grid.read_bytes() if self.grid.exists() else None

    def registered(self) -> dict[str, Version]:
        """``last`` and, if it is another version, ``best`` -> version."""
        best = {"best": self.best} if self.best and self.best != self.version else {}
        return {"last": self.version, **best}

    def to_json(self) -> dict[str, Any]:
        """The result as JSON, for other ranks; without the evaluations, which only rank 0 has."""
        return {
            "run": str(self.run),
            "version": asdict(self.version),
            "grid": str(self.grid),
            "onnx": str(self.onnx) if self.onnx else None,
            "gates": dict(self.gates),
            "metrics": dict(self.metrics),
            "best": asdict(self.best) if self.best else None,
            "class_names": list(self.class_names),
        }

    @classmethod
    def from_json(cls, sent: Mapping[str, Any]) -> "TrainResult":
        """Read what ``to_json`` made."""
        return cls(
            run=Path(sent["run"]),
            version=Version(**sent["version"]),
            grid=Path(sent["grid"]),
            onnx=Path(sent["onnx"]) if sent["onnx"] else None,
            gates=sent["gates"],
            metrics=sent["metrics"],
            best=Version(**sent["best"]) if sent["best"] else None,
            class_names=tuple(sent["class_names"]),
        )
