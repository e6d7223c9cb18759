from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.reading.positions import Positions, utf16_length
from core.text import BLOCK_SEPARATOR, Block, BlockKind, Span, place_blocks

TEXTS = st.lists(
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=30),
    min_size=1,
    max_size=8,
)


@given(texts=TEXTS, data=st.data())
def test_offsets_and_positions_are_two_ways_to_say_the_same(
    texts: list[str], data: st.DataObject
) -> None:
    blocks = place_blocks(Block(BlockKind.PARAGRAPH, text, "0") for text in texts)
    whole = BLOCK_SEPARATOR.join(texts)
    start = data.draw(st.integers(0, len(whole)))
    section = Span(start, data.draw(st.integers(start, len(whole))))
    overlapping = [block for block in blocks if block.span.overlaps(section)]
    positions = Positions(overlapping, section)
    shown = BLOCK_SEPARATOR.join(piece.text for piece in positions.pieces)
    if not shown:
        return
    first = positions.pieces[0].offset
    assert whole[first:].startswith(shown)
    offset = data.draw(st.integers(first, first + len(shown)))
    position = positions.position_of(offset)
    assert position == utf16_length(shown[: offset - first])
    assert positions.offset_at(position) == offset


def test_inside_a_pair_of_units_is_the_pair() -> None:
    blocks = place_blocks([Block(BlockKind.PARAGRAPH, "a😀b", "0")])
    positions = Positions(blocks, Span(0, 3))
    assert [positions.offset_at(position) for position in range(5)] == [0, 1, 1, 2, 3]
    assert [positions.position_of(offset) for offset in range(4)] == [0, 1, 3, 4]


def test_what_lies_outside_is_cut_to_the_section() -> None:
    blocks = place_blocks(
        [Block(BlockKind.PARAGRAPH, "before", "0"), Block(BlockKind.VERSE, "x", "1")]
    )
    positions = Positions(blocks[1:], Span(7, 8))
    assert positions.position_of(0) == 0
    assert positions.position_of(99) == 1
    assert positions.offset_at(99) == 8
