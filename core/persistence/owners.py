"""Processes that own jobs, told apart also after their number was used again."""

from __future__ import annotations

import os
import socket
from functools import cache

_START_TOLERANCE_S = 1.0
_SILENCE_BEFORE_START_COUNTS_S = 10.0
"""Longer than a process that works leaves between two heartbeats."""


def current_owner() -> str:
    """Return this process as an owner: `host:pid:start`, the start in seconds since 1970."""
    return f"{socket.gethostname()}:{os.getpid()}:{_own_start():.1f}"


def is_dead(owner: str, silence_s: float) -> bool:
    """Say whether an owner is known to be gone; one on another host, or not of our form, is not.

    Where there is a process of its number, the start tells whether that is the owner. Linux counts
    starts from a point that moves when the clock is set, so this is believed of silent owners only.

    Args:
        owner: as `current_owner` gave it there.
        silence_s: how long ago its last heartbeat was.
    """
    host, _, rest = owner.partition(":")
    pid, _, start = rest.partition(":")
    if host != socket.gethostname() or not pid.isdecimal():
        return False
    import psutil

    try:
        started_at = _own_start() if int(pid) == os.getpid() else _start_of(int(pid))
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
    try:
        is_another = abs(started_at - float(start)) > _START_TOLERANCE_S
    except ValueError:
        return False
    return is_another and silence_s > _SILENCE_BEFORE_START_COUNTS_S


@cache
def _own_start() -> float:
    """Look once: later the answer may be another, when the clock was set."""
    return _start_of(os.getpid())


def _start_of(pid: int) -> float:
    import psutil

    started_at: float = psutil.Process(pid).create_time()
    return started_at
