"""Folders of images and a zoo of one's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganzoo.discovery import Manager, Plugin, State
from ganzoo.specs import Spec
from ganzoo.zoo import Zoo


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """``put("cat/1.png", image)`` saves an image, or bytes, below ``tmp_path / "photos"``, which it returns."""
    root = tmp_path / "photos"

    def put(name: str, content: Image.Image | bytes | None = None, **options: Any) -> Path:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            (content or Image.new("L", (8, 8), 100)).save(path, **options)
        return root

    return put


@pytest.fixture
def noise() -> Callable[..., Any]:
    """``noise(height, width, ...)``: uint8 pixels that are the same in every test."""
    return lambda *shape: np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def make_zoo() -> Callable[..., Zoo]:
    """A zoo with the given specs, all of one third party."""

    def make(*specs: Spec) -> Zoo:
        here = {"name": "photos", "distribution": "acme", "version": "1", "location": "", "target": "x", "api": "v1"}
        return Zoo(Manager([Plugin(**here, state=State.ACTIVE, specs=specs)]))

    return make
