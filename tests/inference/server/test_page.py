"""The page at `/`."""

from __future__ import annotations

import re

import pytest

from inference.server.page import PAGE_FILES
from support.engine_server import RunningServer


@pytest.mark.parametrize("path", PAGE_FILES)
def test_its_files_are_shut_in(server: RunningServer, path: str) -> None:
    reply = server.http.get(path)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == PAGE_FILES[path][1]
    policy = reply.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_it_asks_nobody_else(server: RunningServer) -> None:
    for path in PAGE_FILES:
        text = server.http.get(path).text.replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", text), path


def test_nothing_runs_that_the_policy_forbids(server: RunningServer) -> None:
    html = server.http.get("/").text
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?! src=)", html)
    used = set(re.findall(r'\$\("([a-z-]+)"\)', server.http.get("/page.js").text))
    assert used <= set(re.findall(r'id="([a-z-]+)"', html))
