"""One HTTP server for every protocol: it keeps what arrives and hands each request to the protocol."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

from .breaks import broken_off
from .replies import Break, Fault, Reply

__all__ = ["Loopback", "Protocol", "Request", "Response", "Script", "serving", "sse"]


@dataclass(frozen=True)
class Request:
    """A request as it arrived.

    Attributes:
        method: GET, POST or PATCH.
        path: The path with its query.
        headers: The headers, names in lower case.
        body: The JSON of the body; `None` if there is no body.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Response:
    """What goes back.

    Attributes:
        body: The parts of the body; each is flushed by itself, so that a stream is one.
        status: The status of HTTP.
        kind: The content type.
        breaks: How the response breaks off, if it does.
    """

    body: Sequence[str]
    status: int = 200
    kind: str = "application/json"
    breaks: Break | None = None

    @classmethod
    def of(cls, value: Any, status: int = 200) -> "Response":
        """Return a value as JSON."""
        return cls([json.dumps(value)], status)


Script: TypeAlias = Sequence[Reply | Fault]
Protocol: TypeAlias = Callable[[Request, Callable[[], Reply | Fault]], Response]


@dataclass
class Loopback:
    """A server on loopback.

    Attributes:
        protocol: What turns a request and the script's next reply into a response.
        script: The replies, in the order of the requests that take one; the last repeats.
        requests: Every request, in the order of arrival.
        url: The address, without a path.
        error: What the protocol itself raised: both sides of a comparison would fail alike.
    """

    protocol: Protocol
    script: Script
    requests: list[Request] = field(default_factory=list)
    url: str = ""
    error: Exception | None = None
    _taken: int = 0
    _last: Reply | Fault | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def respond(self, request: Request) -> Response:
        """Return the response to a request."""
        with self._lock:
            self.requests.append(request)
            try:
                response = self.protocol(request, self._next)
            except Exception as error:
                self.error = error
                raise
            taken, self._last = self._last, None
            if isinstance(taken, Reply) and taken.breaks:
                body = broken_off(response.body, taken.breaks, getattr(self.protocol, "__name__", ""))
                return replace(response, body=body, breaks=taken.breaks)
            return response

    def _next(self) -> Reply | Fault:
        self._last = self.script[min(self._taken, len(self.script) - 1)]
        self._taken += 1
        return self._last


def sse(events: Sequence[Any], *, named: bool = False, end: str = "") -> Response:
    """Return events as a stream of server-sent events; `named` puts each event's type in front."""
    body = [(f"event: {e['type']}\n" if named else "") + f"data: {json.dumps(e)}\n\n" for e in events]
    return Response([*body, end] if end else body, kind="text/event-stream")


@contextmanager
def serving(protocol: Protocol, script: Script) -> Iterator[Loopback]:
    """Serve on a free port of 127.0.0.1 until the block ends."""
    server = Loopback(protocol, script)
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    server.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def _handler(server: Loopback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):  # HTTP/1.0: a connection a request, so that none outlives its test
        def do_POST(self) -> None:
            self._respond()

        def do_GET(self) -> None:
            self._respond()

        def do_PATCH(self) -> None:
            self._respond()

        def _respond(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if "chunked" in (self.headers.get("Transfer-Encoding") or ""):
                content = self._chunks()
            else:
                content = self.rfile.read(length) if length else b""
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = json.loads(content) if content else None
            response = server.respond(Request(self.command, self.path, headers, body))
            if response.breaks == "nothing":
                return
            self.send_response(response.status)
            self.send_header("Content-Type", response.kind)
            if response.breaks == "closes":  # promised, and never sent
                self.send_header("Content-Length", str(sum(len(part.encode()) for part in response.body) + 100))
            self.end_headers()
            for part in response.body:
                self.wfile.write(part.encode())
                self.wfile.flush()
            if response.breaks == "closes":  # aiohttp drops what it has not handed on when the connection closes
                time.sleep(0.05)

        def _chunks(self) -> bytes:
            content = b""
            while size := int(self.rfile.readline(), 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return content

        def log_message(self, *args: Any) -> None:
            pass

    return Handler
