"""The page at `/`: what the server is doing, and a chat to try it. It asks no other host."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import Response

PAGE_FILES = MappingProxyType(
    {
        "/": ("page.html", "text/html; charset=utf-8"),
        "/page.css": ("page.css", "text/css; charset=utf-8"),
        "/page.js": ("page.js", "text/javascript; charset=utf-8"),
        "/page.svg": ("page.svg", "image/svg+xml"),
    }
)
"""The page's files and their media types, by path."""

_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


async def page_file(request: Request) -> Response:
    """Answer with one of the page's files."""
    name, media_type = PAGE_FILES[request.url.path]
    return Response(_content(name), headers={**_HEADERS, "Content-Type": media_type})


@cache
def _content(name: str) -> bytes:
    return files(__name__).joinpath(name).read_bytes()
