"""Random histories against a model of ten lines."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, strategies as st

from ganzoo_registry import Conflict, NotFound, Registry

WORDS = st.sampled_from(["one", "two", "three"])
NUMBERS = st.integers(1, 5)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("register"), WORDS),
        st.tuples(st.just("remove"), NUMBERS),
        st.tuples(st.just("alias"), NUMBERS, st.sampled_from(["champion", "challenger"]), st.none() | NUMBERS),
        st.tuples(st.just("attach"), NUMBERS, WORDS, st.booleans()),
    ),
    max_size=14,
)


class Model:
    def __init__(self) -> None:
        self.words: dict[int, str] = {}
        self.removed: set[int] = set()
        self.attached: dict[int, str] = {}
        self.aliases: dict[str, int] = {}
        self.moves: dict[str, list[int]] = {}

    def live(self) -> dict[int, str]:
        return {n: word for n, word in self.words.items() if n not in self.removed}

    def register(self, word: str) -> str:
        if word not in self.live().values():
            self.words[len(self.words) + 1] = word
        return "done"

    def remove(self, number: int) -> str:
        if number not in self.live():
            return "missing"
        if number in self.aliases.values():
            return "conflict"
        self.removed.add(number)
        return "done"

    def alias(self, number: int, alias: str, expect: int | None) -> str:
        if number not in self.live():
            return "missing"
        if self.aliases.get(alias) != number:
            if expect is not None and self.aliases.get(alias, 0) != expect:
                return "conflict"
            self.aliases[alias] = number
            self.moves.setdefault(alias, []).append(number)
        return "done"

    def attach(self, number: int, word: str, force: bool) -> str:
        if number not in self.live():
            return "missing"
        if not force and self.attached.get(number, word) != word:
            return "conflict"
        self.attached[number] = word
        return "done"


def apply(registry: Registry, action: str, *args: Any) -> str:
    try:
        if action == "register":
            registry.register("dcgan", {"generator": args[0].encode()}, {})
        elif action == "remove":
            registry.remove(registry.resolve(f"dcgan:{args[0]}"))
        elif action == "alias":
            registry.alias(f"dcgan:{args[0]}", args[1], expect=args[2])
        else:
            registry.attach(registry.resolve(f"dcgan:{args[0]}"), "onnx", args[1].encode(), force=args[2])
    except NotFound:
        return "missing"
    except Conflict:
        return "conflict"
    return "done"


@given(STEPS)
def test_any_history_is_that_of_the_model(steps: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        model, registry = Model(), Registry(Path(directory))
        for action, *args in steps:
            assert apply(registry, action, *args) == getattr(model, action)(*args)
        if not model.words:
            assert registry.names() == []
            return
        versions = registry.versions("dcgan")
        assert {v.number: registry.read(v, "generator").decode() for v in versions} == model.live()
        assert registry.aliases("dcgan") == model.aliases
        for version in versions:
            attached = model.attached.get(version.number)
            assert ("onnx" in registry.kinds(version)) == (attached is not None)
            if attached:
                assert registry.read(version, "onnx").decode() == attached
        log = registry.log("dcgan")
        assert [entry.number for entry in log if entry.event == "registered"] == sorted(model.words)
        assert {entry.number for entry in log if entry.event == "removed"} == model.removed
        for alias, moves in model.moves.items():
            found = [(entry.previous, entry.number) for entry in log if entry.alias == alias]
            assert found == list(zip([None, *moves], moves, strict=False))
        assert [entry.when for entry in log] == sorted(entry.when for entry in log)
