"""A small Hugging Face hub on loopback: it stands for somebody else's server."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SHA = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class ModelHub:
    """What the hub has.

    Attributes:
        url: where it answers.
        files: by repository, then by name.
        gated: repositories that ask for consent.
        damaged: names of files that are sent with a changed byte.
        break_after: bytes after which a file's transfer breaks off, once.
        requests: `METHOD path` of each request, with the range it asked for.
    """

    url: str = ""
    files: dict[str, Mapping[str, bytes]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    damaged: set[str] = field(default_factory=set)
    break_after: int | None = None
    requests: list[str] = field(default_factory=list)


@contextmanager
def model_hub() -> Iterator[ModelHub]:
    """Run a hub for the length of a block."""
    hub = ModelHub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = False
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: ModelHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Keep quiet."""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        asked = self.headers.get("Range", "")
        self.hub.requests.append(f"{self.command} {path} {asked}".strip())
        for repository, files in self.hub.files.items():
            if path.startswith(f"/api/models/{repository}"):
                self._describe(repository, files, tree="/tree/" in path)
                return
            if path.startswith(f"/{repository}/resolve/"):
                name = path.rpartition("/")[2]
                self._send_file(name, files[name], asked, with_body=with_body)
                return
        self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def _describe(self, repository: str, files: Mapping[str, bytes], *, tree: bool) -> None:
        if repository in self.hub.gated:
            self._send(403, b"{}", {"X-Error-Code": "GatedRepo"})
            return
        if tree:
            entries: Any = [
                {
                    "type": "file",
                    "path": name,
                    "size": len(data),
                    "oid": "0" * 40,
                    **_lfs(name, data, "oid"),
                }
                for name, data in files.items()
            ]
        else:
            entries = {
                "id": repository,
                "modelId": repository,
                "sha": SHA,
                "private": False,
                "tags": [],
                "downloads": 0,
                "siblings": [
                    {
                        "rfilename": name,
                        "size": len(data),
                        "blobId": "0" * 40,
                        **_lfs(name, data, "sha256"),
                    }
                    for name, data in files.items()
                ],
            }
        self._send(200, json.dumps(entries).encode(), {"Content-Type": "application/json"})

    def _send_file(self, name: str, data: bytes, asked: str, *, with_body: bool) -> None:
        etag = hashlib.sha256(data).hexdigest()
        if name in self.hub.damaged:
            data = bytes([data[0] ^ 1]) + data[1:]
        start = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": SHA, "Accept-Ranges": "bytes"}
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        body = data[start:]
        cut, self.hub.break_after = self.hub.break_after, None
        if with_body and cut is not None and len(body) > cut:
            self._send(206 if asked else 200, body[:cut], headers, length=len(body))
            self.close_connection = True
            return
        if cut is not None:
            self.hub.break_after = cut
        self._send(206 if asked else 200, body if with_body else b"", headers, length=len(body))

    def _send(
        self, status: int, body: bytes, headers: Mapping[str, str], length: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)


def _lfs(name: str, data: bytes, key: str) -> dict[str, Any]:
    if not name.endswith(".safetensors"):
        return {}
    return {"lfs": {key: hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}}
