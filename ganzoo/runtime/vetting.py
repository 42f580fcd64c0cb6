"""Tries an ONNX file from elsewhere in a process of its own, before this one loads it; needs neither onnx nor torch.

    python -m ganzoo.runtime.vetting generator|extractor SIZE SOURCE        the file on stdin

prints one JSON object: null if nothing is wrong with it, else the error in words. A graph may end the process that runs
it (an integer division is enough), never come to an end, or take all memory: then it did so there, within limits.

Files of the registry are not tried: they passed the gates when they were exported, and have a digest.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from subprocess import PIPE
from typing import Any

from ganzoo.errors import GanzooError, IntegrityError, page
from ganzoo.files import Unreadable
from ganzoo.machine import cores
from ganzoo.runtime.graph import read_graph
from ganzoo.runtime.limits import allow_memory, limit
from ganzoo.runtime.providers import load_onnxruntime

SECONDS = 60
"""Most seconds to load a file and to make a few images with it."""

MEMORY = 4 << 30
"""Most bytes of memory for that, besides five times the file's own size."""

DOMAINS = {"", "ai.onnx", "com.microsoft", "com.microsoft.nchwc"}
RANDOM = {
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Multinomial",
    "Bernoulli",
    "Dropout",
}
CONTROL = {"Loop", "If", "Scan"}

TOLERANCE = 1e-3
"""Largest difference of a value alone and in a batch: kernels for other batches may round otherwise."""

MOST_LOOKED_AT = 64
"""Most images that an extractor looks at together."""

PATIENCE = 15
"""Most seconds that a batch of the largest size may be expected to take for it to be tried, too."""

_HINT = "ganzoo runs what ganzoo export could have written; export it again: ganzoo export NAME -o FILE"
_EXTRACTOR_HINT = f"{page('evaluation.md')} says what an extractor must be, and how to make one"

Run = Callable[[Any], list[Any]]


def vet_generator(data: bytes, source: str) -> None:
    """Try a generator's file from elsewhere: about a second, and as much as some fifty images take.

    Args:
        data: the file's content.
        source: names the file in messages.

    Raises:
        IntegrityError: it is damaged, is not of the kind that ``ganzoo export`` writes, or must not be run: it draws
            random numbers, loops, mixes the images of a batch, takes too long or too much memory, or ends the process.
    """
    _vet(data, source, "generator", 0, _HINT)


def vet_extractor(data: bytes, source: str, size: int = 64) -> None:
    """Try a feature extractor's file from elsewhere, as ``vet_generator`` does.

    Args:
        size: height and width of the images to try it with, where it takes any.

    Raises:
        IntegrityError: it must not be run, or its features depend on the batch.
    """
    _vet(data, source, "extractor", size, _EXTRACTOR_HINT)


def _vet(data: bytes, source: str, kind: str, size: int, hint: str) -> None:
    load_onnxruntime()  # what is missing here is missing there
    # -P, so that a numpy.py in the working directory is not imported.
    command = [sys.executable, "-P", "-m", "ganzoo.runtime.vetting", kind, str(size), source]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE) as child:  # noqa: S603
        try:
            said, log = child.communicate(data, timeout=SECONDS)
        except subprocess.TimeoutExpired as error:
            raise IntegrityError(f"{source} was tried, and took over {SECONDS} seconds", hint=hint) from error
        finally:  # also at Ctrl-C, which a graph that runs does not hear
            child.kill()
            child.wait()
    try:
        fault = json.loads(said)
    except ValueError:
        fault = f"{source} was tried, and {_end(child.returncode, log)}"
    if fault is not None:
        raise IntegrityError(fault, hint=hint)


def _end(code: int, log: bytes) -> str:
    """How a child ended that said nothing."""
    if code < 0:
        name = signal.Signals(-code).name
        words = {"SIGXCPU": "took too much time", "SIGKILL": "took too much memory"}
        return words.get(name, f"ended the process that ran it ({name})")
    last = log.decode("utf-8", "replace").strip().splitlines()[-1:]
    return f"the process that ran it failed: {last[0] if last else f'exit code {code}'}"


class Refused(Exception):  # noqa: N818 - it says what is wrong, not that it is an error
    """The file must not be run; the message says why."""


def check_structure(data: bytes) -> None:
    """Refuse what no generator and no extractor needs, without running anything; exported files are held to it, too.

    Raises:
        Refused: foreign operators, branches and loops, functions, weights outside the file.
        Unreadable: it is damaged, or no ONNX file.
    """
    if data[4:8] == b"ORTM":  # ONNX Runtime would read the same bytes in another way
        raise Refused("is in ONNX Runtime's own format")
    contents = read_graph(data)
    foreign = sorted({node.domain for node in contents.nodes} - DOMAINS)
    branching = sorted({node.operator for node in contents.nodes if node.branches or node.operator in CONTROL})
    if not contents.nodes:
        raise Refused("has no operators")
    if contents.functions:
        raise Refused("defines functions of its own")
    if foreign:
        raise Refused(f"has operators of foreign domains: {', '.join(map(repr, foreign))}")
    if branching:
        raise Refused(f"has loops or branches: {', '.join(map(repr, branching))}")
    if any(node.external for node in contents.nodes) or any(weight.external for weight in contents.weights):
        raise Refused("keeps weights outside the file")


def check_randomness(data: bytes) -> None:
    """Refuse operators that give something else each time.

    Raises:
        Refused: it has some.
        Unreadable: it is damaged, or no ONNX file.
    """
    if found := {node.operator for node in read_graph(data).nodes} & RANDOM:
        raise Refused(f"draws random numbers itself: {', '.join(sorted(found))}")


def check_rows(run: Run, rows: list[Any], others: list[Any]) -> None:
    """Run four rows, and again in other company: what a row gives depends on it alone.

    Args:
        run: inputs, each with a batch of rows first, -> outputs.
        rows, others: an array an input, of four rows each.

    Raises:
        Refused: it gives something else for the same row.
    """
    import numpy as np

    first = run(rows)
    if any(len(output) != 4 for output in first):
        raise Refused("makes another number of rows than it is given")
    if any(a.tobytes() != b.tobytes() for a, b in zip(first, run(rows), strict=True)):
        raise Refused("gives something else each time")
    mixed = [np.concatenate([a[:1], b[1:2], a[2:3], b[3:]]) for a, b in zip(rows, others, strict=True)]
    if any(a[::2].tobytes() != b[::2].tobytes() for a, b in zip(first, run(mixed), strict=True)):
        raise Refused("mixes the rows of a batch: one depends on the others")
    for whole, alone in zip(first, run([row[2:3] for row in rows]), strict=True):
        if not np.allclose(whole[2:3], alone, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
            raise Refused("mixes the rows of a batch: one alone is another")


def check_many(run: Run, rows: list[Any], count: int) -> None:
    """Run ``count`` rows together, the most that ganzoo does, some of them often: what a row gives stays the same.

    A graph so slow that this would take over ``PATIENCE`` seconds is not run so.

    Raises:
        Refused: among many a row gives something else.
    """
    import numpy as np

    begin = time.monotonic()
    few = run(rows)
    times = count / len(rows[0])
    if (time.monotonic() - begin) * times > PATIENCE:
        return
    allow_memory(times)
    many = run([np.resize(row, (count, *row.shape[1:])) for row in rows])
    for some, more in zip(few, many, strict=True):
        if len(more) != count or not np.allclose(
            more[: len(some)], some, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True
        ):
            raise Refused("mixes the rows of a batch: one among many is another")


def _try_generator(data: bytes, source: str) -> None:
    import numpy as np

    from ganzoo.latents import draw
    from ganzoo.runtime.generator import BATCH, ImageGenerator

    generator = ImageGenerator.from_bytes(data, device="cpu", threads=_threads(), source=source)
    card = generator.card
    z, _ = draw(0, 0, 8, card.latent_dim)
    inputs = [z]
    if card.class_names:
        inputs.append(np.linspace(0, len(card.class_names) - 1, 8).astype(np.int64))
    labelled = len(inputs)
    inputs += [np.linspace(each.low, each.high, 8, dtype=np.float32)[:, None] for each in card.controls.values()]

    def run(rows: list[Any]) -> list[Any]:
        controls = dict(zip(card.controls, rows[labelled:], strict=True))
        return [generator.forward(rows[0], rows[1] if card.class_names else None, controls)]

    check_rows(run, [rows[::2] for rows in inputs], [rows[1::2] for rows in inputs])
    check_many(run, inputs, BATCH)


def _try_extractor(data: bytes, source: str, size: int) -> None:
    import numpy as np

    from ganzoo.runtime.session import open_session

    session, _ = open_session(data, device="cpu", threads=_threads(), source=source)
    ports = session.get_inputs()
    if len(ports) != 1 or len(ports[0].shape) != 4 or isinstance(ports[0].shape[0], int):
        return  # no extractor: who asked for it says so
    free = (3, size, size)
    shape = [side if isinstance(side, int) else free[axis] for axis, side in enumerate(ports[0].shape[1:])]
    pixels = np.random.default_rng(0).integers(0, 256, (8, *shape), np.uint8)
    if ports[0].type == "tensor(float)":
        pixels = pixels.astype(np.float32) / np.float32(127.5) - 1
    names = [port.name for port in session.get_outputs() if port.type == "tensor(float)"]

    def run(rows: list[Any]) -> list[Any]:
        outputs: list[Any] = session.run(names, {ports[0].name: rows[0]})
        return outputs

    try:
        run([pixels])
    except Exception:
        return  # it needs images of another size, or is none: who asked for it says so
    check_rows(run, [pixels[::2]], [pixels[1::2]])
    check_many(run, [pixels], MOST_LOOKED_AT)


def _threads() -> int:
    return min(cores(), 8)  # each takes memory, of which there is little here


def _fault(kind: str, size: int, source: str, data: bytes) -> str | None:
    """What is wrong with a file, in words."""
    try:
        check_structure(data)
        check_randomness(data)
        if kind == "generator":
            _try_generator(data, source)
        else:
            _try_extractor(data, source, size)
    except Unreadable as fault:
        return f"{source} cannot be loaded: {fault}"
    except Refused as fault:
        return f"{source} must not be run: it {fault}"
    except (GanzooError, MemoryError) as fault:
        if isinstance(fault, MemoryError) or "alloc" in str(fault):
            return f"{source} was tried, and takes over {MEMORY >> 30} GiB of memory"
        return str(fault)
    return None


def main(kind: str, size: str, source: str) -> int:
    """Try the file on stdin, and print what is wrong with it."""
    data = sys.stdin.buffer.read()
    limit(MEMORY + 5 * len(data), SECONDS * _threads())
    sys.stdout.write(json.dumps(_fault(kind, int(size), source, data)))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
