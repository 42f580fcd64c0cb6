"""Masked rectifiers: what they give is torch's to the bit, and a penalty does without the arithmetic on zeros."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ganzoo.networks.build import build
from ganzoo.specs import ImageShape
from ganzoo.training.layers.masked import MASKED, mask_activations
from ganzoo.training.trainer import Trainer
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import resolve

IMAGES = (4, 3, 16, 16)
BF16 = torch.bfloat16
CUDA = pytest.param("cuda", marks=pytest.mark.gpu)


class Residual(nn.Module):
    """Its shortcut reads what the activation was given, and after an activation in place what that made of it."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.activation = activation
        self.convolution = nn.Conv2d(8, 8, 3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.convolution(self.activation(x)) + x
        return y


def shared() -> nn.Sequential:
    activation = nn.LeakyReLU(0.1)
    convolutions = (nn.Conv2d(3, 8, 4, 2, 1), activation, nn.Conv2d(8, 8, 4, 2, 1), activation)
    return nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(8 * 16, 1))


def convolutional(first: nn.Module, second: nn.Module) -> nn.Sequential:
    convolutions = (nn.Conv2d(3, 8, 4, 2, 1), first, nn.Conv2d(8, 16, 4, 2, 1), nn.GroupNorm(1, 16), second)
    return nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(16 * 16, 1))


def residual(activation: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 8, 4, 2, 1), Residual(activation), nn.Flatten(), nn.Linear(8 * 64, 1))


def perceptron(slope: float) -> nn.Sequential:
    hidden = (nn.Linear(768, 32), nn.LeakyReLU(slope), nn.Linear(32, 32), nn.ReLU())
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(32, 1))


CRITICS = {
    "convolutions": lambda: convolutional(nn.LeakyReLU(0.2), nn.ReLU()),
    "in place": lambda: convolutional(nn.LeakyReLU(0.2, inplace=True), nn.ReLU(inplace=True)),
    "shared": shared,
    "residual": lambda: residual(nn.ReLU()),
    "residual in place": lambda: residual(nn.ReLU(inplace=True)),
    "leaky residual in place": lambda: residual(nn.LeakyReLU(0.2, inplace=True)),
    "slope 0": lambda: perceptron(0.0),
    "slope 1": lambda: perceptron(1.0),
    "slope -0.3": lambda: perceptron(-0.3),
}

RECTIFIERS = [
    *(nn.ReLU(inplace) for inplace in (False, True)),
    *(nn.LeakyReLU(slope, inplace) for slope in (0.2, 0.01, 0.0) for inplace in (False, True)),
    nn.LeakyReLU(-0.3),  # which torch cannot differentiate in place
]


def pair(make: Callable[[], nn.Module]) -> tuple[nn.Module, nn.Module]:
    """A critic, and its equal with masked activations."""
    torch.manual_seed(0)
    critic = make()
    masked = copy.deepcopy(critic)
    assert mask_activations(masked) == len({m for m in critic.modules() if isinstance(m, nn.ReLU | nn.LeakyReLU)})
    return critic, masked


def penalised(critic: nn.Module, x: torch.Tensor, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    """Scores, gradient at the images, and the gradients of scores and penalty for each parameter."""
    x = x.detach().requires_grad_()
    with torch.autocast("cpu", dtype, enabled=dtype is BF16):
        scores = critic(x).to(x.dtype)
    (gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    penalty = ((gradient.flatten(1).square().sum(1) + 1e-12).sqrt() - 1).square().mean()
    critic.zero_grad()
    (scores.mean() + penalty).backward()
    return [scores, gradient, *(weight.grad for weight in critic.parameters())]


@pytest.mark.parametrize("dtype", [torch.float32, BF16, torch.float64])
@pytest.mark.parametrize("name", CRITICS)
def test_gradients_of_first_and_second_order_are_the_same_to_the_bit(name: str, dtype: torch.dtype) -> None:
    critic, masked = pair(CRITICS[name])
    wide = torch.float64 if dtype is torch.float64 else torch.float32
    x = torch.randn(IMAGES, dtype=wide)
    expected, found = (penalised(network.to(wide), x, dtype) for network in (critic, masked))
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
    assert any(weight.abs().sum() > 0 for weight in expected[2:])


@pytest.mark.parametrize("dtype", [torch.float32, BF16])
@pytest.mark.parametrize("name", ["convolutions", "shared"])
def test_channels_last(name: str, dtype: torch.dtype) -> None:
    critic, masked = (network.to(memory_format=torch.channels_last) for network in pair(CRITICS[name]))  # type: ignore[call-overload]
    x = torch.randn(IMAGES).contiguous(memory_format=torch.channels_last)
    for a, b in zip(penalised(critic, x, dtype), penalised(masked, x, dtype), strict=True):
        assert torch.equal(a, b)
        assert a.stride() == b.stride()


@pytest.mark.parametrize("name", ["in place", "residual", "residual in place", "leaky residual in place"])
def test_channels_last_and_a_sum_of_gradients(name: str) -> None:
    """Where dense zeros are added, be they torch's or those of an assignment in place, the sum has another memory
    format, and a bias's gradient is summed in another order."""
    critic, masked = (network.to(memory_format=torch.channels_last) for network in pair(CRITICS[name]))  # type: ignore[call-overload]
    x = torch.randn(IMAGES).contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(penalised(critic, x), penalised(masked, x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, BF16, torch.float16])
@pytest.mark.parametrize("activation", RECTIFIERS, ids=str)
@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_every_number_there_is(device: str, activation: nn.Module, dtype: torch.dtype) -> None:
    """Both zeros, the subnormal, the infinite and NaN; through the vectorised kernel and through its remainder."""
    odd = torch.tensor([0.0, -0.0, 1e-40, -1e-40, float("inf"), -float("inf"), float("nan"), 3.3, -3.3])
    x = torch.cat([odd, torch.randn(1000), odd]).to(device, dtype).requires_grad_()
    upstream = torch.cat([torch.randn(1009), odd]).to(device, dtype)
    masked = copy.deepcopy(activation)
    mask_activations(masked)
    for a, b in zip(first_order(activation, x, upstream), first_order(masked, x, upstream), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True)


def first_order(activation: nn.Module, x: torch.Tensor, upstream: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """y = f(x), and upstream * f'(x)."""
    y = activation(x * 1)  # what is overwritten in place is no leaf
    return y.detach(), *torch.autograd.grad(y, x, upstream)


def test_in_place_is_in_place() -> None:
    for activation in (nn.ReLU(inplace=True), nn.LeakyReLU(0.2, inplace=True)):
        mask_activations(activation)
        x = torch.tensor([-1.0, 2.0])
        y = activation(x)
        assert y is x
        assert x[0] > -1


def test_the_second_derivative_is_nothing_to_be_sent_back() -> None:
    """Dense zeros are what costs the arithmetic."""
    x = torch.randn(5, requires_grad=True)
    masked = nn.LeakyReLU(0.2)
    mask_activations(masked)
    for activation, zeros in ((nn.LeakyReLU(0.2), True), (masked, False)):
        upstream = torch.randn(5, requires_grad=True)
        (gradient,) = torch.autograd.grad(activation(x), x, upstream, create_graph=True)
        (second,) = torch.autograd.grad(gradient.sum(), x, allow_unused=True, retain_graph=True)
        assert (second is not None) is zeros
        (linear,) = torch.autograd.grad(gradient.sum(), upstream)
        torch.testing.assert_close(linear, torch.where(x > 0, 1.0, 0.2))


class Flops(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts; torch's own counter breaks on the gradient with respect to a leaf that a module was given."""

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func._overloadpacket in flop_registry:
            self.total += flop_registry[func._overloadpacket](*args, **(kwargs or {}), out_val=result)
        return result


def flops(function: Callable[[], object]) -> int:
    counted = Flops()  # type: ignore[no-untyped-call]
    with counted:
        function()
    return counted.total


def test_a_third_of_the_penalty_is_gone() -> None:
    """6 forward passes' worth become 4: forward, gradient, and the gradient's own two."""
    critic, masked = pair(shared)  # a norm would have a second derivative of its own

    def penalty(network: nn.Module) -> None:
        x = torch.randn(IMAGES, requires_grad=True)
        (gradient,) = torch.autograd.grad(network(x).sum(), x, create_graph=True)
        gradient.square().sum().backward()  # type: ignore[no-untyped-call]

    forward = flops(lambda: critic(torch.randn(IMAGES)))
    assert flops(lambda: penalty(critic)) / forward == pytest.approx(6, abs=0.05)
    assert flops(lambda: penalty(masked)) / forward == pytest.approx(4, abs=0.05)


@pytest.mark.parametrize("size", [8, 32])
def test_what_the_penalty_adds_to_the_critics_step(size: int) -> None:
    """Fakes, two passes forward and back, and the penalty against the same without: at most 1.70, and dense 1.9."""
    recipe = resolve(zoo(), "wgan-gp", {"size": size})
    shape = ImageShape(channels=3, height=size, width=size)
    networks = build(recipe.architecture, shape, recipe.networks["generator"][1], (0, 1))
    real = torch.randn(2, 3, size, size)

    def step(critic: nn.Module, penalty: bool) -> None:
        with torch.no_grad():
            fake = networks.generator(torch.randn(2, networks.latent_dim), None)
        loss = critic(fake, None).mean() - critic(real, None).mean()
        if penalty:
            x = real.lerp(fake, 0.5).requires_grad_()
            (gradient,) = torch.autograd.grad(critic(x, None).sum(), x, create_graph=True)
            loss = loss + gradient.square().sum()
        loss.backward()

    critic, masked = pair(lambda: networks.discriminator)
    plain = flops(lambda: step(critic, penalty=False))
    assert flops(lambda: step(critic, penalty=True)) / plain > 1.9
    assert flops(lambda: step(masked, penalty=True)) / plain <= 1.70


def test_what_a_module_is_known_by_stays() -> None:
    activation = nn.LeakyReLU(0.2)
    calls = []
    activation.register_forward_hook(lambda *_: calls.append(1))
    network = nn.ModuleDict({"one": activation, "two": nn.Sequential(nn.Linear(2, 2), activation, nn.ReLU(True))})
    keys = list(network.state_dict())
    assert mask_activations(network) == 2
    assert network["one"] is network["two"][1] is activation  # type: ignore[index]
    assert list(network.state_dict()) == keys
    assert repr(activation) == "MaskedLeakyReLU(negative_slope=0.2)"
    assert repr(network["two"][2]) == "MaskedReLU(inplace=True)"  # type: ignore[index]
    network["two"](torch.zeros(1, 2))
    assert calls == [1]
    assert mask_activations(network) == 0


def test_a_copy_is_masked_and_its_own() -> None:
    activation = nn.LeakyReLU(0.2)
    mask_activations(activation)
    other = copy.deepcopy(activation)
    other.negative_slope = 0.5
    assert repr(other) == "MaskedLeakyReLU(negative_slope=0.5)"
    assert activation(torch.tensor(-1.0)) == pytest.approx(-0.2)


def test_what_is_not_a_rectifier_of_torch_is_left_alone() -> None:
    class Own(nn.LeakyReLU):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) + 1

    class Functional(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.relu(x)

    network = nn.Sequential(Own(), Functional(), nn.ReLU6(), nn.PReLU(), nn.GELU())
    before = repr(network)
    assert mask_activations(network) == 0
    assert repr(network) == before


def test_a_compiled_step_is_the_eager_one() -> None:
    """The whole penalty and its backward in one graph, which is how the compile executor has it."""
    _, masked = pair(CRITICS["in place"])
    x = torch.randn(IMAGES)
    expected = penalised(masked, x)[2:]
    masked.zero_grad()

    def step(x: torch.Tensor) -> None:
        points = x.detach().requires_grad_(True)
        scores = masked(points)
        (gradient,) = torch.autograd.grad(scores.sum(), points, create_graph=True)
        penalty = ((gradient.flatten(1).square().sum(1) + 1e-12).sqrt() - 1).square().mean()
        (scores.mean() + penalty).backward()

    with torch._dynamo.config.patch(trace_autograd_ops=True):
        torch.compile(step, backend="aot_eager", fullgraph=True)(x)
    assert all(torch.equal(a, w.grad) for a, w in zip(expected, masked.parameters(), strict=True))  # type: ignore[arg-type]


def test_a_critic_under_a_penalty_is_masked(make_trainer: Callable[..., Trainer]) -> None:
    """And an update of it costs at most 1.70 times the same without the penalty, images included."""
    with_it, without = make_trainer("wgan-gp", size=32, batch=2), make_trainer("wgan-gp", size=32, batch=2)
    without.objective.penalties = ()
    kinds = {type(module) for module in with_it.discriminator.modules()}
    assert kinds & set(MASKED.values())
    assert not kinds & set(MASKED)
    assert not {type(module) for module in make_trainer("dcgan").discriminator.modules()} & set(MASKED.values())
    counts = [flops(partial(trainer.update_critic, 0)) for trainer in (without, with_it)]
    assert 1.2 < counts[1] / counts[0] <= 1.70
