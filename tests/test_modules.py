"""``ganzoo.create``: every model's networks without a training."""

from pathlib import Path

import pytest
import torch

import ganzoo
from ganzoo import api
from ganzoo.errors import IntegrityError, NotFoundError, UsageError
from ganzoo.networks.build import latent_dim
from ganzoo.specs import Architecture, Model
from ganzoo.zoo.names import zoo

TINY = {"options": {"width": 4, "latent_dim": 3}}


@pytest.fixture(params=ganzoo.list_models())
def model(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (32, 3)])
def test_every_model_is_created(model: str, size: int, channels: int) -> None:
    spec = zoo().get(Model, model)
    architecture = zoo().get(Architecture, spec.architecture, home=zoo().owner(spec).distribution)
    generator, discriminator = ganzoo.create(model, size=size, channels=channels, classes=4)
    labels = torch.tensor([0, 3]) if architecture.conditional else None
    images = generator(torch.randn(2, latent_dim(generator)), labels)
    assert images.shape == (2, channels, size, size)
    assert images.dtype == torch.float32
    assert next(discriminator.parameters()).requires_grad


def test_a_seed_says_which_weights(model: str) -> None:
    generator, again, other = (ganzoo.create(model, size=8, classes=4, seed=seed).generator for seed in (0, 0, 1))
    weight = next(name for name, each in generator.named_parameters() if each.ndim > 1 and each.std() > 0)
    assert torch.equal(generator.get_parameter(weight), again.get_parameter(weight))
    assert not torch.equal(generator.get_parameter(weight), other.get_parameter(weight))


def test_they_are_those_that_a_training_begins_with() -> None:
    settings = {**TINY, "size": 8, "seed": 5, "device": "cpu"}
    trainer = api.plan("dcgan", settings=settings).trainer
    made = ganzoo.create("dcgan", size=8, seed=5, settings=TINY)
    for network, theirs in {"generator": trainer.generator, "discriminator": trainer.discriminator}.items():
        ours = getattr(made, network).state_dict()
        assert all(torch.equal(ours[name], value) for name, value in theirs.state_dict().items())


def test_the_seed_may_stand_in_the_settings() -> None:
    made, same, other = (
        ganzoo.create("dcgan", size=8, **how).discriminator.state_dict()
        for how in ({"settings": {**TINY, "seed": 7}}, {"settings": TINY, "seed": 7}, {"settings": TINY})
    )
    assert all(torch.equal(made[name], value) for name, value in same.items())
    assert not all(torch.equal(made[name], value) for name, value in other.items())


@pytest.mark.parametrize(("key", "value"), {"model": "wgan", "size": 16, "seed": 7}.items())
def test_what_is_given_twice_is_refused(key: str, value: object) -> None:
    """Whichever counted, the other would be ignored without a word."""
    with pytest.raises(UsageError, match=f"'{key}' is given as a keyword and in settings"):
        ganzoo.create("dcgan", size=8, seed=0, settings={key: value})


def test_names_are_found_by_patterns() -> None:
    assert ganzoo.list_models("*wgan*") == ["wgan", "wgan-gp", "wgan-gp-resnet"]
    assert ganzoo.list_models("nothing*") == []
    assert set(ganzoo.list_models()) >= {"dcgan", "stylegan2"}


def test_weights_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = ganzoo.train("dcgan", settings={**TINY, "steps": 2, "batch": 4, "device": "cpu"}, export=False)
    made = ganzoo.create("dcgan", size=8, settings=TINY, pretrained="dcgan:1")
    averaged = ganzoo.load_torch(str(result.version))
    z = torch.randn(2, 3)
    assert torch.equal(made.generator.eval()(z, None), averaged(z, None))
    assert not averaged.training
    with pytest.raises(IntegrityError, match="is another model's"):
        ganzoo.create("dcgan", size=16, settings=TINY, pretrained="dcgan:1")


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        ({"model": "dcgann", "size": 8}, NotFoundError, "unknown model 'dcgann'"),
        ({"model": "dcgan", "size": 7}, UsageError, "makes no 7x7 images"),
        ({"model": "dcgan", "size": 8, "channels": 2}, UsageError, "makes no images of 2 channels"),
        ({"model": "dcgan", "size": 0}, UsageError, "size: 0 is not a whole number"),
        ({"model": "conditional", "size": 8}, UsageError, "needs labels"),
        ({"model": "dcgan", "size": 8, "settings": {"options": {"wdth": 3}}}, UsageError, "options.wdth"),
    ],
)
def test_what_cannot_be_created(arguments: dict[str, object], kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        ganzoo.create(**arguments)  # type: ignore[arg-type]
