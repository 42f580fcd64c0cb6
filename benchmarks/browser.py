"""Images a second of a generator in WebAssembly on one thread, beside ONNX Runtime on one thread.

    ganzoo export NAME --web SITE && python benchmarks/browser.py SITE

WebAssembly runs in Node, whose engine is Chromium's, with the scripts of the page; both make the same images, from
latents to bytes, in turns. The last line is JSON.
"""

import argparse
import json
import statistics
import subprocess
import time
from base64 import b64decode
from pathlib import Path

import machine
import numpy as np

from ganzoo.runtime.generator import ImageGenerator

ROOT = Path(__file__).parents[1]
PROGRAM = ["node", str(ROOT / "tests" / "shared" / "generator.mjs"), str(ROOT / "ganzoo" / "web")]
BATCH = 4
"""Images a run, as the page makes them."""


def in_node(site: Path, entry: int, count: int) -> tuple[float, bytes]:
    """Images a second, and their bytes."""
    request = {"kind": "sample", "n": count, "seed": "7", "label": "", "controls": {}}
    asked = json.dumps({"site": str(site.resolve()), "entry": entry, "request": request, "batch": BATCH})
    done = subprocess.run(PROGRAM, input=asked, capture_output=True, text=True, check=True)  # noqa: S603 - it is ours
    answer = json.loads(done.stdout)
    return count / answer["seconds"], b64decode(answer["images"])


def native(generator: ImageGenerator, count: int) -> tuple[float, bytes]:
    """The same by ONNX Runtime."""
    generator.pixels(BATCH, 0)
    begun = time.perf_counter()
    parts = [generator.pixels(BATCH, 7, start=start)[0] for start in range(0, count, BATCH)]
    return count / (time.perf_counter() - begun), np.concatenate(parts).tobytes()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=Path, help="a folder that `ganzoo export --web` wrote")
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    count = arguments.images - arguments.images % BATCH
    rows = []
    print(f"{'file':24}{'browser':>9}{'native':>9}{'ratio':>7}{'most apart':>12}", flush=True)
    for entry, model in enumerate(json.loads((arguments.site / "models.json").read_text())["models"]):
        data = (arguments.site / model["file"]).read_bytes()
        generator = ImageGenerator.from_bytes(data, device="cpu", threads=1)
        pairs = []
        for _ in range(arguments.rounds):
            (ours, found), (theirs, wanted) = in_node(arguments.site, entry, count), native(generator, count)
            pairs.append((ours, theirs))
        apart = int(np.abs(np.frombuffer(found, np.uint8).astype(int) - np.frombuffer(wanted, np.uint8)).max())
        browser, beside = (statistics.median(each) for each in zip(*pairs, strict=True))
        ratio = statistics.median(ours / theirs for ours, theirs in pairs)
        print(f"{model['file']:24}{browser:9,.1f}{beside:9,.1f}{ratio:7.2f}{apart:12}", flush=True)
        rows.append({"file": model["file"], "browser": browser, "native": beside, "ratio": ratio, "apart": apart})
    print(json.dumps({"benchmark": "browser", "images": count, "results": rows, "machine": machine.describe()}))


if __name__ == "__main__":
    main()
