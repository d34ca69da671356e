"""The page for people at `/`: three files of this package, which fetch nothing from elsewhere."""

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

__all__ = ["FILES", "page_routes"]

FILES = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}

_HEADERS = {
    # The browser itself refuses whatever the page would fetch from elsewhere, or put into another page.
    "Content-Security-Policy": "default-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def page_routes() -> list[Route]:
    """Return the routes of the page."""
    folder = files("slmmux.serve") / "page"
    return [_route(path, (folder / name).read_bytes(), kind) for path, (name, kind) in FILES.items()]


def _route(path: str, content: bytes, kind: str) -> Route:
    async def file(_: Request) -> Response:
        return Response(content, media_type=kind, headers=_HEADERS)

    return Route(path, file)
