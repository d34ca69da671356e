"""A server on loopback that speaks OpenAI's chat completions by script, and keeps what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Script = Callable[[dict[str, Any], int], Any]


@dataclass(frozen=True)
class Refused:
    """A reply that is an HTTP error."""

    status: int
    message: str


@dataclass
class OpenAIServer:
    """What the server is to say, and what it was asked.

    Attributes:
        script: (request body, number of this completion) -> a text, a message as a dict, or `Refused`; a
            "finish_reason" in the dict is the choice's.
        n: What it makes of a request for several completions: as asked, one all the same, or HTTP 400.
        requests: Every request's body, in the order of arrival.
        headers: Every request's headers.
    """

    script: Script
    n: Literal["honoured", "ignored", "refused"] = "honoured"
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    _completions: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def completions(self) -> int:
        """How many completions it made."""
        return self._completions

    def reply(self, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any] | Refused:
        with self._lock:
            self.requests.append(body)
            self.headers.append(headers)
            wanted = body.get("n") or 1
            if wanted > 1 and self.n == "refused":
                return Refused(400, "n is not supported")
            made = [self._next(body) for _ in range(wanted if self.n == "honoured" else 1)]
        if refused := next((m for m in made if isinstance(m, Refused)), None):
            return refused
        return {
            "id": f"chatcmpl-{self._completions}",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [_choice(i, m) for i, m in enumerate(made)],
            "usage": _usage(len(made)),
        }

    def _next(self, body: dict[str, Any]) -> Any:
        self._completions += 1
        return self.script(body, self._completions - 1)


def call(name: str, args: dict[str, Any] | str, call_id: str = "call_1") -> dict[str, Any]:
    """Return a message that calls a tool."""
    arguments = args if isinstance(args, str) else json.dumps(args)
    function = {"name": name, "arguments": arguments}
    return {"content": None, "tool_calls": [{"id": call_id, "type": "function", "function": function}]}


@contextmanager
def serving(script: Script | list[Any], **options: Any) -> Iterator[OpenAIServer]:
    """Serve on a free port of 127.0.0.1 until the block ends; of a list the last reply repeats."""
    rule = script if callable(script) else lambda _, turn: script[min(turn, len(script) - 1)]
    server = OpenAIServer(rule, **options)
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    server.url = f"http://127.0.0.1:{http.server_port}/v1"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def _choice(index: int, made: Any) -> dict[str, Any]:
    message = {"content": made} if isinstance(made, str) else dict(made)
    reason = message.pop("finish_reason", "tool_calls" if message.get("tool_calls") else "stop")
    return {"index": index, "finish_reason": reason, "message": {"role": "assistant", **message}}


def _usage(completions: int) -> dict[str, int]:
    return {"prompt_tokens": 10, "completion_tokens": 2 * completions, "total_tokens": 10 + 2 * completions}


def _chunks(reply: dict[str, Any]) -> Iterator[dict[str, Any]]:
    head = {**{k: reply[k] for k in ("id", "created", "model")}, "object": "chat.completion.chunk"}
    for choice in reply["choices"]:
        message = choice["message"]
        calls = [{**c, "index": i} for i, c in enumerate(message.get("tool_calls") or [])]
        delta = {"role": "assistant", **({"tool_calls": calls} if calls else {"content": message["content"]})}
        yield {**head, "choices": [{"index": choice["index"], "delta": delta, "finish_reason": None}]}
        yield {**head, "choices": [{"index": choice["index"], "delta": {}, "finish_reason": choice["finish_reason"]}]}
    yield {**head, "choices": [], "usage": reply["usage"]}


def _handler(server: OpenAIServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):  # HTTP/1.0: a connection a request, so that none outlives its test
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != "/v1/chat/completions":
                self._send(404, "application/json", json.dumps({"error": {"message": f"no {self.path}"}}))
                return
            reply = server.reply(body, dict(self.headers))
            if isinstance(reply, Refused):
                self._send(reply.status, "application/json", json.dumps({"error": {"message": reply.message}}))
            elif body.get("stream"):
                events = [f"data: {json.dumps(chunk)}\n\n" for chunk in _chunks(reply)]
                self._send(200, "text/event-stream", "".join([*events, "data: [DONE]\n\n"]))
            else:
                self._send(200, "application/json", json.dumps(reply))

        def _send(self, status: int, kind: str, text: str) -> None:
            data = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: Any) -> None:
            pass

    return Handler
