"""What stands between a connection and the routes: the API key, and the count of answers."""

import hmac
from collections.abc import Mapping

from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ganzoo.errors import UsageError
from ganzoo.serving.endpoints import Handler
from ganzoo.serving.metrics import UNROUTED, Metrics
from ganzoo.serving.refusals import send_json

SAFE_HEADERS = [("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer")]
"""Headers of every answer."""


class Guard:
    """An ASGI application around the routes.

    Args:
        app: the routes.
        metrics: where answers are counted.
        route_of: endpoint -> its path, as routes are written.
        free: paths that need no key, as routes are written.
        key: the API key; None: none is asked for.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        route_of: Mapping[Handler, str],
        free: set[str],
        key: str | None,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._route_of = route_of
        self._free = [compile_path(path)[0] for path in free]
        self._key = None if key is None else key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse, and count."""

        async def count(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = self._route_of.get(scope.get("endpoint"), UNROUTED)  # type: ignore[arg-type]  # or None
                self._metrics.requests[route, message["status"]] += 1
            await send(message)

        if self._key is not None and not self._admits(scope, self._key):
            hint = "send it: Authorization: Bearer KEY, or X-API-Key: KEY"
            await send_json(count, 401, "this needs an API key", hint, {"www-authenticate": "Bearer"})
            return
        try:
            await self._app(scope, receive, count)
        except Exception:  # it is answered and logged further out
            self._metrics.requests[self._route_of.get(scope.get("endpoint"), UNROUTED), 500] += 1  # type: ignore[arg-type]
            raise

    def _admits(self, scope: Scope, key: bytes) -> bool:
        """Whether what is asked for is free, or the key is there: compared in a time that tells nothing of it."""
        if any(path.match(scope["path"]) for path in self._free):
            return True
        headers = dict(scope["headers"])
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        given = token.strip() if scheme.lower() == b"bearer" else headers.get(b"x-api-key", b"")
        return hmac.compare_digest(given, key)


def check_key(key: str | None) -> None:
    """Refuse a key that no header can hold, or that is none.

    Raises:
        UsageError: it is empty, or has other characters than visible ones of ASCII.
    """
    if key is not None and not (key.isascii() and key.isprintable() and key.strip() == key and key):
        raise UsageError(
            "the API key must be visible characters of ASCII, without spaces at its ends",
            hint="for example: openssl rand -hex 32",
        )
