"""Processes that own jobs, told apart also after their number was used again."""

from __future__ import annotations

import os
import socket

_START_TOLERANCE_S = 1.0


def current_owner() -> str:
    """Return this process as an owner: `host:pid:start`, the start in seconds since 1970."""
    import psutil

    process = psutil.Process()
    return f"{socket.gethostname()}:{process.pid}:{process.create_time():.1f}"


def is_dead(owner: str) -> bool:
    """Say whether an owner is known to be gone; one on another host, or not of our form, is not."""
    host, _, rest = owner.partition(":")
    pid, _, start = rest.partition(":")
    if host != socket.gethostname() or not pid.isdecimal():
        return False
    if int(pid) == os.getpid():
        return False
    import psutil

    try:
        started_at: float = psutil.Process(int(pid)).create_time()
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
    try:
        return abs(started_at - float(start)) > _START_TOLERANCE_S
    except ValueError:
        return False
