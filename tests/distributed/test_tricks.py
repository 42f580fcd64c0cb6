"""What the contract lets a stranger's plugin say is the same on two ranks: state, time, chance, means, own terms."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from safetensors.torch import save_file
from torch import Tensor

from ganzoo import api
from ganzoo.pipeline.draft import draft_new
from ganzoo.pipeline.session import Session
from ganzoo.specs import Model
from ganzoo.training import checkpoint
from ganzoo.training.ranks import ALONE, Ranks, joined
from ganzoo.training.torchrun import leave
from ganzoo.zoo import names

if TYPE_CHECKING:
    from tests.distributed.conftest import Launch

SITE = Path(__file__).parents[1] / "contract" / "site"
SETTINGS = {"batch": 8, "device": "cpu", "precision": "fp64", "threads": 1, "steps": 8}


def everything(home: Path, ranks: Ranks) -> dict[str, Tensor]:
    """All that the checkpoint of each of the plugin's models holds after 6 steps in fp64."""
    found: dict[str, Tensor] = {}
    zoo = names.zoo()
    store = api.open_registry(home / "registry")
    for model in (each for each in zoo.all(Model) if zoo.owner(each).distribution == "tricks"):
        draft = draft_new(store, model.name, SETTINGS)
        trainer = Session(store, home / "runs", ranks=ranks).plan(draft).trainer
        for _ in range(6):
            trainer.step()
        trainer.agree()
        tensors = checkpoint.take(trainer).tensors
        found |= {f"{model.name}/{key}": value for key, value in tensors.items() if not key.startswith("telemetry")}
    return found


@pytest.fixture
def _tricks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(SITE)
    names.zoo.cache_clear()
    yield
    names.zoo.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "tricks"]:
        del sys.modules[name]


@pytest.mark.usefixtures("_tricks")
def test_two_ranks_train_what_one_does(launch: "Launch", tmp_path: Path) -> None:
    alone = everything(tmp_path, ALONE)
    assert len({key.partition("/")[0] for key in alone}) >= 10
    for outcome in launch(2, __file__):
        assert outcome.tensors.keys() == alone.keys()
        for key, value in alone.items():
            one, other = value.double(), outcome.tensors[key].double()
            assert (one - other).norm() <= 1e-10 * one.norm(), key


def main(home: str) -> None:
    """What one rank does."""
    sys.path.insert(0, str(SITE))
    with joined("cpu") as ranks:
        save_file(everything(Path(home), ranks), Path(home) / f"{ranks.rank}.safetensors")


if __name__ == "__main__":
    main(*sys.argv[1:])
    leave(0)
