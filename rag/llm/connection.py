"""Requests to one endpoint, with its key, its time limits and its failures."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

import httpx

from core.endpoints import Endpoint
from core.errors import EndpointError, EndpointUnreachableError
from rag.llm.address import api_url, shown
from rag.llm.failures import Failures
from rag.llm.parameters import Payload
from rag.llm.wire import OversizedReplyError, bound

CONNECT_TIMEOUT_S = 10.0
CONNECT_ATTEMPTS = 3
CONNECT_BACKOFF_S = 0.25
"""Doubles from one attempt to the next."""


class Connection:
    """Sends requests to an endpoint.

    Retries happen only while no connection stands, so that nothing is asked twice. Redirects are
    not followed: the key stays with its host. The environment's proxies are not used for this very
    machine.

    Attributes:
        failures: makes the endpoint's errors.
    """

    def __init__(
        self, endpoint: Endpoint, api_key: str | None, http: httpx.AsyncClient | None
    ) -> None:
        self._endpoint = endpoint
        self._api_key = api_key or None
        self._http = http
        self._owns_http = http is None
        self.failures = Failures(endpoint.name, endpoint.model, self._api_key)

    async def close(self) -> None:
        """Close the connections, but for an HTTP client that was given."""
        if self._owns_http and self._http is not None:
            http, self._http = self._http, None
            await http.aclose()

    @asynccontextmanager
    async def reply(
        self, method: str, path: str, payload: Payload | None, *, timeout_s: float
    ) -> AsyncIterator[httpx.Response]:
        """Open a reply, of any status; what breaks while it is read becomes an EndpointError.

        Args:
            method: of HTTP.
            path: below the endpoint's base URL.
            payload: sent as JSON.
            timeout_s: the longest silence, before the reply and within it.
        """
        response = await self._send(method, path, payload, timeout_s)
        try:
            bound(response, self.failures)
            yield response
        except OversizedReplyError as error:
            raise self.failures.not_the_api("a reply without end") from error
        except httpx.TimeoutException as error:
            raise self.failures.too_late(timeout_s, before_first=False) from error
        except httpx.HTTPError as error:
            raise self.failures.cut_short() from error
        finally:
            await response.aclose()

    async def body(self, response: httpx.Response, timeout_s: float) -> bytes:
        """Read a whole reply within `timeout_s` seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                return await response.aread()
        except TimeoutError as error:
            raise self.failures.too_late(timeout_s, before_first=True) from error

    def refusal(self, response: httpx.Response, body: bytes) -> EndpointError:
        """Return the error for a reply whose status is not 200."""
        return self.failures.of_status(response, body, shown(response.request.url))

    async def _send(
        self, method: str, path: str, payload: Payload | None, timeout_s: float
    ) -> httpx.Response:
        url = api_url(self._endpoint.base_url, path)
        http = await self._client()
        request = http.build_request(
            method,
            url,
            json=payload,
            headers=self._headers(),
            timeout=httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S),
        )
        for attempt in range(CONNECT_ATTEMPTS):
            try:
                return await http.send(request, stream=True, follow_redirects=False)
            except httpx.ConnectError as error:
                if attempt + 1 == CONNECT_ATTEMPTS:
                    raise self._unreachable(url, error) from error
                await asyncio.sleep(CONNECT_BACKOFF_S * 2**attempt)
            except (httpx.ConnectTimeout, httpx.ProxyError) as error:
                raise self._unreachable(url, error) from error
            except httpx.TimeoutException as error:
                raise self.failures.too_late(timeout_s, before_first=True) from error
            except httpx.HTTPError as error:
                raise self.failures.cut_short() from error
        raise AssertionError("the last attempt returns or raises")

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "text/event-stream, application/json", "Accept-Encoding": "identity"}
        if self._api_key:
            if not (self._api_key.isascii() and self._api_key.isprintable()):
                raise self.failures.malformed_key()
            headers["Authorization"] = f"Bearer {self._api_key}"
        return headers

    def _unreachable(self, url: httpx.URL, error: Exception) -> EndpointUnreachableError:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            why = "its certificate is not valid for this address"
        elif isinstance(error, httpx.ConnectTimeout):
            why = f"it did not take the connection within {CONNECT_TIMEOUT_S:g} seconds"
        elif isinstance(error, httpx.ProxyError):
            why = "the proxy refused"
        else:
            why = "no connection could be made"
        if self._endpoint.is_loopback:
            advice = "Start the model's server on this computer, or correct the port."
        else:
            advice = "Check the address and your connection to the network."
        return EndpointUnreachableError(
            f"{self.failures.who} cannot be reached at {shown(url)}: {why}. {advice}"
        )

    async def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            self._http = httpx.AsyncClient(
                # Reading the certificates takes longer than a window may be kept waiting.
                verify=await asyncio.to_thread(_tls_context),
                trust_env=not self._endpoint.is_loopback,
            )
        return self._http


@cache
def _tls_context() -> ssl.SSLContext:
    return httpx.create_ssl_context()
