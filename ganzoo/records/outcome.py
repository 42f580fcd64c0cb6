"""How a run ended."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from ganzoo.errors import IntegrityError
from ganzoo.files import Unreadable, write_atomic
from ganzoo.records.sealed import sealed_json, unseal_json


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended; recorded in its ``outcome.json`` until the run goes on.

    Args:
        state: ``finished``, ``stopped`` (by a signal) or ``failed``.
        step: how many steps it had done.
        reason: one line on why it ended before its last step; empty if it did not.
        versions: what was registered: ``last`` and, if it is another one, ``best`` -> reference.
        digests: the same -> the version's digest: another registry has other versions of the same names.
    """

    state: Literal["finished", "stopped", "failed"]
    step: int
    reason: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Record it.

        Raises:
            GanzooError: the record could not be written.
        """
        write_atomic(path, sealed_json(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> "Outcome | None":
        """What was recorded; None: nothing.

        Raises:
            IntegrityError: the record cannot be read.
        """
        try:
            return msgspec.convert(unseal_json(path.read_bytes()), cls) if path.exists() else None
        except (OSError, msgspec.ValidationError, Unreadable) as error:
            raise IntegrityError(f"{path} cannot be read: {error}", hint="remove it; all else is in order") from error
