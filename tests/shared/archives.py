"""Archives of small images, and what reading one gives: for the tests of the readers of ZIP and tar."""

import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganzoo.data import EncodedImages
from ganzoo.data.decode import decode
from ganzoo.errors import ExitCode, UsageError

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)


def png(pixels: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


FILES = [png(pixels) for pixels in PIXELS]
Members = list[tuple[str, bytes]]


def zipped(path: Path, members: Members, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def tarred(path: Path, members: Members) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def pixels(images: EncodedImages) -> Any:
    return decode(images, 8, strict=True, source="x").pixels.transpose(0, 2, 3, 1)


def labels_of(images: EncodedImages) -> Any:
    return None if images.labels is None else images.labels.tolist()


def refusal(read: Any, path: Path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read(path)
    assert caught.value.exit_code == ExitCode.USAGE
    assert caught.value.hint
    assert str(caught.value).startswith(f"{path}: ")
    return caught.value
