"""State that no checkpoint holds: found by what training changes, and by whether a resumed copy computes the same."""

import copy
import hashlib
import random
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from ganzoo.errors import PluginError
from ganzoo.training.batch import Batch
from ganzoo.training.objective import Objective

DEEPEST = 8
"""Levels of objects in objects that are looked into."""

HINT = "declare it: state={…} of the loss, step.state, step.remember; or a buffer of the network (persistent)"

Memory = Mapping[str, str]
"""Where something is remembered -> a digest of it."""


def copies(objective: Objective) -> Objective:
    """The objective with everything copied that a plugin's code could write to."""
    one = (objective.generator, objective.discriminator, objective.loss, objective.penalties, objective.augment)
    generator, discriminator, loss, penalties, augment = copy.deepcopy(one)
    state = {name: value.clone() for name, value in objective.state.items()}
    copied = replace(objective, generator=generator, discriminator=discriminator, loss=loss, penalties=penalties)
    return replace(copied, augment=augment, state=state)


def resume(target: Objective, source: Objective) -> None:
    """Bring the networks of ``target`` to the state of those of ``source``, as a checkpoint does."""
    target.generator.load_state_dict(source.generator.state_dict())
    target.discriminator.load_state_dict(source.discriminator.state_dict())


def memory(objective: Objective) -> Memory:
    """All that loss, penalties and augmentation hold, and what the networks hold beside their ``state_dict``."""
    found = {
        "the loss": objective.loss,
        "the augmentation": objective.augment,
        **{f"penalty {penalty.name!r}": penalty for penalty in objective.penalties},
    }
    digests = {
        f"{who}'s {name}": _digest(value)
        for who, holder in found.items()
        for name, value in _attributes(holder).items()
    }
    for role, network in (("generator", objective.generator), ("discriminator", objective.discriminator)):
        kept = network.state_dict().keys()
        for name, buffer in network.named_buffers():
            if name not in kept:
                digests[f"the {role}'s buffer {name!r} (persistent=False)"] = _digest(buffer)
        for path, module in network.named_modules():
            for name, value in _attributes(module).items():
                if type(value) in (bool, int, float, str, list, dict, deque) and not _holds_tensors(value):
                    digests[f"the {role}'s {f'{path}.{name}'.lstrip('.')}"] = _digest(value)
    return digests


def refuse(
    loss: str,
    before: Memory,
    after: Memory,
    later: Memory,
    in_eval: tuple[Tensor, Tensor],
    passes: tuple[Sequence[Tensor], Sequence[Tensor]],
) -> None:
    """Refuse what a resume would lose.

    Args:
        before, after, later: what was held before a pass, after it, and after another one on other images. What only
            the first pass changed was made once and kept, a table say: that is no state.
        in_eval: images in eval mode before that other pass, and those of copies that were resumed.
        passes: what that other pass gave, and what it gave to these copies.

    Raises:
        PluginError: something changes in each pass, or the passes differ.
    """
    changing = [name for name in later if before.get(name) != after.get(name) != later[name]]
    if changing:
        raise PluginError(f"a resumed run would lose what {changing[0]} remembers from phase to phase", hint=HINT)
    if not _same(*in_eval):
        raise PluginError(
            "in eval mode the generator depends on something that no checkpoint holds, so neither would its average "
            "and what is exported",
            hint="keep what it remembers in a buffer: self.register_buffer, and write into it (copy_, lerp_)",
        )
    went_on, resumed = passes
    if len(went_on) != len(resumed) or not all(map(_same, went_on, resumed)):
        raise PluginError(
            f"loss {loss!r} or a network remembers something between phases that no checkpoint holds: a copy that was "
            "resumed computes something else",
            hint=HINT,
        )


@torch.no_grad()
def in_eval_mode(objective: Objective, batch: Batch) -> Tensor:
    """The generator's images in eval mode, by which averages, previews and exported files make theirs."""
    torch.random.manual_seed(0)  # of what the generator draws for itself
    objective.generator.eval()
    images = objective.generate(batch)
    objective.generator.train()
    return images


def _same(one: Tensor, other: Tensor) -> bool:
    if one.device.type == "cpu":
        return torch.equal(one, other) or (torch.equal(one.isnan(), other.isnan()) and not one.isfinite().all())
    return torch.allclose(one, other, rtol=1e-2, atol=1e-5 * float(one.abs().max()))


def _attributes(holder: object) -> Mapping[str, object]:
    own = getattr(holder, "__dict__", {})
    if isinstance(holder, nn.Module):
        return {name: value for name, value in own.items() if not name.startswith("_") and name != "training"}
    return own


def _holds_tensors(value: object) -> bool:
    """Whether a container has tensors in it, such as features for a later layer: what matters of them, passes show."""
    each = value.values() if isinstance(value, dict) else value if isinstance(value, (list, deque)) else ()
    return any(isinstance(item, Tensor) or _holds_tensors(item) for item in each)


def _digest(value: object) -> str:
    digest = hashlib.sha256()
    for part in _parts(value, DEEPEST):
        digest.update(part)
    return digest.hexdigest()


def _parts(value: object, levels: int) -> Iterable[bytes]:
    """Bytes that differ where values do; objects without attributes count by their type alone."""
    if levels == 0 or isinstance(value, type) or (callable(value) and not hasattr(value, "__dict__")):
        yield type(value).__qualname__.encode()
    elif isinstance(value, Tensor):
        yield f"{value.dtype}{list(value.shape)}".encode()
        yield value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
    elif isinstance(value, torch.Generator):
        yield value.get_state().numpy().tobytes()
    elif isinstance(value, random.Random):
        yield repr(value.getstate()).encode()
    elif isinstance(value, np.random.Generator):
        yield repr(value.bit_generator.state).encode()
    elif isinstance(value, np.ndarray):
        yield value.tobytes()
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield repr(key).encode()
            yield from _parts(each, levels - 1)
    elif isinstance(value, (list, tuple, set, frozenset, deque)):
        for each in value:
            yield from _parts(each, levels - 1)
    elif hasattr(value, "__dict__"):
        yield from _parts(vars(value), levels - 1)
    else:  # numbers, text, and counters such as itertools.count
        yield repr(value).encode()
