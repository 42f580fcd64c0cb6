"""Extractors that a builder makes of weights from elsewhere: once, into the cache, and under the weights' digest."""

import hashlib
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from torch import Tensor, nn

from ganzoo.errors import ExitCode, GanzooError, IntegrityError, PluginError
from ganzoo.evaluation.extractor import open_extractor
from ganzoo.exporting.extractor import write_extractor
from ganzoo.files import cache_root
from ganzoo.specs import Extractor
from ganzoo.zoo.discovery import Manager, Plugin, State
from ganzoo.zoo.names import Zoo

WEIGHTS = "5" * 64


class Means(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.float().mean((2, 3))


class Builder:
    """Stands for the module of a plugin; counts how often it is asked."""

    def __init__(self, file: Path) -> None:
        self.asked, self.file = 0, file
        self.problem: Exception | None = None

    def write(self, path: Path) -> None:
        self.asked += 1
        if self.problem is not None:
            raise self.problem
        shutil.copyfile(self.file, path)

    def nothing(self, path: Path) -> None:
        self.asked += 1


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("built") / "means.onnx"
    write_extractor(Means(), path, (3, None, None))
    return path


@pytest.fixture
def builder(file: Path, monkeypatch: pytest.MonkeyPatch) -> Builder:
    made, module = Builder(file), ModuleType("built_things")
    module.write, module.nothing = made.write, made.nothing  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "built_things", module)
    return made


def providing(function: str = "write", sha256: str = WEIGHTS, version: str = "1") -> Zoo:
    spec = Extractor(name="own", builder=f"built_things:{function}", sha256=sha256)
    here = {"name": "own", "distribution": "acme", "version": version, "location": "", "target": "x", "api": "v1"}
    return Zoo(Manager([Plugin(**here, state=State.ACTIVE, specs=(spec,))]))


def kept() -> list[Path]:
    return sorted(cache_root().glob("extractors/*/*"))


def test_it_is_built_once_and_stands_under_the_digest_of_the_weights(builder: Builder) -> None:
    images = np.arange(2 * 3 * 64, dtype=np.uint8).reshape(2, 3, 8, 8)
    for _ in range(2):
        extractor = open_extractor("own", providing(), device="cpu", threads=1)
        np.testing.assert_allclose(extractor(images)[0], images.mean((2, 3)), rtol=1e-5)
        assert extractor.sha256 == WEIGHTS
    assert builder.asked == 1
    (path,) = kept()
    assert path.stem == hashlib.sha256(path.read_bytes()).hexdigest()


def test_other_weights_and_other_versions_are_built_anew(builder: Builder) -> None:
    for zoo in (providing(), providing(sha256="6" * 64), providing(version="2")):
        open_extractor("own", zoo, device="cpu", threads=1)
    assert builder.asked == 3


def test_a_damaged_file_of_the_cache_is_built_anew(builder: Builder) -> None:
    open_extractor("own", providing(), device="cpu", threads=1)
    (path,) = kept()
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    open_extractor("own", providing(), device="cpu", threads=1)
    assert builder.asked == 2
    assert path.stem == hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_the_builder_says_is_said_and_nothing_is_kept(builder: Builder) -> None:
    builder.problem = IntegrityError("weights.pth: its SHA-256 is another one")
    with pytest.raises(IntegrityError, match=r"(?m)^weights.pth: its SHA-256 is another one$"):
        open_extractor("own", providing())
    builder.problem = ValueError("no luck")
    with pytest.raises(PluginError, match="no luck") as caught:
        open_extractor("own", providing())
    assert caught.value.exit_code == ExitCode.PLUGIN
    assert kept() == []


def test_a_builder_that_writes_nothing(builder: Builder) -> None:
    with pytest.raises(PluginError, match=r"(?m)^built_things:nothing \(extractor 'own'\) writes no file$"):
        open_extractor("own", providing("nothing"))


def test_a_cache_that_cannot_be_written(builder: Builder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "file"))
    with pytest.raises(GanzooError, match=rf"^cannot keep extractor 'own' in {re.escape(str(tmp_path))}") as caught:
        open_extractor("own", providing())
    assert caught.value.hint == "set GANZOO_CACHE to a directory that can be written to"
