"""Runs a plugin's checks in a process of its own, so that one that ends the process is named, and ends no other.

The process tells the result of each check as a line of JSON, on a descriptor of its own because a plugin may print
anything. A check without a result is the one that ended it.
"""

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping

from ganzoo.config import Settings
from ganzoo.errors import GanzooError
from ganzoo.testing.checks import cases_of, check_exemptions, check_settings
from ganzoo.testing.finding import checked_with, find_plugin
from ganzoo.testing.running import Outcome, Result, Seen, run
from ganzoo.zoo.installed import Plugin
from ganzoo.zoo.trial import in_words, search_path

POLL_SECONDS = 0.1
"""How often it is asked whether the process is still there, while no result comes."""

PROGRAM = """
import json, sys
path, *arguments = json.loads(sys.argv[1])
sys.path[:] = path
from ganzoo.testing.isolation import tell
tell(*arguments)
"""


def check_isolated(
    plugin: Plugin,
    *,
    exempt: Mapping[str, str] | None = None,
    settings: Settings | None = None,
    seen: Seen = lambda done, total: None,
) -> list[Result]:
    """Run every check of a plugin in another process; see ``check_plugin``.

    What a plugin prints there comes on stderr, and where it crashes, so do the lines that it happened in.

    Raises:
        UsageError: an exemption names no check, or a setting is none that the plugin could be trained by.
        GanzooError: the process cannot be started.
    """
    cases, exempt = cases_of(plugin), dict(exempt or {})
    check_exemptions(exempt, cases)
    check_settings(settings or {}, checked_with(plugin))
    results: list[Result] = []
    reading, writing = os.pipe()
    # str: TOML has dates, which are options of nothing but text.
    arguments = json.dumps([search_path(), plugin.qualified, exempt, dict(settings or {}), writing], default=str)
    # -u: what a plugin has printed stays, although it crashes. -P: the working directory is searched for no module.
    command = [sys.executable, "-u", "-P", "-X", "faulthandler", "-c", PROGRAM, arguments]
    try:
        child = subprocess.Popen(command, pass_fds=[writing], stdin=subprocess.DEVNULL, stdout=sys.__stderr__)  # noqa: S603
    except OSError as error:
        os.close(reading)
        raise GanzooError(
            f"the checks of {plugin} cannot be run in a process of their own: {error.strerror}"
        ) from error
    finally:
        os.close(writing)
    with child, open(reading, "rb", buffering=0):
        for line in _lines(reading, child):
            seen(len(results), len(cases))
            results.append(Result.from_json(json.loads(line)))
    seen(len(cases), len(cases))
    for number, case in enumerate(cases[len(results) :]):
        if number == 0:
            reason = f"it ends the process that runs it ({in_words(child.returncode)})"
            results.append(Result.of(case, Outcome.FAIL, reason))
        else:
            results.append(Result.of(case, Outcome.NOT_RUN, "a check before it ended the process"))
    return results


def _lines(reading: int, child: "subprocess.Popen[bytes]") -> Iterator[bytes]:
    """What the child writes, line by line; a process that it left behind may keep the pipe open for ever."""
    begun = b""
    while True:
        ended = child.poll() is not None  # asked first: what it wrote is in the pipe by then
        if select.select([reading], [], [], 0 if ended else POLL_SECONDS)[0]:
            if not (data := os.read(reading, 1 << 16)):
                return
            *lines, begun = (begun + data).split(b"\n")
            yield from lines
        elif ended:
            return


def tell(name: str, exempt: Mapping[str, str], settings: Settings, descriptor: int) -> None:
    """Run the checks here, and write each result as a line of JSON to ``descriptor``."""
    with open(descriptor, "w", encoding="utf-8") as lines:
        for case in cases_of(find_plugin(name)):
            result = run(case, exempt=exempt, settings=settings)
            lines.write(f"{json.dumps(result.to_json())}\n")
            lines.flush()
