"""Errors as OpenAI's API words them, and what each of the engine's becomes."""

from __future__ import annotations

import logging
import math
from typing import Any

from starlette.responses import JSONResponse

from inference.errors import (
    ChatTemplateError,
    EngineStoppedError,
    GrammarError,
    InvalidParameterError,
    MissingDependencyError,
    NumericalError,
    PromptTooLongError,
    QueueFullError,
    RequestError,
)

log = logging.getLogger(__name__)

INVALID_REQUEST = "invalid_request_error"
RATE_LIMIT = "rate_limit_error"
SERVER_ERROR = "server_error"

LOADING_RETRY_S = 2


class ApiError(Exception):
    """An error that a client gets to read.

    Attributes:
        status: the HTTP status.
        message: a whole sentence for the client's author.
        kind: OpenAI's `type`: whose fault it is.
        code: what a program can act on; None where OpenAI has none.
        parameter: the field of the request at fault.
        headers: of the reply, beside the usual ones.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = INVALID_REQUEST,
        code: str | None = None,
        parameter: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.parameter = parameter
        self.headers = headers or {}

    def document(self) -> dict[str, Any]:
        """Return the reply's body."""
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.parameter,
                "code": self.code,
            }
        }

    def response(self) -> JSONResponse:
        """Return the reply."""
        return JSONResponse(self.document(), self.status, self.headers)


def as_api_error(error: BaseException) -> ApiError:
    """Return what a client is told about an error; one of no known kind is logged whole."""
    match error:
        case ApiError():
            return error
        case InvalidParameterError():
            return ApiError(400, str(error), parameter=error.parameter)
        case PromptTooLongError():
            return ApiError(400, str(error), code="context_length_exceeded")
        case GrammarError():
            return ApiError(400, str(error), code="invalid_schema", parameter="response_format")
        case ChatTemplateError():
            return ApiError(400, str(error), code="chat_template_error", parameter="messages")
        case RequestError():
            return ApiError(400, str(error))
        case QueueFullError():
            seconds = str(max(1, math.ceil(error.retry_after_s)))
            return ApiError(
                429,
                str(error),
                kind=RATE_LIMIT,
                code="rate_limit_exceeded",
                headers={"Retry-After": seconds},
            )
        case NumericalError():
            return ApiError(500, str(error), kind=SERVER_ERROR, code="numerical_error")
        case MissingDependencyError():
            return ApiError(501, str(error), kind=SERVER_ERROR, code="not_installed")
        case EngineStoppedError():
            return ApiError(503, str(error), kind=SERVER_ERROR, code="engine_stopped")
        case _:
            log.error("a request failed unexpectedly", exc_info=error)
            return internal_error()


def internal_error() -> ApiError:
    """Something is wrong in the server itself; details stay in its log."""
    return ApiError(500, "The server failed on this request; its log says why.", kind=SERVER_ERROR)


def unknown_model(asked: str, served: tuple[str, ...]) -> ApiError:
    """The request names a model that is not served here."""
    names = ", ".join(f"“{name}”" for name in served)
    return ApiError(
        404,
        f"The model “{asked}” does not exist here; this server has {names}.",
        code="model_not_found",
        parameter="model",
    )


def still_loading() -> ApiError:
    """The model is not there yet."""
    return ApiError(
        503,
        "The model is still loading; /health says when it is ready.",
        kind=SERVER_ERROR,
        code="model_loading",
        headers={"Retry-After": str(LOADING_RETRY_S)},
    )


def failed_to_load(reason: str) -> ApiError:
    """There will be no model."""
    return ApiError(
        503, f"The model could not be loaded. {reason}", kind=SERVER_ERROR, code="model_failed"
    )


def shutting_down() -> ApiError:
    """The server was told to stop."""
    return ApiError(503, "The server is shutting down.", kind=SERVER_ERROR, code="shutting_down")
