"""What all calls of the API stand on: the service, the settings, and errors as replies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import TypeVar

from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from inference.server.api_errors import as_api_error, unknown_model
from inference.server.body import read_document
from inference.server.service import EngineService
from inference.server.settings import ServerSettings

Handler = Callable[[Request], Awaitable[Response]]
Document = TypeVar("Document", bound=BaseModel)

CLIENT_CLOSED_REQUEST = 499
"""nginx's status for a client that left: nobody reads it, the metrics count it."""


class Api:
    """What a call needs.

    Attributes:
        service: holds the engine.
        settings: how the server behaves.
        model_names: names of the model; the first is the one shown.
    """

    def __init__(
        self, service: EngineService, settings: ServerSettings, model_names: tuple[str, ...]
    ) -> None:
        self.service = service
        self.settings = settings
        self.model_names = model_names

    async def read(self, request: Request, schema: type[Document]) -> Document:
        """Return the body of a call that needs the model.

        Raises:
            ApiError: the model is not there, or the body is not as the schema says.
            ClientDisconnect: the client left.
        """
        self.service.engine()
        return await read_document(request, schema, self.settings)

    def check_model(self, asked: str | None) -> str:
        """Return the name to reply with.

        Raises:
            ApiError: 404; another model is asked for.
        """
        if asked is None:
            return self.model_names[0]
        if asked not in self.model_names:
            raise unknown_model(asked, self.model_names)
        return asked


def replying(handler: Handler) -> Handler:
    """Let a handler's errors become replies."""

    @wraps(handler)
    async def guarded(request: Request) -> Response:
        try:
            return await handler(request)
        except ClientDisconnect:
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        except Exception as error:  # noqa: BLE001 - every request gets a reply of the API's form
            return as_api_error(error).response()

    return guarded
