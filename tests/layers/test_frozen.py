"""Weights that are only used: they come from a file by its digest, and nothing stores, averages or trains them."""

import copy
import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ganzoo.errors import IntegrityError, UsageError
from ganzoo.layers import Frozen


def network() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))


@pytest.fixture
def weights(tmp_path: Path) -> tuple[Path, str]:
    """A file of pretrained weights, and its digest."""
    path = tmp_path / "weights.safetensors"
    torch.manual_seed(1)
    save_file(network().state_dict(), path)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def test_it_is_used_and_nothing_else(weights: tuple[Path, str]) -> None:
    frozen = Frozen(network(), *weights)
    outer = nn.Sequential(frozen, nn.Linear(4, 1)).train()
    assert set(outer.state_dict()) == {"1.weight", "1.bias"}
    assert len(list(outer.parameters())) == 2
    images = torch.randn(2, 1, 8, 8, requires_grad=True)
    assert torch.equal(outer(images), outer(images)), "neither dropout nor statistics of the batch"
    outer(images).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    twin = copy.deepcopy(outer).to(torch.float64)
    torch.testing.assert_close(twin(images.double()), outer(images).double())
    outer.load_state_dict(twin.state_dict())


def test_a_file_in_a_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights: tuple[Path, str]) -> None:
    package = tmp_path / "pretrained_things"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "w.safetensors").write_bytes(weights[0].read_bytes())
    monkeypatch.syspath_prepend(tmp_path)
    assert Frozen(network(), "pretrained_things:w.safetensors", weights[1]).sha256 == weights[1]


def test_a_state_dict_that_torch_saved(tmp_path: Path) -> None:
    source, path = network(), tmp_path / "weights.pth"
    torch.save(source.state_dict(), path)
    frozen = Frozen(network(), path, hashlib.sha256(path.read_bytes()).hexdigest())
    assert all(
        torch.equal(mine, theirs) for mine, theirs in zip(frozen.network.parameters(), source.parameters(), strict=True)
    )


def test_code_in_a_saved_file_is_never_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return exec, ("raise SystemExit('it was run')",)

    path = tmp_path / "weights.pt"
    torch.save({"0.weight": Bomb()}, path)
    with pytest.raises(IntegrityError, match="it is not of this network: Weights only load failed"):
        Frozen(network(), path, hashlib.sha256(path.read_bytes()).hexdigest())


def test_on_the_meta_device_there_are_only_shapes(weights: tuple[Path, str]) -> None:
    with torch.device("meta"):
        frozen = Frozen(network(), *weights)
    assert all(tensor.is_meta for tensor in frozen.network.state_dict().values())


def test_what_is_not_that_file(weights: tuple[Path, str], tmp_path: Path) -> None:
    path, digest = weights
    with pytest.raises(IntegrityError, match=r"(?m)its SHA-256 is [0-9a-f]{12}…, not 0{12}…$"):
        Frozen(network(), path, "0" * 64)
    with pytest.raises(UsageError, match=r"(?m)there is no such file of weights$"):
        Frozen(network(), tmp_path / "none.safetensors", digest)
    with pytest.raises(UsageError, match=r"(?m)there is no such file of weights$"):
        Frozen(network(), "no_such_package:none.safetensors", digest)
    with pytest.raises(IntegrityError, match=r"it is not of this network: Error\(s\) in loading state_dict"):
        Frozen(nn.Linear(2, 2), path, digest)
