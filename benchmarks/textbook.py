"""Training steps as tutorials write them: fp32, contiguous tensors, default Adam, and ``.item()`` on each loss.

On CUDA torch's default convolves fp32 images in TF32; ganzoo's fp32 does not unless ``tf32`` asks for it.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ganzoo.config import NetworkConfig
from ganzoo.config.schedule import largest
from ganzoo.networks.build import Networks

Real = Callable[[], Tensor]
"""Gives the next batch of real images."""


def dcgan(networks: Networks, real: Real, adam: NetworkConfig, device: torch.device) -> Callable[[], None]:
    """PyTorch's DCGAN tutorial: three backward passes, and a fresh tensor of ones or zeros at each step."""
    generator, discriminator = networks.generator.to(device), networks.discriminator.to(device)
    criterion = nn.BCEWithLogitsLoss()
    optimizer_d, optimizer_g = _adam(discriminator, adam), _adam(generator, adam)

    def step() -> None:
        images = real()
        discriminator.zero_grad()
        label = torch.full((len(images),), 1.0, device=device)
        loss_real = criterion(discriminator(images, None), label)
        loss_real.backward()
        fake = generator(torch.randn(len(images), networks.latent_dim, device=device), None)
        label.fill_(0.0)
        loss_fake = criterion(discriminator(fake.detach(), None), label)
        loss_fake.backward()
        optimizer_d.step()
        generator.zero_grad()
        label.fill_(1.0)
        loss_g = criterion(discriminator(fake, None), label)
        loss_g.backward()
        optimizer_g.step()
        (loss_real + loss_fake).item()
        loss_g.item()

    return step


def wgan_gp_critic(networks: Networks, real: Real, adam: NetworkConfig, device: torch.device) -> Callable[[], None]:
    """The critic's update of the usual WGAN-GP scripts, whose fakes keep their graph: backward runs through both."""
    generator, critic = networks.generator.to(device), networks.discriminator.to(device)
    optimizer = _adam(critic, adam)

    def step() -> None:
        images = real()
        optimizer.zero_grad()
        fake = generator(torch.randn(len(images), networks.latent_dim, device=device), None)
        penalty = gradient_penalty(critic, images, fake.data)
        loss = critic(fake, None).mean() - critic(images, None).mean() + 10 * penalty
        loss.backward()
        optimizer.step()
        loss.item()

    return step


def gradient_penalty(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """Gulrajani et al., 2017, algorithm 1."""
    alpha = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = (alpha * real + (1 - alpha) * fake).requires_grad_(True)
    scores = critic(between, None)
    (gradient,) = torch.autograd.grad(scores, between, torch.ones_like(scores), create_graph=True, retain_graph=True)
    norm: Tensor = gradient.view(len(real), -1).norm(2, dim=1)
    return ((norm - 1) ** 2).mean()


def _adam(network: nn.Module, config: NetworkConfig) -> torch.optim.Optimizer:
    return torch.optim.Adam(network.parameters(), lr=largest(config.lr), betas=config.options["betas"])
