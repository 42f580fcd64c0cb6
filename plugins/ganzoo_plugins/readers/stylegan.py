"""A ZIP of images, StyleGAN's data sets among them: labels and classes as in a folder (``tree.py``)."""

import stat
from pathlib import Path
from threading import Lock
from zipfile import ZipFile, ZipInfo

from ganzoo import UsageError
from ganzoo.data import EncodedImages, damage, plain, read_file
from ganzoo_plugins.readers.bounded import BoundedFile
from ganzoo_plugins.readers.names import normal, refuse_names
from ganzoo_plugins.readers.tree import Entry, Tree, images_of

ENCRYPTED = 1
"""The bit in a ZIP member's flags that says that it is encrypted."""


def read(path: Path) -> EncodedImages:
    """Find the images of an archive, in the order of their names; nothing is unpacked to disk.

    Raises:
        UsageError: the archive is damaged, encrypted or without images, has a name that no archive should have, or
            labels that do not fit its images.
    """
    try:
        archive = ZipFile(BoundedFile(path))
    except Exception as error:  # zipfile's errors for a damaged archive have no common base
        reason = damage(str(path), error)[:120]
        raise UsageError(f"{path}: damaged ({reason})", hint="download or copy it again") from error
    refuse_names(path, ((member.orig_filename, member.is_dir()) for member in archive.infolist()))
    members = [member for member in archive.infolist() if not member.is_dir()]
    if secret := next((member.filename for member in members if member.flag_bits & ENCRYPTED), None):
        raise UsageError(f"{path}: {plain(secret):.80} is encrypted", hint="unpack it, and pack it without a password")
    if link := next((member.filename for member in members if stat.S_ISLNK(member.external_attr >> 16)), None):
        hint = "pack the images again, as plain files"
        raise UsageError(f"{path}: refused, because {plain(link):.80} is a link", hint=hint)
    lock = Lock()  # a ZipFile counts its readers, and not atomically

    def read_member(member: ZipInfo, limit: int) -> bytes:
        with lock, archive.open(member) as file:
            return read_file(file, limit)

    entries = [Entry(normal(member.filename), member) for member in members]
    return images_of(Tree(path, entries, read_member))
