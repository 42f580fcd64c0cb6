import torch
from ganzoo_slopes import Options
from ganzoo_slopes.losses import Relativistic

from ganzoo.training import Output, Step


def test_the_slope_of_a_linear_critic_is_its_weight():
    torch.manual_seed(0)
    weight = torch.tensor([3.0, -4.0])
    images = torch.randn(20_000, 2, 1, 1)
    step = Step(
        real=lambda: images,
        fake=lambda: -images,
        z=torch.zeros(20_000, 1),
        labels=None,
        epsilon=torch.zeros(20_000, 1, 1, 1),
        discriminator=lambda x: Output(x.flatten(1) @ weight),
        log=lambda name, value: None,
    )
    for view in (step.real, step.fake):  # |w|^2 = 25, whose estimate has a standard deviation of 25 sqrt(2 / 20,000)
        assert abs(Relativistic(Options()).squared_slope(step, view) - 25) < 1
