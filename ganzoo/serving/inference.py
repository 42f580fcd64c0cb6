"""The Open Inference Protocol, version 2: tensors in, tensors out, as Triton and KServe speak it.

The graph's inputs and its output are the tensors; images are float32, nominally in [-1, 1].
https://github.com/kserve/open-inference-protocol, with Triton's extension for binary tensors.
"""

import asyncio
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ganzoo.errors import NotFoundError
from ganzoo.runtime.card import GeneratorCard
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.serving.bodies import read_body
from ganzoo.serving.endpoints import Endpoint
from ganzoo.serving.handlers import Served
from ganzoo.serving.tensors import HEAD_LENGTH, InferRequest, signature
from ganzoo.version import __version__

_BINARY = "application/octet-stream"


class Handlers:
    """The handlers.

    Args:
        served: what there is.
    """

    def __init__(self, served: Served) -> None:
        self._served = served

    def endpoints(self) -> list[Endpoint]:
        """The routes."""
        found = [
            Endpoint(path="/v2", handler=self.server, summary="The server (Open Inference Protocol)"),
            Endpoint(path="/v2/health/live", handler=self.live, summary="Whether the server runs"),
            Endpoint(path="/v2/health/ready", handler=self.ready, summary="Whether to send requests here"),
        ]
        for path in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
            # A handler is a route's own: partial makes another one of each.
            found += [
                Endpoint(path=path, handler=partial(self.model), summary="A model's tensors"),
                Endpoint(path=f"{path}/ready", handler=partial(self.model_ready), summary="Whether a model is ready"),
                Endpoint(
                    path=f"{path}/infer",
                    handler=partial(self.infer),
                    summary="Images of latents",
                    method="POST",
                    media_types=["application/json", _BINARY],
                    body=["application/json", _BINARY],
                ),
            ]
        return found

    async def server(self, _: Request) -> Response:
        """The server."""
        return JSONResponse({"name": "ganzoo", "version": __version__, "extensions": ["binary_tensor_data"]})

    async def live(self, _: Request) -> Response:
        """Whether the server runs: it does if this comes."""
        return JSONResponse({"live": True})

    async def ready(self, _: Request) -> Response:
        """Whether to send requests here."""
        ready = not self._served.pool.draining
        return JSONResponse({"ready": ready}, status_code=200 if ready else 503)

    async def model(self, request: Request) -> Response:
        """A model's tensors."""
        name, generator = self._find(request)
        inputs, output = signature(generator.card)
        return JSONResponse(
            {
                "name": name,
                "versions": [_version(generator.card)],
                "platform": "onnxruntime_onnx",
                "inputs": [each.described() for each in inputs.values()],
                "outputs": [output.described()],
            }
        )

    async def model_ready(self, request: Request) -> Response:
        """Whether a model is ready: what is served is."""
        name, _ = self._find(request)
        return JSONResponse({"name": name, "ready": True})

    async def infer(self, request: Request) -> Response:
        """Images of latents."""
        name, generator = self._find(request)
        body = await read_body(request)
        # In a thread: to make arrays of numbers takes long. JSON's parser itself holds others up, for 20 ms a megabyte.
        asked = await asyncio.to_thread(InferRequest.parse, body, request.headers.get(HEAD_LENGTH), generator.card)
        head = {"model_name": name, "model_version": _version(generator.card), **asked.identity}
        job, head_length = asked.job(generator, head)
        content = await self._served.answer(request, name, job)
        if head_length is None:
            return Response(content, media_type="application/json")
        return Response(content, media_type=_BINARY, headers={HEAD_LENGTH: str(head_length)})

    def _find(self, request: Request) -> tuple[str, ImageGenerator]:
        name, generator = self._served.find(request)
        version = request.path_params.get("version")
        if version not in (None, _version(generator.card)):
            raise NotFoundError(
                f"{name} has no version {version!r} here", hint=f"its version is {_version(generator.card)}"
            )
        return name, generator


def _version(card: GeneratorCard) -> str:
    """A file that is of no version is its own first one."""
    return str(card.version or 1)
