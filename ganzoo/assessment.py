"""Evaluation as a training does it: what is prepared before the first step, and what is said of its versions."""

from ganzoo.config import RunConfig
from ganzoo.data import Split
from ganzoo.evaluation.evaluate import Evaluator
from ganzoo.evaluation.judgement import Judgement, prepare
from ganzoo.evaluation.record import Evaluation
from ganzoo.evaluation.registered import Subject, judge_all
from ganzoo.exporting.registered import export_version
from ganzoo.runtime.card import ATTACHMENT
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.training.judging import SEED, Judge
from ganzoo.zoo import zoo
from ganzoo_registry import Registry, Version


def prepare_judge(config: RunConfig, data: Split) -> tuple[Judgement | None, Judge | None]:
    """What to evaluate with, and who does; nothing where ``eval_every`` is 0.

    Real images are judged first: what cannot be computed is said before the first step.
    """
    if not config.eval_every:
        return None, None
    judgement = prepare(config.data, data, zoo(), features=config.features)
    evaluator = Evaluator(judgement, workers=1)
    _ = evaluator.floor
    return judgement, Judge(evaluator.protocol([SEED]).key, evaluator.judge)


def judge_versions(judgement: Judgement | None, store: Registry, *versions: Version | None) -> dict[str, Evaluation]:
    """What ``ganzoo eval`` would say of these versions, attached to them; those without an ONNX file get one."""
    if judgement is None:
        return {}
    subjects = []
    for version in filter(None, versions):
        if ATTACHMENT not in store.kinds(version):
            export_version(store, version)
        generator = ImageGenerator.from_bytes(store.read(version, ATTACHMENT), device="cpu", threads=1)
        subjects.append(Subject(str(version), generator, version, store.lineage(version)))
    found = judge_all(subjects, judgement, store)
    return {subject.name: evaluation for subject, evaluation in zip(subjects, found, strict=True)}
