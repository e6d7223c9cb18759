"""A program that stores books until it is killed: `python appending.py HOME`.

It prints a line for every batch that it has been told is stored.
"""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

from core.home import Home
from core.persistence.library import open_library
from support.stored_books import chunk_each, paragraphs, parent_chunks, summary

TEXTS = [f"paragraph {n} " + "of whales and the sea " * 10 for n in range(300)]
BATCH = 30


def main() -> None:
    library = open_library(Home(Path(sys.argv[1])))
    placed = paragraphs(TEXTS)
    for number in count():
        book, _ = library.books.add(f"hash {number}", "a.txt", f"Book {number}", "txt")
        library.books.begin_text(book.id, summary(placed))
        library.books.append_parents(book.id, parent_chunks(placed, "Book"))
        for at in range(0, len(placed), BATCH):
            library.books.append_blocks(book.id, placed[at : at + BATCH])
            library.books.append_chunks(book.id, chunk_each(placed)[at : at + BATCH])
            print(book.id, at + BATCH, flush=True)
        library.books.finish_text(book.id)


if __name__ == "__main__":
    main()
