"""Milliseconds from a large JPEG to pixels: ganzoo's decoder against one of all pixels, in turn in one process.

    python benchmarks/photographs.py [--width 4000] [--height 3000] [--sizes 32 64 128 256] [--rounds 7]

Two photographs that come with scikit-learn, enlarged, with noise like a camera's, at quality 90. In full: what ganzoo
did before it had the decoder make a JPEG smaller: decode all of it, crop, and resample. One thread. The mean difference
of the pixels is in 255ths of their range. The last line is JSON.
"""

import argparse
import io
import json
import statistics
import time
from collections.abc import Callable

import machine
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_images

from ganzoo.data.allocation import Allowance
from ganzoo.data.pixels import decode_file
from ganzoo.data.square import FILTER


def photographs(width: int, height: int) -> list[bytes]:
    """The JPEG files."""
    chance = np.random.default_rng(0)
    files = []
    for small in load_sample_images().images:
        large = np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)).astype(np.float32)
        noisy = (large + chance.normal(0, 4, large.shape)).clip(0, 255).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(noisy).save(file, "JPEG", quality=90)
        files.append(file.getvalue())
    return files


def in_full(data: bytes, size: int) -> NDArray[np.uint8]:
    """[3, size, size] from all pixels."""
    image = ImageOps.fit(Image.open(io.BytesIO(data)), (size, size), FILTER)
    return np.asarray(image).transpose(2, 0, 1)


def ours(data: bytes, size: int) -> NDArray[np.uint8]:
    """[3, size, size] as ganzoo decodes them."""
    return decode_file(data, size, Allowance(2**30))


def milliseconds(decode: Callable[[bytes, int], NDArray[np.uint8]], files: list[bytes], size: int) -> float:
    """For one file, of all."""
    begin = time.perf_counter()
    for data in files:
        decode(data, size)
    return 1000 * (time.perf_counter() - begin) / len(files)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=4000)
    parser.add_argument("--height", type=int, default=3000)
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64, 128, 256])
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()

    files = photographs(arguments.width, arguments.height)
    rows = []
    for size in arguments.sizes:
        pairs = [
            (milliseconds(in_full, files, size), milliseconds(ours, files, size)) for _ in range(arguments.rounds + 1)
        ][1:]
        apart = [np.abs(in_full(data, size).astype(int) - ours(data, size)).mean() for data in files]
        rows.append(
            {
                "size": size,
                "in_full_ms": statistics.median(full for full, _ in pairs),
                "ganzoo_ms": statistics.median(own for _, own in pairs),
                "ratio": statistics.median(full / own for full, own in pairs),
                "mean_difference": float(np.mean(apart)),
            }
        )
    megabytes = statistics.mean(map(len, files)) / 1e6
    print(f"{arguments.width}x{arguments.height} JPEGs of {megabytes:.1f} MB, 1 thread, {arguments.rounds} rounds")
    print(f"{'size':>6}{'in full':>10}{'ganzoo':>10}{'ratio':>8}{'difference':>13}   (medians; ms a file)")
    for row in rows:
        print(
            f"{row['size']:6}{row['in_full_ms']:10.0f}{row['ganzoo_ms']:10.0f}{row['ratio']:8.2f}"
            f"{row['mean_difference']:13.2f}"
        )
    result = {"benchmark": "photographs", **vars(arguments), "megabytes": megabytes, "results": rows}
    print(json.dumps(result | {"machine": machine.describe()}))


if __name__ == "__main__":
    main()
