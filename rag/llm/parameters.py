"""What to say differently where an endpoint refuses a parameter of the request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rag.llm.failures import read_error

Payload = dict[str, Any]
Adaptation = Callable[[Payload], None]


def adaptation_for(body: bytes, payload: Payload) -> Adaptation | None:
    """Return how to change a request that was refused with status 400, None where nothing helps.

    OpenAI's reasoning models refuse `max_tokens` in favour of `max_completion_tokens`, and any
    temperature but their own; their errors name the parameter in `param`.
    """
    refused = read_error(body).parameter
    if refused == "max_tokens" and "max_tokens" in payload:
        return _rename_max_tokens
    if refused == "temperature" and "temperature" in payload:
        return _drop_temperature
    return None


def _rename_max_tokens(payload: Payload) -> None:
    payload["max_completion_tokens"] = payload.pop("max_tokens")


def _drop_temperature(payload: Payload) -> None:
    del payload["temperature"]
