"""What was measured of a model, as its plugin records it: ``Model.measured``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files

from ganzoo.errors import PluginError, first_line
from ganzoo.files import parse_json
from ganzoo.specs import Model
from ganzoo.zoo.foreign import survived


@dataclass(frozen=True)
class Cost:
    """What a network costs.

    Args:
        parameters: learned numbers.
        gflop: 10^9 floating-point operations of a forward pass, an image.
    """

    parameters: int
    gflop: float


@dataclass(frozen=True, kw_only=True)
class Training:
    """Trainings that differ in their seeds alone, and the figures of what came of them.

    Args:
        data: name of the images.
        size: their height and width in pixels.
        settings: what was set beside the defaults, as a person would type it.
        budget: what the trainings were given, in words.
        seeds: how many there were.
        figures: name -> mean over them, and half its 95 % interval; 0 of one alone.
        real: name -> what real images score.
    """

    data: str
    size: int
    budget: str
    seeds: int
    settings: str = ""
    figures: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    real: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """All of it.

    Args:
        costs: size in pixels -> network -> its cost with default settings, for colour images.
        trainings: the trainings.
    """

    costs: Mapping[int, Mapping[str, Cost]] = field(default_factory=dict)
    trainings: tuple[Training, ...] = ()


def measured(model: Model) -> Measured:
    """What the model's plugin says was measured; nothing if it says nothing.

    Raises:
        PluginError: the file cannot be read, or has another form.
    """
    if not model.measured:
        return Measured()
    import msgspec

    package, _, file = model.measured.partition(":")
    try:
        with survived(f"package {package} of model {model.name!r}"):  # it is imported
            data = files(package).joinpath(file).read_bytes()
        return msgspec.convert(parse_json(data), Measured, strict=False)
    except Exception as error:
        raise PluginError(
            f"{model.measured} (model {model.name!r}) cannot be read: {first_line(error)}",
            hint="that is for the plugin's author to repair",
        ) from error
