import torch
from ganzoo_lecam import Options
from ganzoo_lecam.losses import LeCam

from ganzoo.training import Output, Step


def test_logits_are_drawn_to_the_mean_of_the_other_side():
    remembered = {}
    step = Step(
        real=lambda: torch.tensor([2.0, 4.0]),
        fake=lambda: torch.tensor([-1.0, -3.0]),
        z=torch.zeros(2, 1),
        labels=None,
        epsilon=torch.zeros(2, 1, 1, 1),
        discriminator=Output,
        log=lambda name, value: None,
        state={"real": torch.tensor(1.0), "fake": torch.tensor(-1.0)},
        remember=remembered.__setitem__,
    )
    loss = LeCam(Options(weight=0.5, decay=0.9)).discriminator(step)
    distance = (3**2 + 5**2) / 2 + (2**2 + 4**2) / 2
    torch.testing.assert_close(loss, torch.tensor(0.5 * distance))  # both hinges are 0
    torch.testing.assert_close(remembered, {"real": torch.tensor(1.2), "fake": torch.tensor(-1.1)})
