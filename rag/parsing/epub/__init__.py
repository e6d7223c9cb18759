"""EPUB 2 and 3 read into canonical text: `parse_epub`; see `locators` for how blocks are found."""

from rag.parsing.epub.parser import PARSER_VERSION, parse_epub

__all__ = ["PARSER_VERSION", "parse_epub"]
