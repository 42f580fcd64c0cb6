"""Two published libraries: their networks, for ganzoo to train, and their own training steps.

They are found on ``PYTHONPATH``, put there by ``pip install --no-deps --target DIR torchgan==0.1.0 torch-mimicry``:
their own requirements would replace torch. Only what a training step needs is imported.
"""

import importlib
import importlib.util
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.specs import Architecture, ImageShape

MIMICRY = {"dcgan": "DCGAN", "sngan": "SNGAN", "wgan_gp": "WGANGP"}


class Adapted(nn.Module):
    """A network of a peer, adapted to ganzoo's contract."""

    def __init__(self, network: nn.Module, latent_dim: int = 0) -> None:
        super().__init__()
        self.network = network
        self.latent_dim = latent_dim

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """z [B, L] -> images [B, C, H, W]; images -> logits [B]."""
        y: Tensor = self.network(x)
        return y if self.latent_dim else y.flatten()


@dataclass(frozen=True, kw_only=True)
class Options:
    """Whose networks: ``torchgan``, or one of mimicry's families."""

    family: str = "torchgan"


def architecture(family: str) -> tuple[Architecture, Options]:
    """A peer's networks as an architecture of ganzoo."""
    spec = Architecture(
        name=family,
        generator=f"{__name__}:generator",
        discriminator=f"{__name__}:discriminator",
        options=Options,
        resolutions=(32, 64),
    )
    return spec, Options(family=family)


def generator(shape: ImageShape, options: Options) -> nn.Module:
    """A peer's generator with its default widths."""
    if options.family == "torchgan":
        return Adapted(_torchgan().models.DCGANGenerator(100, out_size=shape.height), 100)
    network = _mimicry(options.family, "Generator", shape.height)
    return Adapted(network, network.nz)


def discriminator(shape: ImageShape, options: Options) -> nn.Module:
    """A peer's discriminator with its default widths."""
    if options.family == "torchgan":
        return Adapted(_torchgan().models.DCGANDiscriminator(in_size=shape.height))
    return Adapted(_mimicry(options.family, "Discriminator", shape.height))


def torchgan_step(size: int, real: Callable[[], Tensor], device: torch.device) -> Callable[[], None]:
    """The step that ``torchgan.trainer.Trainer.train`` takes with each batch; its console logging is off by default."""
    library = _torchgan()
    adam = {"name": torch.optim.Adam, "args": {"lr": 2e-4, "betas": (0.5, 0.999)}}
    networks = {
        "generator": {"name": library.models.DCGANGenerator, "args": {"out_size": size}, "optimizer": adam},
        "discriminator": {"name": library.models.DCGANDiscriminator, "args": {"in_size": size}, "optimizer": adam},
    }
    losses = [library.losses.MinimaxGeneratorLoss(), library.losses.MinimaxDiscriminatorLoss()]
    with tempfile.TemporaryDirectory() as temporary:  # its checkpoints and pictures, of which a step makes none
        places = {"checkpoints": str(Path(temporary, "gan")), "recon": temporary}
        trainer = library.trainer.Trainer(networks, losses, device=device, **places)

    def step() -> None:
        trainer.real_inputs = real()
        trainer.batch_size = len(trainer.real_inputs)
        loss_g, loss_d, steps_g, steps_d = trainer.train_iter()
        trainer.loss_information["generator_losses"] += loss_g
        trainer.loss_information["discriminator_losses"] += loss_d
        trainer.loss_information["generator_iters"] += steps_g
        trainer.loss_information["discriminator_iters"] += steps_d
        trainer.logger.run_mid_epoch(trainer)

    return step


def mimicry_step(
    family: str, size: int, real: Callable[[], Tensor], device: torch.device, critic_only: bool
) -> Callable[[], None]:
    """The step that ``torch_mimicry.training.Trainer.train`` takes with each batch, with one critic update."""
    network_d, network_g = (_mimicry(family, role, size).to(device) for role in ("Discriminator", "Generator"))
    optimizer_d, optimizer_g = (
        torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.0, 0.9)) for network in (network_d, network_g)
    )
    metric_log = importlib.import_module("torch_mimicry.training.metric_log")

    def step() -> None:
        images = real()
        batch, log = (images, torch.zeros(len(images), dtype=torch.int64)), metric_log.MetricLog()
        network_d.train_step(batch, netG=network_g, optD=optimizer_d, log_data=log, device=device)
        if not critic_only:
            network_g.train_step(batch, netD=network_d, optG=optimizer_g, log_data=log, device=device)

    return step


def _torchgan() -> Any:
    """The library torchgan, with an empty torchvision, which it uses only for pictures and a metric."""
    sys.modules.setdefault("torchvision", ModuleType("torchvision"))
    for name in ("trainer", "models", "losses"):
        importlib.import_module(f"torchgan.{name}")
    return sys.modules["torchgan"]


def _mimicry(family: str, role: str, size: int) -> Any:
    """A network of mimicry; the package's own ``__init__`` imports TensorFlow and TensorBoard, so it is not run."""
    for name in ("torch_mimicry", "torch_mimicry.training"):
        if name not in sys.modules:
            spec = importlib.util.find_spec(name)
            if spec is None:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            package = ModuleType(name)
            package.__path__ = list(spec.submodule_search_locations or ())
            sys.modules[name] = package
    module = importlib.import_module(f"torch_mimicry.nets.{family}.{family}_{size}")
    return getattr(module, f"{MIMICRY[family]}{role}{size}")()
