"""A small generator of eight classes, and what a set is read back as."""

from pathlib import Path

import pytest

from ganzoo.runtime.generator import ImageGenerator

FILE = Path(__file__).parents[1] / "packaging" / "petite.onnx"


@pytest.fixture(scope="session")
def petite() -> ImageGenerator:
    return ImageGenerator.from_bytes(FILE.read_bytes(), device="cpu", threads=1)
