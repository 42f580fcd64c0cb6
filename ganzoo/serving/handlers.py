"""The routes for people and their programs: images, what there is, and how the server is."""

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import PurePosixPath
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ganzoo.errors import GanzooError, NotFiniteError, NotFoundError, did_you_mean
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.runtime.labels import composed
from ganzoo.serving import metrics
from ganzoo.serving.connection import GONE, ROOM
from ganzoo.serving.endpoints import Endpoint
from ganzoo.serving.formats import FORMATS
from ganzoo.serving.jobs import Job
from ganzoo.serving.pool import DeadlineError, LeftError, OverloadedError, Pool
from ganzoo.serving.query import PARAMETERS, ImagesQuery, schemas
from ganzoo.web import facts, files

_PAGE_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_REASONS: Mapping[type[GanzooError], str] = {OverloadedError: "queue", DeadlineError: "deadline", LeftError: "left"}


class Served:
    """The models of a server, and the pool that makes their images.

    Args:
        generators: by the name that URLs use; one that follows an alias is replaced while the server runs.
        pool: where images are made.
    """

    def __init__(self, generators: Mapping[str, ImageGenerator], pool: Pool) -> None:
        self.generators = generators
        self.pool = pool

    def find(self, request: Request) -> tuple[str, ImageGenerator]:
        """The name in a request's path, and what it stands for.

        Raises:
            NotFoundError: nothing.
        """
        name = composed(request.path_params["name"])
        generator = self.generators.get(name)
        if generator is None:
            raise NotFoundError(f"no model {name!r} is served here", hint=did_you_mean(name, self.generators))
        return name, generator

    async def answer(self, request: Request, name: str, job: Job) -> bytes:
        """The answer of a job, for as long as the client is there.

        Raises:
            OverloadedError, DeadlineError, LeftError: it cannot be made, not in time, or for nobody.
            Whatever the job raises.
        """
        state = request.scope.get("state", {})
        gone, wait_for_room = state.get(GONE, bool), state.get(ROOM)
        job.wanted = lambda: not gone()
        told = self.pool.metrics
        try:
            if wait_for_room is not None and not await wait_for_room(job.images):
                raise self.pool.refusal()
            body = await self.pool.run(job)
        except asyncio.CancelledError:  # the server stops, and has waited for as long as it promises
            raise OverloadedError("the server is stopping", hint="try again in a second") from None
        except GanzooError as error:
            told.not_finite += isinstance(error, NotFiniteError)
            if type(error) in _REASONS:
                told.refused[_REASONS[type(error)]] += 1
            raise
        told.images[name] += job.images
        return body


class Handlers:
    """The handlers.

    Args:
        served: what there is.
    """

    def __init__(self, served: Served) -> None:
        self._served = served
        self._page = files("over_http")

    def endpoints(self) -> list[Endpoint]:
        """The routes."""
        media_types = tuple(dict.fromkeys(form.media_type for form in FORMATS.values()))
        images = [
            Endpoint(
                path=f"/v1/models/{{name}}/{kind}",
                handler=partial(self.images, kind),
                summary=summary,
                media_types=media_types,
                query=schemas(kind),
                required=[name for name, each in PARAMETERS[kind].items() if each.default is None and name != "seed"],
            )
            for kind, summary in (
                ("sample", "Images of a seed"),
                ("interpolate", "Images on the way between two seeds"),
            )
        ]
        return [
            Endpoint(
                path="/",
                handler=self.page,
                summary="A page to look at",
                media_types=["text/html; charset=utf-8"],
                free=True,  # it asks for the key itself
            ),
            Endpoint(
                path="/page/{file}",
                handler=self.part,
                summary="A script or style of the page",
                media_types=["text/css; charset=utf-8", "text/javascript; charset=utf-8"],
                free=True,
            ),
            Endpoint(path="/healthz", handler=self.health, summary="Whether the server runs", free=True),
            Endpoint(path="/readyz", handler=self.ready, summary="Whether to send requests here", free=True),
            Endpoint(
                path="/metrics",
                handler=self.metrics,
                summary="Numbers for Prometheus",
                media_types=[metrics.MEDIA_TYPE],
            ),
            Endpoint(path="/v1/models", handler=self.models, summary="What is served"),
            Endpoint(path="/v1/models/{name}", handler=self.model, summary="A model"),
            *images,
        ]

    async def page(self, _: Request) -> Response:
        """A page to look at."""
        return self._file("index.html")

    async def part(self, request: Request) -> Response:
        """A script or style of the page."""
        return self._file(f"page/{request.path_params['file']}")

    def _file(self, name: str) -> Response:
        if name not in self._page:
            raise HTTPException(404)
        headers = {"Cache-Control": "no-cache", "Content-Security-Policy": _POLICY}
        return Response(self._page[name], media_type=_PAGE_TYPES[PurePosixPath(name).suffix], headers=headers)

    async def health(self, _: Request) -> Response:
        """Whether the server runs: it does if this comes."""
        return JSONResponse({"status": "ok"})

    async def ready(self, _: Request) -> Response:
        """Whether to send requests here."""
        draining = self._served.pool.draining
        return JSONResponse({"status": "draining" if draining else "ready"}, status_code=503 if draining else 200)

    async def metrics(self, _: Request) -> Response:
        """Numbers for Prometheus."""
        pool = self._served.pool
        return Response(pool.metrics.text(pool.waiting), media_type=metrics.MEDIA_TYPE)

    async def models(self, _: Request) -> Response:
        """What is served."""
        found = self._served.generators.items()
        return JSONResponse({"models": [_describe(name, generator, "models/") for name, generator in found]})

    async def model(self, request: Request) -> Response:
        """One model."""
        return JSONResponse(_describe(*self._served.find(request), ""))

    async def images(self, kind: str, request: Request) -> Response:
        """Images of one of the kinds of ``ganzoo.serving.query``."""
        name, generator = self._served.find(request)
        query = ImagesQuery.parse(kind, request.query_params.multi_items(), generator)
        etag = query.etag(generator)
        headers = {"X-Ganzoo-Seed": str(query.seed), "Cache-Control": "no-store"}
        if etag is not None:
            # no-cache: clients may keep it, but must ask each time. Later the name may stand for another version, and
            # asking is cheap.
            headers |= {"Cache-Control": "no-cache", "ETag": etag}
            if _matches(request.headers.get("If-None-Match", ""), etag):
                return Response(status_code=304, headers=headers)
        media_type = FORMATS[query.format].media_type
        if request.method == "HEAD":  # as GET, but for the length, which only the images have (RFC 9110, 9.3.2)
            head = Response(media_type=media_type, headers=headers)
            del head.headers["content-length"]
            return head
        body = await self._served.answer(request, name, query.job(generator))
        return Response(body, media_type=media_type, headers=headers)


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
