"""Names of files, members and classes: which are images, in which order they come, and how they are kept."""

import re
import unicodedata
from fnmatch import translate
from pathlib import PurePath

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")

LEFT_BEHIND = (
    ".*",  # hidden: AppleDouble's ._x.png, .ipynb_checkpoints, .dropbox.cache, rsync's and Syncthing's halves
    *("__macosx", "icon\r", "network trash folder", "temporary items"),  # macOS
    *("thumbs.db", "ehthumbs*.db", "desktop.ini", "picasa.ini", "~$*"),  # Windows and its programs
    *("$recycle.bin", "system volume information", "found.[0-9][0-9][0-9]", "lost+found"),  # disks
    *("@eadir", "@recycle", "@recently-snapshot", "@tmp", "@__thumb", "[#]recycle", "[#]snapshot"),  # NAS
    *("*~", "*.bak", "*.swp", "[#]*[#]", "__pycache__", "paxheader", "paxheaders.*"),  # editors and tools
    *("*.part", "*.partial", "*.filepart", "*.crdownload", "*.opdownload"),  # downloads
    *("*.download", "*.aria2", "*.!??"),
    *("*.tmp", "*.temp", "_gsdata_", "~syncthing~*", "*.sync-conflict-*", "*conflicted copy*"),  # synchronisers
)
"""Patterns, in lower case, of files and folders that systems and programs leave beside those of a person."""

_LEFT_BEHIND = re.compile("|".join(map(translate, LEFT_BEHIND)))

_HIDDEN_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
"""Unicode's categories of control characters, halves of characters, and ends of lines."""


def is_left_behind(name: str) -> bool:
    """Whether a file or folder of this name, without its path, is no one's data, such as ``@eaDir`` or ``._1.png``."""
    return bool(_LEFT_BEHIND.match(name.casefold()))


def is_image(name: PurePath) -> bool:
    """Whether a relative path is named like an image, and nothing on it is what systems leave behind."""
    return name.suffix.lower() in SUFFIXES and not any(map(is_left_behind, name.parts))


def order(name: str) -> tuple[tuple[str, ...], str]:
    """The key by which relative POSIX paths are sorted, wherever they are listed: folder by folder, in NFC."""
    return tuple(unicodedata.normalize("NFC", name).split("/")), name


def plain(name: str | bytes) -> str:
    r"""The name as it is compared, shown and stored: in NFC, with control characters and what is not UTF-8 written out.

    The byte E9, say, becomes the four characters ``\xe9``. NumPy's strings become ``str``: their ``repr``, of which the
    digest of a set is made, is another.
    """
    text = name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else str(name)
    text = unicodedata.normalize("NFC", text)
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN_CATEGORIES:
        return character
    if "\udc80" <= character <= "\udcff":  # as Python reads a byte that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
