"""What a route is, for the router and for OpenAPI alike."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A route.

    Args:
        path: as Starlette writes it; those in braces are names of models and versions.
        handler: answers a request.
        summary: what it answers, in one line.
        media_types: of an answer with status 200.
        method: ``GET``, which takes ``HEAD``, too, or ``POST``.
        query: the query's parameters, by name, each a JSON schema.
        required: those of them that must be given.
        body: media types of the body that it takes.
        free: needs no API key.
    """

    path: str
    handler: Handler
    summary: str
    media_types: Sequence[str] = ("application/json",)
    method: str = "GET"
    query: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    required: Sequence[str] = ()
    body: Sequence[str] = ()
    free: bool = False

    @property
    def methods(self) -> list[str]:
        """What the router lets through."""
        return ["GET", "HEAD"] if self.method == "GET" else [self.method]
