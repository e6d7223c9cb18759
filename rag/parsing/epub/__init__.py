"""EPUB 2 and 3 read into canonical text by one path: zipfile and lxml, trusting nothing.

What is text and what is not:

- Pages follow the spine; those that are not linear come behind all others; a page listed twice is
  read once. A book of pictures has its title for a text.
- A block-level element is a block, and a line break ends one (in headings and table rows it is a
  space). Lines of verse and of preformatted text are blocks each; a plain table row is one block,
  its cells joined by " | ", and tables that only lay out a page are read as their paragraphs.
- Left out: marks of notes (numbers, arrows back), the readings of ruby, page numbers, hidden
  elements, scripts, media, forms, and descriptions of pictures. Notes are blocks of their own,
  where the book has them. Mathematics is its tokens, a space between them.
- Matter comes from `epub:type`, ARIA roles, landmarks and guide, names of files and headings.

`locators` says how a block is found again in its page.
"""

from rag.parsing.epub.parser import PARSER_VERSION, parse_epub

__all__ = ["PARSER_VERSION", "parse_epub"]
