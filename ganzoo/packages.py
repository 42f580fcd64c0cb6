"""The packages that a light installation may lack, such as a server's without PyTorch."""

from ganzoo.errors import MissingPackageError

_DISTRIBUTIONS = {
    "PIL": "pillow",
    "httptools": "uvicorn[standard]",
    "msgspec": "msgspec",
    "numpy": "numpy",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
    "onnxscript": "onnxscript",
    "safetensors": "safetensors",
    "sklearn": "scikit-learn",
    "starlette": "starlette",
    "tensorboard": "tensorboard",
    "tomli_w": "tomli-w",
    "torch": "torch",
    "uvicorn": "uvicorn[standard]",
}


def missing_package(error: ImportError) -> MissingPackageError | None:
    """What to say where a dependency of ganzoo is not installed; None: the error means something else."""
    package = (error.name or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or package not in _DISTRIBUTIONS:
        return None
    return MissingPackageError(
        f"this needs the package {package}, which is not installed",
        hint=f'pip install "{_DISTRIBUTIONS[package]}"',
    )
