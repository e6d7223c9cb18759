"""The application: routes, and what every request passes on its way to them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from inference.server import openapi
from inference.server.api import Api, replying
from inference.server.api_errors import ApiError
from inference.server.chat import Chat
from inference.server.completions import Completions
from inference.server.embeddings import refuse_embeddings
from inference.server.middleware import HostCheck, KeyCheck, ReplyCount
from inference.server.page import PAGE_FILES, page_file
from inference.server.service import EngineService, Load, State
from inference.server.settings import ServerSettings
from inference.server.status import StatusPages
from inference.server.tokens import Tokens

OPEN_PATHS = ("/health", "/openapi.json", *PAGE_FILES)
"""What needs no key: nothing in them is worth one, and a supervisor has none."""


def create_app(
    load: Load,
    settings: ServerSettings,
    *,
    model_name: str,
    on_change: Callable[[State], None] | None = None,
) -> Starlette:
    """Make the application. The engine is loaded in the background once it runs.

    Args:
        load: makes the engine; gets a function to report its progress with.
        settings: how the server behaves.
        model_name: the model's name where the settings give none.
        on_change: told when the engine is ready or has failed, on the loading thread.

    Returns:
        An ASGI application; its `state.service` is the `EngineService`.
    """
    service = EngineService(load, on_change)
    api = Api(service, settings, settings.model_names or (model_name,))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        del app
        service.start()
        try:
            yield
        finally:
            await service.stop()

    app = Starlette(
        routes=_routes(api),
        middleware=_middleware(service, settings),
        exception_handlers={HTTPException: _http_error},
        lifespan=lifespan,
    )
    app.state.service = service
    return app


def _routes(api: Api) -> list[BaseRoute]:
    status = StatusPages(api, int(time.time()))
    tokens = Tokens(api)
    described = openapi.document(_version(), with_key=bool(api.settings.api_keys))

    async def describe(request: Request) -> Response:
        del request
        return JSONResponse(described)

    async def embeddings(request: Request) -> Response:
        return await refuse_embeddings(api, request)

    posts = {
        "/v1/chat/completions": Chat(api).post,
        "/v1/completions": Completions(api).post,
        "/v1/embeddings": embeddings,
        "/tokenize": tokens.tokenize,
        "/detokenize": tokens.detokenize,
    }
    gets = {
        "/health": status.health,
        "/metrics": status.metrics,
        "/v1/models": status.models,
        "/v1/models/{model:path}": status.model,
        "/openapi.json": describe,
        **dict.fromkeys(PAGE_FILES, page_file),
    }
    return [
        *(Route(path, replying(handler), methods=["POST"]) for path, handler in posts.items()),
        *(Route(path, replying(handler), methods=["GET"]) for path, handler in gets.items()),
    ]


def _middleware(service: EngineService, settings: ServerSettings) -> list[Middleware]:
    """Return what a request passes, outermost first."""
    chain = [Middleware(ReplyCount, count=service.metrics.count_reply)]
    if settings.allowed_origins:
        chain.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(settings.allowed_origins),
                allow_methods=["GET", "POST"],
                allow_headers=["Authorization", "Content-Type"],
            )
        )
    chain.append(Middleware(HostCheck, allowed_hosts=settings.allowed_hosts))
    chain.append(Middleware(KeyCheck, keys=settings.api_keys, open_paths=OPEN_PATHS))
    return chain


async def _http_error(request: Request, error: Exception) -> Response:
    """Word the router's own errors (404, 405) as the API does."""
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path}: {error.detail}."
    headers = dict(error.headers or {})
    return ApiError(error.status_code, message, headers=headers).response()


def _version() -> str:
    try:
        return version("postil")
    except PackageNotFoundError:  # run from a folder that was never installed
        return "0"
