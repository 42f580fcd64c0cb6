"""What cannot be exported is said before the first step, as what it is, and with a hint that fits."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ganzoo
from ganzoo.cli import main
from ganzoo.errors import ExitCode, GanzooError, PluginError
from ganzoo.exporting import preflight as module
from ganzoo.exporting.convert import Graph
from ganzoo.exporting.gates import check
from ganzoo.exporting.preflight import preflight
from ganzoo.exporting.reference import reference
from ganzoo.runtime.card import GeneratorCard
from ganzoo.specs import Architecture, ImageShape

Forward = Callable[..., Tensor]


@dataclass(frozen=True, kw_only=True)
class Options:
    pass


class Net(nn.Module):
    """z [B, 4] -> 1 x 8 x 8 pixels, by a forward that is given."""

    latent_dim = 4
    forward: Forward
    count: Tensor

    def __init__(self, forward: Forward, classes: int = 0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(max(classes, 1), 4)
        self.linear = nn.Linear(4, 64)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.norm = nn.BatchNorm1d(64, track_running_stats=False)
        self.deconvolution = nn.ConvTranspose2d(4, 1, 8).double()
        self.register_buffer("count", torch.zeros(()))
        self.forward = lambda *inputs: forward(self, *inputs)

    def image(self, z: Tensor) -> Tensor:
        images: Tensor = self.linear(z).unflatten(1, (1, 8, 8))
        return images


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """``run(forward, classes=0)``: the preflight of an architecture ``net`` with that forward."""

    def run(forward: Forward, classes: int = 0) -> Any:
        monkeypatch.setattr(module, "build_generator", lambda *_: Net(forward, classes))
        spec = Architecture(name="net", generator="m:G", discriminator="m:D", options=Options, resolutions=(8,))
        return preflight(spec, ImageShape(channels=1, height=8, width=8, classes=classes), Options())

    return run


def pass_all_gates(graph: Graph, forward: Forward, classes: int = 0) -> None:
    """As the whole export does, in this process."""
    names = tuple(map(str, range(classes)))
    card = GeneratorCard(name="net", latent_dim=4, channels=1, height=8, width=8, class_names=names)
    net = Net(forward, classes).eval()
    check(graph.file(net, card), dict(reference(net, card)))


def length(net: Net, z: Tensor, labels: Any) -> Tensor:
    return net.image(z).reshape(len(z), 1, 8, 8)


def plain_number(net: Net, z: Tensor, labels: Any) -> Tensor:
    return net.image(z + torch.zeros(int(z.shape[0]), 4))


def loop(net: Net, z: Tensor, labels: Any) -> Tensor:
    return torch.stack([net.image(row[None])[0] for row in z])


def question(net: Net, z: Tensor, labels: Any) -> Tensor:
    return net.image(z) if net.count > -1 else net.image(-z)


def assertion(net: Net, z: Tensor, labels: Any) -> Tensor:
    assert (z.abs() < 1e9).all()
    return net.image(z)


def noise(net: Net, z: Tensor, labels: Any) -> Tensor:
    return net.image(z + torch.randn_like(z))


def chance(net: Net, z: Tensor, labels: Any) -> Tensor:
    return net.image(z) * float(np.random.default_rng().random())


def counter(net: Net, z: Tensor, labels: Any) -> Tensor:
    net.count.add_(1)
    return net.image(z) * net.count


def batch_statistics(net: Net, z: Tensor, labels: Any) -> Tensor:
    images: Tensor = net.norm(net.linear(z)).unflatten(1, (1, 8, 8))
    return images


def greatest(net: Net, z: Tensor, labels: Any) -> Tensor:
    return net.image(z) * z.abs().max().item()


def unit_length(net: Net, z: Tensor, labels: Any) -> Tensor:
    return net.image(z / z.norm(dim=1, keepdim=True))


def overflow(net: Net, z: Tensor, labels: Any) -> Tensor:
    return net.image(z) + (z * 30).exp().sum(1)[:, None, None, None]


def airy(net: Net, z: Tensor, labels: Any) -> Tensor:
    return net.image(torch.special.airy_ai(z))


def doubles(net: Net, z: Tensor, labels: Any) -> Tensor:
    images: Tensor = net.deconvolution(z.double()[:, :, None, None]).float()
    return images


def convolution_for_each_image(net: Net, z: Tensor, labels: Any) -> Tensor:
    """StyleGAN2's modulated convolution as its authors wrote it (Karras et al., 2020, appendix B)."""
    weights = z[:, :1, None, None]
    return F.conv2d(net.image(z).view(1, -1, 8, 8), weights, groups=z.shape[0]).view(-1, 1, 8, 8)


def chosen_rows(net: Net, z: Tensor, labels: Any) -> Tensor:
    return net.image(z[z.sum(1) > -1e9])


def small_batches(net: Net, z: Tensor, labels: Any) -> Tensor:
    if z.shape[0] > 3:
        raise ValueError("too many")
    return net.image(z)


FIXED = "the generator would take batches of 2 only: its forward makes a plain number of the batch's size"
LOOKS = "the generator's forward looks at a tensor's value in Python (export/test_preflight.py:"
EACH_TIME = "the generator makes other images each time in eval mode"
TOGETHER = "an image of the generator depends on the others of its batch in eval mode, by up to "
IN_TRAINING = "let it draw noise, drop out and count behind `if self.training:` alone (torch.nn.Dropout does)"

REFUSED: list[tuple[Forward, str, str]] = [
    (length, FIXED, "take the batch's size as z.shape[0]"),
    (plain_number, FIXED, "take the batch's size as z.shape[0]"),
    (loop, FIXED, "take the batch's size as z.shape[0]"),
    (question, LOOKS, "torch.where chooses without looking"),
    (assertion, LOOKS, "torch.where chooses without looking"),
    (noise, EACH_TIME, IN_TRAINING),
    (chance, EACH_TIME, IN_TRAINING),
    (counter, EACH_TIME, IN_TRAINING),
    (batch_statistics, TOGETHER, "take means over one image"),
    (greatest, TOGETHER, "take means over one image"),
    (unit_length, "the generator makes NaN of a latent of all 0", "add an epsilon"),
    (overflow, "the generator makes infinity of a latent of all 4", "keep what grows within float32"),
    (airy, "ONNX has no operator for torch's special_airy_ai, which the generator uses", "write it in other"),
    (
        doubles,
        "gate parity: the exported file cannot be loaded: Could not find an implementation for Conv",
        "float32",
    ),
    (
        convolution_for_each_image,
        "the generator gives an operator the batch's size as a setting, which ONNX fixes: groups=z.shape[0], say",
        "scale what goes into a shared convolution and what comes out",
    ),
    (chosen_rows, "gate signature: images has shape ['u0', 1, 8, 8], not ['batch', 1, 8, 8]", "make one image of each"),
    (
        small_batches,
        "the generator fails on a batch of 8: ValueError: too many (export/test_preflight.py:",
        "its forward must take any batch",
    ),
]


@pytest.mark.parametrize(("forward", "reason", "hint"), REFUSED, ids=[each[0].__name__ for each in REFUSED])
def test_what_cannot_be_exported(
    run: Callable[..., Any], forward: Forward, reason: str, hint: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(PluginError) as caught:
        run(forward)
    assert str(caught.value).startswith(f"architecture 'net' cannot be exported: {reason}")
    assert str(caught.value.hint).startswith(hint) or hint in str(caught.value.hint)
    assert str(caught.value.hint).endswith("; --no-export trains it all the same")
    assert caught.value.exit_code == ExitCode.PLUGIN
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_norm_without_statistics_is_named(run: Callable[..., Any]) -> None:
    with pytest.raises(PluginError, match=r"(?m): norm has no running statistics$"):
        run(batch_statistics)


def test_where_nan_comes_from(run: Callable[..., Any]) -> None:
    def third_class(net: Net, z: Tensor, labels: Tensor) -> Tensor:
        return net.image(z) / (labels != 2).float()[:, None, None, None]

    with pytest.raises(PluginError, match=r"(?m)the generator makes infinity of a latent of all -4 at label 2$"):
        run(third_class, classes=3)


def size(net: Net, z: Tensor, labels: Any) -> Tensor:
    return net.image(z + z.new_zeros(z.shape[0], 4)).reshape(z.size(0), 1, 8, 8)


def expanded(net: Net, z: Tensor, labels: Any) -> Tensor:
    return net.image(z + net.count.expand(z.shape[0], 4))


def read_buffer(net: Net, z: Tensor, labels: Any) -> Tensor:
    return net.image(z) * (1 + net.count.item())


def some_doubles(net: Net, z: Tensor, labels: Any) -> Tensor:
    return (net.image(z) * torch.tensor(0.1, dtype=torch.float64)).float()


def attention(net: Net, z: Tensor, labels: Any) -> Tensor:
    tokens = z[:, None] * net.linear.weight[:4]
    return net.image(net.attention(tokens, tokens, tokens)[0].mean(1))


def any_inputs(net: Net, *inputs: Any) -> Tensor:
    return net.image(inputs[0])


def other_names(net: Net, noise: Tensor, y: Any = None, *, gain: float = 2.0) -> Tensor:
    return net.image(noise) * gain


@pytest.mark.parametrize("forward", [size, expanded, read_buffer, some_doubles, attention, any_inputs, other_names])
def test_what_looks_odd_and_is_right(run: Callable[..., Any], forward: Forward) -> None:
    """The whole export passes, too: with torch's images, in every batch."""
    pass_all_gates(run(forward), forward)


def test_labels_are_bound_by_their_place(run: Callable[..., Any]) -> None:
    def forward(net: Net, noise: Tensor, y: Tensor) -> Tensor:
        return net.image(noise + net.table(y))

    pass_all_gates(run(forward, classes=3), forward, classes=3)


def test_nothing_random_is_used_up(run: Callable[..., Any]) -> None:
    torch.manual_seed(3)
    wanted = torch.rand(3)
    torch.manual_seed(3)
    run(size)
    assert torch.equal(torch.rand(3), wanted)


# The whole training

PLUGIN = """
from dataclasses import dataclass

from ganzoo import Architecture, Model, hookimpl


@dataclass(frozen=True, kw_only=True)
class Options:
    good: bool = False


@hookimpl
def ganzoo_specs():
    here = "ganzoo_noisy_net"
    yield Architecture(
        name="noisy", generator=f"{here}:generator", discriminator=f"{here}:discriminator", options=Options,
        resolutions=(8,),
    )
    yield Model(name="noisy", architecture="noisy", loss="non-saturating")


def generator(shape, options):
    import torch
    from torch import nn

    class Generator(nn.Module):
        latent_dim = 4

        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 64)

        def forward(self, z, labels):
            noise = 0 if options.good else torch.randn_like(z)
            return self.layer(z + noise).tanh().unflatten(1, (1, 8, 8))

    return Generator()


def discriminator(shape, options):
    from torch import nn

    class Discriminator(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(64, 1)

        def forward(self, images, labels):
            return self.layer(images.flatten(1)).flatten()

    return Discriminator()
"""


@pytest.fixture
def noisy(install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A working directory where the model ``noisy`` is installed."""
    from ganzoo.zoo.names import zoo

    install("ganzoo-noisy", {"net": PLUGIN})
    monkeypatch.chdir(tmp_path)
    zoo.cache_clear()
    return tmp_path


TRAIN = ["train", "--model", "noisy", "--steps", "2", "--batch", "8", "--device", "cpu"]


@pytest.mark.usefixtures("noisy")
def test_a_training_that_could_not_end_in_a_file_does_not_begin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(TRAIN) == ExitCode.PLUGIN
    told = capsys.readouterr().err.splitlines()
    assert f"Error: architecture 'noisy' cannot be exported: {EACH_TIME}" in told
    assert f"Hint: {IN_TRAINING}; --no-export trains it all the same" in told
    assert not Path("runs").exists()
    assert main([*TRAIN, "--no-export"]) == 0
    assert Path("runs/noisy/1/samples.png").exists()
    assert not Path("runs/noisy/1/generator.onnx").exists()


@pytest.mark.usefixtures("noisy")
def test_a_run_that_goes_on_is_looked_at_before_it_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TRAIN, "--no-export"]) == 0
    assert main(["train", "--resume", "last", "--steps", "4"]) == ExitCode.PLUGIN
    assert "cannot be exported" in capsys.readouterr().err
    assert main(["train", "--resume", "last", "--steps", "4", "--no-export"]) == 0


@pytest.mark.usefixtures("noisy")
def test_what_is_found_before_is_used_after(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The conversion happens once a training, and an export by itself gives the same bytes."""
    from ganzoo.exporting import convert, tracing

    traced: list[str] = []

    def counting(network: nn.Module, what: str, *arguments: Any) -> Any:
        traced.append(what)
        return tracing.trace(network, what, *arguments)

    monkeypatch.setattr(convert, "trace", counting)
    settings = {"steps": 2, "batch": 8, "device": "cpu", "options": {"good": True}}
    result = ganzoo.train("noisy", settings=settings)
    assert len(traced) == 1
    assert result.onnx is not None
    again = ganzoo.export(str(result.version), output=tmp_path / "again.onnx", force=True)
    assert len(traced) == 2
    assert again.path is not None
    assert again.path.read_bytes() == result.onnx.read_bytes()


def test_a_machine_that_cannot_convert_is_not_the_plugins_fault(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(net: Net, z: Tensor, labels: Any) -> Tensor:
        if torch.compiler.is_exporting():
            raise OSError(28, "No space left on device")
        return net.image(z)

    with pytest.raises(GanzooError, match="could not convert the generator to ONNX here: OSError") as caught:
        run(full)
    assert caught.value.exit_code == ExitCode.FAILURE
