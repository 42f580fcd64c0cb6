"""An extractor of a data set's own: a small network, made of the training images alone, for sets that have none.

It learns to tell each training image from the others, whatever part of it is hidden (instance discrimination: Chen et
al., 2020, with the changes that leave blur, noise and colour to be seen), and, where they have labels, the classes.
Frozen random convolutions, an auto-encoder, rotations and a classifier alone were compared with it on MNIST's digits
and on emoji at 32 px; docs/evaluation.md says what each of them sees.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ganzoo import Extractor, hookimpl

if TYPE_CHECKING:
    from ganzoo import Spec

RECIPE = 1
"""Number of the recipe; it rises with each change that changes the files."""


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """One extractor."""
    yield Extractor(
        name="own",
        summary="176 features, and the class where there are labels; made of the training images when it is first used",
        builder="ganzoo_plugins.own.making:write",
        from_images=True,
        recipe=RECIPE,
        paper="after Chen et al., 2020",
        year=2020,
        reference="https://arxiv.org/abs/2002.05709",
    )
