"""The formats that images come in. Each reader checks what is there, and says what it cannot use and why."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ganzoo import Reader, hookimpl

if TYPE_CHECKING:
    from ganzoo import Spec


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """One reader for each format."""
    yield Reader(
        name="folder",
        summary="PNG, JPEG and WebP files; sub-folders are classes",
        target="ganzoo_plugins.readers.folder:read",
        folders=("*",),
    )
    yield Reader(
        name="arrays",
        summary="NumPy's .npy and .npz",
        target="ganzoo_plugins.readers.arrays:read",
        files=("*.npy", "*.npz"),
    )
    yield Reader(
        name="idx",
        summary="MNIST's format, plain or compressed, with the labels' file beside it",
        target="ganzoo_plugins.readers.idx:read",
        files=("*idx?-ubyte", "*idx?-ubyte.gz", "*.idx", "*.idx.gz"),
    )
    yield Reader(
        name="cifar",
        summary="the binary version of CIFAR-10 and CIFAR-100",
        target="ganzoo_plugins.readers.cifar:read",
        files=("data_batch_*.bin", "test_batch.bin", "train.bin", "test.bin"),
        folders=("data_batch_1.bin", "train.bin"),
    )
    yield Reader(
        name="parquet",
        summary="Hugging Face data sets, a file or a folder of shards",
        target="ganzoo_plugins.readers.parquet:read",
        files=("*.parquet",),
        folders=("*.parquet",),
    )
    yield Reader(
        name="zip",
        summary="images, in class folders or with labels in StyleGAN's dataset.json",
        target="ganzoo_plugins.readers.stylegan:read",
        files=("*.zip",),
    )
    yield Reader(
        name="webdataset",
        summary="WebDataset's archives, a file or a folder of shards; unpack compressed ones first",
        target="ganzoo_plugins.readers.webdataset:read",
        files=("*.tar", "*.tar.gz", "*.tgz"),
        folders=("*.tar",),
    )
