"""Parsers: from a source file to a ParsedBook."""
