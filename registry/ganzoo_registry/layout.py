"""The file ``oci-layout``: that a directory is a registry, and of which format."""

from ganzoo_registry.disk import Disk
from ganzoo_registry.documents import Unreadable, canonical, parse_object
from ganzoo_registry.errors import Corrupt, Newer, RegistryError
from ganzoo_registry.records import FORMAT, LARGEST

_NAME, _KEY = "oci-layout", "ganzooRegistryFormat"
_TEXT = canonical({"imageLayoutVersion": "1.0.0", _KEY: FORMAT})


def check(disk: Disk) -> bool:
    """Whether there is an ``oci-layout``, which is then of this format, however it is spelled.

    Raises:
        Newer: the registry is of a newer format.
        RegistryError: what is there is no registry of models.
        Corrupt: the file is damaged.
    """
    if _NAME in disk.entries(disk.root) and disk.size(disk.root / _NAME) is None:
        raise RegistryError(
            f"{_NAME} of the registry {disk.root} is no file, so its format is not known",
            hint="move it away, or choose another place with --registry DIR or GANZOO_REGISTRY",
        )
    data = disk.read(disk.root / _NAME, LARGEST)
    if data is None:
        return False
    try:
        values = parse_object(data, LARGEST)
    except Unreadable:
        values = {}
    form = values.get(_KEY)
    if type(form) is int and form > FORMAT:
        raise Newer(f"the registry {disk.root} has format {form}, which was made by a newer ganzoo")
    if set(values) == {"imageLayoutVersion"}:
        raise RegistryError(
            f"{disk.root} holds another program's OCI layout, not a registry of models",
            hint="choose another place with --registry DIR or GANZOO_REGISTRY",
        )
    if type(form) is not int or form != FORMAT:
        raise Corrupt(
            f"the record {_NAME} of the registry {disk.root} is damaged",
            hint=f"restore {_NAME} from a copy of the registry; its content is {_TEXT.decode()}",
        )
    return True


def publish(disk: Disk) -> None:
    """Write ``oci-layout``, unless somebody was faster."""
    with disk.staged([_TEXT]) as staged:
        disk.publish(staged, disk.root / _NAME)
