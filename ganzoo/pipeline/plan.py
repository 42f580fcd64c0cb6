"""From a draft to everything that a training needs before its next step."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ganzoo.config import flat
from ganzoo.data import Split
from ganzoo.evaluation.criteria import Criteria
from ganzoo.exporting.convert import Graph
from ganzoo.exporting.preflight import preflight
from ganzoo.observer import Observer
from ganzoo.pipeline.draft import Draft
from ganzoo.pipeline.evaluating import prepare
from ganzoo.pipeline.resuming import load_parent, refuse_changes, refuse_longer
from ganzoo.training import setup
from ganzoo.training.evaluating import Evaluating
from ganzoo.training.ranks import Ranks
from ganzoo.training.trainer import Trainer
from ganzoo.zoo.recipe import Recipe
from ganzoo_registry import Registry

OF_ONE_HOST = {"data", "features", "threads"}
"""Keys that ranks may be given differently: paths, if the images are the same, and what no result depends on."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run before its next step: everything is resolved, loaded and built; nothing is written.

    Args:
        criteria, evaluating: what to evaluate by, and how; None if ``eval_every`` is 0.
        parents: the versions whose weights it starts from.
        graph: how its generator computes, in ONNX; None: it was not converted.
    """

    recipe: Recipe
    data: Split
    trainer: Trainer
    criteria: Criteria | None = None
    evaluating: Evaluating | None = None
    parents: tuple[Mapping[str, str], ...] = ()
    graph: Graph | None = None


def make_plan(draft: Draft, store: Registry, ranks: Ranks, observer: Observer, *, strict: bool) -> Plan:
    """Fill in what depends on the hardware, read the data and build the networks.

    Args:
        store: holds the version whose weights to start from.
        strict: refuse a data folder with unreadable images.

    Raises:
        UsageError: the parts do not go together, the ranks were given different settings, or a run that goes on would
            compute something else.
        PluginError: a network, the loss or the augmentation breaks its contract.
        GanzooError: it does not fit into memory.
    """
    recipe = setup.settle(draft.recipe, ranks)
    config = recipe.config
    observer.doing("loading the data")
    data = draft.source.load(size=config.size, strict=strict, held_out=config.held_out, progress=observer.reading)
    for line in data.training.told:
        observer.noted(line)
    told = {key: value for key, value in flat(config.to_dict()).items() if key not in OF_ONE_HOST}
    ranks.check_told(told | {"images": data.training.digest})
    if draft.run:
        refuse_changes(draft.run, config, data.training)
    observer.doing("building the networks")
    recipe, trainer = setup.assemble(recipe, data.training, ranks)
    if draft.run:
        refuse_longer(draft.run, trainer)
    names = data.training.class_names if recipe.architecture.conditional else ()
    parents = () if draft.parent is None else (load_parent(trainer, store, draft.parent, names, observer.noted),)
    if config.eval_every:
        observer.doing("evaluating real images")
    criteria, evaluating = prepare(recipe.config, data, ranks, observer.noted)
    return Plan(recipe=recipe, data=data, trainer=trainer, criteria=criteria, evaluating=evaluating, parents=parents)


def with_graph(plan: Plan) -> Plan:
    """The plan with its generator's graph, so that what cannot be exported is said before the run exists.

    Raises:
        PluginError: the generator cannot be exported.
        GanzooError: nothing can be exported here.
    """
    architecture, options = plan.recipe.networks["generator"]
    shape = setup.network_shape(plan.recipe, plan.data.training)
    return replace(plan, graph=preflight(architecture, shape, options))
