"""The HTTP interface: all routes behind one guard, and every error as JSON."""

import logging
from collections.abc import Mapping
from typing import cast
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from ganzoo.errors import GanzooError, NotFoundError, UsageError, described, message
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.serving import inference
from ganzoo.serving.bodies import MalformedError, SlowError, TooLargeError
from ganzoo.serving.endpoints import Endpoint
from ganzoo.serving.guard import Guard, check_key
from ganzoo.serving.handlers import Handlers, Served
from ganzoo.serving.openapi import document
from ganzoo.serving.pool import DeadlineError, LeftError, OverloadedError, Pool

_STATUS: dict[type[GanzooError], int] = {
    MalformedError: 400,
    NotFoundError: 404,
    SlowError: 408,
    TooLargeError: 413,
    UsageError: 422,
    LeftError: 499,  # as nginx counts it; nobody reads it
    OverloadedError: 503,
    DeadlineError: 504,
}

_log = logging.getLogger("uvicorn.error")


def create_app(
    generators: Mapping[str, ImageGenerator], pool: Pool | None = None, api_key: str | None = None
) -> Starlette:
    """The ASGI application.

    Args:
        generators: by the name that URLs use; load them with ``threads=1``, since requests run side by side.
        pool: where images are made; None: one thread per usable core, and the default number of waiting images.
        api_key: what every request must show, but for the page and whether the server is there; None: nothing.

    Raises:
        UsageError: ``api_key`` is none that there can be.
    """
    check_key(api_key)
    served = Served(generators, pool or Pool())
    endpoints = [*Handlers(served).endpoints(), *inference.Handlers(served).endpoints()]

    async def openapi(_: Request) -> Response:
        return JSONResponse(document(endpoints, keyed=api_key is not None))

    endpoints.append(Endpoint(path="/openapi.json", handler=openapi, summary="This document"))
    route_of = {endpoint.handler: endpoint.path for endpoint in endpoints}
    free = {endpoint.path for endpoint in endpoints if endpoint.free}
    app = Starlette(
        routes=[
            *(Route(each.path, each.handler, methods=each.methods) for each in endpoints),
            Route("/favicon.ico", _no_icon),
            Route("/{path:path}/", _without_slash, methods=["GET", "HEAD", "POST"]),
        ],
        middleware=[Middleware(Guard, served.pool.metrics, route_of, free, api_key)],
        exception_handlers={
            HTTPException: _http_error,
            GanzooError: _ganzoo_error,
            Exception: _unexpected_error,
        },
    )
    app.router.redirect_slashes = False  # Starlette's redirects are absolute, and lose a proxy's prefix
    return app


async def _no_icon(_: Request) -> Response:
    """Nothing: browsers ask for it by themselves, and a 404 of each would fill the log."""
    return Response(status_code=204)


async def _without_slash(request: Request) -> Response:
    """The same path without the slash at its end; relative, as the page's links are."""
    last = request.path_params["path"].rpartition("/")[2]
    query = request.url.query
    return RedirectResponse(f"../{quote(last, safe='')}" + f"?{query}" * bool(query))


def _error(status: int, message: str, hint: str | None, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": message, "hint": hint}, status_code=status, headers=headers)


def _log_fault(request: Request, words: str) -> None:
    """One line on stderr, whatever the request and the error hold."""
    path = request.scope.get("raw_path", b"").decode("latin-1")
    query = request.scope["query_string"].decode("latin-1")
    _log.error("500 for %s %s: %s", request.method, repr(path + f"?{query}" * bool(query)), repr(words)[1:-1])


async def _ganzoo_error(request: Request, exception: Exception) -> Response:
    error = cast(GanzooError, exception)  # registered for this type alone
    status = _STATUS.get(type(error), 500)
    if status == 500:
        _log_fault(request, message(error))
    # After 408 the rest of a body would be taken for the next request.
    headers = {503: {"Retry-After": "1"}, 408: {"Connection": "close"}}
    return _error(status, str(error), error.hint, headers.get(status))


async def _http_error(request: Request, exception: Exception) -> Response:
    error = cast(HTTPException, exception)
    hint = "GET /v1/models lists what there is"
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        hint = "use POST" if "POST" in allowed else "use GET or HEAD"
    return _error(error.status_code, error.detail.lower(), hint, error.headers)


async def _unexpected_error(request: Request, error: Exception) -> Response:
    """A bug of ours; Starlette raises it again after this answer, so the server's log has the traceback, too."""
    _log_fault(request, described(error))
    return _error(500, "internal error", "the server's log has the details")
