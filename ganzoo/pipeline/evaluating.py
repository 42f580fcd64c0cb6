"""How a training evaluates: it prepares before its first step, and evaluates the versions that it registers."""

from collections.abc import Callable

from ganzoo.config import RunConfig
from ganzoo.data import Split
from ganzoo.errors import PluginError
from ganzoo.evaluation.candidates import Candidate, evaluate_all
from ganzoo.evaluation.criteria import Criteria, choose_criteria
from ganzoo.evaluation.evaluate import Evaluator
from ganzoo.exporting.convert import Graph
from ganzoo.exporting.versions import export_version
from ganzoo.records.best import Ranking, names
from ganzoo.records.evaluation import Evaluation
from ganzoo.runtime.card import ATTACHMENT
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.training.evaluating import SEED, Evaluating
from ganzoo.training.ranks import Ranks
from ganzoo.zoo.names import zoo
from ganzoo_registry import Registry, Version


def prepare(
    config: RunConfig, data: Split, ranks: Ranks, noted: Callable[[str], None]
) -> tuple[Criteria | None, Evaluating | None]:
    """The criteria to evaluate by, and how to do it; nothing if ``eval_every`` is 0.

    Real images are evaluated first, so that a figure that cannot be computed is told before the first step.

    Args:
        noted: is told of a metric that is left out.

    Raises:
        PluginError: it is the one that ``best`` asks for by name.
    """
    if not config.eval_every:
        return None, None
    with ranks.chief_first():  # which builds the extractor, if there is none yet, and says so
        criteria = choose_criteria(config.data, data, zoo(), features=config.features, noted=noted)
    evaluator = Evaluator(criteria, workers=1, noted=noted)
    _ = evaluator.floor
    for name, reason in evaluator.left_out.items():
        if not set(names(config.best)).isdisjoint(criteria.metrics[name].figures):
            raise PluginError(reason, hint="choose another figure: --best fd, say")
    ranking = Ranking(config.best, zoo().figures())
    return criteria, Evaluating(evaluator.protocol([SEED]).key, evaluator.figures, ranking, data.training.labels)


def evaluate_versions(
    criteria: Criteria | None, store: Registry, *versions: Version | None, graph: Graph | None = None
) -> dict[str, Evaluation]:
    """Evaluate versions as ``ganzoo eval`` would, and attach the figures; versions without an ONNX file get one.

    Args:
        graph: how their generator computes, if that is known already.
    """
    if criteria is None:
        return {}
    candidates = []
    for version in filter(None, versions):
        if ATTACHMENT not in store.kinds(version):
            export_version(store, version, graph=graph)
        generator = ImageGenerator.from_bytes(store.read(version, ATTACHMENT), device="cpu", threads=1)
        candidates.append(Candidate(str(version), generator, version, store.lineage(version)))
    found = evaluate_all(candidates, criteria, store)
    return {candidate.name: evaluation for candidate, evaluation in zip(candidates, found, strict=True)}
