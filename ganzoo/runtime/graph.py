"""What stands in an ONNX file, read without the package onnx: a walk over the fields of its protobuf messages.

The numbers are those of onnx.proto; how fields are written: https://protobuf.dev/programming-guides/encoding
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from ganzoo.files import Unreadable

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_EXTERNAL = 1

Value = int | memoryview


@dataclass(frozen=True, kw_only=True)
class Node:
    """One operation of the graph.

    Args:
        operator, domain: what it computes.
        branches: it holds graphs of its own, as loops and branches do.
        external: a constant in it lies outside the file.
    """

    operator: str
    domain: str
    branches: bool
    external: bool


@dataclass(frozen=True, kw_only=True)
class Weight:
    """One initialiser of the graph.

    Args:
        name: its name.
        layout: element type and shape, in words.
        content: the bytes of its values, as the file has them.
        external: they lie outside the file.
    """

    name: str
    layout: str
    content: tuple[memoryview, ...]
    external: bool


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What an ONNX file holds.

    Args:
        nodes, weights: of the graph, in the file's order.
        functions: number of functions that the file defines.
    """

    nodes: tuple[Node, ...]
    weights: tuple[Weight, ...]
    functions: int


def read_graph(data: bytes) -> Contents:
    """Walk over an ONNX file. It is linear in its size, and copies no weights.

    Raises:
        Unreadable: it is damaged, or no ONNX file.
    """
    model = list(_fields(memoryview(data)))
    graph = [part for message in _messages(model, 7) for part in _fields(message)]
    return Contents(
        nodes=tuple(_node(message) for message in _messages(graph, 1)),
        weights=tuple(_weight(message) for message in _messages(graph, 5)),
        functions=len(_messages(model, 25)),
    )


def weights_digest(data: bytes) -> str:
    """A check sum of an ONNX file's weights: ``<16 hex>-<64 hex>``.

    The first half is of the initialisers' names, types and shapes, the second of these and all bytes, both in the
    order of their names. So a tool that makes other weights of them, and keeps the card, can be told from damage.

    Raises:
        Unreadable: it is damaged, or no ONNX file.
    """
    weights = sorted(read_graph(data).weights, key=lambda weight: weight.name)
    layout = hashlib.sha256(repr([(weight.name, weight.layout) for weight in weights]).encode())
    content = layout.copy()
    for weight in weights:
        for part in weight.content:
            content.update(part)
    return f"{layout.hexdigest()[:16]}-{content.hexdigest()}"


def _node(message: memoryview) -> Node:
    parts = list(_fields(message))
    attributes = [list(_fields(attribute)) for attribute in _messages(parts, 5)]
    tensors = [tensor for attribute in attributes for tensor in _messages(attribute, 5, 10)]
    return Node(
        operator=_text(parts, 4),
        domain=_text(parts, 7),
        branches=any(_messages(attribute, 6, 11) for attribute in attributes),
        external=any(_weight(tensor).external for tensor in tensors),
    )


def _weight(message: memoryview) -> Weight:
    parts = list(_fields(message))
    numbers = [value for number, value in parts if number == 1 and isinstance(value, int)]
    packed = [size for dims in _messages(parts, 1) for size in _varints(dims)]
    kinds = [value for number, value in parts if number == 2]
    return Weight(
        name=_text(parts, 8),
        layout=f"{kinds} {[*numbers, *packed]}",
        content=tuple(_messages(parts, 4, 5, 6, 7, 9, 10, 11)),
        external=(14, _EXTERNAL) in parts or bool(_messages(parts, 13)),
    )


def _messages(parts: list[tuple[int, Value]], *numbers: int) -> list[memoryview]:
    """The values of some fields, those that are bytes."""
    return [value for number, value in parts if number in numbers and isinstance(value, memoryview)]


def _text(parts: list[tuple[int, Value]], number: int) -> str:
    return b"".join(_messages(parts, number)[-1:]).decode("utf-8", "backslashreplace")


def _fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """The number and value of each field: a varint as an integer, all else as its bytes."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        kind = key & 7
        if kind == _VARINT:
            value, place = _varint(message, place)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, place = _varint(message, place)
        elif kind in (_EIGHT, _FOUR):
            size = 8 if kind == _EIGHT else 4
        else:
            raise Unreadable("it is damaged, or no ONNX file")
        if place + size > len(message):
            raise Unreadable("it is damaged, or no ONNX file: it ends too early")
        yield key >> 3, message[place : place + size]
        place += size


def _varints(packed: memoryview) -> Iterator[int]:
    place = 0
    while place < len(packed):
        value, place = _varint(packed, place)
        yield value


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and where it ends."""
    value = 0
    for position in range(10):
        if place + position >= len(message):
            break
        byte = message[place + position]
        value |= (byte & 0x7F) << 7 * position
        if byte < 0x80:
            return value, place + position + 1
    raise Unreadable("it is damaged, or no ONNX file")
