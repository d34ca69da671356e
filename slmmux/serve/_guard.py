"""Who may ask: the key, compared in constant time; without a key, only programs that address this machine as itself."""

import hmac
import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from slmmux.serve._page import FILES
from slmmux.serve._refusal import RefusalError

__all__ = ["Guard", "is_loopback"]

# What a probe or a browser asks before anybody could type a key; none of it tells anything or costs anything.
_OPEN = {*FILES, "/health", "/ready"}


class Guard:
    """Lets requests through that may ask.

    Args:
        app: What they may ask.
        api_key: The key; `None` asks for none.
        local_only: Whether a request must address this machine as itself. A web page that points a name of its own at
            127.0.0.1 would otherwise ask in its visitor's name.
    """

    def __init__(self, app: ASGIApp, *, api_key: str | None, local_only: bool) -> None:
        self._app = app
        self._key = None if api_key is None else api_key.encode()
        self._local_only = local_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := self._refusal(scope)) is not None:
            await refusal.response(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> RefusalError | None:
        headers = Headers(scope=scope)
        if self._local_only and not is_loopback(urlsplit(f"//{headers.get('host', '')}").hostname or ""):
            return RefusalError(403, "this server answers on this machine alone; address it as localhost")
        if self._key is None or scope["path"] in _OPEN or scope["method"] == "OPTIONS":
            return None
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(key.strip().encode(), self._key):
            return None
        sentence = "the key is missing or wrong; send it as Authorization: Bearer KEY"
        return RefusalError(401, sentence, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine as it addresses itself.

    Example:
        >>> [is_loopback(host) for host in ("localhost", "127.0.0.1", "::1", "0.0.0.0", "example.org")]
        [True, True, True, False, False]
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
