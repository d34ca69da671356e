"""The application: its routes, and what they share."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from slmmux._errors import ArgumentError
from slmmux._mux.base import Mux
from slmmux.serve._body import body_of
from slmmux.serve._chat import CONFIDENCE, chat
from slmmux.serve._chat_request import ChatRequest
from slmmux.serve._faults import Strike, refusal_for
from slmmux.serve._gate import Gate
from slmmux.serve._guard import Guard
from slmmux.serve._json import JSON
from slmmux.serve._metrics import CONTENT_TYPE_LATEST, Gauge, Metrics
from slmmux.serve._page import page_routes
from slmmux.serve._presence import ClientLeftError
from slmmux.serve._refusal import RefusalError
from slmmux.serve._responses import responses
from slmmux.serve._responses_request import ResponsesRequest
from slmmux.serve._served import Served

__all__ = ["create_app"]

_LONGEST_NAME = 100  # of a model that does not exist, as an error quotes it
_CLIENT_LEFT = 499  # nobody reads it; proxies write this status into their logs

_ADDRESSES = ("/v1/chat/completions", "/v1/responses", "/v1/models", "/health", "/ready", "/metrics", "/")

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(
    models: Mapping[str, Any],
    *,
    api_key: str | None = None,
    local_only: bool = False,
    max_questions: int = 64,
    max_waiting: int = 256,
    max_body: int = 16_000_000,
    keep_alive: float = 10.0,
    cors: Sequence[str] = (),
    log_questions: bool = False,
) -> Starlette:
    """Return an ASGI application that answers as OpenAI's API does, with a mux behind each model name.

    Args:
        models: A mux by name: each an `SLMMuxChatModel`.
        api_key: The key that clients must send; `None` asks for none.
        local_only: Whether to refuse requests that do not address this machine as localhost.
        max_questions: Questions at once. The calls of each mux have a limit of their own, its `max_concurrency`.
        max_waiting: Questions that may wait for their turn; one more is refused with 429 and `Retry-After`.
        max_body: The largest body that is read, in bytes.
        keep_alive: Seconds after which a stream that waits sends a comment.
        cors: Origins of web pages that may ask, such as "https://example.org".
        log_questions: Whether to log the texts of requests.

    Raises:
        ArgumentError: No models, a model that is no mux of LangChain's, or a limit that lets nothing through.

    Example:
        >>> from langchain_slmmux import SLMMuxChatModel
        >>> from langchain_slmmux.testing import ScriptedChatModel
        >>> app = create_app({"mux": SLMMuxChatModel(models={"qwen": ScriptedChatModel(script=["4"])})})
        >>> [route.path for route in app.routes][1]
        '/v1/chat/completions'
    """
    _check(models, max_questions=max_questions, max_body=max_body, keep_alive=keep_alive)
    if api_key is not None and not api_key.strip():
        raise ArgumentError("the server's key is empty; pass a secret text, or None for a server without one")
    server = _Server(models, max_questions, max_waiting, max_body, keep_alive, log_questions=log_questions)
    middleware = [Middleware(Guard, api_key=api_key, local_only=local_only)]
    if cors:
        middleware.insert(
            0,
            Middleware(
                CORSMiddleware,
                allow_origins=list(cors),
                allow_methods=["GET", "POST"],
                allow_headers=["Authorization", "Content-Type"],
                expose_headers=[CONFIDENCE],
            ),
        )
    routes = [
        Route("/health", server.health),
        Route("/v1/chat/completions", server.chat, methods=["POST"]),
        Route("/v1/responses", server.responses, methods=["POST"]),
        Route("/v1/models", server.models),
        Route("/ready", server.ready),
        Route("/metrics", server.metrics),
    ]
    # A slash at the end is no other address. A redirect would name one that a proxy in front does not know.
    routes += [Route(f"{each.path}/", each.endpoint, methods=list(each.methods or ())) for each in routes]
    routes += [Route("/v1/models/{name:path}", server.model), *page_routes()]
    handlers: dict[Any, Any] = {HTTPException: _http_error}
    app = Starlette(routes=routes, middleware=middleware, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return app


def _check(models: Mapping[str, Any], **limits: float) -> None:
    if not models:
        raise ArgumentError('no models: pass at least one, create_app({"mux": SLMMuxChatModel(...)})')
    for name, mux in models.items():
        if not isinstance(mux, Mux) or not hasattr(mux, "ainvoke"):
            raise ArgumentError(
                f"models[{name!r}] must be an SLMMuxChatModel, received {type(mux).__name__}; "
                "a server asks through langchain_slmmux"
            )
    for name, value in limits.items():
        if not value > 0:
            raise ArgumentError(f"{name} must be above 0, received {value!r}")


class _Server:
    """The endpoints, and the models, places and counts that they share."""

    def __init__(
        self,
        models: Mapping[str, Any],
        max_questions: int,
        max_waiting: int,
        max_body: int,
        keep_alive: float,
        *,
        log_questions: bool,
    ) -> None:
        self._metrics = Metrics()
        self._gate = Gate(max_questions, max_waiting)
        self._max_body = max_body
        self._keep_alive = keep_alive
        self._served = {
            name: Served(name, mux, self._metrics, log_questions=log_questions) for name, mux in models.items()
        }
        self._metrics.watch(self._gauges)

    async def chat(self, http: Request) -> Response:
        """Answer a chat request."""
        return await self._answer(http, ChatRequest, chat)

    async def responses(self, http: Request) -> Response:
        """Answer a request in the newer form."""
        return await self._answer(http, ResponsesRequest, responses)

    async def _answer(self, http: Request, form: type[Any], respond: Any) -> Response:
        strike = Strike(())
        try:
            request = await body_of(http, form, most_bytes=self._max_body)
            served = self._find(request.model)
            strike = served.strike
            return cast("Response", await respond(http, request, served, self._gate, keep_alive=self._keep_alive))
        except ClientLeftError:
            return Response(status_code=_CLIENT_LEFT)
        except Exception as error:  # noqa: BLE001 - whatever fails, the client reads OpenAI's shape
            return refusal_for(error, strike).response

    async def models(self, _: Request) -> Response:
        """List the models."""
        return JSON({"object": "list", "data": [_model(served) for served in self._served.values()]})

    async def model(self, http: Request) -> Response:
        """Describe one model."""
        try:
            return JSON(_model(self._find(http.path_params["name"])))
        except RefusalError as refusal:
            return refusal.response

    async def health(self, _: Request) -> Response:
        """Say that the process lives."""
        return JSON({"status": "ok"})

    async def ready(self, _: Request) -> Response:
        """Say whether a question is likely to be answered: of every model, some member replied of late."""
        down = [served.name for served in self._served.values() if served.is_down]
        if down:
            return JSON({"status": "no member replies", "models": down}, 503)
        return JSON({"status": "ready"})

    async def metrics(self, _: Request) -> Response:
        """Return the counts."""
        return Response(self._metrics.page(), media_type=CONTENT_TYPE_LATEST)

    def _find(self, name: str) -> Served:
        if name in self._served:
            return self._served[name]
        names = ", ".join(map(repr, self._served))
        sentence = f"the model {name[:_LONGEST_NAME]!r} does not exist; this server has {names}"
        raise RefusalError(404, sentence, param="model", code="model_not_found")

    def _gauges(self) -> Iterator[Gauge]:
        gate = self._gate
        yield "slmmux_questions_running", "Questions that have a place.", (), [((), gate.running)]
        yield "slmmux_questions_waiting", "Questions that wait for one.", (), [((), gate.waiting)]
        resting: list[tuple[tuple[str, ...], float]] = [
            ((served.name, label), float(label in served.resting))
            for served in self._served.values()
            for label in served.members
        ]
        yield "slmmux_member_resting", "Whether a member rests.", ("model", "member"), resting


def _model(served: Served) -> dict[str, Any]:
    from openai.types import Model  # noqa: PLC0415

    model = Model(id=served.name, created=served.created, object="model", owned_by="slmmux")
    return {**model.model_dump(mode="json"), "slmmux": served.description}


async def _http_error(http: Request, error: Exception) -> Response:
    """Return what the routing itself refuses, in OpenAI's shape."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for these alone
    path = http.url.path[:_LONGEST_NAME]
    if allowed := (error.headers or {}).get("Allow"):
        methods = ", ".join(sorted(allowed.split(", ")))
        sentence = f"{path} takes {methods}, received {http.method[:_LONGEST_NAME]}"
    else:
        sentence = f"this server has no address {path}; it has {', '.join(_ADDRESSES)}"
    return RefusalError(error.status_code, sentence, headers=error.headers).response
