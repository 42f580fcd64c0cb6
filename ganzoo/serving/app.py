"""The HTTP interface: routes that answer in JSON or images, and a page to look at."""

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import cast
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from ganzoo.errors import GanzooError, NotFoundError, UsageError, described, did_you_mean, message
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.runtime.labels import composed
from ganzoo.serving.connection import GONE
from ganzoo.serving.formats import FORMATS
from ganzoo.serving.jobs import Job
from ganzoo.serving.pool import DeadlineError, OverloadedError, Pool
from ganzoo.serving.query import PARAMETERS, ImagesQuery
from ganzoo.web import facts, files

_STATUS: dict[type[GanzooError], int] = {UsageError: 422, NotFoundError: 404, OverloadedError: 503, DeadlineError: 504}


_METHODS = ["GET", "HEAD"]

_PAGE_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}

_log = logging.getLogger("uvicorn.error")


def create_app(generators: Mapping[str, ImageGenerator], pool: Pool | None = None) -> Starlette:
    """The ASGI application.

    Args:
        generators: by the name that URLs use; load them with ``threads=1``, since requests run side by side.
        pool: where images are made; None: one thread per usable core, and the default number of waiting images.
    """
    handlers = _Handlers(generators, pool or Pool())
    app = Starlette(
        routes=[
            Route("/", handlers.page, methods=_METHODS),
            Route("/page/{file}", handlers.page, methods=_METHODS),
            Route("/favicon.ico", handlers.icon, methods=_METHODS),
            Route("/healthz", handlers.health, methods=_METHODS),
            Route("/v1/models", handlers.models, methods=_METHODS),
            Route("/v1/models/{name}", handlers.model, methods=_METHODS),
            *(
                Route(f"/v1/models/{{name}}/{kind}", partial(handlers.images, kind), methods=_METHODS)
                for kind in PARAMETERS
            ),
            Route("/{path:path}/", _without_slash, methods=_METHODS),
        ],
        exception_handlers={
            HTTPException: _http_error,
            GanzooError: _ganzoo_error,
            Exception: _unexpected_error,
        },
    )
    app.router.redirect_slashes = False  # Starlette's redirects are absolute, and lose a proxy's prefix
    return app


class _Handlers:
    def __init__(self, generators: Mapping[str, ImageGenerator], pool: Pool) -> None:
        self._generators = generators
        self._pool = pool
        self._page = files("over_http")

    async def page(self, request: Request) -> Response:
        """A file of the page to look at."""
        name = f"page/{request.path_params['file']}" if request.path_params else "index.html"
        if name not in self._page:
            raise HTTPException(404)
        media_type = _PAGE_TYPES[PurePosixPath(name).suffix]
        return Response(self._page[name], media_type=media_type, headers={"Cache-Control": "no-cache"})

    async def icon(self, _: Request) -> Response:
        """Nothing: browsers ask for it by themselves, and a 404 of each would fill the log."""
        return Response(status_code=204)

    async def health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def models(self, _: Request) -> Response:
        return JSONResponse({"models": [_describe(name, each, "models/") for name, each in self._generators.items()]})

    async def model(self, request: Request) -> Response:
        name, generator = self._find(request)
        return JSONResponse(_describe(name, generator, ""))

    async def images(self, kind: str, request: Request) -> Response:
        """Images of one of the kinds of ``ganzoo.serving.query``."""
        _, generator = self._find(request)
        query = ImagesQuery.parse(kind, request.query_params.multi_items(), generator)
        etag = query.etag(generator)
        headers = {"X-Ganzoo-Seed": str(query.seed), "Cache-Control": "no-store"}
        if etag is not None:
            # no-cache: clients may keep it, but must ask each time. After a restart the name may stand for another
            # version, and asking is cheap.
            headers |= {"Cache-Control": "no-cache", "ETag": etag}
            if _matches(request.headers.get("If-None-Match", ""), etag):
                return Response(status_code=304, headers=headers)
        media_type = FORMATS[query.format].media_type
        if request.method == "HEAD":  # as GET, but for the length, which only the images have (RFC 9110, 9.3.2)
            head = Response(media_type=media_type, headers=headers)
            del head.headers["content-length"]
            return head
        gone = request.scope.get("state", {}).get(GONE, bool)
        body = await self._run(query.job(generator, lambda: not gone()))
        return Response(body, media_type=media_type, headers=headers)

    async def _run(self, job: Job) -> bytes:
        try:
            return await self._pool.run(job)
        except asyncio.CancelledError:  # the server stops, and has waited for as long as it promises
            raise OverloadedError("the server is stopping", hint="try again in a second") from None

    def _find(self, request: Request) -> tuple[str, ImageGenerator]:
        name = composed(request.path_params["name"])
        generator = self._generators.get(name)
        if generator is None:
            raise NotFoundError(f"no model {name!r} is served here", hint=did_you_mean(name, self._generators))
        return name, generator


def _describe(name: str, generator: ImageGenerator, folder: str) -> dict[str, object]:
    """A model's description; its URLs are relative to the answer's own, so that they are right behind a prefix, too."""
    return {
        **facts(name, generator.card),
        "sha256": generator.sha256,
        "device": generator.device,
        "urls": {kind: f"{folder}{quote(name, safe='')}/{kind}" for kind in PARAMETERS},
    }


def _matches(header: str, etag: str) -> bool:
    """If-None-Match compares weakly (RFC 9110, 13.1.2): a cache may have put W/ before our tag."""
    return header.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in header.split(","))


def _error(status: int, message: str, hint: str | None, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": message, "hint": hint}, status_code=status, headers=headers)


async def _without_slash(request: Request) -> Response:
    """The same path without the slash at its end; relative, as the page's links are."""
    last = request.path_params["path"].rpartition("/")[2]
    query = request.url.query
    return RedirectResponse(f"../{quote(last, safe='')}" + f"?{query}" * bool(query))


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
    return _error(status, str(error), error.hint, {"Retry-After": "1"} if status == 503 else None)


async def _http_error(_: Request, exception: Exception) -> Response:
    error = cast(HTTPException, exception)
    hint = "use GET or HEAD" if error.status_code == 405 else "GET /v1/models lists what there is"
    return _error(error.status_code, error.detail.lower(), hint, error.headers)


async def _unexpected_error(request: Request, error: Exception) -> Response:
    """A bug of ours; Starlette raises it again after this answer, so the server's log has the traceback, too."""
    _log_fault(request, described(error))
    return _error(500, "internal error", "the server's log has the details")
