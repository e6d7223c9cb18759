"""Endpoints: the models that may answer, by name."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

LOCAL_PREFIX = "local:"
"""Begins the name of a model on this computer, where the name of an endpoint could stand."""

DEFAULT_CONTEXT_TOKENS = 8192
"""Assumed where the reader gives no context size: what small models commonly take."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible server and the model to ask there. Its key is kept in the SecretStore.

    Attributes:
        name: unique, chosen by the reader.
        base_url: up to and including `/v1` (or what stands for it), without a trailing slash.
        model: the name to send.
        context_tokens: how many tokens the model takes, prompt and answer together.
    """

    name: str
    base_url: str
    model: str
    context_tokens: int = DEFAULT_CONTEXT_TOKENS

    @property
    def host(self) -> str:
        """The host that passages are sent to."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def is_loopback(self) -> bool:
        """Say whether the endpoint runs on this very machine, so that nothing leaves it."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
