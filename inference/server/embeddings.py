"""`POST /v1/embeddings`: none of the models that the engine serves is an embedder."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from inference.server.api import Api
from inference.server.api_errors import ApiError
from inference.server.schemas.models import EmbeddingRequest


async def refuse_embeddings(api: Api, request: Request) -> Response:
    """Say that there is no embedding model, in the API's form.

    Raises:
        ApiError: always: 404, or what is wrong with the request itself.
    """
    body = await api.read(request, EmbeddingRequest)
    name = api.check_model(body.model)
    raise ApiError(
        404,
        f"“{name}” is a generative model; it makes no embeddings.",
        code="not_an_embedder",
        parameter="model",
    )
