"""How a run ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended; recorded in its ``outcome.json`` until the run goes on.

    Args:
        state: ``finished``, ``stopped`` (by a signal) or ``failed``.
        step: how many steps it had done.
        reason: one line on why it ended before its last step; empty if it did not.
        versions: what was registered: ``last`` and, if it is another one, ``best`` -> reference.
    """

    state: Literal["finished", "stopped", "failed"]
    step: int
    reason: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
