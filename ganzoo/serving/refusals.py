"""Answers in JSON that are sent before there is a route."""

import json
from collections.abc import Mapping

from starlette.types import Send

Headers = list[tuple[bytes, bytes]]


def in_json(error: str, hint: str, more: Mapping[str, str]) -> tuple[Headers, bytes]:
    """Headers and content.

    Args:
        more: headers beside those of the content.
    """
    body = json.dumps({"error": error, "hint": hint}).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), **more}
    return [(name.encode(), value.encode()) for name, value in headers.items()], body


async def send_json(send: Send, status: int, error: str, hint: str, more: Mapping[str, str]) -> None:
    """Answer a request with them."""
    headers, body = in_json(error, hint, more)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
