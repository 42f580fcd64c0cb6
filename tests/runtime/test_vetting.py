"""Files from elsewhere: what must not be run is said in one line, and ends or holds up no process of ours."""

import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, strategies as st
from onnx import TensorProto, helper, numpy_helper

import ganzoo
from ganzoo.errors import ExitCode, IntegrityError
from ganzoo.files import Unreadable
from ganzoo.runtime import vetting
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.runtime.graph import read_graph, weights_digest
from ganzoo.runtime.vetting import Refused, check_randomness, check_structure, vet_extractor, vet_generator

Change = Callable[[onnx.ModelProto], None]


def constant(name: str, value: Any) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.array(value)))


def before_images(*nodes: onnx.NodeProto) -> Change:
    """``nodes`` make ``images`` of ``made``, which the graph made so far."""

    def change(model: onnx.ModelProto) -> None:
        model.graph.node[-1].output[0] = "made"
        model.graph.node.extend(nodes)

    return change


def plus(*nodes: onnx.NodeProto) -> Change:
    """``nodes`` make ``shift``, which is added to the images."""
    return before_images(*nodes, helper.make_node("Add", ["made", "shift"], ["images"]))


def endless(model: onnx.ModelProto) -> None:
    """A loop of 2^62 rounds."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["x"], ["y"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
        ],
    )
    loop = helper.make_node("Loop", ["rounds", "true", "made"], ["images"], body=body)
    before_images(constant("rounds", np.int64(2**62)), constant("true", True), loop)(model)


def choosing(model: onnx.ModelProto) -> None:
    branch = helper.make_graph(
        [helper.make_node("Identity", ["made"], ["b"])], "b", [], [helper.make_tensor_value_info("b", 1, None)]
    )
    node = helper.make_node("If", ["true"], ["images"], then_branch=branch, else_branch=branch)
    before_images(constant("true", True), node)(model)


def doubling(model: onnx.ModelProto) -> None:
    """28 functions that each call the one before twice."""
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("", 20)]
    bodies = [[helper.make_node("Identity", ["x"], ["y"])]]
    bodies += [
        [
            helper.make_node(f"f{depth}", ["x"], ["m"], domain="com.microsoft"),
            helper.make_node(f"f{depth}", ["m"], ["y"], domain="com.microsoft"),
        ]
        for depth in range(28)
    ]
    model.functions.extend(
        helper.make_function("com.microsoft", f"f{depth}", ["x"], ["y"], body, imports)
        for depth, body in enumerate(bodies)
    )
    before_images(helper.make_node("f28", ["made"], ["images"], domain="com.microsoft"))(model)


def outside(model: onnx.ModelProto) -> None:
    weights = model.graph.initializer[0]
    onnx.external_data_helper.set_external_data(weights, "weights")
    weights.data_location = TensorProto.EXTERNAL


REFUSED: dict[str, tuple[Change, str]] = {
    "loop": (endless, "has loops or branches: 'Loop'"),
    "branch": (choosing, "has loops or branches: 'If'"),
    "functions": (doubling, "defines functions of its own"),
    "noise": (
        plus(helper.make_node("RandomNormalLike", ["made"], ["shift"])),
        "draws random numbers itself: RandomNormalLike",
    ),
    "dropout": (
        before_images(helper.make_node("Dropout", ["made"], ["images"])),
        "draws random numbers itself: Dropout",
    ),
    "foreign": (
        before_images(helper.make_node("Relu", ["made"], ["images"], domain="org.example\x1b")),
        "has operators of foreign domains: 'org.example\\x1b'",
    ),
    "external": (outside, "keeps weights outside the file"),
}


def changed(data: bytes, change: Change) -> bytes:
    model = onnx.load_from_string(data)
    change(model)
    result: bytes = model.SerializeToString()
    return result


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_generator_needs_is_refused_without_running_it(make_onnx: Callable[..., bytes], name: str) -> None:
    change, reason = REFUSED[name]
    data = changed(make_onnx(), change)
    with pytest.raises(Refused) as caught:
        check_randomness(data) if "random" in reason else check_structure(data)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "has no operators"),
        (b"\x1c\x00\x00\x00ORTM", "is in ONNX Runtime's own format"),
        (b"\x12\x06\x00\x00ORTM", "is in ONNX Runtime's own format"),  # and a message of protobuf as well
    ],
)
def test_what_is_no_graph_of_onnx(data: bytes, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        check_structure(data)
    assert str(caught.value) == reason


def test_what_ganzoo_writes_is_not_refused(make_onnx: Callable[..., bytes]) -> None:
    vet_generator(make_onnx(("cat", "dog")), "g.onnx")
    vet_generator((Path(__file__).parents[1] / "packaging" / "petite.onnx").read_bytes(), "petite.onnx")


def no_group(model: onnx.ModelProto) -> None:
    """A single flipped bit makes group 0 of group 1, and ONNX Runtime divides by it while it loads."""
    node = next(node for node in model.graph.node if node.op_type == "ConvTranspose")
    node.attribute.append(helper.make_attribute("group", 0))


OVERFLOW = plus(
    constant("least", np.int64(-(2**63))),
    constant("less", np.int64(-1)),
    helper.make_node("Shape", ["made"], ["sizes"]),
    helper.make_node("ReduceSum", ["sizes"], ["some"], keepdims=0),
    constant("none", np.int64(0)),
    helper.make_node("Mul", ["some", "none"], ["zero"]),
    helper.make_node("Add", ["least", "zero"], ["least at run time"]),
    helper.make_node("Div", ["least at run time", "less"], ["quotient"]),
    helper.make_node("Cast", ["quotient"], ["shift"], to=TensorProto.FLOAT),
)
HUGE = plus(
    constant("sides", np.array([1 << 16, 1 << 17])),  # 32 GiB
    constant("one", np.float32(1)),
    helper.make_node("Expand", ["one", "sides"], ["plane"]),
    helper.make_node("ReduceMax", ["plane"], ["shift"], keepdims=0),
)
MEAN = plus(constant("axes", np.array([0])), helper.make_node("ReduceMean", ["made", "axes"], ["shift"]))
BEFORE = plus(  # each image is shifted by those before it
    constant("axis", np.int64(0)), helper.make_node("CumSum", ["made", "axis"], ["shift"], exclusive=1)
)
WHETHER_MANY = (  # 1 where more than 16 images are made together, else 0
    helper.make_node("Shape", ["made"], ["count"], start=0, end=1),
    constant("some", np.array([16])),
    helper.make_node("Greater", ["count", "some"], ["many"]),
)
AMONG_MANY = plus(
    *WHETHER_MANY,
    constant("axes", np.array([0])),
    helper.make_node("ReduceMean", ["made", "axes"], ["mean"]),
    helper.make_node("Cast", ["many"], ["as float"], to=TensorProto.FLOAT),
    helper.make_node("Mul", ["mean", "as float"], ["shift"]),
)
DIVISION_AMONG_MANY = plus(
    *WHETHER_MANY,
    helper.make_node("Not", ["many"], ["few"]),
    helper.make_node("Cast", ["few"], ["divisor"], to=TensorProto.INT64),
    helper.make_node("Div", ["some", "divisor"], ["quotient"]),
    constant("least", np.int64(0)),
    helper.make_node("Min", ["quotient", "least"], ["nothing"]),
    helper.make_node("Cast", ["nothing"], ["shift"], to=TensorProto.FLOAT),
)
SQUARE = plus(  # 8 MiB for each pair of images: half a GiB for 8 of them, and 8 GiB for 32
    helper.make_node("Shape", ["made"], ["count"], start=0, end=1),
    constant("length", np.array([1 << 21])),
    helper.make_node("Concat", ["count", "count", "length"], ["sides"], axis=0),
    constant("nothing", np.float32(0)),
    helper.make_node("Expand", ["nothing", "sides"], ["block"]),
    helper.make_node("ReduceMax", ["block"], ["shift"], keepdims=0),
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(AMONG_MANY, "g.onnx must not be run: it mixes the rows of a batch: one among many", id="many"),
        pytest.param(SQUARE, "g.onnx was tried, and takes over 4 GiB of memory", id="square"),
        pytest.param(no_group, "g.onnx was tried, and ended the process that ran it (SIGFPE)", id="group 0"),
        pytest.param(OVERFLOW, "g.onnx was tried, and ended the process that ran it (SIGFPE)", id="overflow"),
        pytest.param(HUGE, "g.onnx was tried, and takes over 4 GiB of memory", id="huge"),
        pytest.param(MEAN, "g.onnx must not be run: it mixes the rows of a batch", id="mean"),
        pytest.param(BEFORE, "g.onnx must not be run: it mixes the rows of a batch", id="cumulative"),
        pytest.param(endless, "g.onnx must not be run: it has loops or branches: 'Loop'", id="loop"),
    ],
)
def test_what_would_end_or_hold_up_this_process(
    make_onnx: Callable[..., bytes], tmp_path: Path, change: Change, message: str
) -> None:
    path = tmp_path / "g.onnx"
    path.write_bytes(changed(make_onnx(), change))
    with pytest.raises(IntegrityError) as caught:
        ganzoo.load(path, device="cpu")
    assert str(caught.value).startswith(message.replace("g.onnx", str(path)))
    assert "\n" not in str(caught.value)
    assert caught.value.hint is not None
    assert caught.value.exit_code == ExitCode.INTEGRITY


@pytest.mark.parametrize(
    ("child", "message"),
    [
        ("kill -KILL $$", "g.onnx was tried, and took too much memory"),
        ("kill -XCPU $$", "g.onnx was tried, and took too much time"),
        ("echo oh >&2; exit 3", "g.onnx was tried, and the process that ran it failed: oh"),
        ("exit 3", "g.onnx was tried, and the process that ran it failed: exit code 3"),
        ("exec sleep 60", "g.onnx was tried, and took over 1 seconds"),
    ],
)
def test_a_child_that_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, child: str, message: str) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{child}\n")
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    monkeypatch.setattr(vetting, "SECONDS", 1)
    with pytest.raises(IntegrityError) as caught:
        vet_generator(b"x" * (1 << 20), "g.onnx")  # more than a pipe holds, and nobody reads it
    assert str(caught.value) == message


def test_an_interrupt_ends_the_child_too(
    make_onnx: Callable[..., bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while a graph runs that never returns to Python: nothing waits for it."""
    python, said = tmp_path / "python", tmp_path / "pid"
    python.write_text(f"#!/bin/sh\necho $$ > {said}\nhead -c 1 > /dev/null\nkill -INT $PPID\nexec sleep 60\n")
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    with pytest.raises(KeyboardInterrupt):
        vet_generator(make_onnx(), "g.onnx")
    with pytest.raises(ProcessLookupError):
        os.kill(int(said.read_text()), 0)


def extractor(*nodes: onnx.NodeProto, side: int | str = "side") -> bytes:
    """``nodes`` make ``features`` [N, 3] of ``means``, the channels' means of images [N, 3, side, side]."""
    shape: list[str | int | None] = ["n", 3, side, side]
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["images", "axes"], ["means"], keepdims=0), *nodes],
        "extractor",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(np.array([2, 3]), "axes"), numpy_helper.from_array(np.array([0]), "batch")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    data: bytes = model.SerializeToString()
    return data


IDENTITY = helper.make_node("Identity", ["means"], ["features"])
NORM = (  # a BatchNorm that was left in training
    helper.make_node("ReduceMean", ["means", "batch"], ["mean"]),
    helper.make_node("Sub", ["means", "mean"], ["features"]),
)
NORM_OF_MANY = (
    helper.make_node("Shape", ["means"], ["count"], start=0, end=1),
    constant("some", np.array([32])),
    helper.make_node("Greater", ["count", "some"], ["many"]),
    helper.make_node("Cast", ["many"], ["as float"], to=TensorProto.FLOAT),
    helper.make_node("ReduceMean", ["means", "batch"], ["mean"]),
    helper.make_node("Mul", ["mean", "as float"], ["share"]),
    helper.make_node("Sub", ["means", "share"], ["features"]),
)
NOISE = (
    helper.make_node("RandomNormalLike", ["means"], ["noise"]),
    helper.make_node("Add", ["means", "noise"], ["features"]),
)


@pytest.mark.parametrize("side", [8, "side"])
def test_an_extractor(side: int | str) -> None:
    vet_extractor(extractor(IDENTITY, side=side), "e.onnx")


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        (NORM_OF_MANY, "it mixes the rows of a batch: one among many"),
        (NORM, "it mixes the rows of a batch"),
        (NOISE, "it draws random numbers itself: RandomNormalLike"),
    ],
)
def test_an_extractor_that_gives_wrong_figures(nodes: tuple[onnx.NodeProto, ...], reason: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        vet_extractor(extractor(*nodes), "e.onnx")
    assert str(caught.value).startswith(f"e.onnx must not be run: {reason}")


def test_a_graph_that_fails_among_many_images_only(make_onnx: Callable[..., bytes]) -> None:
    """As many as ganzoo makes together; the few that a file is tried with first say nothing of those."""
    data = changed(make_onnx(), DIVISION_AMONG_MANY)
    ImageGenerator.from_bytes(data, device="cpu", threads=1).sample(8, 0)
    with pytest.raises(IntegrityError, match="division by zero"):
        vet_generator(data, "g.onnx")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process counts its own memory alone")
def test_a_large_program_lets_no_graph_take_more() -> None:
    """What the program that starts the trial has taken is not the graph's."""
    large = np.ones(1 << 28, np.float32)  # 1 GiB
    code = "import ganzoo.runtime.vetting; from ganzoo.runtime.limits import peak; print(peak())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert large[0] == 1
    assert 0 < int(done.stdout) < 1 << 29


def test_a_slow_graph_is_not_tried_with_many() -> None:
    """Else an honest one that takes a second an image would be refused for the time."""
    sizes: list[int] = []

    def slow(rows: list[Any]) -> list[Any]:
        sizes.append(len(rows[0]))
        time.sleep(0.3)
        return rows

    vetting.check_many(slow, [np.zeros((4, 1))], 400)
    assert sizes == [4]


def test_what_is_no_extractor_is_left_to_who_asks_for_one() -> None:
    def another_input(model: onnx.ModelProto) -> None:
        model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, ["n"]))

    vet_extractor(changed(extractor(IDENTITY), another_input), "e.onnx")


# The weights' check sum


def with_digest(data: bytes) -> bytes:
    model = onnx.load_from_string(data)
    card = json.loads(model.metadata_props[0].value)
    model.metadata_props[0].value = json.dumps({**card, "weights": weights_digest(data)})
    result: bytes = model.SerializeToString()
    return result


def test_every_flip_in_the_weights_is_noticed(make_onnx: Callable[..., bytes]) -> None:
    data = with_digest(make_onnx(("cat", "dog")))
    assert weights_digest(data) == weights_digest(make_onnx(("cat", "dog")))  # the card is no part of it
    kernel = next(
        weight for weight in onnx.load_from_string(data).graph.initializer if weight.name == "kernel"
    ).raw_data
    place, rng = data.index(kernel), random.Random(0)
    for _ in range(20):
        mutant = bytearray(data)
        mutant[place + rng.randrange(len(kernel))] ^= 1 << rng.randrange(8)
        with pytest.raises(IntegrityError, match="is damaged: its weights are not those that were exported") as caught:
            ImageGenerator.from_bytes(bytes(mutant), device="cpu", threads=1)
        assert caught.value.hint == "export it again: ganzoo export NAME -o FILE"


def test_what_another_tool_made_of_the_weights_is_taken(make_onnx: Callable[..., bytes]) -> None:
    """It keeps the card, and its weights have other names, or are of another type."""

    def renamed(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].name = "merged"
        for node in model.graph.node:
            node.input[:] = ["merged" if name == "linear" else name for name in node.input]
        values = numpy_helper.to_array(model.graph.initializer[0]) * np.float32(0.5)
        model.graph.initializer[0].CopyFrom(numpy_helper.from_array(values, "merged"))

    ImageGenerator.from_bytes(changed(with_digest(make_onnx()), renamed), device="cpu", threads=1)


def test_the_order_of_the_weights_does_not_count(make_onnx: Callable[..., bytes]) -> None:
    def reversed_weights(model: onnx.ModelProto) -> None:
        weights = list(model.graph.initializer)[::-1]
        del model.graph.initializer[:]
        model.graph.initializer.extend(weights)

    assert weights_digest(changed(make_onnx(), reversed_weights)) == weights_digest(make_onnx())


@given(st.binary(max_size=200))
def test_the_walk_over_any_bytes_ends_in_words(data: bytes) -> None:
    with contextlib.suppress(Unreadable):
        read_graph(data)


def test_the_walk_over_a_file_cut_anywhere_ends_in_words(make_onnx: Callable[..., bytes]) -> None:
    data = make_onnx()
    for length in range(0, len(data), 7):
        with contextlib.suppress(Unreadable):
            read_graph(data[:length])


def test_the_walk_finds_what_onnx_finds(make_onnx: Callable[..., bytes]) -> None:
    data = changed(make_onnx(("cat", "dog")), endless)
    model, found = onnx.load_from_string(data), read_graph(data)
    assert [(node.operator, node.domain) for node in found.nodes] == [
        (node.op_type, node.domain) for node in model.graph.node
    ]
    assert [node.branches for node in found.nodes] == [node.op_type == "Loop" for node in model.graph.node]
    assert [weight.name for weight in found.weights] == [weight.name for weight in model.graph.initializer]
    assert [b"".join(weight.content) for weight in found.weights] == [
        weight.raw_data for weight in model.graph.initializer
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
def test_limits_go_no_further_than_those_that_are_set_already() -> None:
    code = (
        "import resource\nfrom ganzoo.runtime.limits import limit\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (100, 100))\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (1 << 32, 1 << 32))\n"
        "limit(1 << 33, 480)\n"
        "print(*resource.getrlimit(resource.RLIMIT_CPU), *resource.getrlimit(resource.RLIMIT_DATA))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["100", "100", str(1 << 32), str(1 << 32)]
