"""How often a step runs each network, and in which mode, as docs/contract.md says to those who write one."""

from typing import Any

import pytest

from ganzoo import Model
from ganzoo.testing.bench import Bench
from ganzoo.testing.finding import find_plugin

NO_PENALTY = {"gradient-penalty": {"weight": 0.0}}


@pytest.mark.parametrize(
    ("settings", "generator", "discriminator"),
    [
        ({"critic_steps": 2}, 2, 2 * (1 + 1 + 1) + 1),
        ({"critic_steps": 2, "penalties": NO_PENALTY}, 2, 2 * (1 + 1) + 1),
        ({"critic_steps": 1, "penalties": {**NO_PENALTY, "r1": {"weight": 1.0}}}, 1, 1 + 1 + 1),
        ({"critic_steps": 1, "penalties": NO_PENALTY, "accumulate": 2}, 2 * (1 + 1), 2 * (1 + 1) + 2),
    ],
    ids=["a penalty between the images", "no penalty", "a penalty at the images", "in parts"],
)
def test_what_a_step_runs(settings: dict[str, Any], generator: int, discriminator: int) -> None:
    plugin = find_plugin("wgan-gp")
    (model,) = (spec for spec in plugin.specs if isinstance(spec, Model))
    trainer = Bench(plugin, {}).trainer(model, **settings)
    modes: dict[str, list[bool]] = {"generator": [], "discriminator": []}
    for role, seen in modes.items():

        def note(network: Any, _: Any, seen: list[bool] = seen) -> None:
            seen.append(network.training)

        getattr(trainer, role).register_forward_pre_hook(note)
    trainer.step()
    assert modes == {"generator": [True] * generator, "discriminator": [True] * discriminator}
