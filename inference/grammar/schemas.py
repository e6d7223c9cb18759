"""JSON schemas as grammars take them."""

from __future__ import annotations

import json
from typing import Any

from inference.errors import GrammarError

# Space between the parts of JSON: one space, or a line break and an indent. Without a bound a model
# may go on with line breaks for ever.
_OPTIONS = {"whitespace_pattern": r" |\r?\n[ \t]{0,32}"}

ANY_OBJECT = '{"type": "object"}'


def read_schema(source: str) -> dict[str, Any]:
    """Read a JSON schema, and say in it how space is treated.

    Raises:
        GrammarError: not JSON, or no schema.
    """
    try:
        schema = json.loads(source)
    except (ValueError, RecursionError) as error:
        raise GrammarError(f"The JSON schema is not JSON: {error}") from error
    if schema is True:
        schema = {}
    if not isinstance(schema, dict):
        raise GrammarError("A JSON schema that is no object allows nothing.")
    return {**schema, "x-guidance": _OPTIONS}


def json_rule(source: str) -> str:
    """A schema's documents within a Lark grammar.

    Raises:
        GrammarError: not JSON, or no schema.
    """
    return "%json " + json.dumps(read_schema(source))
