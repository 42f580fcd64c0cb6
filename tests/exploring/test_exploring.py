"""The nearest latent of an image, and directions of latents: of networks whose answers are known, and by command."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import ganzoo
from ganzoo.cli import main
from ganzoo.errors import UsageError
from ganzoo.exploring.directions import find_directions
from ganzoo.exploring.projection import project, pyramid_distance
from ganzoo.exploring.trained import read_picture
from ganzoo.images import to_uint8
from ganzoo.layers import PixelNorm
from ganzoo.runtime.card import GeneratorCard

LATENT, SIZE = 6, 4


class Linear(nn.Module):
    """tanh(W [z, e(label)] + b), behind whatever ``before`` is."""

    def __init__(self, before: nn.Module, classes: int = 0) -> None:
        super().__init__()
        self.latent_dim = LATENT
        self.before = before
        self.embedding = nn.Embedding(classes, 2) if classes else None
        self.layer = nn.Linear(LATENT + 2 * bool(classes), SIZE * SIZE)
        self.second = nn.Linear(SIZE * SIZE, SIZE * SIZE)

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        x = self.before(z)
        if self.embedding is not None:
            x = torch.cat([x, self.embedding(labels)], 1)
        images: Tensor = self.second(self.layer(x)).tanh().view(-1, 1, SIZE, SIZE)
        return images


@pytest.mark.parametrize("classes", [0, 3])
def test_directions_are_eigenvectors_of_the_first_weight(classes: int) -> None:
    torch.manual_seed(0)
    generator = Linear(nn.Identity(), classes).eval()
    found = find_directions(generator, 4, [1] if classes else [], {})
    weight = generator.layer.weight.detach()[:, :LATENT].double()
    values, vectors = np.linalg.eigh((weight.T @ weight).numpy())
    assert np.abs(np.abs(found.vectors) - np.abs(vectors.T[::-1][:4])).max() < 1e-6
    assert np.allclose(found.shares, (values / values.sum())[::-1][:4])
    assert (found.vectors[np.arange(4), np.abs(found.vectors).argmax(1)] > 0).all()
    assert generator.layer.weight.dtype == torch.float32


def test_directions_behind_a_norm_do_not_depend_on_how_long_z_is() -> None:
    torch.manual_seed(0)
    found = find_directions(Linear(PixelNorm()).eval(), 6, [], {})
    assert np.allclose(found.vectors @ found.vectors.T, np.eye(6), atol=1e-6)
    assert found.shares == sorted(found.shares, reverse=True)
    assert sum(found.shares) == pytest.approx(1)


def test_a_generator_without_weights_has_no_directions() -> None:
    class Bare(nn.Module):
        latent_dim = LATENT

        def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
            return z[:, :4].view(-1, 1, 2, 2)

    with pytest.raises(UsageError, match="no layer of this generator has a matrix of weights that meets z"):
        find_directions(Bare(), 2, [], {})


def test_an_image_of_the_generator_is_found() -> None:
    torch.manual_seed(0)
    generator = Linear(nn.Identity(), 3).eval()
    with torch.no_grad():
        target = generator(torch.randn(1, LATENT), torch.tensor([2]))[0].numpy()
    steps: list[int] = []
    found = project(
        generator, target, steps=300, labels=[0, 1, 2], controls={}, seen=lambda done, _: steps.append(done)
    )
    assert found.latent.shape == (1, LATENT)
    assert found.latent.dtype == np.float32
    assert found.distance < 2
    assert found.label is not None
    with torch.no_grad():
        again = generator(torch.from_numpy(found.latent), torch.tensor([found.label]))[0].numpy()
    assert np.allclose(again, found.image, atol=1e-6)
    assert np.sqrt(np.square(again - target).mean()) * 127.5 == pytest.approx(found.distance, abs=1e-3)
    assert steps == list(range(1, 301))


def test_the_distance_of_a_pyramid_by_hand() -> None:
    """A checkerboard and its opposite differ by 2 at their own size, and by nothing at half of it."""
    board = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(2, 2)[None, None]
    assert pyramid_distance(board, -board).tolist() == [2.0]
    assert pyramid_distance(board, torch.ones_like(board)).tolist() == [1.0 + 1.0]


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("L", 3), ("RGB", 1), ("RGB", 3)])
def test_a_picture_as_the_generator_would_make_it(mode: str, channels: int, tmp_path: Path) -> None:
    picture = Image.effect_noise((8, 8), 60).convert("RGB")
    picture.putpixel((1, 2), (250, 20, 120))
    picture.convert(mode).save(tmp_path / "picture.png")
    card = GeneratorCard(name="m", latent_dim=1, channels=channels, height=8, width=8)
    wanted = np.atleast_3d(np.asarray(picture.convert(mode).convert("L" if channels == 1 else "RGB")))
    found = to_uint8(read_picture(tmp_path / "picture.png", card)[None])[0]
    assert np.abs(found.transpose(1, 2, 0).astype(int) - wanted).max() <= 1


TINY = {"options": {"width": 2, "latent_dim": 3}, "steps": 2, "batch": 4, "device": "cpu"}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("explored")
    ganzoo.train("conditional", settings=TINY, registry=home / "registry", runs=home / "runs", export=False)
    return home / "registry"


@pytest.fixture
def run(registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANZOO_REGISTRY", str(registry))
    Image.new("L", (8, 8), 128).save("grey.png")
    return lambda line: main(line.split())


def test_project_by_command(run: Callable[[str], int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("project grey.png --model conditional --steps 20 --json") == 0
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert said["distance"] < 20  # an untrained generator is grey
    assert said["label"] in "0123456789"
    z = np.load(said["latent"])
    with torch.no_grad():
        made = ganzoo.load_torch("conditional")(torch.from_numpy(z), torch.tensor([int(said["label"])]))
    image = to_uint8(made.numpy())[0, 0]
    distance = np.sqrt(np.square(image.astype(float) - 128).mean())
    assert distance == pytest.approx(said["distance"], abs=1)
    with Image.open(said["picture"]) as pair:
        assert pair.size == (2 * 48 + 2, 48)


def test_directions_by_command(run: Callable[[str], int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("directions conditional -n 2 --label 3 -o d.png") == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[2:] == ["d.png", "d.npy"]
    assert np.load("d.npy").shape == (2, 3)
    with Image.open("d.png") as sheet:
        assert sheet.height == 2 * 48 + 2
        assert sheet.width > 7 * 50


@pytest.mark.parametrize(
    ("line", "code", "error", "hint"),
    [
        ("project none.png --model conditional", 3, "none.png: no such picture", "give a PNG, JPEG or WebP file"),
        (
            "project {file} --model conditional",
            2,
            "{file} cannot be read: not a PNG, JPEG or WebP",
            "give a PNG, JPEG or WebP file",
        ),
        ("project grey.png --model conditional -o x.gif", 2, "cannot write a picture to x.gif", "-o x.png"),
        ("project grey.png --model conditional --label x", 2, "conditional has no class 'x'", None),
        ("project grey.png --model nothing", 3, None, None),
        (
            "project grey.png --model some.onnx",
            2,
            "some.onnx has no weights that torch can take",
            "give a registered version: ganzoo registry ls",
        ),
        ("project cut.png --model conditional", 2, None, "give a PNG, JPEG or WebP file"),
        ("project cut.jpg --model conditional", 2, None, "give a PNG, JPEG or WebP file"),
        ("project cut.webp --model conditional", 2, None, "give a PNG, JPEG or WebP file"),
        ("project grey.png --model conditional -o .", 2, "cannot write a picture to .", "-o FILE.png"),
        (
            "project grey.png --model conditional -o no/x.png",
            1,
            "cannot write no/x.png: the directory no does not exist",
            None,
        ),
        (
            "project grey.png --model conditional -o ./grey.png",
            2,
            "grey.png would take the place of the picture itself",
            "choose another -o FILE.png",
        ),
        ("directions conditional -n 4", 2, "conditional has 3 latents, and as many directions", "-n 3"),
        ("directions conditional -n 2 --label 3,4", 2, "the rows of images are of one class", "--label 3"),
        ("directions conditional -n 2 --label all", 2, "the rows of images are of one class", "--label 0"),
        ("directions conditional --reach nan", 2, None, None),
        ("directions conditional --reach inf", 2, None, None),
        ("directions conditional --reach 1e300", 2, None, None),
    ],
)
def test_bad_input(
    run: Callable[[str], int],
    line: str,
    code: int,
    error: str | None,
    hint: str | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("some.onnx").write_bytes(b"x")
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    for name in ("cut.png", "cut.jpg", "cut.webp"):
        noise.save(name)
        Path(name).write_bytes(Path(name).read_bytes()[:2000])
    before = sorted(Path().iterdir())
    assert run(line.format(file="some.onnx")) == code
    first, *rest = capsys.readouterr().err.splitlines()
    assert error is None or first == f"Error: {error}".format(file="some.onnx")
    assert hint is None or rest == [f"Hint: {hint}"]
    assert sorted(Path().iterdir()) == before


@pytest.mark.parametrize("line", ["project grey.png --model conditional", "directions conditional"])
def test_without_torch_the_package_is_named(run: Callable[[str], int], line: str) -> None:
    code = f"import sys; sys.modules['torch'] = None\nfrom ganzoo.cli import main\nsys.exit(main({line.split()!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 6
    assert done.stderr.splitlines()[0] == "Error: this needs the package torch, which is not installed"
    assert done.stderr.splitlines()[1].startswith('Hint: pip install "torch')
