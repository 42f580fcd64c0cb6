"""Everything that a plugin may provide, without torch: a plugin's heavy parts are ``"module:attribute"`` strings.

A spec is a frozen, keyword-only dataclass that a plugin yields from ``ganzoo_specs``. Names are unique per kind.
Within ``ganzoo.v1`` fields are only ever added, with defaults.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from ganzoo.controls import Control

if TYPE_CHECKING:
    from torch import Tensor

    from ganzoo.step import Step


@dataclass(frozen=True, kw_only=True)
class ImageShape:
    """The shape of images that networks are built for.

    Args:
        channels: 1 for grey images, 3 for colour.
        height, width: in pixels; they are the same.
        classes: how many labels there are; 0 unless the architecture is conditional.
    """

    channels: int
    height: int
    width: int
    classes: int = 0


@dataclass(frozen=True, kw_only=True)
class Spec:
    """Base of all specs, which have these fields.

    Args:
        name: what people type: lower-case letters, digits and inner ``-``, at most 100; unique per kind in a
            distribution.
        summary: one line for listings, of at most 500 characters.
        paper: where it was published, as ``ganzoo models show`` cites it: "Miyato et al., 2018", say.
        year: of that publication; 0: none.
        reference: its address: a DOI, or a page.
        code: the address of its authors' code.
    """

    kind: ClassVar[str]
    name: str
    summary: str = ""
    paper: str = ""
    year: int = 0
    reference: str = ""
    code: str = ""


@dataclass(frozen=True, kw_only=True)
class Architecture(Spec):
    """A generator and a discriminator, each built as ``factory(shape: ImageShape, options)``.

    Args:
        generator: ``"package.module:Class"``. It has ``latent_dim: int``;
            ``forward(z[B, L], labels[B] | None) -> images[B, C, H, W]``, nominally in [-1, 1].
        discriminator: ``"package.module:Class"``; ``forward(images, labels | None) -> logits[B]``, or logits [B, …] of
            several critics or patches, or ``ganzoo.training.Output``.
        options: a dataclass type with a default for each field: what ``--set options.KEY=VALUE`` sets. A field that may
            be ``None`` is left to the network.
        resolutions: the heights (= widths) in pixels that it can be built for, such as ``(8, 16, 32)``.
        conditional: whether it takes class labels; it then refuses unlabelled data.
        batch_coupled: whether samples of a batch meet in a network outside of ``torch.nn.BatchNorm``, or a network
            draws random numbers. Several ranks or parts then train something else than one does.
        channels: the numbers of colour channels that it can be built for.
        controls: name -> ``Control``, or a number d on [0, 1] for ``Control(default=d)``: further inputs of the
            exported generator. Its ``forward`` takes each as an optional keyword, f32 [B, 1]; training leaves them out.

    A network may have two methods more. ``regularise(step) -> scalar`` is a term of its own loss, from its own
    ``ganzoo.training.Step``, computed in fp32, every ``generator.regularise.every`` steps with
    ``generator.regularise.weight`` (or ``discriminator.…``). ``constrain()`` is called without gradients after each
    update of the network.
    """

    kind: ClassVar[str] = "architecture"
    generator: str
    discriminator: str
    options: type[Any]
    resolutions: tuple[int, ...]
    conditional: bool = False
    batch_coupled: bool = False
    channels: tuple[int, ...] = (1, 3)
    controls: Mapping[str, Control | float] = field(default_factory=dict)

    @property
    def control_ranges(self) -> dict[str, Control]:
        """Each of ``controls`` as a ``Control``, in the order of their names."""
        plain = {name: self.controls[name] for name in sorted(self.controls)}
        return {
            name: given if isinstance(given, Control) else Control(default=float(given))
            for name, given in plain.items()
        }


@dataclass(frozen=True, kw_only=True)
class Penalty(Spec):
    """A penalty on the norm of the critic's input gradient; subclasses define where, and in what form.

    The engine takes g_i = d sum_j D(x_j) / d x_i for the images that ``points`` returns, and adds
    ``weight * mean_i value(|g_i|^2)`` to the critic's loss.
    Because g_i must belong to sample i alone, a discriminator with BatchNorm is refused.

    Args:
        weight: what the mean is multiplied by: ``--set penalties.NAME.weight=…``; 0 takes it out.
        every: it acts on every n-th step, with n times the weight (lazy regularisation, StyleGAN2, appendix B).
        batch_coupled: whether samples of a batch meet in ``points`` otherwise than by ``step.mean``.

    Further fields of a subclass are options: ``--set penalties.NAME.options.KEY=VALUE``, recorded with the run; but for
    those that no file of TOML can hold. A penalty that stands only in a loss's ``penalties`` can be configured by its
    name, too.
    """

    kind: ClassVar[str] = "penalty"
    weight: float = 1.0
    every: int = 1
    batch_coupled: bool = False

    def points(self, step: "Step") -> "Tensor":
        """The images [B, C, H, W] at which the gradient is taken; a plugin whose penalty lacks it is not loaded."""
        raise NotImplementedError

    def value(self, squared_norm: "Tensor") -> "Tensor":
        """The penalty per sample [B], from the squared L2 norm [B] of its gradient, in fp32; see ``points``."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Loss(Spec):
    """Two pure functions of a ``Step``: ``loss.discriminator(step)`` and ``loss.generator(step)``.

    Args:
        target: ``"package.module:Class"``, or a function that makes an object: called without arguments, or with the
            options where there are some.
        options: a dataclass type with a default for each field: what ``--set loss_options.KEY=VALUE`` sets.
        penalties: what is added to the discriminator's loss unless the configuration says otherwise; each has a name of
            its own.
        state: name -> first value of each number that it remembers from phase to phase: ``step.state``.
        reads: heads of the discriminator's ``Output`` that it reads: ``"class_logits"``, ``"features"``, names of
            extras; one that is missing is told before the run exists.
        batch_coupled: whether samples of a batch meet in it otherwise than by ``step.mean``.
        adversarial: whether there is a discriminator; without one (moment matching, drifting) the architecture's is not
            built, and ``loss.generator(step)`` is all there is.
        defaults: configuration that the loss's own paper prescribes, such as ``{"critic_steps": 5}``; a model's
            override it.
    """

    kind: ClassVar[str] = "loss"
    target: str
    options: type[Any] | None = None
    penalties: tuple[Penalty, ...] = ()
    state: Mapping[str, float] = field(default_factory=dict)
    reads: tuple[str, ...] = ()
    batch_coupled: bool = False
    adversarial: bool = True
    defaults: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Configuration with a name, which ``--set preset=NAME`` lays over a model's defaults.

    Args:
        summary: one line for listings, of at most 500 characters.
        defaults: as a model's.
        resolutions: the sizes in pixels that it is meant for; empty: all of the architecture's.
    """

    summary: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    resolutions: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Model(Spec):
    """What ``--model`` names: an architecture, a loss, and the configuration that goes with them.

    Args:
        architecture, loss: a name; the distribution's own come first.
        defaults: the published configuration, over the loss's: any key but ``model``, ``architecture``, ``loss``,
            ``init_from``, ``device``, ``threads`` and ``preset``, which are no defaults. ``augment``, ``size``,
            ``options``, ``penalties``, schedules: all of them count as if a person had typed them.
        defaults_up_to: size in pixels -> what differs for images up to that size; of several that fit, the smallest
            counts.
        presets: name -> what can be chosen by that name, over all of these: narrow networks for a CPU, or another
            published recipe.
        measured: ``"package:measured.json"``, a file that lies in the package, with what ``ganzoo models show`` prints
            as measured: ``costs``, size in pixels -> network -> its ``parameters`` and ``gflop`` an image, and
            ``trainings``, each with ``data``, ``size``, ``settings``, ``budget``, ``seeds`` and ``figures``, name ->
            [mean, half its 95 % interval].
    """

    kind: ClassVar[str] = "model"
    architecture: str
    loss: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    defaults_up_to: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    presets: Mapping[str, Preset] = field(default_factory=dict)
    measured: str = ""


@dataclass(frozen=True, kw_only=True)
class Dataset(Spec):
    """Named images: ``target()`` returns a ``ganzoo.data.ImageSet``.

    Args:
        target: ``"package.module:function"``, which returns the images to train on.
        held_out: the same for the images to evaluate by; empty: a share of the images is held out.
        modes: where all modes of the data are known, ``"package.module:attribute"`` of a ``ganzoo.evaluation.Modes``:
            an object with ``count`` and ``assign(pixels)``, which gives each of uint8 [N, C, H, W] its mode, or -1.
        extractor: name of the extractor that the data are evaluated with unless one is asked for.
    """

    kind: ClassVar[str] = "dataset"
    target: str
    held_out: str = ""
    modes: str = ""
    extractor: str = ""


@dataclass(frozen=True, kw_only=True)
class Reader(Spec):
    """A format that ``--data PATH`` takes.

    Of the readers that take a path, the one with the longest matching pattern reads it.

    Args:
        target: ``"package.module:function"``; it takes a ``Path``, and returns a ``ganzoo.data.ImageSet`` or a
            ``ganzoo.data.EncodedImages``.
        files: patterns of a file's name in lower case, such as ``("*.lmdb",)``.
        folders: patterns of the name of a file that lies right in a folder of this format; ``"*"`` takes any folder.
    """

    kind: ClassVar[str] = "reader"
    target: str
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Extractor(Spec):
    """A frozen network that turns images into the features that figures are computed from.

    It is a file, or is built once, into the cache: of weights that another package has, or of the images that a model
    trains on, so that each data set has one of its own.

    Args:
        file: ``"package:features.onnx"``, a file that lies in the package; empty if there is a ``builder``.
        builder: ``"package.module:function"``, called with a ``Path`` at which it writes the ONNX file, by
            ``write_extractor``. It raises ``MissingPackageError`` where the weights are not installed, and
            ``IntegrityError`` where they are others than ``sha256`` says.
        sha256: of that file, 64 hexadecimal digits: figures are comparable only within one extractor. With a builder,
            whose file's bytes depend on torch's version, of the weights that it starts from; the builder must then make
            the same features of them in every version of the plugin, or have another name. Empty if ``from_images``,
            where the file's own digest counts.
        from_images: whether the builder is given the training images, too, a ``ganzoo.data.ImageSet``:
            ``function(path, images)``. The same images should give the same bytes.
        recipe: what such a builder does, from 1; rises with each change that changes its files.
    """

    kind: ClassVar[str] = "extractor"
    file: str = ""
    sha256: str = ""
    builder: str = ""
    from_images: bool = False
    recipe: int = 0


@dataclass(frozen=True, kw_only=True)
class Metric(Spec):
    """Figures of quality: ``target(evidence)`` returns name -> number, from a ``ganzoo.evaluation.Evidence``.

    Args:
        target: ``"package.module:function"``; it may leave out what the evidence does not allow (accuracy without
            labels).
        figures: each name that it may return -> ``"lower"`` or ``"higher"``, whichever is better, or ``""``. A name is
            one line of at most 100 characters, without a comma.
        bounds: some of these names -> the least and the greatest value that there can be, (0, 1) of a share, say:
            intervals end there.
    """

    kind: ClassVar[str] = "metric"
    target: str
    figures: Mapping[str, str]
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Augmentation(Spec):
    """A random, differentiable change of real and generated images alike, before the discriminator sees them.

    ``target(options)`` has ``draw(count, shape, generator, device) -> dict[str, Tensor]``, which takes every random
    number from the torch generator (``shape`` is an ``ImageShape``), and
    ``apply(images[B, C, H, W], drawn) -> images``, which is pure and differentiable, twice where penalties are used.
    One with a state is called as
    ``draw(count, shape, generator, device, state)``, where ``state`` gives each number as a tensor. It may have
    ``observe(step)``, which is called without gradients in each phase of the discriminator, behind the loss, whatever
    loss that is: there it may ``remember`` what the discriminator says.

    Args:
        target: ``"package.module:Class"``.
        options: a dataclass type with a default for each field: what ``--set augment_options.KEY=VALUE`` sets.
        state: as of a ``Loss``, which shares by name what it remembers with the augmentation.
    """

    kind: ClassVar[str] = "augmentation"
    target: str
    options: type[Any]
    state: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Optimizer(Spec):
    """A rule by which weights learn: ``target(weights, lr, options)`` returns a ``torch.optim.Optimizer``.

    ``weights`` is a list of parameters. ``lr`` is a float, or, where a CUDA graph shall hold the step, a tensor on the
    device; an optimizer that cannot take one (its ``defaults`` have no true ``capturable``) is made again with a float,
    and runs outside of the graph.

    Args:
        target: ``"package.module:function"``.
        options: a dataclass type with a default for each field, such as ``betas``: what ``--set generator.KEY=VALUE``
            and ``--set discriminator.KEY=VALUE`` set. ``lr``, ``optimizer`` and ``regularise`` are taken.

    What it keeps by weight (tensors and numbers of ``optimizer.state``) and numbers of its ``param_groups`` are in
    checkpoints; ``step()`` is called without a closure. It is tried before the first step: one that keeps anything else
    from step to step, or leaves a weight out of its groups, is refused. A group that is made with a multiple of ``lr``
    keeps that multiple. A schedule of an option is written into the groups that have it under its name.
    """

    kind: ClassVar[str] = "optimizer"
    target: str
    options: type[Any]


KINDS: tuple[type[Spec], ...] = (
    Architecture,
    Loss,
    Penalty,
    Model,
    Dataset,
    Reader,
    Extractor,
    Metric,
    Augmentation,
    Optimizer,
)
