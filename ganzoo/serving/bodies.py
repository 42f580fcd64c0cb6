"""A request's body, with bounds on its size and on how long it may take."""

import asyncio

from starlette.requests import ClientDisconnect, Request

from ganzoo.errors import GanzooError

BODY_BYTES = 8 << 20
"""Most bytes of a body."""

BODY_SECONDS = 30
"""Seconds that a body may take to arrive."""


CUT = "ganzoo.cut"
"""Name in the state of a request whose body ended before its end."""


class MalformedError(GanzooError):
    """A body that is not what its headers say."""


class SlowError(GanzooError):
    """A body that did not arrive in time."""


class TooLargeError(GanzooError):
    """A body that has too many bytes."""


async def read_body(request: Request) -> bytes:
    """All bytes of the body.

    Raises:
        MalformedError: it is compressed, or the client left.
        TooLargeError, SlowError: as their names say.
    """
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise MalformedError("the body is compressed", hint="send it as it is, without Content-Encoding")
    size = int(request.headers.get("Content-Length", "0"))  # digits, as the parser has seen
    parts: list[bytes] = []
    received = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            stream = request.stream()
            while max(size, received) <= BODY_BYTES and (part := await anext(stream, b"")):
                parts.append(part)
                received += len(part)
    except TimeoutError:
        raise SlowError(
            f"the body took over {BODY_SECONDS} seconds", hint="send as many bytes as Content-Length says"
        ) from None
    except ClientDisconnect:
        raise MalformedError("the body ended early") from None
    if request.scope.get("state", {}).get(CUT):
        hint = "send as many bytes as Content-Length says, or whole chunks"
        raise MalformedError("the body ended early, or is not what its headers say", hint=hint)
    if max(size, received) > BODY_BYTES:
        raise TooLargeError(f"the body has over {BODY_BYTES} bytes", hint="ask for fewer images at once, or in binary")
    return b"".join(parts)
