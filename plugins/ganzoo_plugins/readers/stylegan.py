"""A ZIP of images. Classes are its folders or, in StyleGAN's data sets, stand in ``dataset.json`` (dataset_tool.py of
NVlabs/stylegan3), whose folders mean nothing.
"""

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from threading import Lock
from zipfile import ZipFile

from ganzoo import UsageError
from ganzoo.data import EncodedImages, is_image, read_file
from ganzoo_plugins.readers.labels import Classes, classes, folder_classes
from ganzoo_plugins.readers.names import inside, refuse_names

LABELS = "dataset.json"
ENCRYPTED = 1
"""The bit in a ZIP member's flags that says that it is encrypted."""

_FORM = f'{LABELS} should be {{"labels": [["00000/1.png", 3], …]}}, each image once, or {{"labels": null}}'


def read(path: Path) -> EncodedImages:
    """Find the images of an archive, in the order of their names; nothing is unpacked to disk.

    Labels are those of ``dataset.json``; without that file, sub-folders are classes, as in a folder.

    Raises:
        UsageError: the archive is damaged, encrypted or without images, has a name that no archive should have, or
            labels that do not fit its images.
    """
    try:
        archive = ZipFile(path)
    except Exception as error:  # zipfile's errors for a damaged archive have no common base
        reason = " ".join(str(error).split())[:120]
        raise UsageError(f"{path}: damaged ({reason})", hint="download or copy it again") from error
    members = archive.infolist()
    refuse_names(path, (member.orig_filename for member in members))
    if secret := next((member.filename for member in members if member.flag_bits & ENCRYPTED), None):
        raise UsageError(f"{path}: {secret} is encrypted", hint="unpack it, and pack it without a password")
    names = sorted(member.filename for member in members if is_image(PurePosixPath(member.filename)))
    if not names:
        raise UsageError(f"{path}: no images", hint="it should hold PNG, JPEG or WebP files")
    labels, class_names = _classes(path, archive, names)
    lock = Lock()  # a ZipFile counts its readers, and not atomically

    def locked(index: int) -> bytes:
        with lock:
            return _read(archive, names[index])

    return EncodedImages(names=names, read=locked, labels=labels, class_names=class_names)


def _read(archive: ZipFile, name: str) -> bytes:
    with archive.open(name) as member:
        return read_file(member)


def _classes(path: Path, archive: ZipFile, names: Sequence[str]) -> Classes:
    if LABELS in (there := archive.namelist()):
        labels = _labels(path, archive, names)
        return (None, ()) if labels is None else classes(path, labels)
    if elsewhere := next((name for name in there if PurePosixPath(name).name == LABELS), None):
        raise UsageError(
            f"{path}: {elsewhere} is not at the root of the archive, so it is not read",
            hint=f"pack the images again, with {LABELS} and the names in it from the same folder",
        )
    return folder_classes(path, inside([PurePosixPath(name) for name in names]))


def _labels(path: Path, archive: ZipFile, names: Sequence[str]) -> list[object] | None:
    """One label for each of ``names``, from ``{"labels": [[name, label], …]}``; None where it says null, or nothing."""
    try:
        entries = json.loads(_read(archive, LABELS)).get("labels")
        given = None if entries is None else dict(entries)
    except Exception as error:  # as above, or not JSON, or not of this form, or too large
        reason = " ".join(str(error).split())[:80]
        raise UsageError(f"{path}: {LABELS} cannot be read ({reason})", hint=_FORM) from error
    if given is None:
        return None
    if len(given) != len(entries):
        raise UsageError(f"{path}: {LABELS} has {len(entries) - len(given)} labels too many", hint=_FORM)
    if without := [name for name in names if name not in given]:
        raise UsageError(f"{path}: {LABELS} has no label for {len(without)} images, {without[0]} for one", hint=_FORM)
    if unknown := given.keys() - set(names):
        raise UsageError(
            f"{path}: {LABELS} has labels for {len(unknown)} images that are not there, {min(unknown)} for one",
            hint=_FORM,
        )
    return [given[name] for name in names]
