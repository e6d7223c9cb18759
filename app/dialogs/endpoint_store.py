"""Keeps an endpoint together with its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.endpoints import Endpoint
from core.events import EndpointsChanged

if TYPE_CHECKING:
    from app.composition import Postil


def change_endpoint(postil: Postil, name: str, endpoint: Endpoint, key: str | None) -> None:
    """Change the endpoint called `name`; its key stays unless another is given.

    Blocks the calling thread.

    Raises:
        ConflictError: another endpoint has the new name.
        SecretError: the key could not be kept; the endpoint is as it was.
    """
    before = postil.library.endpoints.get(name)
    kept = key or postil.secrets.get(name)
    postil.library.endpoints.replace(name, endpoint)
    try:
        if kept and (key or endpoint.name != name):
            postil.secrets.set(endpoint.name, kept)
    except Exception:
        postil.library.endpoints.replace(endpoint.name, before)
        raise
    if endpoint.name != name:
        postil.secrets.delete(name)
        settings = postil.settings
        if settings.answer_endpoint == name:
            postil.change_settings(settings.model_copy(update={"answer_endpoint": endpoint.name}))
    postil.events.publish(EndpointsChanged())
