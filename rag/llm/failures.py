"""Turns what goes wrong at an endpoint into errors whose messages a reader can act on.

Replies are untrusted: a message repeats only what the endpoint said of the error, on one line, cut
short, and with the key taken out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
from pydantic import JsonValue

from core.errors import (
    ContextOverflowError,
    EndpointAuthError,
    EndpointError,
    EndpointModelError,
    EndpointProtocolError,
    EndpointRateError,
    EndpointServerError,
    EndpointTimeoutError,
)

MAX_DETAIL_CHARACTERS = 300
"""How much of an endpoint's own words a message repeats."""

MAX_READ_CHARACTERS = 2000
"""How much of them is looked at: a reply may be megabytes long, and the window waits meanwhile."""

# What servers say of a prompt that is too long: OpenAI and vLLM ("maximum context length"),
# OpenAI's code, llama.cpp ("exceeds the available context size"), Ollama and LM Studio ("context
# length", "context window"), Anthropic ("prompt is too long"), Gemini ("input token count").
_OVERFLOW = re.compile(
    r"context_length_exceeded|exceed_context_size|maximum context|context (?:length|size|window)"
    r"|prompt is too long|input (?:is too long|length exceeds|token count)|too many tokens"
    r"|longer than the (?:model's )?maximum|maximum model length",
    re.IGNORECASE,
)
_MODEL = re.compile(r"model\b", re.IGNORECASE)
_MISSING = re.compile(r"\b(?:not found|does not exist)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """What an endpoint says went wrong.

    Attributes:
        message: its words, "" where it says nothing that can be read.
        code: its own code or type, "" where it gives none.
        parameter: the request's field that it objects to, "" where it names none.
    """

    message: str = ""
    code: str = ""
    parameter: str = ""


def read_error(body: bytes | str) -> ErrorReply:
    """Read the body of an error reply in any of the shapes that servers use."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return ErrorReply()
    return error_of(document) or ErrorReply()


def error_of(document: JsonValue) -> ErrorReply | None:
    """Return the error that a JSON document reports, None where it reports none.

    Known shapes: `{"error": {"message", "code", "type", "param"}}` (OpenAI and most others),
    `{"error": "..."}` (Ollama), `{"object": "error", "message"}` (vLLM), `{"detail": ...}`
    (FastAPI), and any of these in a list of one (Gemini).
    """
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        return None
    error = document.get("error")
    if isinstance(error, dict):
        return ErrorReply(
            _text(error.get("message")),
            " ".join(filter(None, (_text(error.get("code")), _text(error.get("type"))))),
            _text(error.get("param")),
        )
    if error:
        return ErrorReply(_text(error))
    if document.get("object") == "error" or "choices" not in document:
        message = document.get("message") or document.get("detail")
        if message:
            return ErrorReply(_text(message), _text(document.get("code")))
    return None


def _text(value: JsonValue) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Failures:
    """Makes the errors of one endpoint.

    Attributes:
        name: the endpoint's name.
        model: the model that is asked for.
        secret: what no message may hold; None where the endpoint has no key.
    """

    name: str
    model: str
    secret: str | None

    @property
    def who(self) -> str:
        """The endpoint at the beginning of a sentence."""
        return f"The endpoint “{self.name}”"

    def of_status(self, response: httpx.Response, body: bytes, address: str) -> EndpointError:
        """Return the error for a reply whose status is not 200."""
        status = response.status_code
        if response.is_redirect:
            target = self._clean(response.headers.get("location", ""))
            return EndpointProtocolError(
                f"{self.who} sends its visitors on to {target or 'another address'}. Postil does "
                "not follow, so that your key goes nowhere else. If that is the right address, "
                "enter it for this endpoint."
            )
        reply = read_error(body)
        if status in (401, 403):
            return EndpointAuthError(self._auth(status, reply))
        if status == 404:
            return EndpointModelError(
                f"{self.who} knows no model “{self.model}”, or has nothing at {address}. "
                "Check the model's name and the address, which usually ends in /v1."
                + self._detail(reply)
            )
        if status == 429:
            return self._rate(response, reply)
        return self.of_reply(reply, status)

    def of_reply(self, reply: ErrorReply, status: int = 0) -> EndpointError:
        """Return the error for what an endpoint says, outside a reply's status or besides it."""
        message = reply.message[:MAX_READ_CHARACTERS]
        code = reply.code[:MAX_READ_CHARACTERS]
        if _OVERFLOW.search(f"{code} {message}") or status == 413:
            return ContextOverflowError(
                f"The question with its passages is longer than “{self.name}” takes. "
                "Enter the model's real context size for this endpoint, or ask about less."
                + self._detail(reply)
            )
        if (model := _MODEL.search(message)) and _MISSING.search(message, model.end()):
            return EndpointModelError(
                f"{self.who} knows no model “{self.model}”. Check the model's name."
                + self._detail(reply)
            )
        if 400 <= status < 500:
            return EndpointError(
                f"{self.who} refuses the request (status {status})." + self._detail(reply)
            )
        told = f" (status {status})" if status else ""
        return EndpointServerError(
            f"{self.who} failed on its own side{told}. Ask again in a while; if it lasts, look at "
            "that server." + self._detail(reply)
        )

    def web_page(self) -> EndpointProtocolError:
        """Return the error for a web page where the API should be."""
        return EndpointProtocolError(
            f"{self.who} answers with a web page, not as a model does. Check the address: it "
            "usually ends in /v1."
        )

    def not_the_api(self, what: str) -> EndpointProtocolError:
        """Return the error for a reply that breaks the API's promise; `what` completes "sent"."""
        return EndpointProtocolError(
            f"{self.who} sent {what}. Ask again; if it lasts, check that the address is that of an "
            "OpenAI-compatible server."
        )

    def malformed_key(self) -> EndpointAuthError:
        """Return the error for a key that no header can carry."""
        return EndpointAuthError(
            f"The key stored for “{self.name}” holds characters that no key has. Enter it again."
        )

    def cut_short(self) -> EndpointProtocolError:
        """Return the error for a reply that ends before its end."""
        return EndpointProtocolError(
            f"The connection to “{self.name}” broke off in the middle of the answer. Ask again."
        )

    def too_late(self, waited_s: float, *, before_first: bool) -> EndpointTimeoutError:
        """Return the error for a silence of `waited_s` seconds."""
        if before_first:
            return EndpointTimeoutError(
                f"{self.who} did not begin to answer within {waited_s:g} seconds. It may still be "
                "loading the model, or be too slow for so long a prompt. Ask again, or choose a "
                "smaller model."
            )
        return EndpointTimeoutError(
            f"{self.who} fell silent for {waited_s:g} seconds in the middle of the answer. "
            "Ask again."
        )

    def _auth(self, status: int, reply: ErrorReply) -> str:
        if self.secret is None:
            what = "wants a key, and none is stored for it. Enter one for this endpoint."
        elif status == 401:
            what = "refuses the key. Enter it again, or make a new one at the service."
        else:
            what = f"does not let this key use {self.model}. Check the account's permissions."
        return f"{self.who} {what}" + self._detail(reply)

    def _rate(self, response: httpx.Response, reply: ErrorReply) -> EndpointRateError:
        wait_s = retry_after_s(response.headers.get("retry-after"), lambda: datetime.now(UTC))
        when = "in a while" if wait_s is None else f"in {wait_s:.0f} seconds"
        return EndpointRateError(
            f"{self.who} takes no more questions for now: too many came, or the account's credit "
            f"is used up. Ask again {when}." + self._detail(reply),
            wait_s,
        )

    def _detail(self, reply: ErrorReply) -> str:
        return f" It says: “{detail}”" if (detail := self._clean(reply.message)) else ""

    def _clean(self, text: str) -> str:
        """Put an endpoint's words on one line, cut them, and take the key out of them."""
        if self.secret:
            text = text.replace(self.secret, "(key)")  # before a cut could leave half of it
        line = "".join(c if c.isprintable() else " " for c in text[:MAX_READ_CHARACTERS])
        line = re.sub(r"\s+", " ", line).strip()
        if len(line) > MAX_DETAIL_CHARACTERS:
            line = line[: MAX_DETAIL_CHARACTERS - 1].rstrip() + "…"
        return line


def retry_after_s(header: str | None, now: Callable[[], datetime]) -> float | None:
    """Read a Retry-After header, in seconds or as a date (RFC 9110 10.2.3), None if unreadable."""
    if not header:
        return None
    if header.strip().isascii() and header.strip().isdigit():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):  # the latter for a year or an hour beyond any number
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now()).total_seconds())
