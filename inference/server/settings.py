"""What whoever starts the server may choose."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How the server behaves, whatever model it serves.

    Attributes:
        model_names: the names that requests may use for the model; the first is the one shown.
            Empty: the name of the model's folder.
        api_keys: any one of them opens the server; empty: no key is asked for.
        allowed_hosts: the names that a request's Host header may hold; empty: any. A page on the
            web can point a name of its own at 127.0.0.1 (DNS rebinding); it cannot choose this.
        allowed_origins: web origins that may call the server from a browser (CORS); empty: none.
        max_body_bytes: longest request body; longer ones get 413.
        body_timeout_s: how long a client may take to send a body; slower ones get 408.
        grace_s: how long answers may go on once the server was told to stop.
        keep_alive_s: pause after which a silent stream gets a comment, so that nobody on the way
            takes it for dead while a long prompt is read.
    """

    model_names: tuple[str, ...] = ()
    api_keys: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = LOOPBACK_HOSTS
    allowed_origins: tuple[str, ...] = ()
    max_body_bytes: int = 4 * 1024 * 1024
    body_timeout_s: float = 60.0
    grace_s: float = 10.0
    keep_alive_s: float = 15.0


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
