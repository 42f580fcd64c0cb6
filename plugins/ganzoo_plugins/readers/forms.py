"""Forms of data that lie in a folder, and that the reader of image files cannot take: what to do with each."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from ganzoo.data import SUFFIXES
from ganzoo_plugins.readers.splits import HELD_OUT, part_of_folder, part_of_shard

FORMS = (
    ("dataset_info.json", "this is what save_to_disk writes: load it by load_from_disk, and write it by to_parquet"),
    ("*.arrow", "load it with the package datasets, and write it by to_parquet"),
    ("data_batch_1", "CIFAR for Python is pickled, and never read: get the binary version, or use --data cifar10"),
    ("train", "pickled sets are not read: get the binary version, which is called train.bin"),
    ("*_x.bin", "this is STL-10's binary version: write images and labels as a NumPy file, by np.savez"),
    ("*idx3-ubyte", "give the file of images: --data {file}"),
    ("*idx3-ubyte.gz", "give the file of images: --data {file}"),
    ("data_batch_*.bin", "give the folder that holds them: --data {folder}"),
    ("train.bin", "give the folder that holds it: --data {folder}"),
    ("*.parquet", "give the folder of Parquet files: --data {folder}"),
    ("*.tar", "give the folder of archives: --data {folder}"),
    ("*.tar.gz", "give one archive, unpacked by gunzip: {file}"),
    ("*.tgz", "give one archive, unpacked by gunzip: {file}"),
    ("*.zip", "give one archive: --data {file}"),
    ("*.npz", "give one file: --data {file}"),
    ("*.npy", "give one file: --data {file}"),
    ("*.tfrecord*", "write the images of TFRecords as files, or as a tar (webdataset)"),
    ("*.mdb", "write the images of an LMDB as files, or as a tar (webdataset)"),
    ("*.h5", "write the arrays of an HDF5 file as a NumPy file, by np.savez"),
    ("*.hdf5", "write the arrays of an HDF5 file as a NumPy file, by np.savez"),
    ("*.mat", "write the arrays of a MATLAB file as a NumPy file, by np.savez"),
    ("*.pkl", "pickles are never read: write arrays as a NumPy file, by np.savez"),
)
"""Pattern of a file's name in lower case -> what to do where such a file lies; the first that fits counts."""


def _is_held_out(name: PurePosixPath) -> tuple[bool, PurePosixPath]:
    """The key that puts what may be trained on before what a name calls a test set."""
    return any(part in HELD_OUT for part in (part_of_shard(name.name), *map(part_of_folder, name.parts[:-1]))), name


def hint_for(path: Path, files: Iterable[str]) -> str:
    """What to do about a folder or archive without an image, by the files that are there."""
    names = list(map(PurePosixPath, files))
    for pattern, advice in FORMS:
        if found := sorted((name for name in names if fnmatchcase(name.name.lower(), pattern)), key=_is_held_out):
            told = advice.format(file=path / found[0], folder=path / found[0].parent)
            return told if path.is_dir() else f"unpack it, then {told}"
    return f"it should hold {', '.join(SUFFIXES)} files, or sub-folders of them"
