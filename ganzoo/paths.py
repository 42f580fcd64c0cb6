"""Where ganzoo keeps things unless told otherwise."""

import os
from pathlib import Path


def registry_root(option: Path | None = None) -> Path:
    """The registry's directory: ``option``, else ``$GANZOO_REGISTRY``, else in the user's data directory."""
    if named := option or os.environ.get("GANZOO_REGISTRY"):
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("ganzoo", appauthor=False)) / "registry"


def cache_root() -> Path:
    """Where downloads are kept: ``$GANZOO_CACHE``, else the user's cache directory."""
    if named := os.environ.get("GANZOO_CACHE"):
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("ganzoo", appauthor=False))
