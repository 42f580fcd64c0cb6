"""The protocol of a connection: uvicorn's, with bounds on what a client may hold, send and leave unread.

uvicorn's own bounds begin where a request's head is complete. A client that never gets so far, or sends a head without
an end, would hold a descriptor, memory and the event loop for as long as it likes.
"""

import asyncio
import functools
import socket
from http import HTTPStatus
from typing import Any

import httptools
from starlette.types import Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ganzoo.serving.bodies import CUT
from ganzoo.serving.desk import HEAD_SECONDS, HOLD_SECONDS, Desk
from ganzoo.serving.query import images_asked, makes_images
from ganzoo.serving.refusals import in_json, send_json

HEAD_BYTES = 64 << 10
"""Most bytes of a request's head: its line and all headers."""

LINGER_SECONDS = 2
"""Seconds in which what a refused client still sends is thrown away: a close would keep it from reading the refusal."""

LAST_SECONDS = 0.5
"""Seconds that a connection without a request stays when the server ends: a request may be on its way already."""

UNREAD_SECONDS = 30
"""Seconds that a client may take nothing of an answer that is there."""

MOST_PIPELINED = 16
"""Most requests of a connection that wait for the answers before theirs; a client that sends more is cut off there."""

GONE, ROOM = "ganzoo.gone", "ganzoo.room"
"""Names in the state of a request: a function that tells, in any thread, whether the client is known to have left; and
one that waits for room for so many images, and tells whether there is."""


class Connection(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *, desk: Desk, **options: Any) -> None:
        super().__init__(**options)
        self._desk = desk
        self._routes = self.app
        self._received = 0  # bytes since a head, or a part of a body, was complete
        self._head = 0  # bytes of the head that is being read
        self._refused = False
        self._unreadable = False  # what still comes is no request
        self._running: RequestResponseCycle | None = None  # whose answer is being made
        self._ended = False  # the client has sent all, or has left
        self._unread = (0, 0.0)  # bytes of answers that the client has not taken -> since when it takes none

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or refuse it where all places are taken by requests under way."""
        fits = self._desk.make_place()
        super().connection_made(transport)
        self._desk.open.add(self)
        self._desk.idle[self] = self._desk.clock()
        if not fits:
            self._refuse(503, "too many connections", "try again in a second")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._desk.idle.pop(self, None)
        self._desk.open.discard(self)
        if held := self._desk.held.get(self):
            held.decide(False)
        for cycle in [self._running, *(cycle for cycle, _ in self.pipeline)]:  # uvicorn marks the last one alone
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, as far as the bounds allow."""
        if self._refused or self._unreadable:
            return
        self._unset_keepalive_if_required()
        self._received += len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self._refuse(400, "this is no HTTP request", "percent-encode the URL, and use plain HTTP/1.1")
            return
        if self._received > HEAD_BYTES:
            self._refuse(431, f"the request's head has over {HEAD_BYTES} bytes", "send fewer headers")

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:  # to no other protocol: answered as if it had not been asked for
            self.cycle.keep_alive = False
            self._read_body(data[upgrade.args[0] :])

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio has it so: whether the other half stays open
        """Answer what is under way to a client that has sent all that it wanted to send.

        One that has left looks the same, but answers anything with a reset: an interim response tells which it is
        before its images are made. Clients of HTTP/1.1 pass over it (RFC 9110, 15.2).
        """
        if self.cycle is None or self.cycle.response_complete:
            return False
        self.cycle.keep_alive = False
        self._ended = True
        self._cut()
        if makes_images(self.url) and self.scope["http_version"] == "1.1" and not self.cycle.response_started:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def gone(self) -> bool:
        """Whether the client is known to have left; asked in any thread."""
        if self._ended and not self.transport.is_closing():
            # Nothing is read of a connection after its end, so nobody else has noticed a reset.
            try:
                return bool(self.transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
            except OSError:  # it was closed meanwhile
                return True
        return self.transport.is_closing()

    def on_message_begin(self) -> None:
        """Begin to count."""
        self._head = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count."""
        self._head += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count."""
        self._head += len(name) + len(value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Answer the request, refuse it here, before it costs a route and a query, or let it wait."""
        if len(self.pipeline) >= MOST_PIPELINED:
            raise OverflowError("too many requests at once")  # which ends the parser
        self._received = 0
        counted = bool(images_asked(self.url))
        self.scope["state"] |= {GONE: self.gone, ROOM: functools.partial(self._wait_for_room, counted)}
        self.app = self._routes
        if self._head > HEAD_BYTES:
            self.app, self.url = self._answer_too_large, b"/"
        elif self.parser.get_http_version() == "1.1" and [name for name, _ in self.headers].count(b"host") != 1:
            self.app, self.url = self._answer_no_host, b"/"
        elif (images := images_asked(self.url)) and (self._desk.held or images > self._desk.pool.room):
            self.app = functools.partial(self._answer_later, images)
        super().on_headers_complete()
        if not self.pipeline:
            self._running = self.cycle
        if self._desk.pool.draining:
            self.cycle.keep_alive = False
        self._desk.idle.pop(self, None)

    def on_body(self, body: bytes) -> None:
        """Keep it for a POST; nothing else needs one."""
        self._received = 0
        if self.scope["method"] == "POST":
            super().on_body(body)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._running = self.pipeline[-1][0] if self.pipeline else None
        super().on_response_complete()
        if self.cycle.response_complete and self in self._desk.open:
            self._desk.idle.pop(self, None)
            self._desk.idle[self] = self._desk.clock()

    def shutdown(self) -> None:
        """End with the request that is under way, or may be on its way: what has no answer would be lost."""
        if self.cycle is not None and not self.cycle.response_complete:
            super().shutdown()
        else:
            # In two steps: between them the loop has read what had come, however late it is itself.
            self.loop.call_later(LAST_SECONDS / 2, self.loop.call_later, LAST_SECONDS / 2, super().shutdown)

    def give_up_waiting(self) -> None:
        """Close it, for its head took too long to come."""
        if self.transport.get_write_buffer_size():
            return  # it is still busy with the last answer
        if self._received:
            self._refuse(408, f"the request's head took over {HEAD_SECONDS} seconds", "send it at once")
        else:
            self.leave()

    def leave(self) -> None:
        """Close it at once, and forget it before the event loop says that it is lost."""
        self._desk.idle.pop(self, None)
        self._desk.open.discard(self)
        self.transport.abort()

    def check_progress(self, now: float) -> None:
        """Close it if its client takes nothing of an answer that is there."""
        size = self.transport.get_write_buffer_size()
        unread, since = self._unread
        if not size or size != unread:
            self._unread = (size, now)
        elif since < now - UNREAD_SECONDS:
            self.leave()

    def _refuse(self, status: int, error: str, hint: str) -> None:
        """Answer what is no request, and end. What is under way is answered instead, and nothing after it."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False
            self._unreadable = True
            self._cut()
            return
        self._desk.idle.pop(self, None)
        if self._refused or self.transport.is_closing():
            return
        self._desk.count(status, "connections" if status == 503 else "malformed")
        more = {"connection": "close"} | ({"retry-after": str(HOLD_SECONDS)} if status == 503 else {})
        headers, body = in_json(error, hint, more)
        lines = [b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode())]
        lines += [name + b": " + value for name, value in [*self.server_state.default_headers, *headers]]
        self.transport.write(b"\r\n".join([*lines, b"", body]))
        self.transport.write_eof()
        self._refused = True
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def _cut(self) -> None:
        """No more of a body comes: have the request that waits for it go on, and say so."""
        if self.cycle.more_body:
            self.cycle.scope["state"][CUT] = True
            self.cycle.more_body = False
            self.cycle.message_event.set()

    def _read_body(self, data: bytes) -> None:
        """Read the body of a request for an upgrade, of which httptools reads the head alone (RFC 9110, 7.8)."""
        framing = [each for each in self.headers if each[0] in (b"content-length", b"transfer-encoding")]
        if not framing:
            return
        self.cycle.more_body = True
        self.parser = httptools.HttpRequestParser(_Body(self))
        self.parser.feed_data(b"\r\n".join([b"POST / HTTP/1.1", *(b": ".join(each) for each in framing), b"", b""]))
        self.parser.feed_data(data)

    async def _wait_for_room(self, counted: bool, images: int) -> bool:
        """Wait behind those that wait already; one counted by its URL has done so, and waits if that is past."""
        if images <= self._desk.pool.room and (counted or not self._desk.held):
            return True
        return await self._desk.wait_for_room(self, images)

    async def _answer_too_large(self, scope: Any, receive: Any, send: Send) -> None:
        error = f"the request's head has over {HEAD_BYTES} bytes"
        self._desk.count(431, "malformed")
        await send_json(send, 431, error, "send fewer headers", {"connection": "close"})

    async def _answer_no_host(self, scope: Any, receive: Any, send: Send) -> None:
        """RFC 9112, 3.2: a server must refuse it, since it and a proxy may take it for requests to different hosts."""
        self._desk.count(400, "malformed")
        await send_json(send, 400, "there must be one Host header", "send Host: NAME once", {"connection": "close"})

    async def _answer_later(self, images: int, scope: Any, receive: Any, send: Send) -> None:
        try:
            if await self._desk.wait_for_room(self, images):
                await self._routes(scope, receive, send)
            else:
                self._desk.count(503, "queue")
                error, retry = self._desk.pool.refusal(), {"retry-after": str(HOLD_SECONDS)}
                await send_json(send, 503, str(error), error.hint or "", retry)
        finally:
            self._desk.admit()  # a request that needed no room in the end frees what was kept for it


class _Body:
    """What a parser calls that reads a body alone, and nothing behind it."""

    def __init__(self, connection: Connection) -> None:
        self.on_body = connection.on_body
        self.on_message_complete = connection.on_message_complete
