"""Reading a request's body: its type, its size, its form."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from inference.server.api_errors import ApiError
from inference.server.settings import ServerSettings

Document = TypeVar("Document", bound=BaseModel)

LARGE_BODY_BYTES = 64 * 1024
"""Bodies above this are parsed on a thread: parsing one may take the loop's 10 ms."""

DISCARDED_BYTES = 64 * 1024 * 1024
"""How much of an overlong body is read and thrown away, so that its sender reads the reply."""


async def read_document(
    request: Request, schema: type[Document], settings: ServerSettings
) -> Document:
    """Return the body as a document of the API.

    Raises:
        ApiError: 400 not JSON or not as the schema says, 408 too slow, 413 too long, 415 not JSON
            by its own account.
        ClientDisconnect: the client left.
    """
    _check_type(request)
    try:
        async with asyncio.timeout(settings.body_timeout_s):
            data = await _read(request, settings.max_body_bytes)
    except TimeoutError:
        raise ApiError(
            408, "The request's body did not arrive in time.", headers={"Connection": "close"}
        ) from None
    try:
        if len(data) > LARGE_BODY_BYTES:
            return await asyncio.to_thread(schema.model_validate_json, data)
        return schema.model_validate_json(data)
    except ValidationError as error:
        raise _invalid(error) from None


def _check_type(request: Request) -> None:
    # A page on the web may send text/plain anywhere unasked; JSON it may send only where it is
    # allowed to (CORS). So this check also keeps strangers' pages from using the model.
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ApiError(415, "The body must be sent with Content-Type: application/json.")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise ApiError(415, "The body must be sent without Content-Encoding.")


async def _read(request: Request, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size <= limit:
            parts.append(part)
        elif size > limit + DISCARDED_BYTES:
            break
    if size > limit:
        raise ApiError(
            413,
            f"The request's body is longer than the {limit} bytes that this server takes.",
            code="request_too_large",
            headers={"Connection": "close"},
        )
    return b"".join(parts)


def _invalid(error: ValidationError) -> ApiError:
    details = error.errors(include_url=False, include_context=False, include_input=False)
    worst = max(details, key=lambda detail: len(_path(detail["loc"])))
    path = _path(worst["loc"])
    if worst["type"] == "json_invalid":
        return ApiError(
            400, f"The request's body is not JSON. {worst['msg']}.", code="invalid_json"
        )
    where = f"{path}: " if path else ""
    return ApiError(
        400,
        f"The request does not have the form of the API. {where}{worst['msg']}.",
        code="invalid_value",
        parameter=path or None,
    )


def _path(location: tuple[int | str, ...]) -> str:
    """Return a field's name as clients write it: `messages[0].content`."""
    path = ""
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        elif _is_field(step):
            path += f".{step}" if path else step
    return path


def _is_field(step: str) -> bool:
    """Whether a step is a field's name and not one of pydantic's for a branch of a union."""
    return step not in _BRANCHES and step.replace("_", "").isalnum() and step[0].islower()


_BRANCHES = frozenset({"str", "int", "bool", "float", "dict", "list"})
