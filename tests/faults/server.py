"""A server on loopback with a fault for every occasion: what is wrong is chosen by the name of the model that is asked.

A member is named after its fault, so that one server serves a sound member and a faulty one side by side.
"""

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["ANSWERS", "EITHER", "FAULTS", "HANGING", "Faulty", "serving"]

ANSWER = "The answer is 4."


class Faulty(ThreadingHTTPServer):
    """The server.

    Attributes:
        let_go: Set when the test is over: what hangs hangs until then.
        url: The base address of its API.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.let_go = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away is part of most faults."""


@contextlib.contextmanager
def serving() -> Iterator[Faulty]:
    """Serve until the block ends."""
    server = Faulty()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.let_go.set()
        server.shutdown()
        server.server_close()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    server: Faulty

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.n = body.get("n", 1)
        FAULTS.get(body["model"], sound)(self)

    def do_GET(self) -> None:  # where a redirect leads
        self.send(b"not here", status=404)

    def send(self, body: bytes, *, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        self.begin(len(body), status=status, kind=kind, **headers)
        self.wfile.write(body)

    def begin(self, length: int, *, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        headers = {"Content_Type": kind, "Content_Length": str(length), **headers}
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def reset(self) -> None:
        """Break the connection off, so that the client reads a reset and no orderly end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, *args: Any) -> None:
        pass


Fault = Callable[[Handler], None]


def completion(n: int = 1, content: Any = ANSWER, **changes: Any) -> dict[str, Any]:
    """Return a sound completion, with changes."""
    choices = [
        {"index": i, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"} for i in range(n)
    ]
    usage = {"prompt_tokens": 10, "completion_tokens": 5 * n, "total_tokens": 10 + 5 * n}
    whole = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": choices, "usage": usage}
    return {**whole, **changes}


def sound(handler: Handler) -> None:
    handler.send(json.dumps(completion(handler.n)).encode())


def _status(status: int, **headers: str) -> Fault:
    error = {"error": {"message": "no", "type": "x", "code": None, "param": None}}
    return lambda handler: handler.send(json.dumps(error).encode(), status=status, **headers)


def _value(make: Callable[[int], Any]) -> Fault:
    return lambda handler: handler.send(json.dumps(make(handler.n)).encode())


def _raw(body: bytes, **options: Any) -> Fault:
    return lambda handler: handler.send(body, **options)


def _reset_at_once(handler: Handler) -> None:
    handler.reset()


def _reset_in_the_body(handler: Handler) -> None:
    handler.begin(1000)
    handler.wfile.write(b'{"id": "1", "choices": [')
    handler.reset()


def _truncated(handler: Handler) -> None:
    body = json.dumps(completion(handler.n)).encode()
    handler.begin(len(body))
    handler.wfile.write(body[: len(body) // 2])
    handler.close_connection = True


def _hangs(handler: Handler) -> None:
    handler.server.let_go.wait()


def _hangs_in_the_body(handler: Handler) -> None:
    handler.begin(1000)
    handler.wfile.write(b'{"id": ')
    handler.server.let_go.wait()


def _dribbles(handler: Handler) -> None:
    """A byte every twentieth of a second: no read ever takes long, and the whole never ends."""
    handler.begin(100_000)
    while not handler.server.let_go.wait(0.05):
        handler.wfile.write(b" ")


def _redirects(handler: Handler) -> None:
    handler.send(b"", status=302, Location="/v1/chat/completions")


def _redirects_to_itself(handler: Handler) -> None:
    handler.send(b"", status=307, Location=handler.path)


def _deep(depth: int) -> Fault:
    return _raw(b'{"choices": ' + b"[" * depth + b"]" * depth + b"}")


def _usage(**usage: Any) -> Fault:
    return _value(lambda n: completion(n, usage=usage))


# By name: what the member is called, and what is wrong with its server.
FAULTS: dict[str, Fault] = {
    **{f"status {status}": _status(status) for status in (400, 401, 403, 404, 408, 409, 422, 500, 502, 503, 504)},
    "status 429": _status(429, Retry_After="0"),
    "retry after a day": _status(429, Retry_After="86400"),
    "reset": _reset_at_once,
    "reset in the body": _reset_in_the_body,
    "truncated": _truncated,
    "hangs": _hangs,
    "hangs in the body": _hangs_in_the_body,
    "dribbles": _dribbles,
    "redirects": _redirects,
    "redirects to itself": _redirects_to_itself,
    "empty body": _raw(b""),
    "no JSON": _raw(b"<html>busy</html>", kind="text/html"),
    "JSON null": _raw(b"null"),
    "JSON number": _raw(b"7"),
    "JSON list": _raw(b"[]"),
    "not UTF-8": _raw(b"\xff\xfe\x00"),
    "error in a 200": _value(lambda _: {"error": {"message": "overloaded", "code": 503}}),
    "no choices": _value(lambda _: completion(0)),
    "choices null": _value(lambda _: completion(choices=None)),
    "choices a text": _value(lambda _: completion(choices="4")),
    "message null": _value(
        lambda n: completion(n, choices=[{"index": 0, "message": None, "finish_reason": "stop"}] * n)
    ),
    "content a number": _value(lambda n: completion(n, content=4)),
    "content a list": _value(lambda n: completion(n, content=[{"type": "nonsense"}])),
    "content null": _value(lambda n: completion(n, content=None)),
    "too few choices": _value(lambda n: completion(max(1, n - 1))),
    "too many choices": _value(lambda n: completion(n + 3)),
    "huge body": _value(lambda n: completion(n, content="x " * 1_500_000)),
    "deep body": _deep(50_000),
    "usage null": _value(lambda n: completion(n, usage=None)),
    "usage negative": _usage(prompt_tokens=-1000, completion_tokens=-500, total_tokens=-1500),
    "usage a text": _usage(prompt_tokens="many", completion_tokens="few", total_tokens="all"),
    "usage enormous": _usage(prompt_tokens=10**30, completion_tokens=10**30, total_tokens=2 * 10**30),
}
# Of these the faulty member's own answer is as good as any: only what is beside it is wrong.
ANSWERS = {"too few choices", "too many choices", "usage null", "usage negative", "usage enormous"}
# Of these the client decides: one refuses the whole reply, another leaves out what it cannot read.
EITHER = {"usage a text"}
HANGING = {"hangs", "hangs in the body", "dribbles"}
