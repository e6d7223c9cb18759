"""What the server says of itself: `/health`, `/metrics` and `/v1/models`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from inference.server.api import Api
from inference.server.api_errors import LOADING_RETRY_S, unknown_model
from inference.server.memory import device_memory_bytes, resident_bytes
from inference.server.metrics import CONTENT_TYPE
from inference.server.middleware import AUTHORISED

if TYPE_CHECKING:
    from inference.engine import Engine


class StatusPages:
    """Tells how the server is."""

    def __init__(self, api: Api, created: int) -> None:
        """Make the pages.

        Args:
            api: what calls stand on.
            created: when the server started, in seconds since 1970.
        """
        self._api = api
        self._created = created

    async def health(self, request: Request) -> Response:
        """Answer `/health`: 200 where the server can answer, else 503."""
        state = self._api.service.state
        document: dict[str, Any] = {"status": state.status, "model": self._api.model_names[0]}
        headers = {"Cache-Control": "no-store"}
        if state.status == "loading":
            document["progress"] = {"stage": state.stage, "share": state.share}
            headers["Retry-After"] = str(LOADING_RETRY_S)
        elif state.status == "failed":
            document["reason"] = state.reason
        elif (engine := self._api.service.loaded) and request.scope.get(AUTHORISED):
            document["details"] = self._details(engine, state.load_s)
        return JSONResponse(document, 200 if state.status == "ready" else 503, headers)

    def _details(self, engine: Engine, load_s: float) -> dict[str, Any]:
        stats = engine.stats()
        return {
            "device": str(engine.device),
            "dtype": str(engine.dtype).removeprefix("torch."),
            "quantization": engine.quantization,
            "max_model_len": engine.max_model_len,
            "running": stats.running,
            "waiting": stats.waiting,
            "kv_blocks": stats.blocks_total,
            "kv_blocks_free": stats.blocks_free,
            "prompt_tokens": stats.prompt_tokens,
            "cached_tokens": stats.cached_tokens,
            "generated_tokens": stats.generated_tokens,
            "memory_bytes": resident_bytes(),
            "device_memory_bytes": device_memory_bytes(),
            "uptime_s": round(self._api.service.uptime_s, 3),
            "load_s": round(load_s, 3),
        }

    async def metrics(self, request: Request) -> Response:
        """Answer `/metrics`."""
        del request
        page = await asyncio.to_thread(self._api.service.metrics.page)
        return Response(page, headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})

    async def models(self, request: Request) -> Response:
        """Answer `/v1/models`."""
        del request
        cards = [self._card(name) for name in self._api.model_names]
        return JSONResponse({"object": "list", "data": cards})

    async def model(self, request: Request) -> Response:
        """Answer `/v1/models/NAME`."""
        name = request.path_params["model"]
        if name not in self._api.model_names:
            raise unknown_model(name, self._api.model_names)
        return JSONResponse(self._card(name))

    def _card(self, name: str) -> dict[str, Any]:
        engine = self._api.service.loaded
        return {
            "id": name,
            "object": "model",
            "created": self._created,
            "owned_by": "postil",
            "max_model_len": engine.max_model_len if engine else None,
        }
