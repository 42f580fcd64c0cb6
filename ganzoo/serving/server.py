"""uvicorn around the application: a socket that is bound before anything is loaded, and an orderly end."""

import asyncio
import contextlib
import errno
import functools
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, MutableMapping
from types import MappingProxyType
from urllib.parse import quote

import uvicorn

from ganzoo.errors import GanzooError, UsageError
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.serving.app import create_app
from ganzoo.serving.connection import Connection
from ganzoo.serving.desk import Desk
from ganzoo.serving.following import Alias, follow
from ganzoo.serving.guard import SAFE_HEADERS
from ganzoo.serving.pool import DEADLINE_SECONDS, Pool

DRAIN_SECONDS = 30
"""Seconds that requests under way have to be answered after SIGTERM."""

_STOPPING = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Take it before loading models, so that a port in use is known at once.

    Args:
        host: name or address of an interface.
        port: 0 to 65535; 0 takes any free one.

    Raises:
        UsageError: ``port`` is no whole number or out of range, or ``host`` is not known.
        GanzooError: the port is in use, or may not be taken.
    """
    if not isinstance(host, str) or not host:
        raise UsageError(f"host must be a name or an address, not {host!r}", hint="for example --host 127.0.0.1")
    if type(port) is not int or not 0 <= port <= 65535:
        raise UsageError(f"port must be from 0 to 65535, not {port!r}", hint="--port 0 takes any free one")
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError) as error:
        raise UsageError(f"the host {host!r} is not known", hint="for example --host 127.0.0.1") from error
    listener = socket.socket(family, kind)
    try:
        if sys.platform != "win32":  # there the option means something else
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        in_use = error.errno == errno.EADDRINUSE
        reason = f"port {port} on {host} is in use" if in_use else f"cannot listen on {host}:{port}: {error.strerror}"
        elsewhere = error.errno == errno.EADDRNOTAVAIL
        free = "choose another, or any free one: --port 0"
        hint = "choose an address of this machine, or all of them: --host 0.0.0.0" if elsewhere else free
        raise GanzooError(reason, hint=hint) from error
    return listener


def serve(
    generators: MutableMapping[str, ImageGenerator],
    listener: socket.socket,
    *,
    aliases: Mapping[str, Alias] = MappingProxyType({}),
    api_key: str | None = None,
    deadline: float = DEADLINE_SECONDS,
) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP, then answer what is under way and return. A second SIGINT does not wait.

    If a graph still runs after ``DRAIN_SECONDS``, nothing else can stop it: the process ends here, with exit code 0.

    Args:
        generators: at least one, by the name that URLs use.
        listener: from ``bind``; it is closed at the end.
        aliases: what some of these names follow.
        api_key: what requests must show; None: nothing.
        deadline: seconds after which images that are not there are given up.

    Raises:
        UsageError: ``api_key`` or ``deadline`` is none that there can be.
    """
    pool = Pool(deadline=deadline)
    desk = Desk(pool)
    config = uvicorn.Config(
        create_app(generators, pool, api_key),
        http=functools.partial(Connection, desk=desk),  # type: ignore[arg-type]  # whatever makes one of its options
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        headers=SAFE_HEADERS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    following = functools.partial(follow, generators, aliases)
    _Server(config, desk, following, _ready_line(generators, listener, api_key)).run(sockets=[listener])
    if not pool.close():
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(0)


class _Server(uvicorn.Server):
    def __init__(
        self, config: uvicorn.Config, desk: Desk, following: Callable[[], Coroutine[None, None, None]], ready_line: str
    ) -> None:
        super().__init__(config)
        self._desk = desk
        self._following = following
        self._ready_line = ready_line

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._follower = asyncio.create_task(self._following())
        sys.stderr.write(self._ready_line)
        sys.stderr.flush()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        self._desk.tick()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what is under way, and end."""
        self._desk.pool.draining = True
        self._follower.cancel()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals as uvicorn does, without raising them again, which ends an orderly stop with a failure."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        heard = [
            number for number in _STOPPING if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN
        ]
        before = {number: signal.signal(number, self.handle_exit) for number in heard}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _ready_line(generators: Mapping[str, ImageGenerator], listener: socket.socket, api_key: str | None) -> str:
    host, port = listener.getsockname()[:2]
    base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    example = f"{base}/v1/models/{quote(next(iter(generators)), safe='')}/sample?n=16&seed=7"
    key = "-H 'X-API-Key: KEY' " if api_key else ""
    return f"Serving {', '.join(generators)} at {base}/ - try: curl {key}'{example}' -o samples.png\n"
