"""How fast an exported generator is: float32, without transposed convolutions, in int8, and PyTorch itself; and which
versions of a registry can be had in int8.

    python benchmarks/inference.py REFERENCE [--registry DIR] [--rounds 15] [--batch 64]
    python benchmarks/inference.py --all [--registry DIR]

The first one compares in turn in one process, on one and on two threads. The second one exports every model's newest
version in int8, keeps nothing, and prints what the gate found and how fast the file is. The last line is JSON.
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import machine
import numpy as np
import onnx
import torch
from measuring import Contestant, in_turn, ratio

import ganzoo
from ganzoo.errors import GanzooError
from ganzoo.exporting.derived import HELD_OUT_IMAGES, HELD_OUT_SEED, psnr
from ganzoo.exporting.gates import Runner, card_of
from ganzoo.exporting.inputs import samples
from ganzoo.exporting.int8 import to_int8
from ganzoo.exporting.transposed import rewrite_transposed
from ganzoo.files import registry_root
from ganzoo.latents import draw
from ganzoo.runtime.card import ATTACHMENT
from ganzoo.runtime.session import open_session
from ganzoo_registry import Registry

WHOLE, PLAIN, INT8, TORCH = "fp32", "fp32 without ConvTranspose", "int8", "torch eager"

Feeds = dict[str, Any]


def main() -> None:
    """Measure, and print tables and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", nargs="?")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--registry", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch", type=int, default=64)
    arguments = parser.parse_args()
    store = Registry(registry_root(arguments.registry))
    if arguments.all:
        figures: Any = {name: rounded(store, name, arguments.rounds, arguments.batch) for name in store.names()}
    else:
        figures = compared(store, arguments.reference, arguments.rounds, arguments.batch)
    print(json.dumps({"benchmark": "inference", "figures": figures, "machine": machine.describe()}))


def compared(store: Registry, reference: str, rounds: int, batch: int) -> dict[str, Any]:
    """Ratios to the file in float32, by the number of threads, and the PSNR of int8."""
    data = store.read(store.resolve(reference), ATTACHMENT)
    card = card_of(data)
    files = {WHOLE: data, PLAIN: rewrite_transposed(onnx.load_from_string(data)).SerializeToString()}
    files[INT8] = to_int8(data, card)
    feeds = feeds_of(data, batch)
    generator = ganzoo.load_torch(reference, registry=store.root).eval()
    figures: dict[str, Any] = {"psnr": fidelity(files[INT8], data)}
    print(
        f"{reference}, batch {batch}: PSNR of int8 {figures['psnr'][0]:.1f} dB at worst, {figures['psnr'][1]:.1f} mean"
    )
    for threads in (1, 2):
        torch.set_num_threads(threads)
        contestants = [Contestant(name, runs(file, feeds, threads)) for name, file in files.items()]
        contestants.append(Contestant(TORCH, partial(eager, generator, feeds)))
        taken = in_turn(contestants, rounds, torch.device("cpu"))
        for name, seconds in taken.items():
            figures[f"{name}, {threads} threads"] = found = ratio(taken[WHOLE], seconds)
            print(f"{threads} threads  {name:28} {1000 * float(np.median(seconds)):8.1f} ms  {found:5.2f} x fp32")
        figures[f"int8 to torch, {threads} threads"] = against = ratio(taken[TORCH], taken[INT8])
        print(f"{threads} threads  int8 is {against:.2f} times as fast as torch")
    return figures


def rounded(store: Registry, name: str, rounds: int, batch: int) -> dict[str, Any]:
    """PSNR of a model's newest version in int8, and how many times as fast it is on one thread."""
    try:
        data = store.read(store.resolve(name), ATTACHMENT)
        file = to_int8(data, card_of(data))
        worst, mean = fidelity(file, data)
    except GanzooError as error:
        print(f"{name:20} {error}")
        return {"refused": str(error)}
    feeds = feeds_of(data, batch)
    contestants = [Contestant(WHOLE, runs(data, feeds, 1)), Contestant(INT8, runs(file, feeds, 1))]
    taken = in_turn(contestants, rounds, torch.device("cpu"))
    faster = ratio(taken[WHOLE], taken[INT8])
    print(f"{name:20} {worst:5.1f} dB at worst  {mean:5.1f} mean  {faster:5.2f} x  {len(file) / len(data):5.2f} bytes")
    return {"worst": worst, "mean": mean, "ratio": faster, "bytes": len(file) / len(data)}


def fidelity(file: bytes, data: bytes) -> tuple[float, float]:
    """Worst and mean PSNR in dB of the images that the gate looks at."""
    run, original = Runner(file), Runner(data)
    each = [
        psnr(run(dict(part)), original(dict(part))) for part in samples(card_of(data), HELD_OUT_SEED, HELD_OUT_IMAGES)
    ]
    values = np.concatenate(each)
    return float(values.min()), float(values.mean())


def feeds_of(data: bytes, batch: int) -> Feeds:
    """One batch of inputs."""
    card = card_of(data)
    z, labels = draw(0, 0, batch, card.latent_dim, len(card.class_names))
    feeds: Feeds = {"z": z} | ({} if labels is None else {"labels": labels})
    return feeds | {name: np.full((batch, 1), control.default, np.float32) for name, control in card.controls.items()}


def runs(data: bytes, feeds: Feeds, threads: int) -> Callable[[], object]:
    """A run of a file."""
    session, _ = open_session(data, device="cpu", threads=threads)
    return partial(session.run, ["images"], feeds)


@torch.inference_mode()
def eager(generator: torch.nn.Module, feeds: Feeds) -> object:
    """A run of the network in PyTorch."""
    labels = torch.from_numpy(feeds["labels"]) if "labels" in feeds else None
    return generator(torch.from_numpy(feeds["z"]), labels)


if __name__ == "__main__":
    main()
