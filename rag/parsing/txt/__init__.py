"""Plain text books: encodings, line layouts, chapter headings, distributors' conventions."""

from rag.parsing.txt.parser import PARSER_VERSION, parse_txt

__all__ = ["PARSER_VERSION", "parse_txt"]
