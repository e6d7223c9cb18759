"""A small EPUB with some of its bytes changed: only BadBookError may come out."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import BadBookError
from rag.parsing.epub import parse_epub
from support.epubs import PIXEL, EpubSource, encryption, navigation, ncx, write_zip

SMALL = EpubSource(
    {
        "one.xhtml": '<h1 id="a">One</h1><p class="verse">Text<br/>text.</p><ul><li>x</li></ul>',
        "two.xhtml": "<pre>a\nb</pre><table><tr><td>1</td><td>2</td></tr></table>&nbsp;&amp;",
    },
    nav=navigation([("One", "one.xhtml#a"), ("Two", "two.xhtml")]),
    ncx=ncx("<navPoint><navLabel><text>x</text></navLabel><content src='two.xhtml'/></navPoint>"),
    metadata='<dc:creator opf:role="aut">Me</dc:creator><meta name="cover" content="c"/>',
    manifest='<item id="c" href="c.gif" media-type="image/gif"/>',
    files={"EPUB/c.gif": PIXEL, "META-INF/encryption.xml": encryption("EPUB/f.otf")},
).entries()
HOSTILE = [b"<", b"&", b"]]>", b"\0", b"\xff\xfe", b"<!DOCTYPE x [", b"<!--", b"%", b"../", b"#"]
Edits = list[tuple[int, int, bytes]]
EDITS = st.lists(
    st.tuples(
        st.integers(0, 5_000),
        st.integers(0, 40),
        st.one_of(
            st.binary(max_size=12), st.sampled_from([*HOSTILE, b"PK\x03\x04", b"PK\x01\x02"])
        ),
    ),
    min_size=1,
    max_size=12,
)


def edited(data: bytes, edits: Edits) -> bytes:
    """Replace stretches of bytes; places past the end wrap round."""
    changed = bytearray(data)
    for at, length, replacement in edits:
        start = at % (len(data) or 1)
        changed[start : start + length] = replacement
    return bytes(changed)


def assert_read_or_refused(path: Path) -> None:
    with contextlib.suppress(BadBookError):
        assert parse_epub(path).blocks


def check_changed_container(folder: Path, edits: Edits) -> None:
    path = write_zip(folder / "x.epub", SMALL)
    path.write_bytes(edited(path.read_bytes(), edits))
    assert_read_or_refused(path)


def check_changed_entry(folder: Path, name: str, edits: Edits) -> None:
    changed = {**SMALL, name: edited(SMALL[name], edits)}
    assert_read_or_refused(write_zip(folder / "x.epub", changed))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(edits=EDITS)
def test_a_changed_container_never_crashes_the_parser(tmp_path: Path, edits: Edits) -> None:
    check_changed_container(tmp_path, edits)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(sorted(SMALL)), edits=EDITS)
def test_a_changed_entry_never_crashes_the_parser(tmp_path: Path, name: str, edits: Edits) -> None:
    check_changed_entry(tmp_path, name, edits)


@pytest.mark.slow
@settings(max_examples=2_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(edits=EDITS)
def test_long_fuzzing_of_the_container(tmp_path: Path, edits: Edits) -> None:
    check_changed_container(tmp_path, edits)


@pytest.mark.slow
@settings(max_examples=3_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(sorted(SMALL)), edits=EDITS)
def test_long_fuzzing_of_the_entries(tmp_path: Path, name: str, edits: Edits) -> None:
    check_changed_entry(tmp_path, name, edits)
