"""System libraries that Qt's wheels on Linux expect and do not bring along."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from shutil import which
from typing import NamedTuple


class SystemLibrary(NamedTuple):
    """A shared library, and the package that holds it in each family of distributions.

    `apt` may name alternatives, newest first: Ubuntu 24.04 renamed some packages.
    """

    soname: str
    apt: str
    dnf: str
    pacman: str


# Read off the wheels of PySide6 6.11 and 6.12 with `readelf -d`: QtGui and QtWidgets,
_QT = (
    SystemLibrary("libEGL.so.1", "libegl1", "libglvnd-egl", "libglvnd"),
    SystemLibrary("libGL.so.1", "libgl1", "libglvnd-glx", "libglvnd"),
    SystemLibrary("libxkbcommon.so.0", "libxkbcommon0", "libxkbcommon", "libxkbcommon"),
    SystemLibrary("libdbus-1.so.3", "libdbus-1-3", "dbus-libs", "dbus"),
    SystemLibrary("libfontconfig.so.1", "libfontconfig1", "fontconfig", "fontconfig"),
    SystemLibrary("libfreetype.so.6", "libfreetype6", "freetype", "freetype2"),
    SystemLibrary("libglib-2.0.so.0", "libglib2.0-0t64 libglib2.0-0", "glib2", "glib2"),
    SystemLibrary("libX11.so.6", "libx11-6", "libX11", "libx11"),
)
# the plugin for X11 displays,
_X11 = (
    SystemLibrary("libX11-xcb.so.1", "libx11-xcb1", "libX11-xcb", "libx11"),
    SystemLibrary(
        "libxkbcommon-x11.so.0", "libxkbcommon-x11-0", "libxkbcommon-x11", "libxkbcommon-x11"
    ),
    SystemLibrary("libxcb-cursor.so.0", "libxcb-cursor0", "xcb-util-cursor", "xcb-util-cursor"),
    SystemLibrary("libxcb-icccm.so.4", "libxcb-icccm4", "xcb-util-wm", "xcb-util-wm"),
    SystemLibrary("libxcb-image.so.0", "libxcb-image0", "xcb-util-image", "xcb-util-image"),
    SystemLibrary("libxcb-keysyms.so.1", "libxcb-keysyms1", "xcb-util-keysyms", "xcb-util-keysyms"),
    SystemLibrary("libxcb-randr.so.0", "libxcb-randr0", "libxcb", "libxcb"),
    SystemLibrary(
        "libxcb-render-util.so.0",
        "libxcb-render-util0",
        "xcb-util-renderutil",
        "xcb-util-renderutil",
    ),
    SystemLibrary("libxcb-render.so.0", "libxcb-render0", "libxcb", "libxcb"),
    SystemLibrary("libxcb-shape.so.0", "libxcb-shape0", "libxcb", "libxcb"),
    SystemLibrary("libxcb-shm.so.0", "libxcb-shm0", "libxcb", "libxcb"),
    SystemLibrary("libxcb-sync.so.1", "libxcb-sync1", "libxcb", "libxcb"),
    SystemLibrary("libxcb-util.so.1", "libxcb-util1", "xcb-util", "xcb-util"),
    SystemLibrary("libxcb-xfixes.so.0", "libxcb-xfixes0", "libxcb", "libxcb"),
    SystemLibrary("libxcb-xkb.so.1", "libxcb-xkb1", "libxcb", "libxcb"),
)
# and WebEngine and sound.
_WEB_ENGINE = (
    SystemLibrary("libnss3.so", "libnss3", "nss", "nss"),
    SystemLibrary("libasound.so.2", "libasound2t64 libasound2", "alsa-lib", "alsa-lib"),
    SystemLibrary("libgbm.so.1", "libgbm1", "mesa-libgbm", "mesa"),
    SystemLibrary("libpulse.so.0", "libpulse0", "pulseaudio-libs", "libpulse"),
    SystemLibrary("libudev.so.1", "libudev1", "systemd-libs", "systemd-libs"),
    SystemLibrary("libxcb-dri3.so.0", "libxcb-dri3-0", "libxcb", "libxcb"),
    SystemLibrary("libxkbfile.so.1", "libxkbfile1", "libxkbfile", "libxkbfile"),
    SystemLibrary("libXcomposite.so.1", "libxcomposite1", "libXcomposite", "libxcomposite"),
    SystemLibrary("libXdamage.so.1", "libxdamage1", "libXdamage", "libxdamage"),
    SystemLibrary("libXrandr.so.2", "libxrandr2", "libXrandr", "libxrandr"),
    SystemLibrary("libXtst.so.6", "libxtst6", "libXtst", "libxtst"),
)


class MissingLibrariesError(Exception):
    """Libraries are missing that Qt does not start without; the message says how to get them."""


def provide_libraries(*, with_display: bool) -> None:
    """See to it that Qt finds its libraries: install them as root on Debian, else say how.

    Args:
        with_display: a window will be opened, so what X11 needs is wanted too.

    Raises:
        MissingLibrariesError: Qt would not start. Where only WebEngine's or sound libraries are
            missing, a notice is printed instead.
    """
    if not sys.platform.startswith("linux"):
        return
    wanted = (*_QT, *(_X11 if with_display else ()), *_WEB_ENGINE)
    missing = missing_libraries(wanted)
    if not missing:
        return
    if install_system_packages(library.apt for library in missing):
        missing = missing_libraries(missing)
    if not missing:
        return
    advice = describe_missing(missing)
    if set(missing) <= set(_WEB_ENGINE):
        print(f"{advice}\nGoing on without.", file=sys.stderr)
    else:
        raise MissingLibrariesError(advice)


def missing_libraries(libraries: Iterable[SystemLibrary]) -> list[SystemLibrary]:
    """Return those that the dynamic loader does not find."""
    return [library for library in libraries if not _loads(library.soname)]


def describe_missing(missing: Sequence[SystemLibrary], has: Callable[[str], object] = which) -> str:
    """Name missing libraries and the one command that installs them on this distribution."""
    names = ", ".join(library.soname for library in missing)
    if has("apt-get"):
        install = ["apt-get install", *_apt_names(library.apt for library in missing)]
    elif has("dnf"):
        install = ["dnf install", *(library.dnf for library in missing)]
    elif has("pacman"):
        install = ["pacman -S --needed", *(library.pacman for library in missing)]
    else:
        return f"System libraries are missing: {names}. Install them with your package manager."
    command = " ".join(dict.fromkeys(install))
    return f"System libraries are missing: {names}. Install them with:\n\n    sudo {command}\n"


def install_system_packages(packages: Iterable[str]) -> bool:
    """Install Debian packages where this is Debian or its kin and we are root.

    Returns:
        Whether it was done; the reason why not was printed by apt-get where it was tried.
    """
    if sys.platform == "win32" or os.geteuid() != 0 or not which("apt-get"):
        return False
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _apt_get(["update", "--quiet=2"], environment)  # a stale list may still do
    chosen = list(dict.fromkeys(_apt_names(packages)))
    print(f"Installing system packages: {' '.join(chosen)} ...", file=sys.stderr, flush=True)
    options = ["--yes", "--quiet=2", "--no-install-recommends"]
    return _apt_get(["install", *options, *chosen], environment) == 0


def _apt_get(arguments: list[str], environment: dict[str, str]) -> int:
    return subprocess.call(["apt-get", *arguments], env=environment, stdout=sys.stderr)


def _apt_names(packages: Iterable[str]) -> list[str]:
    """Choose from each entry's alternatives the first that this release has, else the last."""
    return [
        next((name for name in entry.split()[:-1] if _apt_knows(name)), entry.split()[-1])
        for entry in packages
    ]


def _apt_knows(package: str) -> bool:
    found = subprocess.run(["apt-cache", "show", package], capture_output=True, check=False)
    return found.returncode == 0


def _loads(soname: str) -> bool:
    try:
        ctypes.CDLL(soname)
    except OSError:
        return False
    return True
