"""Base URLs as readers write them, and the addresses that are asked."""

from __future__ import annotations

import re

import httpx

from core.errors import EndpointError

_API_PATHS = re.compile(r"/(chat/completions|completions|models)/?$")


def api_url(base_url: str, path: str) -> httpx.URL:
    """Return the address of an API path such as `/models` below a base URL.

    A base URL without a path gets `/v1`, which is where servers have their API; one that was copied
    with `/chat/completions` at its end loses that. A query is kept, since some services want one.

    Raises:
        EndpointError: not an http or https address, or one that holds a name or password.
    """
    try:
        url = httpx.URL(base_url.strip())
    except httpx.InvalidURL as error:
        raise EndpointError(
            "The endpoint's address is not a web address. Correct it in the settings."
        ) from error
    if url.scheme not in ("http", "https") or not url.host:
        raise EndpointError(
            "The endpoint's address must begin with http:// or https:// and name a host, as in "
            "http://localhost:11434/v1. Correct it in the settings."
        )
    if url.userinfo:
        raise EndpointError(
            "The endpoint's address holds a user name or password. Take it out of the address and "
            "enter the key in its own field."
        )
    root = _API_PATHS.sub("", url.path).rstrip("/")
    return url.copy_with(path=(root or "/v1") + path, fragment=None)


def shown(url: httpx.URL) -> str:
    """Return an address for a message: without a query, which may hold a secret."""
    return str(url.copy_with(query=None, fragment=None, userinfo=b""))
