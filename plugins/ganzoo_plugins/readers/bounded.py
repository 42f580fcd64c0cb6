"""Files that are never read by more at a time than they may: no library takes the memory that a header promises."""

import io
from pathlib import Path

LARGEST_READ = 2**28 + 2**20
"""Most bytes of a single read: as many as the largest image has, and what a reader wants ahead of it."""


class TooLarge(ValueError):  # noqa: N818 - it says what is wrong, not that it is an error
    """A library asked for more at once than any whole file needs."""


class BoundedFile(io.BufferedReader):
    """A file to read for libraries that believe the sizes in it, as ``zipfile`` and ``tarfile`` do.

    It closes itself when nobody holds it any more.
    """

    def __init__(self, path: Path, largest: int = LARGEST_READ) -> None:
        super().__init__(io.FileIO(path))
        self._largest = largest

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file; TooLarge: that is more than may be."""
        wanted = self._largest + 1 if size is None or size < 0 else size
        data = super().read(min(wanted, self._largest + 1))
        if len(data) > self._largest:
            raise TooLarge(f"a part of it has more than {self._largest:,} bytes")
        return data

    def __del__(self) -> None:
        self.close()
