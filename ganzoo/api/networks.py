"""Networks as PyTorch modules, without a training: new ones of a model, and those of a registered version."""

from pathlib import Path
from typing import TYPE_CHECKING

from ganzoo.api.door import as_reference, check_text, needing_torch
from ganzoo.api.known import open_registry
from ganzoo.errors import check_whole

if TYPE_CHECKING:
    from torch import nn

    from ganzoo.api.door import Reference
    from ganzoo.config import Settings
    from ganzoo.pipeline.modules import Pair


@needing_torch()
def create(
    model: str,
    *,
    size: int,
    channels: int = 1,
    classes: int = 0,
    seed: int | None = None,
    settings: "Settings | None" = None,
    pretrained: "Reference | None" = None,
    registry: str | Path | None = None,
) -> "Pair":
    """Build the two networks of a model, as its training would.

    Args:
        model: what ``ganzoo models`` lists.
        size: height and width in pixels.
        channels: 1 for grey images, 3 for colour.
        classes: how many labels there are; unconditional models leave them unused, and are called with None for labels.
        seed: of the initial weights, which are those of a training with this seed; None: that of ``settings``, else 0.
        settings: configuration over the model's defaults, as for ``ganzoo.train``: ``{"options": {"width": 32}}``.
            No argument may stand in it, too.
        pretrained: a registered version of the same networks, whose weights to load; see ``ganzoo.load``.
        registry: its directory; see ``ganzoo.files.registry_root``.

    Raises:
        UsageError: the model makes no such images, or has no such option.
        NotFoundError, RegistryError: there is no such model or version.
        IntegrityError: the version's networks are others.
    """
    from ganzoo.config import as_settings
    from ganzoo.pipeline.modules import make_pair

    check_text(model, "model")
    asked = as_settings(settings, {"model": model, "size": size} | ({} if seed is None else {"seed": seed}))
    check_whole(asked["size"], "size", 1)
    check_whole(channels, "channels", 1)
    check_whole(classes, "classes", 0)
    store = open_registry(registry)
    version = None if pretrained is None else store.resolve(as_reference(pretrained))
    return make_pair(asked, channels, classes, store, version)


@needing_torch()
def load_torch(reference: "Reference", *, registry: str | Path | None = None) -> "nn.Module":
    """The generator of a registered version as a module, with its averaged weights, in fp32 on the CPU and ``eval()``.

    Its images are those of the version's ONNX file, but for rounding; ``ganzoo.load`` runs that without torch.

    Args:
        reference: see ``ganzoo.load``; not a file.
        registry: the registry's directory; see ``ganzoo.files.registry_root``.

    Raises:
        RegistryError: there is no such version.
        PluginError, NotFoundError: the plugin that it came from cannot be used, or is no longer installed.
    """
    from ganzoo.exporting.rebuilding import rebuild

    store = open_registry(registry)
    return rebuild(store, store.resolve(as_reference(reference)))[0]
