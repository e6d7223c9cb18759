from __future__ import annotations

import sys

import pytest
from system_libraries import SystemLibrary, describe_missing, missing_libraries

CURSOR = SystemLibrary("libxcb-cursor.so.0", "libxcb-cursor0", "xcb-util-cursor", "xcb-util-cursor")
EGL = SystemLibrary("libEGL.so.1", "libegl1", "libglvnd-egl", "libglvnd")
GL = SystemLibrary("libGL.so.1", "libgl1", "libglvnd-glx", "libglvnd")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux's dynamic loader")
def test_the_loader_is_asked_what_is_missing() -> None:
    there = SystemLibrary("libc.so.6", "libc6", "glibc", "glibc")
    absent = SystemLibrary("libpostil-has-no-such.so.1", "none", "none", "none")

    assert missing_libraries([there, absent]) == [absent]


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        ("apt-get", "sudo apt-get install libegl1 libgl1 libxcb-cursor0"),
        ("dnf", "sudo dnf install libglvnd-egl libglvnd-glx xcb-util-cursor"),
        ("pacman", "sudo pacman -S --needed libglvnd xcb-util-cursor"),
    ],
)
def test_one_command_installs_all_that_is_missing(manager: str, command: str) -> None:
    advice = describe_missing([EGL, GL, CURSOR], has=lambda name: name == manager)

    assert command in advice.splitlines()[-1]
    assert "libEGL.so.1, libGL.so.1, libxcb-cursor.so.0" in advice


def test_an_unknown_distribution_still_learns_the_names() -> None:
    assert "libEGL.so.1" in describe_missing([EGL], has=lambda _: None)
