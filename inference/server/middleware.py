"""What every request passes first: the Host check and the key check.

Both speak plain ASGI, so that a streamed answer and a client's leaving go through them untouched.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Callable, Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference.server.api_errors import ApiError

log = logging.getLogger(__name__)

AUTHORISED = "postil_authorised"
"""Key of the request's scope: whether it holds a key, or none is asked for."""


class HostCheck:
    """Refuses requests whose Host header is not one of the server's own names.

    A page on the web can let a name of its own point to 127.0.0.1 and so reach servers on the
    reader's machine past the browser's same-origin rule (DNS rebinding); it cannot change the
    Host header.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: Collection[str]) -> None:
        self._app = app
        self._allowed = frozenset(host.lower() for host in allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] == "http" and self._allowed:
            host = host_name(Headers(scope=scope).get("host", ""))
            if host not in self._allowed:
                error = ApiError(
                    403,
                    "This server does not go by the name in the Host header; "
                    "--allowed-host adds a name.",
                    code="host_not_allowed",
                )
                await error.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)


def host_name(header: str) -> str:
    """Return the name in a Host header, in lower case, without port and brackets."""
    header = header.strip().lower()
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0] if header.count(":") == 1 else header


class KeyCheck:
    """Asks for a key on all but the paths that hold nothing to protect."""

    def __init__(self, app: ASGIApp, keys: Collection[str], open_paths: Collection[str]) -> None:
        self._app = app
        self._digests = [_digest(key) for key in keys]
        self._open_paths = frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] == "http":
            authorised = not self._digests or self._opens(Headers(scope=scope))
            scope[AUTHORISED] = authorised
            if not authorised and scope["path"] not in self._open_paths:
                await _unauthorised().response()(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _opens(self, headers: Headers) -> bool:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return False
        given = _digest(key.strip())
        # Digests are equally long, and all are compared: the time taken tells nothing of a key.
        matches = [hmac.compare_digest(given, digest) for digest in self._digests]
        return any(matches)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _unauthorised() -> ApiError:
    return ApiError(
        401,
        "This server needs an API key, sent as “Authorization: Bearer KEY”; "
        "there was none, or another.",
        code="invalid_api_key",
        headers={"WWW-Authenticate": "Bearer"},
    )


class ReplyCount:
    """Counts replies by path and status."""

    def __init__(self, app: ASGIApp, count: Callable[[str, int], None]) -> None:
        self._app = app
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and note its status."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                # A path that no route has is not told apart: clients would make up labels.
                found = "endpoint" in scope
                self._count(_route(scope["path"]) if found else "other", message["status"])
            await send(message)

        await self._app(scope, receive, noting)


def _route(path: str) -> str:
    return "/v1/models/{model}" if path.startswith("/v1/models/") else path
